"""Jobs of a day each, in virtual time, with everything going wrong now and then.

The same code runs in the test suite and, longer, in `benchmarks.nightly`.
"""

from __future__ import annotations

import gc
import statistics
import sys
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct, field

import qawait
from qawait.testing import run_virtual, service, stall

if TYPE_CHECKING:
    from qawait.testing import LocalService

HOUR = 3600.0
FAULTS = (
    "503:0.02@poll+results,429:0.005:30s@poll,reset:0.01@poll+results,"
    "drop_reply:0.01@poll+results,unknown_word:0.02@poll"
)


class Plan(Struct, frozen=True, kw_only=True):
    """What a soak is like. Times in seconds unless they say otherwise."""

    jobs: int
    seed: int
    staleness: float
    """The longest time between two questions about a job."""
    hours: int = 24
    """How long each job takes, about."""


class Account(Struct):
    """What became of it."""

    ends: Counter[str] = field(default_factory=Counter[str])
    """How many jobs ended in which way, by the state or the error's name."""
    requests: int = 0
    replaced_tokens: int = 0
    restarts: int = 0
    blocks: list[int] = field(default_factory=list[int])
    """Blocks of memory that Python holds, at the end of each hour."""

    @property
    def growth(self) -> float:
        """Memory in the last hours over that in the first ones, all jobs in flight.

        The ledger and the caches fill up in the first hours.
        """
        early, late = self.blocks[3:8], self.blocks[-5:]
        return statistics.median(late) / statistics.median(early) - 1.0


def circuit() -> qawait.iqm.Circuit:
    prx = qawait.iqm.Instruction("prx", ("QB3",), {"angle": 3.0, "phase": 0.0})
    read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
    return qawait.iqm.Circuit("flip", (prx, read))


def soak(plan: Plan) -> Account:
    """Live through it; deterministic for a plan."""
    return run_virtual(_live, plan)


async def _live(plan: Plan) -> Account:
    account, random = Account(), Random(plan.seed)
    async with service(
        service_time=(plan.hours + 2) * HOUR,
        service_time_cv=0.02,
        servers=plan.jobs,
        faults=FAULTS,
        seed=plan.seed,
        most_recorded=1000,
    ) as there:
        client = await _connected(there, plan, 0)
        try:
            ids = [
                (await client.submit(circuit(), shots=5, compile=False)).id
                for _ in range(plan.jobs)
            ]
            # some are cancelled at some hour
            doomed = {
                job_id: random.randrange(1, plan.hours - 6)
                for job_id in random.sample(ids, plan.jobs // 10)
            }
            for hour in range(plan.hours - 2):
                await anyio.sleep(random.uniform(0.9, 1.1) * HOUR)
                if hour % 5 == 4:
                    there.replace_token()
                    account.replaced_tokens += 1
                if hour % 7 == 3:
                    # the machine was suspended
                    stall(random.uniform(1.0, HOUR / 2))
                if hour % 6 == 5:
                    account.requests += client.usage.requests
                    await client.close()
                    account.restarts += 1
                    client = await _connected(there, plan, account.restarts)
                    for job_id in ids:
                        client.job(job_id)
                for job_id in [j for j, at in doomed.items() if at == hour]:
                    await client.job(job_id).cancel()
                gc.collect()
                account.blocks.append(sys.getallocatedblocks())
            for job_id in ids:
                account.ends[await _end_of(client.job(job_id))] += 1
        finally:
            account.requests += client.usage.requests
            await client.close()
    return account


async def _connected(there: LocalService, plan: Plan, number: int) -> qawait.Client:
    pace = qawait.Pace(max_staleness=plan.staleness)
    return await qawait.open(there.iqm, pace=pace, seed=plan.seed + number)


async def _end_of(job: qawait.Job) -> str:
    try:
        await job
    except qawait.errors.Error as error:
        return type(error).__name__
    return str(job.state)
