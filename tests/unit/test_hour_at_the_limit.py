"""An hour of 10,000 jobs and more at IQM's limit: the real poller before a real gate.

Only the service is simulated, on a clock that jumps; its limiter is the one of the local
service, which knows nothing of how the client reckons.
"""

from __future__ import annotations

import itertools
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.limited_service import READ, RESULT, SUBMIT, LimitedService, gates

from qawait._job import Job
from qawait._poller import Poller
from qawait._queue_schedule import QueueSchedule
from qawait.errors import RateLimited
from qawait.model import End, Manifest, State, Status, Step
from qawait.testing import VirtualTimeLoop

if TYPE_CHECKING:
    from qawait._turnstile import Turnstile
    from qawait.results import Result

HOUR = 3600.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class LimitedQueue:
    """One server, first come, first served, behind the limit."""

    def __init__(self, gate: Turnstile, service_time: float) -> None:
        self.service = LimitedService()
        self.gate = gate
        self._service_time = service_time
        self._ends: dict[str, float] = {}
        self._free_at = 0.0
        self.ended = 0

    def take(self, job_id: str) -> None:
        self._free_at = max(self._free_at, anyio.current_time()) + self._service_time
        self._ends[job_id] = self._free_at

    async def question(
        self, job_id: str, manifest: Manifest
    ) -> tuple[Status, Result | None]:
        await self._ask(READ)
        if anyio.current_time() < self._ends[job_id]:
            return Status(raw="waiting", state=State.PENDING_EXECUTION), None
        return Status(raw="ready", state=State.READY, end=End.READY), None

    async def result(self, job_id: str, status: Status, manifest: Manifest) -> Any:
        await self._ask(RESULT)
        self.ended += 1
        return "the result"

    async def submit(self, job_id: str) -> None:
        await self._ask(SUBMIT)
        self.take(job_id)

    def steps_of(self, result: Result) -> tuple[Step, ...]:
        return ()

    def earliest_question(self) -> float:
        return self.gate.earliest("read")

    async def _ask(self, call: Any) -> None:
        if not await self.service.ask(self.gate, call):
            raise RateLimited(429, "too many requests", retry_after=30.0)


async def cancel(job_id: str) -> None: ...


@pytest.mark.parametrize("service_time", [0.05, 2.0])
async def test_an_hour_of_ten_thousand_jobs_at_iqms_limit(service_time: float):
    """Not once refused, and at least 90 % of the limit used while it binds.

    Ten thousand jobs are followed from the beginning, and four tasks go on submitting.
    """
    seed = 5
    (gate,) = gates()
    queue = LimitedQueue(gate, service_time)
    poller = Poller(queue, QueueSchedule(Random(seed)))
    numbers = itertools.count()

    def follow(job_id: str) -> None:
        poller.follow(Job(job_id, submission_id="", manifest=Manifest(), cancel=cancel))

    async def keep_submitting() -> None:
        while True:
            job_id = str(next(numbers))
            await queue.submit(job_id)
            follow(job_id)

    for _ in range(10_000):
        job_id = str(next(numbers))
        queue.take(job_id)
        follow(job_id)
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        for _ in range(4):
            group.start_soon(keep_submitting)
        await anyio.sleep(HOUR)
        group.cancel_scope.cancel()
    assert queue.service.refused == [], f"seed {seed}"
    assert queue.service.share_used(HOUR) >= 0.9, f"seed {seed}"
    assert queue.ended > min(10_000, 0.9 * HOUR / service_time)
