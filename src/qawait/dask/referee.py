# pyright: basic
"""What the Dask scheduler is asked: who has a shard, and what the account may spend.

The scheduler is the one place that all workers of a cluster can reach, and it knows to
which of them it gave each task. Nothing is scheduled here.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from distributed import SchedulerPlugin
from msgspec import Struct

from qawait._limiter import Report
from qawait._quota import Quota  # noqa: TC001 (a field, resolved at run time)
from qawait._rate_headers import Told
from qawait._shared_quota import Busy, SharedQuota, quota_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Scheduler

__all__ = [
    "LAPSES",
    "OPERATIONS",
    "Answer",
    "Asked",
    "Claim",
    "Referee",
    "ShardHolders",
]

LAPSES = 15.0
"""Seconds without a word after which another machine may have a shard. Its owner has
stopped writing long before: see `qawait.dask.lease.HELD`."""

OPERATIONS = ("qawait_shard", "qawait_stop", "qawait_account")
"""What workers and drivers call at the scheduler."""


class Claim(Struct, frozen=True, kw_only=True):
    """What the owner of a shard, or one who wants to be it, says to the scheduler."""

    act: Literal["ask", "take", "release"]
    place: str
    """The shard's journal."""
    attempt: str
    """Names this run of the task; each has a name of its own."""
    machine: str
    """On which file locks hold between programs."""
    worker: str
    """The worker's address."""
    key: str
    """The task's."""
    run: str
    """The sweep's."""


class Answer(Struct, frozen=True):
    """What the scheduler says to a claim."""

    verdict: Literal["yours", "wait", "over"]
    """"wait": another machine may still have it; "over": it is another worker's."""
    assigned: bool = True
    """Whether the task is still wanted, and of this worker."""
    stop: bool = False
    """Whether the sweep is to send nothing more."""


class _Holder(Struct):
    attempt: str
    machine: str
    at: float


class ShardHolders:
    """Who has each shard. Time is given, and what the scheduler knows, asked for.

    Args:
        assigned_to: The worker to which the scheduler gave a task; None if to nobody.
        clock: Seconds; only rises.
    """

    def __init__(
        self, assigned_to: Callable[[str], str | None], clock: Callable[[], float]
    ) -> None:
        self._assigned_to = assigned_to
        self._clock = clock
        self._holders: dict[str, _Holder] = {}
        self._stopped: set[str] = set()

    def stop(self, run: str) -> None:
        """Every shard of a sweep is to send nothing more."""
        self._stopped.add(run)

    def answer(self, claim: Claim) -> Answer:
        """What is true now; a holder that asks, or takes, has it for longer."""
        now, holder = self._clock(), self._holders.get(claim.place)
        if claim.act == "release":
            if holder is not None and holder.attempt == claim.attempt:
                del self._holders[claim.place]
            return Answer("over")
        assigned = self._assigned_to(claim.key) == claim.worker
        stop = claim.run in self._stopped
        if holder is not None and holder.attempt == claim.attempt:
            # also when it is no longer wanted: it still has to write and to close
            holder.at = now
            return Answer("yours", assigned, stop)
        if not assigned:
            return Answer("over", assigned, stop)
        if (
            holder is not None
            and holder.machine != claim.machine
            and now - holder.at < LAPSES
        ):
            return Answer("wait", assigned, stop)
        if claim.act == "take":
            self._holders[claim.place] = _Holder(claim.attempt, claim.machine, now)
        return Answer("yours", assigned, stop)


class Asked(Struct, frozen=True):
    """What a worker's client tells an account, and asks of it."""

    name: str
    quota: Quota
    report: dict[str, Any]
    """The fields of a `Report`."""
    now: float

    def read(self) -> Report:
        """The report again."""
        fields = dict(self.report)
        told = fields.pop("told")
        answered = [(when, units) for when, units in fields.pop("answered")]
        return Report(
            **fields,
            answered=answered,
            told=None if told is None else msgspec.convert(told, Told),
        )


class Referee(SchedulerPlugin):
    """Answers for a whole cluster, as long as its scheduler lives."""

    name = "qawait"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        """Begin to answer."""
        self._scheduler = scheduler
        self._holders = ShardHolders(self._assigned_to, time.monotonic)
        self._accounts: dict[str, SharedQuota] = {}
        # an account is used by one thread at a time
        self._thread = ThreadPoolExecutor(1, "qawait-accounts")
        handlers = (self._shard, self._stop, self._account)
        scheduler.handlers.update(zip(OPERATIONS, handlers, strict=True))

    async def close(self) -> None:
        """End with the scheduler."""
        for account in self._accounts.values():
            self._thread.submit(account.close)
        self._thread.shutdown(wait=False)

    def _assigned_to(self, key: str) -> str | None:
        task = self._scheduler.tasks.get(key)
        worker = None if task is None else task.processing_on
        return None if worker is None else worker.address

    def _shard(self, said: bytes) -> bytes:
        claim = msgspec.msgpack.decode(said, type=Claim)
        return msgspec.msgpack.encode(self._holders.answer(claim))

    def _stop(self, said: bytes) -> bytes:
        self._holders.stop(msgspec.msgpack.decode(said, type=str))
        return b""

    async def _account(self, said: bytes) -> bytes:
        asked = msgspec.msgpack.decode(said, type=Asked)
        account = self._accounts.get(asked.name)
        if account is None:
            # the file of this machine: its own programs share the account, too
            account = SharedQuota(asked.quota, quota_directory(), lambda: asked.name)
            self._accounts[asked.name] = account
        loop = asyncio.get_running_loop()
        try:
            grant = await loop.run_in_executor(
                self._thread, account.exchange, asked.read(), asked.now
            )
        except Busy:
            return b""
        return msgspec.msgpack.encode(grant)
