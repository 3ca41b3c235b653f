"""What many jobs in flight cost in memory; run as a program, in a process of its own.

    python -m tests.followed_jobs 10000

prints the mebibytes by which the process has grown while it follows so many jobs, each
asked about once at least, with what their results need to be read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import uuid
from random import Random
from typing import TYPE_CHECKING, Any

import psutil

from qawait._job import Job
from qawait._poller import Poller
from qawait._queue_schedule import QueueSchedule
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest, State, Status, Step

if TYPE_CHECKING:
    from qawait.results import Result


class Busy:
    """A service at which every job is in progress."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.everyone = asyncio.Event()
        self.expected = 0

    async def question(
        self, job_id: str, manifest: Manifest
    ) -> tuple[Status, Result | None]:
        await asyncio.sleep(0)
        self.asked.add(job_id)
        if len(self.asked) >= self.expected:
            self.everyone.set()
        return Status(raw="processing", state=State.PENDING_EXECUTION), None

    async def result(self, job_id: str, status: Status, manifest: Manifest) -> Any:
        raise AssertionError("no job is ready")

    def steps_of(self, result: Result) -> tuple[Step, ...]:
        return ()

    def earliest_question(self) -> float:
        return asyncio.get_running_loop().time()


def a_job(poller: Poller) -> Job:
    async def cancel(job_id: str) -> None: ...

    layout = Layout.from_keys({"c_2_0": 2})
    record = CircuitRecord(
        label=f"circuit {uuid.uuid4()}",
        shots=100,
        layout=layout,
        qubits={"c_2_0": ("QB1", "QB2")},
    )
    return Job(
        str(uuid.uuid4()),
        submission_id=str(uuid.uuid4()),
        manifest=Manifest(circuits=(record,), target="square20"),
        cancel=cancel,
        forecast=poller.eta,
    )


def resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


async def grown_by(jobs: int) -> float:
    """Follow so many jobs; mebibytes that it takes."""
    service = Busy()
    loop = asyncio.get_running_loop()
    # questions at once, so that every job is soon known: nothing is forgotten by it
    schedule = QueueSchedule[str](Random(1))
    poller = Poller(service, schedule, clock=loop.time)
    a_job(poller)
    before = resident()
    kept = [a_job(poller) for _ in range(jobs)]
    for job in kept:
        poller.follow(job, adopted=True)
    service.expected = len(kept)
    worker = asyncio.create_task(poller.run())
    await service.everyone.wait()
    grown = resident() - before
    worker.cancel()
    return grown


if __name__ == "__main__":
    print(asyncio.run(grown_by(int(sys.argv[1]))))
