"""Bars in terminals, and nothing elsewhere."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from typing import TYPE_CHECKING

import pytest

import qawait
from qawait import ConfigurationError, MissingExtra
from qawait._job import Job
from qawait.errors import JobFailed
from qawait.iqm import Circuit, Instruction
from qawait.model import Manifest, State, Status
from qawait.testing import service

if TYPE_CHECKING:
    from collections.abc import Iterator

NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        """Its text, without what steers it."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


def a_job(name: str) -> Job:
    async def cancel(job_id: str) -> None: ...

    return Job(name, submission_id="s", manifest=Manifest(target="t"), cancel=cancel)


@contextlib.contextmanager
def in_a_terminal(kind: str = "xterm") -> Iterator[Terminal]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TERM", kind)
        patched.setenv("COLUMNS", "100")
        patched.delenv("NO_COLOR", raising=False)
        with contextlib.redirect_stderr(Terminal()) as screen:
            yield screen


async def test_jobs_have_one_bar_that_counts_what_has_ended():
    jobs = [a_job(name) for name in "abc"]
    with in_a_terminal() as screen:
        async with qawait.progress(*jobs):
            jobs[0].observe(Status(raw="failed", state=State.FAILED))
            jobs[0].settle(JobFailed("no", job_id="a", raw="failed"))
    lines = re.split(r"[\r\n]+", screen.shown())
    assert any("1/3" in line and "1 failed" in line for line in lines)


async def test_a_sweep_has_a_bar_of_its_points():
    async with service() as there, qawait.connect(there.iqm) as client:
        circuits = dict.fromkeys("abcde", NATIVE)
        with in_a_terminal() as screen:
            async with client.sweep(circuits, shots=2) as sweep, qawait.progress(sweep):
                await sweep.finish()
    assert "5/5" in screen.shown()


async def test_nothing_is_written_where_there_is_no_terminal():
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        async with qawait.progress(a_job("a")):
            pass
    assert pipe.getvalue() == ""


async def test_a_terminal_that_cannot_move_its_cursor_gets_nothing():
    with in_a_terminal("dumb") as screen:
        async with qawait.progress(a_job("a")):
            pass
    assert screen.getvalue() == ""


async def test_without_rich_a_terminal_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "rich", None)
    with (
        in_a_terminal() as screen,
        pytest.raises(MissingExtra, match=r"'qawait\[cli\]'"),
    ):
        async with qawait.progress(a_job("a")):
            pass
    assert screen.getvalue() == ""


async def test_what_is_neither_a_sweep_nor_a_job_is_refused():
    with pytest.raises(ConfigurationError, match="takes sweeps and jobs, not list"):
        async with qawait.progress([]):  # type: ignore[arg-type]
            pass


async def test_a_block_that_raises_leaves_the_cursor_as_it_was():
    with in_a_terminal() as screen, pytest.raises(KeyError):
        async with qawait.progress(a_job("a")):
            raise KeyError
    assert screen.getvalue().rstrip().endswith("\x1b[?25h")
