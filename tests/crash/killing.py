"""Kills a program that writes a journal, again and again, and judges what is left.

Run as a program: a journal, a number of kills, a seed, and "sound" or a mutant's name.
Every program goes on with the journal that the one before has left.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path
from random import Random

import anyio

from qawait.journal import store
from qawait.journal.file import FileJournal
from qawait.journal.records import Recorded, Standing
from qawait.journal.writer import Order
from qawait.model import Delivery
from tests.journals import OWNER, intent, opened, result

SUBMISSIONS = 4
"""Under way at once, as in a client."""

REACHED = {
    Standing.NEW: 0,
    Standing.SENDING: 1,
    Standing.UNKNOWN: 1,
    Standing.ACCEPTED: 2,
    Standing.TERMINAL: 3,
}


async def work(path: Path, generation: int, said: int) -> None:
    """Submit without an end, and say of each step that it is on the disk."""
    async with opened(path, OWNER) as journal:

        def say(name: str, step: int) -> None:
            os.write(said, f"{name} {step}\n".encode())

        async def submit(worker: int) -> None:
            for number in range(1_000_000):
                name = f"{generation}-{worker}-{number}"
                await journal.intend(intent(name, name))
                await journal.sending(name)
                say(name, 1)
                await journal.outcome(name, Delivery.ACCEPTED, f"job-{name}")
                say(name, 2)
                await journal.ended(name, result(f"job-{name}", name))
                say(name, 3)

        async with anyio.create_task_group() as group:
            for worker in range(SUBMISSIONS):
                group.start_soon(submit, worker)


def killed(path: Path, generation: int, random: Random) -> dict[str, int]:
    """One program, killed after a moment; the steps that it has said."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            asyncio.run(work(path, generation, writes))
        finally:
            os._exit(3)
    os.close(writes)
    # the moment counts from the first step: opening takes a while, and is a target too
    if random.random() < 0.9:
        select.select([reads], [], [], 30)
    os.kill(child, 0)
    select.select([], [], [], random.random() * 0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reads, "rb") as stream:
        lines = stream.read().decode().split("\n")[:-1]
    steps: dict[str, int] = {}
    for line in lines:
        name, step = line.split()
        steps[name] = int(step)
    return steps


async def left(path: Path) -> list[Recorded]:
    async with opened(path, OWNER) as journal:
        recorded = await journal.recorded()
        for one in recorded:
            if one.standing is Standing.TERMINAL:
                name = one.intent.submission_id
                assert await journal.result(name) == result(f"job-{name}", name)
        return recorded


def judge(path: Path, kills: int, seed: int) -> dict[str, object]:
    random = Random(seed)
    said: dict[str, int] = {}
    lost: set[str] = set()
    unknown_before, most = 0, 0
    for generation in range(kills):
        said.update(killed(path, generation, random))
        recorded = {r.intent.submission_id: r for r in asyncio.run(left(path))}
        for name, step in said.items():
            one = recorded.get(name)
            if (
                one is None
                or REACHED[one.standing] < step
                or (step >= 2 and one.job_id != f"job-{name}")
            ):
                lost.add(name)
        unknown = sum(r.standing is Standing.UNKNOWN for r in recorded.values())
        most = max(most, unknown - unknown_before)
        unknown_before = unknown
    return {"said": len(said), "lost": len(lost), "unknown": unknown, "most": most}


def acknowledge_first() -> None:
    """The mutant: what became of a submission is told before it is on the disk."""

    async def outcome(self, name, delivery, job_id=None, *, evidence=""):
        act = self._known(name, "outcome", delivery, job_id, evidence)
        self._put(Order(act))

    FileJournal.outcome = outcome  # type: ignore[method-assign]


def forget_what_was_being_sent() -> None:
    """The mutant: after a crash, what was being sent is new."""
    store.AFTER_A_CRASH = Standing.NEW


MUTANTS = {
    "sound": lambda: None,
    "acknowledge first": acknowledge_first,
    "forget": forget_what_was_being_sent,
}

if __name__ == "__main__":
    MUTANTS[sys.argv[4]]()
    print(json.dumps(judge(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
