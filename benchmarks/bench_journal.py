"""What does a journal on the disk cost, and how long does reading it back take?

Points go through a journal as a client takes them through it: intent, bytes on their way,
id, end with a result, four submissions under way at once. No request is made, so the
difference between the rivals is the journal's whole cost. What the disk takes for a
flush differs by a factor of a hundred between disks; the report has it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import harness

QUESTION = "What does a journal cost, and how long does reading it back take?"


def own_python() -> Path:
    return Path(sys.executable)


RIVALS = [
    harness.Rival("qawait", own_python, "journal_points", ("disk",)),
    harness.Rival("qawait, in memory", own_python, "journal_points", ("memory",)),
]
WORKS = {
    "batches": {"points": 10_000, "circuits in a job": 100, "shots": 1000},
    "single": {"points": 1_000, "circuits in a job": 1, "shots": 1000},
}
SMALLEST = {"points": 20, "circuits in a job": 5, "shots": 10}

FIGURES = [
    harness.Figure("seconds to write", lambda run: run.report["write_seconds"]),
    harness.Figure(
        "milliseconds for a job", lambda run: 1e3 * run.report["seconds_each"]
    ),
    harness.Figure("seconds to read back", lambda run: run.report["read_seconds"]),
    harness.Figure("MB on the disk", lambda run: run.report["bytes"] / 1e6),
    harness.Figure(
        "milliseconds of one flush", lambda run: 1e3 * run.report["flush_seconds"]
    ),
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
]


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        RIVALS,
        work={"choices": list(WORKS), "help": "only this one; all of them otherwise"},
    )
    for name in [options.work] if options.work else WORKS:
        size = SMALLEST if options.smallest else WORKS[name]
        runs: list[harness.Run] = []
        for rival in harness.turns(RIVALS, options):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
                arguments = (directory, *map(str, size.values()))
                runs.append(harness.run(rival, *arguments))
        harness.report(
            f"journal_{name}", QUESTION, {"work": name, **size}, runs, FIGURES, options
        )


if __name__ == "__main__":
    main()
