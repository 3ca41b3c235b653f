"""The long runs: `python -m benchmarks.nightly`. Any that fails makes it fail.

Each is the same code as a test of the suite, at a size for which the suite has no time.
A run that needs a tool which is not there fails too, before any run has begun.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

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


def _said(*command: str) -> dict[str, Any]:
    """What a program of the tests found; a process of its own, for it forks."""
    ran = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise AssertionError(f"{' '.join(command)}: {ran.stderr[-2000:]}")
    return json.loads(ran.stdout)


def _kills(seed: int) -> Iterator[str]:
    each = 10_000
    for protocol in ("iqm", "qoro"):
        found = _said("tests.crash.tormenting", protocol, str(each), str(seed), "sound")
        yield (
            f"{protocol}: {found['kills']:,} kills, {found['submitted']:,} submissions: "
            f"{found['duplicated']} duplicated, {found['lost']} lost (bound of none: "
            f"{3 / each:.3%} of the kills), {found['unknown']:,} unknown, at most "
            f"{found['most_unknown']} after one kill"
        )
        if not found["sound"] or found["kills"] != each:
            raise AssertionError(f"a promise was broken: {found}")


def _workers(seed: int) -> Iterator[str]:
    found = _said("tests.crash.killing_workers", "100", str(seed), "sound")
    yield f"killed workers of a Dask cluster: {found}"
    most = 4 * 2 * found["kills"] + 2 * found["dropped"]
    if not found["sound"] or found["kills"] != 100 or found["uncertain"] > most:
        raise AssertionError(f"a promise was broken: {found}")
    for mutant in ("forget", "journal of its own"):
        found = _said("tests.crash.killing_workers", "10", str(seed), mutant)
        yield f"the mutant '{mutant}': {found}"
        if not found["duplicated"]:
            raise AssertionError(f"{mutant} was not found out")


def _interrupts(seed: int) -> Iterator[str]:
    for protocol in ("iqm", "qoro"):
        for way, times in (("once", 1000), ("twice", 250)):
            found = _said(
                *("tests.crash.interrupting", protocol, str(times), str(seed)),
                *(way, "sound"),
            )
            yield f"{protocol}, interrupted {way}: {found}"
            if found["wrong"]:
                raise AssertionError(f"{protocol}, {way}: {found['wrong']}")


def _stories(seed: int) -> Iterator[str]:
    import hypothesis
    from hypothesis import strategies as st
    from tests.soak.sagas import Program, programs, told

    lived = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=2000,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.sampled_from(("server", "qoro")), st.lists(programs(), max_size=20)
    )
    def one(protocol: str, story: list[Program]) -> None:
        nonlocal lived
        lived += len(story)
        told(protocol, story)

    one()
    yield f"seed {seed}: 2,000 stories of {lived:,} programs, nothing twice, nothing lost"


def _calls(seed: int) -> Iterator[str]:
    del seed  # every call is tried
    for protocol in ("iqm", "qoro"):
        found = _said("tests.crash.syscalls", protocol, "1", "sound")
        yield f"{protocol}: {found}"
        if not found["sound"] or sum(found["kills"].values()) < 150:
            raise AssertionError(f"a promise was broken: {found}")
    for mutant in ("sending after the send", "forget", "acknowledge first"):
        found = _said("tests.crash.syscalls", "iqm", "1", mutant, "sendto", "sendmsg")
        yield f"the mutant '{mutant}': {found}"
        if found["sound"]:
            raise AssertionError(f"{mutant} was not found out")


def _requests(seed: int) -> Iterator[str]:
    found = _said("tests.service.fuzzed_requests", "100000", str(seed))
    yield f"100,000 requests that are nearly right: {found}"
    if found["grown_bytes"] > 100 << 20:
        raise AssertionError(f"the service has grown by {found['grown_bytes']:,} bytes")


def _leaks(seed: int) -> Iterator[str]:
    found = _said("tests.soak.leaks", "100000", str(seed))
    before, after, counts = found["before"], found["after"], found["counts"]
    grown = 10_000 * found["bytes_each"] / 1e6
    yield (
        f"{after['requests']:,} requests, {found['ends']}: "
        f"{before['descriptors']} descriptors before, {after['descriptors']} after; "
        f"memory {grown:+.2f} MB for 10,000 requests"
    )
    same = {count["tasks"] for count in counts}
    left = [after[what] - before[what] for what in ("tasks", "descriptors")]
    if len(same) != 1 or any(left) or found["warnings"] or grown >= 1.0:
        raise AssertionError(f"something stays behind: {found}")


def _crashes(seed: int) -> Iterator[str]:
    from random import Random

    from tests.crash.crash_points import explored

    for protocol in ("iqm", "qoro"):
        lived = explored(protocol, 2)
        yield f"{protocol}: {lived} pairs of crashes, nothing twice, nothing lost"
        if lived < 200:
            raise AssertionError(f"there are only {lived} pairs of crashes")
        lived = explored(protocol, 3, Random(seed))
        yield f"{protocol}, seed {seed}: {lived} times three crashes, the same"


def _disk(seed: int) -> Iterator[str]:
    del seed  # every call is tried
    for way in ("once", "from then on"):
        found = _said("tests.crash.failing_disk", way, "1", "sound")
        yield f"EIO {way}: {found}"
        if sum(one["failed"] for one in found.values()) < 150:
            raise AssertionError(f"it makes fewer calls than it did: {found}")


def _races(seed: int) -> Iterator[str]:
    from tests.soak.cancellations import raced

    for more in range(10):
        account = raced(2000, seed + more)
        yield f"seed {seed + more}: {account.races:,} cancellations, {account.standings}"


def _hostile(seed: int) -> Iterator[str]:
    test = "tests/unit/test_hostile_answers.py"
    for more in range(10):
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
            env=os.environ | {"HOSTILE_SEED": str(seed + more)},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise AssertionError(f"HOSTILE_SEED={seed + more}: {ran.stdout[-4000:]}")
        yield f"seed {seed + more}: 10,000 hostile answers, values and our own errors"


RUNS: tuple[LongRun, ...] = (
    LongRun(
        "soak",
        "2,000 jobs of a day each with faults, restarts and suspends (about an hour)",
        _soak,
    ),
    LongRun(
        "kills",
        "20,000 times SIGKILL of a program that sweeps, judged by the service's ledger "
        "(an hour)",
        _kills,
    ),
    LongRun(
        "workers",
        "100 times SIGKILL of a worker of a sharded sweep, and two mutants (ten minutes)",
        _workers,
    ),
    LongRun(
        "interrupts",
        "2,000 times Ctrl-C and 500 times twice at random moments of a sweep (ten minutes)",
        _interrupts,
    ),
    LongRun(
        "leaks",
        "100,000 requests over sockets, one in twenty goes wrong (a quarter of an hour)",
        _leaks,
    ),
    LongRun(
        "hostile",
        "100,000 answers that break the rules, over sockets (ten minutes)",
        _hostile,
    ),
    LongRun(
        "requests",
        "100,000 requests that are nearly right, to a local service (ten minutes)",
        _requests,
    ),
    LongRun(
        "stories",
        "2,000 stories of programs that share a journal, under faults, crashes, "
        "suspends and wrong clocks (half an hour)",
        _stories,
    ),
    LongRun(
        "calls",
        "SIGKILL of a sweep before each call that writes or sends (a quarter of an hour)",
        _calls,
        ("strace",),
    ),
    LongRun(
        "crashes",
        "every pair of crash points of a program, and some of every three (ten minutes)",
        _crashes,
    ),
    LongRun(
        "disk",
        "EIO at each call that writes, once and from then on (ten minutes)",
        _disk,
        ("strace",),
    ),
    LongRun(
        "races",
        "20,000 cancellations of submissions, their polls and journals (ten minutes)",
        _races,
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
