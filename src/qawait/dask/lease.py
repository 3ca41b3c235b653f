# pyright: basic
"""A shard has one owner: what its worker asks the scheduler, and when it stops writing."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from qawait._limiter import Grant
from qawait._shared_quota import Busy
from qawait.dask.referee import Answer, Asked, Claim
from qawait.errors import JournalLocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Worker

    from qawait._limiter import Report
    from qawait._quota import Quota

__all__ = ["HELD", "Lease", "SchedulerLine", "SchedulerQuota", "machine_name"]

HELD = 5.0
"""Seconds after its last good word with the scheduler for which an owner may write; a
third of what the scheduler waits, so that clocks and networks have room."""
_EVERY = 1.0
"""Seconds between two words."""
_REPLY = 4.0
"""Seconds in which the scheduler answers."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def machine_name() -> str:
    """A name of this machine since it was started: the same in all its containers."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode()}"


class SchedulerLine:
    """The way from a task's thread to the scheduler, through its worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def _call(self, operation: str, said: object) -> asyncio.Future[bytes]:
        call = getattr(self.worker.scheduler, operation)
        loop: Any = self.worker.loop
        return asyncio.run_coroutine_threadsafe(  # pyright: ignore[reportReturnType]
            call(said=msgspec.msgpack.encode(said)), loop.asyncio_loop
        )

    async def ask(self, operation: str, said: object) -> bytes:
        """What the scheduler answers.

        Raises:
            TimeoutError, OSError: It does not.
        """
        with anyio.fail_after(_REPLY):
            return await asyncio.wrap_future(self._call(operation, said))  # pyright: ignore[reportArgumentType]

    def wait_for(self, operation: str, said: object) -> bytes:
        """The same in a thread."""
        return self._call(operation, said).result(_REPLY)  # pyright: ignore[reportCallIssue]


class SchedulerQuota:
    """An account that the scheduler keeps for all machines of its cluster.

    Without the scheduler nothing is granted, so that a worker that is cut off sends
    nothing.
    """

    blocking = True

    def __init__(
        self, line: SchedulerLine, quota: Quota, name: Callable[[], str]
    ) -> None:
        self._line = line
        self._quota = quota
        self._make_name = name
        self._name: str | None = None

    def exchange(self, report: Report, now: float) -> Grant:
        """Report to the account, and ask it for units.

        Raises:
            Busy: The scheduler does not answer, or another program holds the file.
        """
        if self._name is None:
            self._name = self._make_name()
        asked = Asked(self._name, self._quota, msgspec.to_builtins(report), now)
        try:
            said = self._line.wait_for("qawait_account", asked)
        except (OSError, TimeoutError):
            raise Busy from None
        if not said:
            raise Busy
        return msgspec.msgpack.decode(said, type=Grant)


def _nothing() -> None:
    pass


class Lease:
    """One run of a shard's task, and whether it may write into the shard's journal.

    Args:
        line: To the scheduler.
        place: The journal.
        key: The task's.
        run: The sweep's.
        machine: `machine_name()`.
        clock: Seconds; only rises.
    """

    def __init__(
        self,
        line: SchedulerLine,
        place: Path,
        key: str,
        run: str,
        machine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = place
        self._line = line
        self._about = {
            "place": str(place),
            "attempt": uuid.uuid4().hex,
            "machine": machine,
            "worker": line.worker.address,
            "key": key,
            "run": run,
        }
        self._clock = clock
        self._until: float | None = None
        self.stopped = False
        """Whether the sweep is to send nothing more."""
        self.stop: Callable[[], None] = _nothing
        """Called, every second, while that is so."""
        self.leave: Callable[[], None] = _nothing
        """Called, every second, while this run is not wanted, or has lost the shard."""

    @property
    def holds(self) -> bool:
        """Whether nobody else can have the shard now."""
        return self._until is not None and self._clock() < self._until

    def check(self) -> None:
        """Raise unless nobody else can have the shard now.

        Raises:
            JournalLocked: Another worker may have it.
        """
        if not self.holds:
            raise JournalLocked(
                f"journal {self.place}: this worker has not heard of the Dask scheduler"
                " for too long; another worker may have the shard now"
            )

    async def ask(self, act: Any = "ask") -> Answer:
        """One word with the scheduler; a good one lets the owner go on.

        Raises:
            TimeoutError, OSError: It does not answer.
        """
        began = self._clock()
        said = await self._line.ask("qawait_shard", Claim(act=act, **self._about))
        answer = msgspec.msgpack.decode(said, type=Answer)
        self.stopped = answer.stop
        if answer.verdict == "yours" and (act == "take" or self._until is not None):
            self._until = began + HELD
        return answer

    async def keep(self) -> None:
        """Keep it, from when it is taken until this is cancelled."""
        while True:
            await anyio.sleep(_EVERY)
            if self._until is None:
                continue
            try:
                answer = await self.ask()
            except (OSError, TimeoutError):
                if not self.holds:
                    self.leave()
                continue
            if answer.verdict != "yours" or not answer.assigned:
                self.leave()
            elif answer.stop:
                self.stop()

    async def release(self) -> None:
        """Give it back; without the scheduler it lapses."""
        self._until = None
        try:
            await self.ask("release")
        except (OSError, TimeoutError):
            return
