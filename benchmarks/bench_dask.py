"""What does a Dask cluster bring, and what does it cost?

The work "simulate" is a sweep of 16-qubit circuits whose simulations run on a cluster of
two workers of this machine, or of one; it needs two cores that nobody else uses. The work
"shard" is a sweep of small circuits on `qawait serve --null`, which answers at once, by
the shards of two workers, or by a plain sweep with a journal; what is left is what sharding
costs, and the constants of docs/explanation/scale.md. "divide" is the driver's own part
of a million points.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import harness

QUESTION = "What does a Dask cluster bring, and what does it cost?"


def own_python() -> Path:
    return Path(sys.executable)


RIVALS = {
    "simulate": (
        harness.Rival("qawait", own_python, "dask_qawait", ("2",)),
        harness.Rival("qawait, one worker", own_python, "dask_qawait", ("1",)),
    ),
    "shard": (
        harness.Rival("qawait", own_python, "dask_qawait", ("2",)),
        harness.Rival("qawait, a plain sweep", own_python, "dask_qawait", ("0",)),
    ),
    "divide": (harness.Rival("qawait", own_python, "dask_qawait", ("0",)),),
}
POINTS = {"simulate": 40, "shard": 10_000, "divide": 1_000_000}
SMALLEST = {"simulate": 3, "shard": 12, "divide": 100}


def _each(run: harness.Run, field: str, factor: float) -> float:
    return factor * run.report[field] / run.report["points"]


def _figures(work: str) -> list[harness.Figure]:
    figures = [
        harness.Figure("seconds", lambda run: run.report["work_seconds"]),
        harness.Figure(
            "milliseconds a point", lambda run: _each(run, "work_seconds", 1e3)
        ),
    ]
    if work == "shard":
        figures += [
            harness.Figure(
                "CPU milliseconds of the program a point",
                lambda run: _each(run, "work_cpu_seconds", 1e3),
            ),
            harness.Figure(
                "journal bytes a point", lambda run: _each(run, "journal_bytes", 1)
            ),
            harness.Figure("jobs a point", lambda run: _each(run, "jobs", 1)),
            harness.Figure(
                "bytes of the program's memory a point",
                lambda run: _each(run, "grown_bytes", 1),
            ),
            harness.Figure("requests a point", lambda run: _each(run, "requests", 1)),
        ]
    if work == "divide":
        figures += [
            harness.Figure(
                "bytes of the program's memory a point",
                lambda run: _each(run, "grown_bytes", 1),
            ),
            harness.Figure(
                "bytes a point to the scheduler", lambda run: run.report["order_bytes"]
            ),
        ]
    return figures


def main() -> None:
    options, works = harness.chosen(QUESTION, RIVALS)
    for work in works:
        points = (SMALLEST if options.smallest else POINTS)[work]
        runs: list[harness.Run] = []
        for rival in harness.turns(RIVALS[work], options):
            runs.append(harness.run(rival, work, str(points)))
            runs[-1].report["points"] = points
        harness.report(
            f"dask_{work}",
            QUESTION,
            {"points": points},
            runs,
            _figures(work),
            options,
        )


if __name__ == "__main__":
    main()
