"""The long runs: `python -m benchmarks.nightly`. Any that fails makes it fail.

Each is the same code as a test of the suite, at a size for which the suite has no time.
A run that needs a tool which is not there fails too, before any run has begun.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class LongRun(NamedTuple):
    """One run of the table."""

    name: str
    says: str
    """What it shows, and about how long it takes."""
    run: Callable[[int], Iterator[str]]
    """Takes a seed, gives lines about what it found, raises where that is wrong."""
    needs: tuple[str, ...] = ()
    """Programs that it starts."""


def _soak(seed: int) -> Iterator[str]:
    from tests.soak.soak import Plan, soak

    for world in range(10):
        plan = Plan(jobs=200, seed=seed + world, staleness=60.0)
        account = soak(plan)
        yield (
            f"seed {plan.seed}: {dict(account.ends)}, {account.requests:,} requests, "
            f"memory {account.growth:+.1%}"
        )
        if account.ends != {"ready": 180, "JobCancelled": 20}:
            raise AssertionError(f"some of 200 jobs ended otherwise: {account.ends}")
        if abs(account.growth) >= 0.05:
            raise AssertionError(f"memory is not flat: {account.blocks}")


RUNS: tuple[LongRun, ...] = (
    LongRun(
        "soak",
        "2,000 jobs of a day each with faults, restarts and suspends (about an hour)",
        _soak,
    ),
)


def missing(runs: Sequence[LongRun]) -> list[str]:
    """The programs that runs need and this machine does not have."""
    needed = sorted({tool for run in runs for tool in run.needs})
    return [tool for tool in needed if shutil.which(tool) is None]


def carry_out(runs: Sequence[LongRun], seed: int) -> int:
    """Do one run after the other; how many have failed."""
    failed = 0
    for run in runs:
        print(f"{run.name}: {run.says}; seed {seed}", flush=True)
        before = time.monotonic()
        try:
            for line in run.run(seed):
                print(f"  {line}", flush=True)
        except Exception:
            traceback.print_exc()
            failed += 1
        print(f"  {time.monotonic() - before:.0f} s", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None, runs: Sequence[LongRun] = RUNS) -> int:
    names = [run.name for run in runs]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nightly")
    parser.add_argument("--only", choices=names, action="append")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    given = parser.parse_args(arguments)
    chosen = [run for run in runs if given.only is None or run.name in given.only]
    if absent := missing(chosen):
        print(f"not on this machine: {', '.join(absent)}", file=sys.stderr)
        return 2
    return 1 if carry_out(chosen, given.seed) else 0


if __name__ == "__main__":
    # what goes wrong on purpose is no news
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    sys.exit(main())
