# pyright: basic
"""A client as Qiskit's backend: its target, and runs of whole circuits."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self, Unpack

import anyio.to_thread
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from qawait import __version__
from qawait._sync import Blocking, blocking_client
from qawait.client import Client
from qawait.errors import ClientClosed, ConfigurationError
from qawait.qiskit.arrays import counted
from qawait.qiskit.compiling import Compiler
from qawait.qiskit.job import QawaitJob
from qawait.qiskit.machine import Machine, machine_of
from qawait.qiskit.running import ClientLoop, Running
from qawait.qiskit.work import Part, RunOptions, Standing, carry_out, checked_options

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from qiskit.result import Result
    from qiskit.transpiler import Target

    from qawait.circuit_result import CircuitResult
    from qawait.circuits import Compiled
    from qawait.connecting import ConnectOptions
    from qawait.services import IQMService, QoroService

__all__ = ["QawaitBackend", "open_backend"]


class QawaitBackend(BackendV2):
    """The target of a client, for Qiskit's programs.

    It stands for one calibration set: that which was current when it was made. Circuits
    are compiled for it and run with it; make another backend after a recalibration.

    Args:
        client: A client of `connect_sync`. For an asynchronous one write
            `backend = await QawaitBackend.of(client)`.
        figures: Whether to ask the service how well its gates do, for Qiskit's
            transpiler: one request more.

    Raises:
        ConfigurationError: It is no such client.
        ClientClosed: The client is closed.
    """

    def __init__(self, client: Any, *, figures: bool = True) -> None:
        if isinstance(client, Client):
            raise ConfigurationError(
                "this client is asynchronous: write `backend = await "
                "QawaitBackend.of(client)`"
            )
        if not isinstance(client, Blocking) or not isinstance(client._subject, Client):
            raise ConfigurationError(
                f"a backend is made of a client, not of {type(client).__name__}: use "
                "qawait.connect_sync, or qawait.qiskit.open_backend"
            )
        subject = client._subject

        async def described() -> tuple[ClientLoop, Machine]:
            return ClientLoop(), await machine_of(subject, figures=figures)

        home, machine = client._run(described)
        self._set_up(subject, home, machine)

    @classmethod
    async def of(cls, client: Client, *, figures: bool = True) -> Self:
        """The backend of an asynchronous client that is open in this event loop.

        Args:
            client: The client.
            figures: As the constructor takes it.

        Raises:
            ConfigurationError: It is no such client.
            ClientClosed: The client is closed.
        """
        if not isinstance(client, Client):
            raise ConfigurationError(
                f"QawaitBackend.of takes an asynchronous client, not "
                f"{type(client).__name__}; for a client of connect_sync write "
                "QawaitBackend(client)"
            )
        machine = await machine_of(client, figures=figures)
        backend = cls.__new__(cls)
        backend._set_up(client, ClientLoop(), machine)
        return backend

    def _set_up(self, client: Client, home: ClientLoop, machine: Machine) -> None:
        about = machine.about
        super().__init__(
            name=about.name,
            description=f"{about.name}{', simulated' if about.simulated else ''}",
            backend_version=__version__,
        )
        self._client = client
        self._home = home
        self._machine = machine
        self._compiler = Compiler(machine)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client, if `open_backend` has opened it; more than once if you like."""
        atexit.unregister(self.close)
        self._stack.close()

    # --- what Qiskit asks -------------------------------------------------------------

    @property
    def target(self) -> Target:
        """Gates, couplings, and error rates where the service publishes them."""
        return self._machine.target

    @property
    def max_circuits(self) -> None:
        """No limit: a run is cut into jobs as the service can take them."""
        return

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False)

    def run(
        self,
        run_input: QuantumCircuit | Iterable[QuantumCircuit],
        *,
        shots: int | None = None,
        memory: bool | None = None,
        **options: Any,
    ) -> QawaitJob:
        """Run circuits without free parameters.

        Args:
            run_input: One circuit, or many.
            shots: Of each; None is `backend.options.shots`.
            memory: Whether the result has single shots, too; None is
                `backend.options.memory`. A service that only counts gives them in
                ascending order.
            options: As `QawaitSampler` takes them.

        Returns:
            A job whose result is a `qiskit.result.Result`. Nothing is sent unless every circuit
            can run.

        Raises:
            ConfigurationError: There is no such option, or no circuit.
            ClientClosed: The client is closed.
        """
        single = isinstance(run_input, QuantumCircuit)
        circuits = [run_input] if single else list(run_input)
        if not circuits:
            raise ConfigurationError("there are no circuits to run")
        default: Any = self.options
        return self._begin(
            partial(
                self._run,
                circuits,
                default.shots if shots is None else shots,
                default.memory if memory is None else memory,
                checked_options(options),
            )
        )

    async def _run(
        self,
        circuits: list[QuantumCircuit],
        shots: int,
        memory: bool,
        options: RunOptions,
        standing: Standing,
    ) -> Result:
        named = {f"circuit {n}": circuit for n, circuit in enumerate(circuits)}
        ready = await anyio.to_thread.run_sync(self._compiled, named, options)
        for one in ready:
            one.check_bound()
        points = [(str(n), one.bind({}, str(n))) for n, one in enumerate(ready)]
        results: dict[int, CircuitResult] = {}
        part = Part(shots=shots, points=points, take=results.__setitem__)
        await carry_out(self._client, [part], standing, options)
        return await anyio.to_thread.run_sync(
            partial(
                counted,
                circuits,
                [results[n] for n in range(len(circuits))],
                memory=memory,
                backend_name=self.name,
                backend_version=self.backend_version,
                job_id=next(iter(standing.job_ids), None),
                **self._metadata(standing),
            )
        )

    # --- what is beyond it ------------------------------------------------------------

    @property
    def qubit_names(self) -> tuple[str, ...]:
        """The service's name of each qubit by its index; empty where it has no names."""
        chip = self._machine.chip
        return () if chip is None else chip.qubits

    @property
    def calibration_set_id(self) -> str | None:
        """The calibration set that circuits run with; None where there are none."""
        architecture = self._machine.architecture
        return None if architecture is None else architecture.calibration_set_id

    @property
    def simulated(self) -> bool:
        """Whether results come from a simulator and not from a quantum computer."""
        return self._machine.about.simulated

    @property
    def vendor(self) -> str:
        """Whose service it is: `iqm` or `qoro`."""
        return self._machine.vendor

    def _begin(self, work: Callable[[Standing], Coroutine[Any, Any, Any]]) -> QawaitJob:
        """The job of a coroutine in the client's event loop; for the primitives.

        Raises:
            ClientClosed: The client is closed.
        """
        if self._client._connection.closed:
            raise ClientClosed("this client is closed; connect again")
        standing = Standing()
        running = Running(self._home, partial(work, standing))
        return QawaitJob(self, running, standing)

    def _compiled(
        self,
        circuits: Mapping[str, QuantumCircuit],
        options: RunOptions,
        *,
        measure_all: bool | None = False,
    ) -> list[Compiled]:
        """Circuits by label as templates of this target; for the primitives, in threads.

        Raises:
            CircuitError: One cannot run there.
            ConfigurationError: Several cannot, each named on a line of its own.
        """
        return self._compiler.compile(
            circuits,
            seed=options.get("seed", 0),
            optimization_level=options.get("optimization_level", 2),
            measure_all=measure_all,
        )

    def _metadata(self, standing: Standing) -> dict[str, Any]:
        """Where and how a run was made, for its result."""
        return {
            "version": 2,
            "target": self.name,
            "simulated": self.simulated,
            "calibration_set_id": self.calibration_set_id,
            "job_ids": list(standing.job_ids),
        }

    def __repr__(self) -> str:
        simulated = ", simulated" if self.simulated else ""
        closed = ", closed" if self._client._connection.closed else ""
        width = self.target.num_qubits
        qubits = "any width" if width is None else f"{width} qubits"
        return f"<QawaitBackend {self.name}: {qubits}{simulated}{closed}>"


def open_backend(
    service: IQMService | QoroService | None = None,
    *,
    figures: bool = True,
    **options: Unpack[ConnectOptions],
) -> QawaitBackend:
    """Connect to a service in a thread of its own, in a script or in a notebook.

    Close it with `backend.close()`, or use it in a `with` block. Qiskit's own programs
    run unchanged over it, as they only block the thread that waits for them.

    Args:
        service: None starts a local service with a real simulator on this machine.
        figures: As `QawaitBackend` takes it.
        options: As `qawait.connect` takes them.

    Raises:
        ConfigurationError: No such target, an address that is none, a missing extra.
        ConnectFailed: The service cannot be reached.
        AuthenticationError: It refuses the token.
    """
    with ExitStack() as stack:
        client = stack.enter_context(blocking_client(service, **options))
        backend = QawaitBackend(client, figures=figures)
        backend._stack = stack.pop_all()
    # a notebook that is never closed leaves no connection and no journal half open
    atexit.register(backend.close)
    return backend
