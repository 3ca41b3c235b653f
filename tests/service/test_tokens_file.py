"""The service's token in a file, for programs of the same user and nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qawait import connect
from qawait.errors import ConfigurationError
from qawait.local.tokens_file import tokens_file
from qawait.services import IQMService

if TYPE_CHECKING:
    from collections.abc import Iterator

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
CANARY = "canary-0123456789"


@contextlib.contextmanager
def _served(path: Path, **variables: str) -> Iterator[tuple[str, int]]:
    """What a service says that keeps its token there, and its process."""
    command = [sys.executable, "-P", "-m", "qawait.local", "--json", "--null"]
    with subprocess.Popen(
        [*command, "--private-store", "--follow-stdin", "--tokens-file", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline(), process.pid
        finally:
            process.stdin.close()
            assert process.wait(timeout=20) == 0


@POSIX
async def test_a_client_finds_the_token_in_the_file_and_nobody_else_does(
    tmp_path: Path,
):
    path = tmp_path / "token.json"
    before = os.umask(0)
    try:
        with _served(path, QAWAIT_TOKEN="") as (said, process):
            ready = json.loads(said)
            assert ready.keys() == {"url", "tokens_file"}
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            token = json.loads(path.read_text())["access_token"]
            assert len(token) >= 32
            if sys.platform == "linux":
                about = Path(f"/proc/{process}")
                shown = (about / "cmdline").read_bytes() + (
                    about / "environ"
                ).read_bytes()
                assert token.encode() not in shown
            service = IQMService(ready["url"], tokens_file=path, environment={})
            async with connect(service, journal=None) as client:
                assert await client.targets()
        assert not path.exists()
    finally:
        os.umask(before)


@POSIX
def test_a_link_that_was_put_there_is_not_followed(tmp_path: Path):
    target = tmp_path / "mine"
    link = tmp_path / "token.json"
    link.symlink_to(target)
    with pytest.raises(ConfigurationError, match="is there already"):
        _use(link)
    assert not target.exists()
    target.write_text("kept")
    with pytest.raises(ConfigurationError, match="is there already"):
        _use(link)
    assert target.read_text() == "kept"


def test_tokens_that_are_there_are_neither_written_over_nor_shown(tmp_path: Path):
    path = tmp_path / "tokens.json"
    path.write_text("real")
    with pytest.raises(ConfigurationError) as caught:
        _use(path)
    assert CANARY not in repr(caught.value)
    assert path.read_text() == "real"
    with pytest.raises(ConfigurationError, match="cannot be made"):
        _use(tmp_path / "nowhere" / "tokens.json")


def test_a_file_that_took_its_place_stays(tmp_path: Path):
    path = tmp_path / "tokens.json"
    with tokens_file(path, CANARY):
        path.rename(tmp_path / "moved")
        path.write_text("of somebody else")
    assert path.read_text() == "of somebody else"


def _use(path: Path) -> None:
    with tokens_file(path, CANARY):
        raise AssertionError("it was made")
