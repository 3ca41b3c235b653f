"""`qawait plot`: a picture, or one line that says what to change."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.plotted import a_journal

from qawait.cli import main

# --- the command ----------------------------------------------------------------------


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    anyio.run(a_journal, tmp_path / "night.qawait")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ([], "night-sweep.png"),
        (["--what", "counts", "--key", "b"], "night-counts.png"),
        (["--what", "timeline", "--out", "t.svg"], "t.svg"),
        (["--what", "polling"], "night-polling.png"),
        (["--over", "gamma", "--value", "III"], "night-sweep.png"),
    ],
)
def test_the_command_writes_a_picture_and_says_where(
    night: Path, asked: list[str], written: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["plot", "night.qawait", *asked]) == 0
    assert capsys.readouterr().out == f"{written}\n"
    begin = (night / written).read_bytes()[:8]
    assert begin.startswith(b"<?xml" if written.endswith("svg") else b"\x89PNG")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nowhere"], "there is no journal nowhere"),
        (["night.qawait", "--out", "x.jpeg"], "end its name in one of .png"),
        (["night.qawait", "--out", "no/x.png"], "name another place with --out"),
        (["night.qawait", "--key", "a"], "--key belongs to --what counts, not sweep"),
        (
            ["night.qawait", "--what", "timeline", "--over", "gamma"],
            "--over belongs to --what sweep, not timeline",
        ),
        (["night.qawait", "--over", "delta"], "there are: gamma, beta"),
        (["night.qawait", "--what", "counts", "--key", "z"], "point or circuit 'z'"),
        (["night.qawait", "--value", "ZZ"], "ZZ is for 2 qubits"),
    ],
)
def test_the_command_says_in_one_line_what_cannot_be_drawn(
    night: Path, asked: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["plot", *asked]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(night.glob("*.png"))
