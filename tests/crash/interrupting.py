"""Interrupts a sweeping program with Ctrl-C at random moments, and judges what is left.

Run as a program: a protocol, a number of times, a seed, "once" or "twice", and "sound"
or the name of a mutant.
"""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from qawait._sweep.sweep import Sweep
from qawait.chaos.address import Address, serving
from qawait.chaos.processes import DONE, INTERRUPTED, Forked, side_by_side
from qawait.chaos.program import CLOSING, OPEN, carried_out
from qawait.chaos.verdict import MOST_UNKNOWN
from qawait.journal.reading import read
from qawait.journal.records import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS = 60
SIDE_BY_SIDE = 4
PATIENCE = 60.0
"""Seconds for a program that was asked once to end."""
AT_ONCE = 2.0
"""Seconds for a program that was asked twice."""
UNSURE = (Standing.SENDING, Standing.UNKNOWN, Standing.MISSING)


class Account(msgspec.Struct):
    """What one process has found while it interrupted."""

    wrong: list[str] = []
    unknown: int = 0
    at_work: int = 0
    longest: float = 0.0
    """Seconds from the last Ctrl-C to the end of a program."""
    known: set[str | None] = set()
    """The ids in the journals."""


def interrupted(
    address: Address, protocol: str, journal: Path, random: Random, twice: bool
) -> tuple[int, float, bool]:
    """The exit code of one program, its seconds after the last Ctrl-C, and whether it
    was at work then."""
    about = (address, protocol, journal, journal.name, 0, POINTS, frozenset())
    with Forked(partial(carried_out, *about)) as process:
        process.listen(PATIENCE, lambda: OPEN in process.lines)
        process.listen(random.uniform(0.0, 0.25))
        at_work = CLOSING not in process.lines
        process.send(signal.SIGINT)
        if twice:
            process.listen(random.uniform(0.0, 0.05))
            process.send(signal.SIGINT)
        began = time.monotonic()
        if not process.listen(PATIENCE):
            return -signal.SIGKILL, PATIENCE, at_work
        return process.end(), time.monotonic() - began, at_work


def interrupt(
    address: Address,
    protocol: str,
    place: Path,
    names: list[str],
    seed: str,
    twice: bool,
    say: Callable[[str], None],
) -> None:
    """Interrupt a program of each name; says an `Account` as JSON."""
    random = Random(seed)
    account = Account()
    for name in names:
        code, seconds, busy = interrupted(
            address, protocol, place / name, random, twice
        )
        account.at_work += busy
        account.longest = max(account.longest, seconds)
        jobs = read(place / name).jobs
        unsure = sum(job.standing in UNSURE for job in jobs)
        account.unknown += unsure
        account.known |= {job.job_id for job in jobs}
        if code not in (DONE, INTERRUPTED):
            account.wrong.append(f"{name}: exit code {code}")
        if unsure > (MOST_UNKNOWN if twice else 0):
            account.wrong.append(f"{name}: {unsure} unknown")
        if twice and seconds > AT_ONCE:
            account.wrong.append(f"{name}: it took {seconds:.1f} s to end")
    say(msgspec.json.encode(account).decode())


def judge(protocol: str, times: int, seed: int, twice: bool) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as directory,
        serving("", seed) as address,
    ):
        place = Path(directory)
        # whoever is forked has everything loaded
        carried_out(address, protocol, place / "w", "w", 0, 8, (), lambda line: None)
        gc.collect()
        gc.freeze()
        names = [f"s{number}" for number in range(times)]
        said = side_by_side(
            [
                partial(
                    interrupt,
                    *(address, protocol, place, names[one::SIDE_BY_SIDE]),
                    *(f"{seed} {one}", twice),
                )
                for one in range(SIDE_BY_SIDE)
            ]
        )
        accounts = [msgspec.json.decode(line[-1], type=Account) for line in said]
        known = {job.job_id for job in read(place / "w").jobs}
        known = known.union(*(account.known for account in accounts))
        sent = [one.job_id for one in address.ledger().submissions]
    wrong = [line for account in accounts for line in account.wrong]
    unknown = sum(account.unknown for account in accounts)
    lost = len(set(sent) - known)
    if lost > unknown:
        wrong.append(f"{lost} jobs run that are in no journal")
    return {
        "times": times,
        "at_work": sum(account.at_work for account in accounts),
        "sent": len(sent),
        "lost": lost,
        "unknown": unknown,
        "longest": round(max(account.longest for account in accounts), 2),
        "wrong": wrong,
    }


def do_not_wait() -> None:
    """The mutant: submissions that are on their way are cut off."""

    def drain(self):
        parts = self._open_parts
        parts.flow.stop("it was interrupted")
        self._leaving.set()
        parts.line.hurry(0.0)

    Sweep._drain = drain  # type: ignore[method-assign]


MUTANTS = {"sound": lambda: None, "no waiting": do_not_wait}

if __name__ == "__main__":
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    protocol, times, seed, way, mutant = sys.argv[1:]
    MUTANTS[mutant]()
    print(json.dumps(judge(protocol, int(times), int(seed), way == "twice")))
