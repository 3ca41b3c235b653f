"""How long does a client take from a page of results to a histogram it can use?

Each rival begins with the bytes of the same page and ends with what its user gets: qawait
with arrays of outcomes and counts, qoro-divi with a dictionary of bit strings; a second
qawait makes such a dictionary too. The first call of a process is told apart from the
others: qoro-divi compiles its decoder then, or loads what an earlier process compiled.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance.environments import vendor_python

from benchmarks import harness

if TYPE_CHECKING:
    import argparse

QUESTION = "How long from a page of results to a histogram?"
OUTCOMES = {40: 1_000_000, 100: 200_000}
"""How many, by the bits of each."""
CALLS = 7
"""In each process."""
COMPILED = "qoro-divi 0.15.1, compiled before"


def own_python() -> Path:
    return Path(sys.executable)


def divi_python(version: int) -> Path:
    return vendor_python(f"divi{version}")


divi14_python, divi15_python = partial(divi_python, 14), partial(divi_python, 15)

RIVALS = [
    harness.Rival("qawait", own_python, "histogram_qawait"),
    harness.Rival(
        "qawait, with bit strings", own_python, "histogram_qawait", ("strings",)
    ),
    harness.Rival("qoro-divi 0.15.1", divi15_python, "histogram_divi"),
    harness.Rival(COMPILED, divi15_python, "histogram_divi"),
    harness.Rival("qoro-divi 0.14.0", divi14_python, "histogram_divi"),
]

FIGURES = [
    harness.Figure(
        "milliseconds, first call", lambda run: 1e3 * run.report["first_seconds"]
    ),
    harness.Figure(
        "milliseconds, later calls", lambda run: 1e3 * run.report["later_seconds"]
    ),
    harness.Figure(
        "first call, in later calls",
        lambda run: run.report["first_seconds"] / run.report["later_seconds"],
    ),
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
    harness.Figure(
        "memory while it works in MB",
        lambda run: (run.report["grown_bytes"] or 0) / 1e6,
    ),
]


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        RIVALS,
        bits={"type": int, "choices": list(OUTCOMES), "help": "only these; else all"},
        seed={"type": int, "default": 1},
    )
    with tempfile.TemporaryDirectory() as folder:
        for n_bits in [options.bits] if options.bits else OUTCOMES:
            _compare(n_bits, Path(folder), options)


def _compare(n_bits: int, folder: Path, options: argparse.Namespace) -> None:
    outcomes = 1_000 if options.smallest else OUTCOMES[n_bits]
    page = _page(folder, n_bits, outcomes, options.seed)
    compiled = folder / "compiled"
    runs: list[harness.Run] = []
    for rival in harness.turns(RIVALS, options):
        arguments = (str(page), str(CALLS))
        if rival.name != COMPILED:
            fresh = tempfile.mkdtemp(dir=folder)
            runs.append(harness.run(rival, *arguments, NUMBA_CACHE_DIR=fresh))
            continue
        if not compiled.exists():
            harness.run(rival, *arguments, NUMBA_CACHE_DIR=str(compiled))
        runs.append(harness.run(rival, *arguments, NUMBA_CACHE_DIR=str(compiled)))
    size = {
        "bits": n_bits,
        "outcomes": outcomes,
        "seed": options.seed,
        "page bytes": page.stat().st_size,
    }
    harness.report(f"histogram_{n_bits}", QUESTION, size, runs, FIGURES, options)


def _page(folder: Path, n_bits: int, outcomes: int, seed: int) -> Path:
    """The file, made in a process of its own: children begin with our peak memory."""
    page = folder / f"{n_bits}.json"
    numbers = map(str, (n_bits, outcomes, seed))
    command = [sys.executable, "-m", "benchmarks.histogram_page", str(page), *numbers]
    subprocess.run(command, cwd=harness.ROOT, check=True)
    return page


if __name__ == "__main__":
    main()
