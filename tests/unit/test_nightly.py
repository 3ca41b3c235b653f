"""The table of long runs: what fails there fails as a whole, and says what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.nightly import RUNS, LongRun, main

done: list[int] = []


def well(seed: int) -> Iterator[str]:
    done.append(seed)
    yield "all is well"


def badly(seed: int) -> Iterator[str]:
    yield "one is lost"
    raise AssertionError("of two")


WELL = LongRun("well", "goes well", well, needs=("python3",))
BADLY = LongRun("badly", "goes badly", badly)
LACKING = LongRun("lacking", "cannot begin", well, needs=("no-such-program-here",))


def test_a_failed_run_fails_the_night_and_the_next_one_still_runs(
    capsys: pytest.CaptureFixture[str],
):
    done.clear()
    assert main(["--seed", "7"], [BADLY, WELL]) == 1
    assert done == [7]
    told = capsys.readouterr()
    assert "one is lost" in told.out
    assert "all is well" in told.out
    assert "of two" in told.err
    assert main(["--only", "well"], [BADLY, WELL]) == 0


def test_a_tool_that_is_not_there_fails_the_night_before_it_begins(
    capsys: pytest.CaptureFixture[str],
):
    done.clear()
    assert main([], [WELL, LACKING]) == 2
    assert done == []
    assert "no-such-program-here" in capsys.readouterr().err


def test_every_run_has_a_name_of_its_own():
    assert len({run.name for run in RUNS}) == len(RUNS) > 0
