"""The life of a client: one task that holds the sessions, the poller and the child."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import anyio
import anyio.to_thread
from msgspec import UNSET, UnsetType

from qawait import __version__
from qawait._address import is_loopback
from qawait._clock import clock_in_use, epoch
from qawait._embedded import embedded
from qawait._figures import FigureKeeper
from qawait._observing import observing
from qawait._pace import Pace
from qawait._poller import Poller
from qawait._published import Published
from qawait._queue_schedule import QueueSchedule
from qawait._resuming import Resuming
from qawait._service import Service
from qawait._shared_quota import name_of
from qawait._transport import Transport
from qawait.errors import ClientClosed, ConfigurationError, JournalError, NotFound
from qawait.journal.memory import MemoryJournal
from qawait.journal.records import EMBEDDED, Identity
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qawait._job import Job
    from qawait._observing import TelemetrySource
    from qawait._transport import Limits, Retry
    from qawait.errors import Error
    from qawait.journal.file import FileJournal
    from qawait.journal.port import Journal
    from qawait.model import Dialect, Target
    from qawait.results import Result

__all__ = ["SUBMISSIONS", "Connection", "OpensJournal", "found"]

OpensJournal: TypeAlias = "Callable[[Identity], Awaitable[Journal]]"
"""Opens the journal of a client once it is known whose it must be."""

log = logging.getLogger("qawait")

LOCAL_PACE = Pace(first=0.01, questions_per_job=8.0, max_staleness=0.5)
"""A service on this machine answers in milliseconds, and has no limit."""

_SPARE, _LOCAL_SPARE = 5.0, 200.0
"""Questions per second for jobs that are believed to wait; out there and here."""

SUBMISSIONS = 4
"""Submissions under way at once: after a crash at most so many are uncertain."""

_LAST_WORDS = 2.0
"""Seconds for those that are cut off by closing to be written down."""


class Connection:
    """Everything that is open while a client is, and how it is opened and closed.

    `wire`, `poller`, `published`, `figures` and `submissions` are there once `open` has
    returned.
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
        journal: str | Path | UnsetType | OpensJournal | None = None,
        telemetry: TelemetrySource | bool = True,
    ) -> None:
        if not isinstance(service, IQMService | QoroService | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"{service!r} is no service: give IQMService(url) or QoroService(url)"
            )
        if service is not None and store is not None:
            raise ConfigurationError("store belongs to the local service only")
        self.service = service
        self.is_embedded = service is None
        self._telemetry = telemetry
        self.journal: Journal = MemoryJournal()
        self._wanted_journal = journal
        self.sweeps = 0
        """Sweeps that were written into the client's own journal."""
        self.record = JobRecord(self.journal)
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
        told = observing(self._telemetry)
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
            observing=told,
        )
        sending = await stack.enter_async_context(AsyncExitStack())
        await sending.enter_async_context(self.transport)
        dialect, target = await found(
            service, self._wanted_target, self.transport, self.journal
        )
        self.target = target
        is_local = is_loopback(self.transport.root.host)
        await self._open_journal(stack, dialect.name, is_local=is_local)
        if not self.is_embedded:
            self.record.resuming = Resuming(
                f"{dialect.vendor}:{service.url}", target.name
            )
        self.wire = Service(
            dialect,
            self.transport,
            self.journal,
            resuming=self.record.resuming,
            observing=told,
        )
        # a virtual world stands for the services out there
        here = is_local and clock_in_use() is None
        pace = self._pace
        if pace is None:
            pace = LOCAL_PACE if here else Pace()
        spare = _LOCAL_SPARE if here else _SPARE
        schedule = QueueSchedule[str](self._random, pace, spare=spare)
        self.poller = Poller(
            self.wire,
            schedule,
            workers=self._workers,
            clock=self._loop.time,
            record=self.record,
            observing=told,
        )
        self.submissions = asyncio.Semaphore(SUBMISSIONS)
        # before the journal closes: it is to know what became of what is being sent
        stack.push_async_callback(self._all_sent)
        stack.push_async_callback(sending.aclose)
        self.published = Published(self.wire, target.name)
        self.figures = FigureKeeper(self.published)
        stack.push_async_callback(self.figures.settle)
        service.connections.append(self.wire)
        stack.callback(service.connections.remove, self.wire)

    async def _all_sent(self) -> None:
        """Wait for submissions whose connections were closed to say how they stand."""
        async with AsyncExitStack() as held:
            with anyio.move_on_after(_LAST_WORDS, shield=True):
                for _ in range(SUBMISSIONS):
                    await held.enter_async_context(self.submissions)

    # --- shown ------------------------------------------------------------------------

    def in_a_line(self) -> str:
        """The client as its repr shows it."""
        service = self._service_in_words()
        if self.target is None:
            return f"<Client of {service}, not open: use `async with`>"
        simulated = ", simulated" if self.target.simulated else ""
        closed = ", closed" if self.closed else ""
        return f"<Client of {service}: target {self.target.name}{simulated}{closed}>"

    def in_a_notebook(self) -> dict[str, str]:
        """The client by MIME type."""
        from qawait._display.clients import client_card
        from qawait._display.writing import bundle

        path, open_yet = self.journal.path, self.target is not None
        afterlife = "jobs go on at the service; `client.job(id)` comes back to them"
        if self.is_embedded and self._store is None:
            afterlife = "its local service has ended with it"
        return bundle(
            client_card(
                self._service_in_words(),
                self.target,
                closed=self.closed,
                afterlife=afterlife,
                usage=self.transport.usage if open_yet else None,
                journal=None if path is None else str(path),
                followed=len(self.poller) if hasattr(self, "poller") else 0,
            )
        )

    def _service_in_words(self) -> str:
        return "the local simulator" if self.is_embedded else repr(self.service)

    # --- the journal ------------------------------------------------------------------

    async def _open_journal(
        self, stack: AsyncExitStack, dialect: str, *, is_local: bool
    ) -> None:
        """Open the journal on the disk, where there is to be one."""
        wanted = self._wanted_journal
        if callable(wanted):
            journal = await wanted(await self.identity(dialect))
            stack.push_async_callback(journal.close)
            self.journal = self.record.journal = journal
            return
        if wanted is None or (wanted is UNSET and is_local):
            if not is_local:
                log.warning(
                    "this client keeps no journal: what it has sent is lost with it"
                )
            return
        # sqlite3 loads with it
        from qawait.journal.file import FileJournal

        path = await anyio.to_thread.run_sync(_journal_path, wanted)
        journal = await FileJournal.open(path, await self.identity(dialect))
        stack.push_async_callback(
            _close_journal, journal, is_ours=isinstance(wanted, UnsetType)
        )
        self.journal = journal
        self.record.journal = journal

    async def identity(self, dialect: str | None = None) -> Identity:
        """Whose journals this client writes: the service, its target and the account.

        Args:
            dialect: The dialect's name; None is the one that is spoken.
        """
        assert self.service is not None
        assert self.target is not None
        endpoint, account = EMBEDDED, ""
        if not self.is_embedded:
            # an embedded one has another port and another token each time
            endpoint = str(self.transport.root)
            origin, token = str(self.transport.root.origin()), self.service.token
            account = await anyio.to_thread.run_sync(
                lambda: name_of(origin, token.current())
            )
        return Identity(
            endpoint=endpoint,
            target=self.target.name,
            dialect=self.wire.dialect.name if dialect is None else dialect,
            account=account,
        )


class JobRecord:
    """Writes into a client's journal what the poller learns of its jobs."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.resuming = Resuming()
        self.elsewhere: set[str] = set()
        """Submissions that a sweep writes into a journal of its own."""

    def changed(self, job: Job) -> None:
        """Write down that a job has come to another state."""
        if self._has(job):
            self.journal.changed(job.submission_id, job.changes, job.raw)

    async def ended(self, job: Job, outcome: Result | Error) -> None:
        """Write down how a job ended."""
        if self._has(job):
            await self.journal.ended(
                job.submission_id, outcome, job.changes, job.following
            )
        self.elsewhere.discard(job.submission_id)

    def resume(self, job: Job, *, known: bool = True) -> str | None:
        """The command with which another program comes back to a job."""
        path = self.journal.path if self._has(job) else None
        return self.resuming.command(path, job.id if known else None)

    def _has(self, job: Job) -> bool:
        # a job that was adopted by its id has no submission of ours
        return bool(job.submission_id) and job.submission_id not in self.elsewhere


async def _close_journal(journal: FileJournal, *, is_ours: bool) -> None:
    """Close it; one that nobody has named, and in which nothing is, goes away."""
    unused = False
    try:
        unused = is_ours and not (await journal.tally()).jobs
    except JournalError as error:
        log.warning("%s", error)
    await journal.close()
    if unused:
        await anyio.to_thread.run_sync(
            lambda: shutil.rmtree(journal.path, ignore_errors=True)
        )


def _journal_path(wanted: str | Path | UnsetType) -> Path:
    """Where the journal is; without a name a new one in the user's state directory."""
    if not isinstance(wanted, UnsetType):
        return Path(wanted).expanduser().absolute()
    # sqlite3 loads with it
    from qawait.journal.home import fresh_path, journal_directory, remove_old

    directory, now = journal_directory(), epoch()
    remove_old(directory, now)
    return fresh_path(directory, now)


async def found(
    service: IQMService | QoroService,
    wanted: str | None,
    transport: Transport,
    journal: Journal,
) -> tuple[Dialect, Target]:
    """The target, and the dialect in which it was found.

    Raises:
        ConfigurationError: None of its dialects knows such a target there.
    """
    wanted = wanted or service.default_target
    for dialect in service.candidates():
        wire = Service(dialect, transport, journal)
        try:
            target = await wire.exchange(dialect.find_target(wanted))
        except NotFound:
            continue
        return await wire.exchange(service.generation(dialect)), target
    raise service.unspoken()
