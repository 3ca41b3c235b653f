"""Kills a sweeping program at every call that it makes to the system, by strace.

Run as a program: a protocol, a stride, "sound" or a mutant's name of
`tests.crash.tormenting`, and names of calls, without which it takes all of them. Each program sweeps into a journal of its own, is killed before
its n-th call of one name in one of its threads, and is started again to come to its end;
the service's ledger judges. Stride 1 takes every call, 5 every fifth one.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from qawait.chaos.address import Address, serving
from qawait.chaos.processes import CRASHED, DONE, Forked
from qawait.chaos.program import carried_out, keys_of, work
from qawait.chaos.verdict import MOST_UNKNOWN, Swept, Verdict, judge
from qawait.errors import JournalCorrupt, JournalError
from qawait.journal.reading import read
from qawait.journal.verifying import verify

CALLS = (
    *("pwrite64", "fdatasync", "fsync", "write", "sendto", "sendmsg"),
    *("ftruncate", "rename", "unlink", "unlinkat"),
)
"""What puts something onto the disk, or sends it."""
POINTS = 6
_MOST = 400
_ANYBODY = ctypes.c_ulong(-1)
_SET_PTRACER = 0x59616D61
_PATIENCE = 30.0


def when_told(
    go: int, program: Callable[..., None], say: Callable[[str], None]
) -> None:
    """A program that waits until strace has hold of it."""
    # strace is no ancestor of this process, and some systems ask for that
    ctypes.CDLL(None).prctl(_SET_PTRACER, _ANYBODY, 0, 0, 0)
    say(str(os.getpid()))
    os.read(go, 1)
    program(say)


@contextmanager
def traced(
    pid: int,
    call: str,
    when: int | str,
    what: str = "signal=KILL",
    log: str | Path = os.devnull,
) -> Iterator[None]:
    """Kills a process before its n-th call; the block begins when it can.

    Args:
        pid: Of the process.
        call: The call's name; each thread counts its own.
        when: The n-th call, or strace's words for more than one, such as "3+".
        what: Happens to it, in strace's words.
        log: Where strace writes down the calls.
    """
    with subprocess.Popen(
        [
            *("strace", "-f", "-o", str(log), "-p", str(pid)),
            *("-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"),
        ],
        stderr=subprocess.PIPE,
    ) as strace:
        assert strace.stderr is not None
        told = strace.stderr.readline()
        if b"attached" not in told:
            raise AssertionError(f"strace has not got hold of it: {told!r}")
        yield


class NeverKilled(Exception):
    """It never came so far: there is no such call."""


def killed_at(
    address: Address, protocol: str, journal: Path, call: str, number: int
) -> tuple[set[str], int]:
    """One sweep, killed at a call and gone on with; the ids it has seen, and unknowns.

    Raises:
        NeverKilled: It came to its end, for it makes fewer of these calls.
    """
    name = journal.name
    go, tell = os.pipe()
    about = (address, protocol, journal, name)
    program = partial(carried_out, *about, 0, POINTS, ())
    with Forked(partial(when_told, go, program)) as process:
        os.close(go)
        process.listen(_PATIENCE, lambda: bool(process.lines))
        with traced(int(process.lines[0]), call, number):
            os.write(tell, b"!")
            process.listen(_PATIENCE)
        os.close(tell)
        code = process.end()
    if code == DONE:
        raise NeverKilled
    if code == CRASHED:
        raise AssertionError(f"it was not killed, it failed: {process.lines[-1]}")
    seen = {line.split()[1] for line in process.lines[1:] if " " in line}
    unknown = 0
    with where_there_is_one():
        unknown = len(read(journal).unknown)
        if wrong := verify(journal):
            raise AssertionError(f"{call} {number}: {wrong}")
    with Forked(partial(carried_out, *about, 1, POINTS, seen)) as again:
        again.listen(_PATIENCE)
        code = again.end()
    if code != DONE:
        raise AssertionError(f"{call} {number}: it cannot go on: {again.lines[-1:]}")
    seen |= {line.split()[1] for line in again.lines if " " in line}
    return seen, unknown


@contextmanager
def where_there_is_one() -> Iterator[None]:
    """A program that was killed early has left none, or the beginning of one."""
    with suppress(JournalError):
        try:
            yield
        except JournalCorrupt as error:
            raise AssertionError(f"it is damaged: {error}") from error


def every_call(
    protocol: str, stride: int, calls: Sequence[str] = CALLS
) -> dict[str, object]:
    """What was found: how many kills, by call, and what they did."""
    kills: dict[str, int] = {}
    most = 0
    with tempfile.TemporaryDirectory(prefix="qawait-calls-") as directory:
        place = Path(directory)
        with serving("", 1) as address:
            cold = work(
                address, protocol, place / "cold", "cold", 0, POINTS, (), _quiet
            )
            asyncio.run(cold)
            gc.collect()
            gc.freeze()
            swept: list[Swept] = []
            for call in calls:
                for number in range(1, _MOST, stride):
                    journal = place / f"{call}{number}"
                    try:
                        seen, unknown = killed_at(
                            address, protocol, journal, call, number
                        )
                    except NeverKilled:
                        break
                    kills[call] = kills.get(call, 0) + 1
                    most = max(most, unknown)
                    keys = keys_of(journal.name, POINTS)
                    swept.append(Swept(journal.name, keys, read(journal), seen))
            verdict = Verdict(protocol=protocol, seed=1, faults="")
            judge(verdict, address.ledger(), swept)
    return {
        "kills": kills,
        "duplicated": verdict.duplicated,
        "lost": verdict.lost,
        "unknown": verdict.unknown,
        "most_unknown": most,
        "sound": verdict.duplicated == verdict.lost == 0 and most <= MOST_UNKNOWN,
    }


def _quiet(line: str) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    from tests.crash.tormenting import MUTANTS

    chosen, step, mutant, *named = sys.argv[1:]
    MUTANTS[mutant]()
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    print(json.dumps(every_call(chosen, int(step), named or CALLS)))
