"""What does a journal on the disk cost, and how long does reading it back take?

The work "sweep" is a sweep of native circuits on `qawait serve --null`, which answers at
once: with a journal on the disk and without, in turns, each time in a process of its own
and against a service of its own. The other works take points through a journal and make
no request: intent, bytes on their way, id, end with a result, four submissions under way
at once; the difference between the rivals is the journal's whole cost. What the disk
takes for a flush differs by a factor of a hundred between disks; the report has it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.service.running import running

from benchmarks import harness

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

QUESTION = "What does a journal cost, and how long does reading it back take?"


def own_python() -> Path:
    return Path(sys.executable)


def rivals(module: str) -> tuple[harness.Rival, ...]:
    return (
        harness.Rival("qawait", own_python, module, ("disk",)),
        harness.Rival("qawait, in memory", own_python, module, ("memory",)),
    )


_READ = harness.Figure("seconds to read back", lambda run: run.report["read_seconds"])
_FLUSH = harness.Figure(
    "milliseconds of one flush", lambda run: 1e3 * run.report["flush_seconds"]
)
_PEAK = harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6)
_OF_SWEEPS = (
    harness.Figure("seconds", lambda run: run.report["sweep_seconds"]),
    harness.Figure("CPU seconds", lambda run: run.report["sweep_cpu_seconds"]),
    harness.Figure("jobs", lambda run: run.report["jobs"]),
    _READ,
    _FLUSH,
    _PEAK,
)
_OF_RATIOS = (
    harness.Figure("time of that in memory", lambda run: run.report["ratio"]),
    harness.Figure("CPU time of that in memory", lambda run: run.report["cpu_ratio"]),
)
_OF_POINTS = (
    harness.Figure("seconds to write", lambda run: run.report["write_seconds"]),
    harness.Figure(
        "milliseconds for a job", lambda run: 1e3 * run.report["seconds_each"]
    ),
    _READ,
    harness.Figure("MB on the disk", lambda run: run.report["bytes"] / 1e6),
    _FLUSH,
    _PEAK,
)


class Work(NamedTuple):
    """What goes through a journal."""

    module: str
    size: dict[str, int]
    smallest: dict[str, int]
    figures: tuple[harness.Figure, ...] = _OF_POINTS


_FEW = {"points": 20, "circuits in a job": 5, "shots": 10}
WORKS = {
    "sweep": Work(
        "sweep_qawait",
        {"points": 10_000, "shots": 100},
        {"points": 20, "shots": 10},
        _OF_SWEEPS,
    ),
    "batches": Work(
        "journal_points",
        {"points": 10_000, "circuits in a job": 100, "shots": 1000},
        _FEW,
    ),
    "single": Work(
        "journal_points",
        {"points": 1_000, "circuits in a job": 1, "shots": 1000},
        _FEW,
    ),
}


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        rivals("journal_points"),
        work={"choices": list(WORKS), "help": "only this one; all of them otherwise"},
    )
    for name in [options.work] if options.work else WORKS:
        _compare(name, options)


def _compare(name: str, options: argparse.Namespace) -> None:
    work = WORKS[name]
    size = work.smallest if options.smallest else work.size
    figures = work.figures
    runs = [_run(rival, size) for rival in harness.turns(rivals(work.module), options)]
    if work.figures is _OF_SWEEPS and _compared(runs):
        figures += _OF_RATIOS
    harness.report(
        f"journal_{name}", QUESTION, {"work": name, **size}, runs, figures, options
    )


def _run(rival: harness.Rival, size: dict[str, int]) -> harness.Run:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        arguments = (directory, *map(str, size.values()))
        if rival.module == "journal_points":
            return harness.run(rival, *arguments)
        with running("--null") as service:
            return harness.run(rival, service.url, *arguments, PEER_TOKEN=service.token)


def _compared(runs: Sequence[harness.Run]) -> bool:
    """Give each run its ratio to the run without a journal in the same round, if any."""
    by_rival = {
        rival.name: [r for r in runs if r.rival == rival.name] for rival in rivals("")
    }
    turns = list(zip(*by_rival.values(), strict=False))
    for turn in turns:
        without = turn[-1].report
        for run in turn:
            for ratio, of in (
                ("ratio", "sweep_seconds"),
                ("cpu_ratio", "sweep_cpu_seconds"),
            ):
                run.report[ratio] = run.report[of] / without[of]
    return bool(turns)


if __name__ == "__main__":
    main()
