# pyright: basic
"""What a Qiskit circuit must be before it is compiled or sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.circuits.batch import one_line
from qawait.circuits.compiled import free_parameters
from qawait.errors import CircuitError

if TYPE_CHECKING:
    from qiskit import ClassicalRegister, QuantumCircuit
    from qiskit.circuit import Clbit

__all__ = ["checked", "registers_of"]


def checked(
    circuit: QuantumCircuit,
    origin: str,
    *,
    measure_all: bool | None = False,
    allow_parameters: bool = False,
) -> QuantumCircuit:
    """The circuit itself if it can be sent as it is, else an amended copy.

    Raises:
        CircuitError: It measures nothing (and `measure_all` is False; None does not
            mind), has control
            flow, classical variables, overlapping registers or free parameters.
    """
    from qiskit.exceptions import QiskitError

    try:
        # A circuit of Qiskit's library is built now, and says now what it lacks.
        operations = list(circuit.data)
    except QiskitError as error:
        raise CircuitError(origin, one_line(error)) from error
    if not circuit.num_qubits:
        raise CircuitError(origin, "has no qubits")
    if circuit.has_control_flow_op():
        raise CircuitError(
            origin, "control flow (if, while, for, switch, box) is not supported"
        )
    if circuit.num_vars or circuit.num_stretches:
        raise CircuitError(origin, "classical variables are not supported")
    names = tuple(parameter.name for parameter in circuit.parameters)
    if names and not allow_parameters:
        raise CircuitError(origin, free_parameters(names))
    measures = any(operation.clbits for operation in operations)
    if measure_all is not None and not measures:
        circuit = _measured(circuit, origin, measure_all)
    return _registered(circuit, origin)


def registers_of(circuit: QuantumCircuit) -> tuple[tuple[str, int], ...]:
    """Names and sizes of the classical registers, in circuit order, unused included."""
    return tuple((register.name, register.size) for register in circuit.cregs)


def _measured(
    circuit: QuantumCircuit, origin: str, measure_all: bool
) -> QuantumCircuit:
    if not measure_all:
        raise CircuitError(
            origin,
            "measures nothing: add measurements, or ask for all qubits with"
            " measure_all=True (--measure-all)",
        )
    if any(register.name == "meas" for register in circuit.cregs):
        raise CircuitError(
            origin, "measures nothing, and its register 'meas' is in the way of all"
        )
    measured = circuit.measure_all(inplace=False)
    assert measured is not None
    return measured


def _registered(circuit: QuantumCircuit, origin: str) -> QuantumCircuit:
    from qiskit import QuantumCircuit

    owner: dict[Clbit, ClassicalRegister] = {}
    for register in circuit.cregs:
        for bit in register:
            if bit in owner:
                both = f"{owner[bit].name!r} and {register.name!r}"
                raise CircuitError(origin, f"registers {both} share a bit")
            owner[bit] = register
    empty = any(not register.size for register in circuit.cregs)
    if len(owner) == circuit.num_clbits and not empty:
        return circuit
    # Written anew and not amended: an added register would come last, and the joined
    # order of bits would no longer be Qiskit's.
    written = QuantumCircuit(name=circuit.name)
    written.add_bits(circuit.qubits)
    for register in circuit.qregs:
        written.add_register(register)
    taken = {register.name for register in circuit.cregs}
    for register in _rows(circuit, owner, taken):
        written.add_register(register)
    for operation in circuit.data:
        written.append(operation)
    return written


def _rows(
    circuit: QuantumCircuit,
    owner: dict[Clbit, ClassicalRegister],
    taken: set[str],
) -> list[ClassicalRegister]:
    """The registers, with one more for each row of neighbouring bits that have none."""
    from qiskit import ClassicalRegister

    rows: list[ClassicalRegister] = []
    loose: list[Clbit] = []

    def close(end: int) -> None:
        if loose:
            name = f"bit{end - len(loose)}"
            while name in taken:
                name += "_"
            taken.add(name)
            rows.append(ClassicalRegister(name=name, bits=tuple(loose)))
            loose.clear()

    for index, bit in enumerate(circuit.clbits):
        register = owner.get(bit)
        if register is None:
            loose.append(bit)
            continue
        close(index)
        if register not in rows:
            rows.append(register)
    close(circuit.num_clbits)
    return rows
