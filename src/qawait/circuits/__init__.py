"""Circuits on their way to a service: read, checked, compiled, bound.

Qiskit is imported when a circuit needs it and not before; native circuits never do, nor
does plain OpenQASM 2 for Qoro.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.circuits.compiled import Compiled
from qawait.circuits.native import compile_native, native_as_is
from qawait.circuits.openqasm import to_qasm2
from qawait.circuits.source import Source, read

if TYPE_CHECKING:
    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = [
    "Compiled",
    "Source",
    "as_is",
    "compile_native",
    "native_as_is",
    "prepare",
    "read",
    "to_qasm2",
]


def prepare(
    circuits: object,
    architecture: DynamicQuantumArchitecture | None,
    *,
    target_name: str = "the target",
    qubits: int | None = None,
    measure_all: bool | None = False,
    seed: int = 0,
    optimization_level: int = 2,
) -> list[Compiled]:
    """Reads circuits and brings them into the form a target takes.

    Args:
        circuits: One or many, as `read` takes them; free parameters stay free.
        architecture: IQM's description of the machine to compile for; None for Qoro,
            which takes OpenQASM 2.
        target_name: Names the target in errors.
        qubits: How many a target without architecture has; None if it sets no number.
        measure_all: Whether a circuit that measures nothing gets a measurement of all
            its qubits; None lets it measure nothing.
        seed: The transpiler's; the same seed gives the same circuit.
        optimization_level: The transpiler's, from 0 (none) to 3 (slow).

    Raises:
        CircuitError: One circuit cannot be used.
        ConfigurationError: Several cannot, each named on a line of its own.
        MissingExtra: Qiskit is needed and not installed.
    """
    sources = read(
        circuits,
        measure_all=measure_all,
        allow_parameters=True,
        outlined=architecture is None,
    )
    if architecture is None:
        return to_qasm2(sources, target_name=target_name, qubits=qubits)
    return compile_native(
        sources,
        architecture,
        target_name=target_name,
        seed=seed,
        optimization_level=optimization_level,
    )


def as_is(
    circuits: object, *, native: bool, measure_all: bool | None = False
) -> list[Compiled]:
    """Reads circuits that need no compilation and compiles none.

    Args:
        circuits: One or many, as `read` takes them.
        native: Whether the service takes IQM's native circuits; else OpenQASM 2.
        measure_all: As `prepare` takes it.

    Raises:
        CircuitError: One circuit cannot be sent as it is.
        ConfigurationError: Several cannot, each named on a line of its own.
    """
    sources = read(
        circuits,
        measure_all=measure_all,
        allow_parameters=True,
        outlined=not native,
    )
    return native_as_is(sources) if native else to_qasm2(sources)
