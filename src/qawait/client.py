"""The object users hold: open, submit, follow, reattach, close."""

from __future__ import annotations

import sys
import uuid
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    NoReturn,
    TypeVar,
    TypeVarTuple,
    Unpack,
)

import anyio.to_thread
from msgspec.structs import replace

from qawait._batch import (
    Options,
    batch,
    calibration_of,
    check_native,
    intent_of,
    is_light,
    is_unchecked,
    left_to_check,
    options_for,
    prepare,
    prepare_as_is,
    settings_of,
)
from qawait._forgotten import tells_if_forgotten
from qawait._interleaved import Interleaved
from qawait._jobs import Jobs
from qawait._points import (
    Asked,
    Points,
    Shots,
    bind_points,
    checked_shots,
    observables_for,
)
from qawait._service import Opened
from qawait.errors import ConfigurationError, Error
from qawait.model import Manifest, Status, Submission, Target
from qawait.wire import checked_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qawait._connection import Connection
    from qawait._job import Job
    from qawait._published import Published
    from qawait._service import Service
    from qawait._sweep.settings import SweepOptions
    from qawait._sweep.sweep import Sweep
    from qawait._transport import Usage
    from qawait.circuits import Compiled
    from qawait.iqm.architecture import (
        DynamicQuantumArchitecture,
        StaticQuantumArchitecture,
    )
    from qawait.iqm.calibration import CalibrationSet, QualityMetrics
    from qawait.qoro.execution_config import ExecutionConfig
    from qawait.services import IQMService, QoroService

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

__all__ = ["Client"]


@tells_if_forgotten("client")
class Client:
    """A connection to one target of one service. Made by `connect` or `open`.

    Closing it leaves remote jobs running; what still waits for one raises
    `ClientClosed` with the job's id, and `client.job(id)` comes back to it later.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._jobs = Jobs(connection)
        self._interleaved = Interleaved()

    async def __aenter__(self) -> Client:
        await self._connection.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        raise ConfigurationError(
            "a client is opened with `async with`; without an event loop, write "
            "`with qawait.connect_sync(...) as client`"
        )

    def __exit__(self, *_: object) -> None:
        """Never reached; Python asks for it before it enters."""

    async def close(self) -> None:
        """Close the client; from any task, and more than once if you like."""
        await self._connection.close()

    @property
    def _wire(self) -> Service:
        """The service, in its dialect; raises unless the client is open."""
        self._connection.check()
        return self._connection.wire

    @property
    def _published(self) -> Published:
        self._connection.check()
        return self._connection.published

    # --- what there is ---------------------------------------------------------------

    @property
    def service(self) -> IQMService | QoroService | None:
        """The service; None until the client is open where it starts its own."""
        return self._connection.service

    @property
    def target(self) -> Target:
        """The machine or cluster that jobs go to."""
        if self._connection.target is None:
            raise ConfigurationError("the client is not open")
        return self._connection.target

    @property
    def journal(self) -> Path | None:
        """Where its journal is on the disk; None if it keeps none there."""
        return self._connection.journal.path

    @property
    def usage(self) -> Usage:
        """Requests and bytes so far."""
        return replace(self._connection.transport.usage)

    async def targets(self) -> list[Target]:
        """List the machines and clusters of the service, with their figures."""
        return await self._wire.exchange(self._wire.dialect.targets())

    async def architecture(
        self, calibration_set_id: str | None = None
    ) -> DynamicQuantumArchitecture | None:
        """What the target can do; None for a service that takes any circuit.

        The current one is used for ten minutes before the service is asked again; that
        of a calibration set with its id never changes and is asked for once.

        Args:
            calibration_set_id: Which calibration; None is the current one.
        """
        return await self._published.architecture(calibration_set_id)

    async def static_architecture(self) -> StaticQuantumArchitecture | None:
        """The chip and its connections; None for a service that has no chip to show."""
        return await self._published.static_architecture()

    async def calibration_set(
        self, calibration_set_id: str | None = None
    ) -> CalibrationSet:
        """The settings of a calibration set, kept like an architecture.

        Args:
            calibration_set_id: Which one; None is the current one.

        Raises:
            ConfigurationError: The service publishes none, as Qoro's.
            NotFound: It has no such set.
        """
        return await self._published.calibration_set(calibration_set_id)

    async def quality_metrics(
        self, calibration_set_id: str | None = None
    ) -> QualityMetrics:
        """How well the target does: fidelities, and coherence times in seconds.

        The answer is used for ten minutes before the service is asked again.

        Args:
            calibration_set_id: Under which calibration; None is the current one.

        Raises:
            ConfigurationError: The service publishes none, as Qoro's.
            NotFound: It has no such set.
        """
        return await self._published.quality_metrics(calibration_set_id)

    # --- jobs ------------------------------------------------------------------------

    async def compile(
        self,
        circuits: Any,
        *,
        measure_all: bool | None = False,
        seed: int = 0,
        optimization_level: int = 2,
        calibration_set_id: str | None = None,
    ) -> list[Compiled]:
        """Show what would be sent, and keep it to send it later.

        A circuit with free parameters is compiled once; `bind` then gives its points,
        which all share the same layout.

        Args:
            circuits: As `submit` takes them.
            measure_all: Measure every qubit of circuits that measure none; None lets
                them measure none, for expectation values.
            seed: The transpiler's seed.
            optimization_level: The transpiler's, 0 to 3.
            calibration_set_id: Which calibration to compile for; None is the current.

        Raises:
            CircuitError: A circuit cannot be used; it is named.
        """
        architecture = await self.architecture(calibration_set_id)
        return await self._apart_from_the_loop(
            is_light(circuits),
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
        shots: Shots = 1000,
        points: Points | None = None,
        observables: Asked | None = None,
        tag: str | None = None,
        measure_all: bool | None = False,
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
            shots: How often each circuit is measured. Qoro: a sequence gives each
                circuit its own number.
            points: Numbers for the free parameters of one circuit, for each circuit
                that is to run: mappings from parameter to number in a sequence (labels
                "0", "1", ...) or in a mapping from labels. Qoro gets the program once.
            observables: Qoro: compute expectation values of these, and take no shots. A
                SparsePauliOp, a Pauli label in Qiskit's order or several of them; or
                `qawait.qoro.Observables.of(...)` for other ones for each circuit.
            tag: A name for the job, where the service keeps one.
            measure_all: Measure every qubit of circuits that measure none.
            compile: False sends native instructions as they are, once it is known that
                the machine can run them.
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
        dialect, light = self._wire.dialect, is_light(circuits)
        number, each = checked_shots(shots, dialect)
        asked = observables_for(observables, dialect)
        if asked is not None and not measure_all:
            measure_all = None
        default = getattr(self.service, "execution_config", None)
        wire_options = options_for(dialect, options, execution_config, default)
        if compile:
            prepared = await self._apart_from_the_loop(
                light,
                prepare,
                circuits,
                await self.architecture(
                    getattr(wire_options, "calibration_set_id", None)
                ),
                self.target,
                measure_all,
                seed,
                optimization_level,
            )
        else:
            prepared = await self._apart_from_the_loop(
                light, prepare_as_is, circuits, dialect, measure_all
            )
        template = None
        if points is not None:
            # One template has one number of shots and the same observables throughout.
            shared = not each and (asked is None or asked.circuit_map is None)
            bind = partial(bind_points, template=shared and dialect.vendor == "qoro")
            prepared, template = await anyio.to_thread.run_sync(bind, prepared, points)
        pinned = calibration_of(prepared, wire_options)
        if is_unchecked(prepared, wire_options, pinned):
            architecture = await self.architecture(pinned)
            left = left_to_check(prepared, architecture, wire_options)
            if left:
                await self._apart_from_the_loop(
                    light, check_native, left, architecture, wire_options
                )
            if architecture is not None:
                pinned = architecture.calibration_set_id
        submission, manifest = batch(
            prepared,
            shots=number,
            target=self.target,
            tag=tag,
            options=wire_options,
            shots_each=each,
            observables=asked,
            template=template,
            calibration_set_id=pinned,
        )
        settings = settings_of(
            dialect, wire_options, measure_all, compile, seed, optimization_level
        )
        return await self._send(
            submission, manifest, settings, hold=hold, apart=not light
        )

    async def _apart_from_the_loop(
        self, light: bool, function: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> _T:
        """Call a function in a thread, unless its circuits cost less than the thread.

        The first time, the modules that the function needs cost far more than both.
        """
        if light and "qawait.circuits" in sys.modules:
            return await self._interleaved.run(partial(function, *args))
        return await anyio.to_thread.run_sync(function, *args)

    async def _send(
        self,
        submission: Submission,
        manifest: Manifest,
        settings: dict[str, Any],
        *,
        hold: bool,
        apart: bool,
    ) -> Job:
        submission_id, connection = str(uuid.uuid4()), self._connection
        intent = intent_of(submission, manifest, submission_id, settings)
        async with connection.submissions:
            connection.figures.submitted(
                manifest.calibration_set_id, connection.journal
            )
            opened = await self._wire.submit(
                submission, submission_id, hold=hold, apart=apart, intent=intent
            )
        return self._jobs.started(opened, submission_id, manifest, tag=submission.tag)

    def sweep(
        self, circuits: Any, grid: Any = None, **options: Unpack[SweepOptions]
    ) -> Sweep:
        """Run many circuits: `async with client.sweep(...) as sweep`, then iterate.

        Args:
            circuits: An (asynchronous) iterable of circuits, or of pairs of a key and a
                circuit, or a mapping; or one circuit with free parameters.
            grid: For each parameter its values, of which all combinations run; or an
                (asynchronous) iterable of points: mappings from parameter to number.
            options: `shots`, `budget`, ...: `qawait._sweep.settings` lists them.

        Raises:
            ConfigurationError: A setting cannot be right.
        """
        from qawait._sweep.sweep import Sweep

        return Sweep(self._connection, self._jobs.started, circuits, grid, options)

    async def start_sweep(
        self, circuits: Any, grid: Any = None, **options: Unpack[SweepOptions]
    ) -> Sweep:
        """What `sweep` does without `async with`, as in a notebook: it begins at once."""
        return await self.sweep(circuits, grid, **options).start()

    def resume(self, journal: str | Path) -> Sweep:
        """Go on with what a journal has sent: `async with client.resume(path) as sweep`.

        Jobs are followed to their end, and what is uncertain comes with its evidence.
        Nothing is submitted: the program that began may hold more points.
        """
        from qawait._sweep.sweep import Sweep

        options: SweepOptions = {"journal": journal}
        jobs = self._jobs.started
        return Sweep(self._connection, jobs, None, None, options, resume=True)

    def job(self, job_id: str) -> Job:
        """Come back to a job by its id; one of this client is the same object.

        Whether the service knows it shows when it is awaited: `JobMissing` if not.

        Raises:
            ConfigurationError: This cannot be an id.
        """
        self._connection.check()
        known = self._jobs.find(_checked(job_id))
        if known is not None:
            return known
        manifest = Manifest(target=self.target.name, simulated=self.target.simulated)
        return self._jobs.started(Opened(job_id), "", manifest, adopted=True)

    async def status(self, job_id: str) -> Status:
        """Ask once how a job stands.

        Raises:
            NotFound: The service does not know it.
        """
        return await self._wire.status(_checked(job_id), repeat=True)

    async def delete(self, job: Job | str) -> None:
        """Delete a job and its results at the service.

        Raises:
            ConfigurationError: The service has no way to delete a job.
        """
        await self._wire.delete(_checked(job) if isinstance(job, str) else job.id)

    def __repr__(self) -> str:
        return self._connection.in_a_line()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._connection.in_a_notebook()


def _checked(job_id: str) -> str:
    try:
        return checked_id(job_id)
    except (Error, TypeError):
        raise ConfigurationError(f"{job_id!r} cannot be a job id") from None
