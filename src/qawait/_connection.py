"""The life of a client: one task that holds the sessions, the poller and the child."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING

import anyio

from qawait import __version__
from qawait._address import is_loopback
from qawait._clock import clock_in_use
from qawait._embedded import embedded
from qawait._journal import Journal
from qawait._pace import Pace
from qawait._poller import Poller
from qawait._published import Published
from qawait._queue_schedule import QueueSchedule
from qawait._service import Service
from qawait._transport import Transport
from qawait.errors import ClientClosed, ConfigurationError, NotFound
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qawait._transport import Limits, Retry
    from qawait.model import Target

__all__ = ["SUBMISSIONS", "Connection"]

log = logging.getLogger("qawait")

LOCAL_PACE = Pace(first=0.03, questions_per_job=8.0, max_staleness=0.5)
"""A service on this machine has no quota to spare and answers in milliseconds."""

SUBMISSIONS = 4
"""Submissions under way at once: after a crash at most so many are uncertain."""


class Connection:
    """Everything that is open while a client is, and how it is opened and closed.

    `wire`, `poller`, `published` and `submissions` are there once `open` has returned.
    """

    def __init__(
        self,
        service: IQMService | QoroService | None,
        *,
        target: str | None,
        store: str | Path | None,
        pace: Pace | None,
        limits: Limits,
        retry: Retry,
        proxy: str | None,
        ca_file: str | Path | None,
        workers: int,
        seed: int | None,
    ) -> None:
        if not isinstance(service, IQMService | QoroService | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"{service!r} is no service: give IQMService(url) or QoroService(url)"
            )
        if service is not None and store is not None:
            raise ConfigurationError("store belongs to the local service only")
        self.service = service
        self.is_embedded = service is None
        self.journal = Journal()
        self.target: Target | None = None
        self.closed = False
        self._wanted_target = target
        self._store = store
        self._pace = pace
        self._limits = limits
        self._retry = retry
        self._proxy = proxy
        self._ca_file = ca_file
        self._workers = workers
        self._random = Random(seed)
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def open(self) -> None:
        """Open it, in the event loop that uses it; once."""
        if self._task is not None:
            raise ConfigurationError("a client is opened once; connect again")
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._stop = asyncio.Event()
        # one task of its own holds the task group, so that a client can be opened in
        # one task and closed in another
        self._task = asyncio.create_task(self._run(), name="qawait client")
        try:
            await self._opened.wait()
        except BaseException:
            self._task.cancel()
            await self._ended(self._task)
            raise
        if self._failure is not None:
            await self._ended(self._task)
            self._raise_failure()

    async def close(self) -> None:
        """Close it; from any task, and more than once if you like."""
        if self._task is None:
            return
        self._stop.set()
        await self._ended(self._task)
        self._raise_failure()

    def check(self) -> None:
        """Raise unless it is open, and in this event loop."""
        if self.target is None:
            raise ConfigurationError(
                "the client is not open: write `async with qawait.connect(...) as "
                "client`, or `client = await qawait.open(...)`"
            )
        if self.closed or self._stop.is_set():
            raise ClientClosed("this client is closed; connect again")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "this client belongs to another event loop; connect in this one"
            )

    async def _ended(self, task: asyncio.Task[None]) -> None:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                await self._connect(stack)
                async with anyio.create_task_group() as group:
                    group.start_soon(self.poller.run)
                    self._opened.set()
                    await self._stop.wait()
                    self.poller.abandon(self._afterlife("the client was closed"))
                    group.cancel_scope.cancel()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            self._failure = error
        finally:
            self.closed = True
            if hasattr(self, "poller"):
                self.poller.abandon(self._afterlife("the client has stopped"))
            self._opened.set()

    def _afterlife(self, reason: str) -> Callable[[str], str]:
        """What becomes of a job that is still followed when the client ends."""
        if self.is_embedded and self._store is None:
            return lambda job_id: f"{reason}, and its local service with it"
        return lambda job_id: (
            f"{reason}; job {job_id} goes on at the service: come back with "
            f"client.job({job_id!r})"
        )

    async def _connect(self, stack: AsyncExitStack) -> None:
        if self.service is None:
            self.service = await stack.enter_async_context(embedded(self._store))
            log.info("no service was named: circuits run on the local simulator")
        service = self.service
        self.transport = Transport(
            service.url,
            service.token,
            service.read_error,
            limits=self._limits,
            retry=self._retry,
            quota=service.quota,
            proxy=self._proxy,
            ca_file=self._ca_file,
            random=self._random,
            user_agent=f"qawait/{__version__}",
        )
        await stack.enter_async_context(self.transport)
        self.wire, target = await self._found(service)
        pace = self._pace
        if pace is None:
            # a virtual world stands for the services out there
            here = is_loopback(self.transport.root.host)
            local = here and clock_in_use() is None
            pace = LOCAL_PACE if local else Pace()
        schedule = QueueSchedule[str](
            self._random,
            questions_per_job=pace.questions_per_job,
            max_staleness=pace.max_staleness,
            polls_per_second=pace.polls_per_second,
        )
        self.poller = Poller(
            self.wire, schedule, workers=self._workers, clock=self._loop.time
        )
        self.submissions = asyncio.Semaphore(SUBMISSIONS)
        self.published = Published(self.wire, target.name)
        self.target = target
        service.connections.append(self.wire)
        stack.callback(service.connections.remove, self.wire)

    async def _found(self, service: IQMService | QoroService) -> tuple[Service, Target]:
        """The target, and the dialect in which it was found."""
        wanted = self._wanted_target or service.default_target
        for dialect in service.candidates():
            wire = Service(dialect, self.transport, self.journal)
            try:
                target = await wire.exchange(dialect.find_target(wanted))
            except NotFound:
                continue
            spoken = await wire.exchange(service.generation(dialect))
            return Service(spoken, self.transport, self.journal), target
        raise service.unspoken()
