"""A disk that answers EIO to a call, by strace, and what is left of a journal then.

Run as a program: "once" or "from then on", a stride, "sound" or a mutant's name, and names of calls, without which it
takes all of them. Each time a program works with a journal of its own; its n-th call of
one name in one of its threads fails, or every one from the n-th on. What it was told has
to be there when the journal is opened again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from qawait.chaos.processes import DONE, Forked
from qawait.errors import JournalError
from qawait.journal.file import FileJournal
from qawait.journal.verifying import verify
from qawait.model import Delivery
from tests.crash.syscalls import traced, when_told
from tests.journals import OWNER, intent, opened, result

CALLS = ("pwrite64", "fdatasync", "fsync", "write", "ftruncate", "rename")
"""What puts something onto the disk."""
JOBS = 4
_MOST = 400
_PATIENCE = 60.0


class _Shown:
    """Standard error of the program, which does not go by the call that may fail."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def write(self, text: str) -> int:
        self._tell(f"shown {text.strip()}")
        return len(text)

    def flush(self) -> None: ...


def work(path: Path, tells: int, say: Callable[[str], None]) -> None:
    """Submit some jobs, and tell what the journal has taken and what it has refused.

    Anything that it raises but a `JournalError` is a crash.
    """
    del say

    def tell(line: str) -> None:
        # no injected error meets this call
        os.writev(tells, [f"{line}\n".encode()])

    sys.stderr = _Shown(tell)  # type: ignore[assignment]
    asyncio.run(_worked(path, tell))


async def _worked(path: Path, tell: Callable[[str], None]) -> None:
    try:
        async with opened(path, OWNER) as journal:
            for n in range(JOBS):
                with suppress(JournalError):
                    await _one_job(journal, n, tell)
            tell("at its end")
    except JournalError as error:
        tell(f"refused {error}")


async def _one_job(journal: FileJournal, n: int, tell: Callable[[str], None]) -> None:
    name = f"s-{n}"
    await journal.intend(intent(name, f"k-{n}"))
    await journal.sending(name)
    tell(f"sending {name}")
    await journal.outcome(name, Delivery.ACCEPTED, f"job-{n}")
    tell(f"accepted {name}")
    await journal.ended(name, result(f"job-{n}", f"k-{n}"))
    tell(f"terminal {name}")


def check(path: Path, told: Sequence[str], say: Callable[[str], None]) -> None:
    """Say what is not as it was told, once the disk is well again."""

    async def recorded() -> dict[str, tuple[str, str | None]]:
        async with opened(path, OWNER) as journal:
            return {
                one.intent.submission_id: (one.standing.value, one.job_id)
                for one in await journal.recorded()
            }

    there = asyncio.run(recorded())
    for wrong in verify(path):
        say(wrong)
    shown = " ".join(line for line in told if line.startswith("shown"))
    for line in told:
        happened, _, name = line.partition(" ")
        if happened not in _AT_LEAST:
            continue
        standing, job_id = there.get(name, ("nowhere", None))
        is_known = job_id == name.replace("s", "job")
        if happened == "accepted" and not is_known:
            if f"job {name.replace('s', 'job')} runs" in shown:
                continue
            say(f"the id of {name} is lost")
        elif standing not in _AT_LEAST[happened]:
            say(f"{name} was {happened}, and is {standing}")


_AT_LEAST = {
    "sending": ("unknown", "accepted", "terminal"),
    "accepted": ("accepted", "terminal"),
    "terminal": ("terminal",),
}


class NeverFailed(Exception):
    """It never came so far: there is no such call."""


def failing_at(path: Path, call: str, when: str) -> list[str]:
    """One program whose calls fail; what it told.

    Raises:
        NeverFailed: It makes fewer of these calls.
        AssertionError: It crashed, or told what is not so.
    """
    log = path.with_suffix(".calls")
    go, start = os.pipe()
    hears, tells = os.pipe()
    with Forked(partial(when_told, go, partial(work, path, tells))) as process:
        os.close(go)
        os.close(tells)
        process.listen(_PATIENCE, lambda: bool(process.lines))
        with traced(int(process.lines[0]), call, when, "error=EIO", log):
            os.write(start, b"!")
            os.close(start)
            has_ended = process.listen(_PATIENCE)
        code = process.end() if has_ended else None
    with os.fdopen(hears, encoding="utf-8") as file:
        told = file.read().splitlines()
    if code != DONE:
        raise AssertionError(f"{call} {when}: it crashed: {process.lines[1:]} {told}")
    if "INJECTED" not in log.read_text(errors="replace"):
        raise NeverFailed
    with Forked(partial(check, path, told)) as checking:
        checking.listen(_PATIENCE)
        code = checking.end()
    if code != DONE or checking.lines:
        raise AssertionError(f"{call} {when}: {checking.lines} after {told}")
    return told


def every_call(
    onwards: bool, stride: int, calls: Sequence[str] = CALLS
) -> dict[str, dict[str, int]]:
    """Let calls fail one after the other; by call, how many failed and what they did.

    Raises:
        AssertionError: A promise was broken.
    """
    found: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory(prefix="qawait-disk-") as directory:
        place = Path(directory)
        asyncio.run(_worked(place / "warm", lambda _: None))
        gc.collect()
        gc.freeze()
        for call in calls:
            counts = found[call] = {"failed": 0, "refused": 0, "shown": 0}
            for number in range(1, _MOST, stride):
                path = place / f"{call}-{number}"
                try:
                    told = failing_at(
                        path, call, f"{number}+" if onwards else f"{number}"
                    )
                except NeverFailed:
                    break
                words = Counter(line.split(" ")[0] for line in told)
                counts["failed"] += 1
                counts["refused"] += words["terminal"] < JOBS
                counts["shown"] += words["shown"] > 0
                if not onwards and words["terminal"] < JOBS - 1 and "at" in words:
                    raise AssertionError(f"{call} {number}: one stopped more: {told}")
    return found


def send_whatever_happens() -> None:
    """The mutant: what could not be written down is sent all the same."""
    sound = FileJournal.sending

    async def sending(self: FileJournal, submission_id: str) -> None:
        with suppress(JournalError):
            await sound(self, submission_id)

    FileJournal.sending = sending  # type: ignore[method-assign]


def keep_ids_back() -> None:
    """The mutant: an id that cannot be written is neither shown nor kept."""
    sound = FileJournal._shielded

    async def shielded(self: FileJournal, act: Any, *, vital: bool = True) -> Any:
        with suppress(JournalError):
            return await sound(self, act, vital=vital)

    FileJournal._shielded = shielded  # type: ignore[method-assign]


MUTANTS = {
    "sound": lambda: None,
    "send whatever happens": send_whatever_happens,
    "keep ids back": keep_ids_back,
}

if __name__ == "__main__":
    way, step, mutant, *named = sys.argv[1:]
    MUTANTS[mutant]()
    print(json.dumps(every_call(way != "once", int(step), named or CALLS)))
