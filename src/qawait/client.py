"""The object users hold: open, submit, follow, reattach, close."""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from msgspec.structs import replace

from qawait import __version__
from qawait._batch import (
    Options,
    batch,
    check_shots,
    options_for,
    prepare,
    prepare_as_is,
)
from qawait._embedded import embedded
from qawait._job import Job
from qawait._journal import Journal
from qawait._poller import Poller
from qawait._schedule import Pace, Schedule
from qawait._service import Opened, Service
from qawait._transport import Limits, Retry, Transport, Usage, is_loopback
from qawait.errors import ClientClosed, ConfigurationError, Error, NotFound
from qawait.model import Manifest, Status, Submission, Target
from qawait.services import IQMService, QoroService
from qawait.wire import checked_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qawait.circuits import Compiled
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["Client", "ConnectOptions", "connect", "open_client"]

log = logging.getLogger("qawait")

LOCAL_PACE = Pace(first=0.03, growth=1.6, longest=0.5)
"""A service on this machine has no quota to spare and answers in milliseconds."""

SUBMISSIONS = 4
"""Submissions under way at once: after a crash at most so many are uncertain."""

ARCHITECTURE_LIFETIME = 600.0
"""Seconds for which an architecture is used without asking again."""


class Client:
    """A connection to one target of one service. Made by `connect` or `open`.

    Closing it leaves remote jobs running; what still waits for one raises
    `ClientClosed` with the job's id, and `client.job(id)` comes back to it later.
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
        """The service; None until the client is open where it starts its own."""
        self._wanted_target = target
        self._store = store
        self._pace = pace
        self._limits = limits
        self._retry = retry
        self._proxy = proxy
        self._ca_file = ca_file
        self._workers = workers
        self._random = Random(seed)
        self._embedded = service is None
        self._task: asyncio.Task[None] | None = None
        self._target: Target | None = None
        self._closed = False
        self._jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()
        self._architectures: dict[
            str | None, tuple[float, DynamicQuantumArchitecture]
        ] = {}

    # --- opening and closing ---------------------------------------------------------

    async def __aenter__(self) -> Client:
        if self._task is not None:
            raise ConfigurationError("a client is opened once; connect again")
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        # one task of its own holds the task group, so that a client can be opened in
        # one task and closed in another
        self._task = asyncio.create_task(self._run(), name="qawait client")
        try:
            await self._opened.wait()
        except BaseException:
            self._task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([self._task])
            raise
        if self._failure is not None:
            failure, self._failure = self._failure, None
            await asyncio.wait([self._task])
            raise failure
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the client; from any task, and more than once if you like."""
        if self._task is None:
            return
        self._stop.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                await self._connect(stack)
                async with anyio.create_task_group() as group:
                    group.start_soon(self._poller.run)
                    self._opened.set()
                    await self._stop.wait()
                    self._poller.abandon(self._afterlife("the client was closed"))
                    group.cancel_scope.cancel()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            self._failure = error
        finally:
            self._closed = True
            if hasattr(self, "_poller"):
                self._poller.abandon(self._afterlife("the client has stopped"))
            self._opened.set()

    def _afterlife(self, reason: str) -> Callable[[str], str]:
        """What becomes of a job that is still followed when the client ends."""
        if self._embedded and self._store is None:
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
        transport = Transport(
            service.url,
            service.token,
            service.read_error,
            limits=self._limits,
            retry=self._retry,
            proxy=self._proxy,
            ca_file=self._ca_file,
            random=self._random,
            user_agent=f"qawait/{__version__}",
        )
        await stack.enter_async_context(transport)
        self._transport = transport
        self._journal = Journal()
        await self._find_target(service)
        pace = self._pace
        if pace is None:
            pace = LOCAL_PACE if is_loopback(transport.root.host) else Pace()
        self._poller = Poller(
            self._connection, Schedule(pace, self._random), workers=self._workers
        )
        self._submissions = anyio.CapacityLimiter(SUBMISSIONS)
        self._asking_architecture = anyio.Lock()
        service.connections.append(self._connection)
        stack.callback(service.connections.remove, self._connection)

    async def _find_target(self, service: IQMService | QoroService) -> None:
        """Find the target, and with it the dialect in which it can be found."""
        wanted = self._wanted_target or service.default_target
        for dialect in service.candidates():
            self._connection = Service(dialect, self._transport, self._journal)
            try:
                self._target = await self._connection.exchange(
                    dialect.find_target(wanted)
                )
            except NotFound:
                continue
            return
        raise service.unspoken()

    def _check_open(self) -> None:
        if self._target is None:
            raise ConfigurationError(
                "the client is not open: write `async with qawait.connect(...) as "
                "client`, or `client = await qawait.open(...)`"
            )
        if self._closed or self._stop.is_set():
            raise ClientClosed("this client is closed; connect again")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "this client belongs to another event loop; connect in this one"
            )

    # --- what there is ---------------------------------------------------------------

    @property
    def target(self) -> Target:
        """The machine or cluster that jobs go to."""
        if self._target is None:
            raise ConfigurationError("the client is not open")
        return self._target

    @property
    def usage(self) -> Usage:
        """Requests and bytes so far."""
        return replace(self._transport.usage)

    async def targets(self) -> list[Target]:
        """List the machines and clusters of the service, with their figures."""
        self._check_open()
        return await self._connection.exchange(self._connection.dialect.targets())

    async def architecture(
        self, calibration_set_id: str | None = None
    ) -> DynamicQuantumArchitecture | None:
        """What the target can do; None for a service that takes any circuit.

        The answer is used for ten minutes before the service is asked again.

        Args:
            calibration_set_id: Which calibration; None is the current one.
        """
        self._check_open()
        ask = self._connection.dialect.architecture
        if ask is None:
            return None
        async with self._asking_architecture:
            now = anyio.current_time()
            cached = self._architectures.get(calibration_set_id)
            if cached is None or now - cached[0] > ARCHITECTURE_LIFETIME:
                exchange = ask(self.target.name, calibration_set_id)
                cached = now, await self._connection.exchange(exchange)
                self._architectures[calibration_set_id] = cached
            return cached[1]

    # --- jobs ------------------------------------------------------------------------

    async def compile(
        self,
        circuits: Any,
        *,
        measure_all: bool = False,
        seed: int = 0,
        optimization_level: int = 2,
        calibration_set_id: str | None = None,
    ) -> list[Compiled]:
        """Show what would be sent, and keep it to send it later.

        A circuit with free parameters is compiled once; `bind` then gives its points,
        which all share the same layout.

        Args:
            circuits: As `submit` takes them.
            measure_all: Measure every qubit of circuits that measure none.
            seed: The transpiler's seed.
            optimization_level: The transpiler's, 0 to 3.
            calibration_set_id: Which calibration to compile for; None is the current.

        Raises:
            CircuitError: A circuit cannot be used; it is named.
        """
        self._check_open()
        architecture = await self.architecture(calibration_set_id)
        return await anyio.to_thread.run_sync(
            prepare,
            circuits,
            architecture,
            self.target,
            measure_all,
            seed,
            optimization_level,
        )

    async def submit(
        self,
        circuits: Any,
        *,
        shots: int = 1000,
        tag: str | None = None,
        measure_all: bool = False,
        compile: bool = True,  # noqa: A002
        seed: int = 0,
        optimization_level: int = 2,
        options: Options | None = None,
        execution_config: ExecutionConfig | None = None,
        hold: bool = False,
    ) -> Job:
        """Submit one circuit or a batch as one job.

        Args:
            circuits: A Qiskit circuit, OpenQASM 2 or 3 text, a path, native
                instructions, what `compile` returned, or many of these: a sequence, or
                a mapping from labels. `result["label"]` finds a circuit by its label.
            shots: How often each circuit is measured.
            tag: A name for the job, where the service keeps one.
            measure_all: Measure every qubit of circuits that measure none.
            compile: False sends native instructions as they are.
            seed: The transpiler's seed.
            optimization_level: The transpiler's, 0 to 3.
            options: The service's own options; None leaves all to the service.
            execution_config: Qoro: overrides the service's configuration field by
                field.
            hold: Qoro: send all but the last upload; `await job.release()` starts it.

        Raises:
            ConfigurationError: Something in the input cannot be right; nothing was
                sent. `CircuitError` names the circuit.
            SubmissionRejected: The service refused it; nothing runs.
            SubmissionUncertain: It may be running; it is not sent again.
            TransportError: Nothing could be delivered.
        """
        self._check_open()
        check_shots(shots)
        dialect = self._connection.dialect
        default = getattr(self.service, "execution_config", None)
        wire_options = options_for(dialect, options, execution_config, default)
        if compile:
            prepared = await self.compile(
                circuits,
                measure_all=measure_all,
                seed=seed,
                optimization_level=optimization_level,
                calibration_set_id=getattr(wire_options, "calibration_set_id", None),
            )
        else:
            prepared = await anyio.to_thread.run_sync(prepare_as_is, circuits, dialect)
        submission, manifest = batch(
            prepared, shots=shots, target=self.target, tag=tag, options=wire_options
        )
        return await self._send(submission, manifest, tag=tag, hold=hold)

    async def _send(
        self, submission: Submission, manifest: Manifest, *, tag: str | None, hold: bool
    ) -> Job:
        submission_id = str(uuid.uuid4())
        async with self._submissions:
            opened = await self._connection.submit(submission, submission_id, hold=hold)
        job = Job(
            opened.job_id,
            submission_id=submission_id,
            manifest=manifest,
            cancel=self._cancel,
            release=partial(self._release, opened, submission_id) if hold else None,
            tag=tag,
        )
        return self._follow(job, adopted=False)

    def job(self, job_id: str) -> Job:
        """Come back to a job by its id; one of this client is the same object.

        Whether the service knows it shows when it is awaited: `JobMissing` if not.

        Raises:
            ConfigurationError: This cannot be an id.
        """
        self._check_open()
        known = self._jobs.get(_checked(job_id))
        if known is not None:
            return known
        manifest = Manifest(target=self.target.name, simulated=self.target.simulated)
        job = Job(job_id, submission_id="", manifest=manifest, cancel=self._cancel)
        return self._follow(job, adopted=True)

    def _follow(self, job: Job, *, adopted: bool) -> Job:
        self._jobs[job.id] = job
        self._poller.follow(job, adopted=adopted)
        return job

    async def status(self, job_id: str) -> Status:
        """Ask once how a job stands.

        Raises:
            NotFound: The service does not know it.
        """
        self._check_open()
        return await self._connection.status(_checked(job_id), repeat=True)

    async def delete(self, job: Job | str) -> None:
        """Delete a job and its results at the service.

        Raises:
            ConfigurationError: The service has no way to delete a job.
        """
        self._check_open()
        await self._connection.delete(_checked(job) if isinstance(job, str) else job.id)

    async def _cancel(self, job_id: str) -> None:
        self._check_open()
        await self._connection.cancel(job_id)

    async def _release(self, opened: Opened, submission_id: str) -> None:
        self._check_open()
        await self._connection.release(opened, submission_id)

    def __repr__(self) -> str:
        service = "the local simulator" if self._embedded else repr(self.service)
        if self._target is None:
            return f"<Client of {service}, not open: use `async with`>"
        simulated = ", simulated" if self._target.simulated else ""
        closed = ", closed" if self._closed else ""
        return f"<Client of {service}: target {self._target.name}{simulated}{closed}>"


def connect(
    service: IQMService | QoroService | None = None,
    *,
    target: str | None = None,
    store: str | Path | None = None,
    pace: Pace | None = None,
    limits: Limits = Limits(),
    retry: Retry = Retry(),
    proxy: str | None = None,
    ca_file: str | Path | None = None,
    workers: int = 8,
    seed: int | None = None,
) -> Client:
    """Connect to a service: `async with qawait.connect(IQMService(url)) as client`.

    Args:
        service: None starts a local service with a real simulator on this machine, in a
            child process that ends with this one; the environment is not read then.
        target: The machine or cluster; None takes the only one, or Qoro's default.
        store: Where the local service keeps its jobs; None keeps none.
        pace: How often jobs are asked about; None suits the service.
        limits: Connections, deadlines in seconds, sizes in bytes.
        retry: How often a request is repeated where that is safe.
        proxy: Address of an http proxy; None uses none, whatever the environment says.
        ca_file: Certificates to trust instead of the system's, as a PEM file.
        workers: Questions under way at once.
        seed: Of the jitter; None differs from run to run.

    Raises:
        ConfigurationError: No such target, an address that is none, a missing extra.
        ConnectFailed: The service cannot be reached.
        AuthenticationError: It refuses the token.
    """
    return Client(
        service,
        target=target,
        store=store,
        pace=pace,
        limits=limits,
        retry=retry,
        proxy=proxy,
        ca_file=ca_file,
        workers=workers,
        seed=seed,
    )


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of `connect`."""

    target: str | None
    store: str | Path | None
    pace: Pace | None
    limits: Limits
    retry: Retry
    proxy: str | None
    ca_file: str | Path | None
    workers: int
    seed: int | None


async def open_client(
    service: IQMService | QoroService | None = None,
    **options: Unpack[ConnectOptions],
) -> Client:
    """Connect without `async with`, as in a notebook; close it with `client.close()`.

    Takes what `connect` takes.
    """
    return await connect(service, **options).__aenter__()


def _checked(job_id: str) -> str:
    try:
        return checked_id(job_id)
    except Error:
        raise ConfigurationError(f"{job_id!r} cannot be a job id") from None
