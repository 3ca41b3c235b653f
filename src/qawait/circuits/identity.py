# pyright: basic
"""What a circuit is, as bytes that are the same in every process and version."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from qawait.circuits.compiled import Compiled
from qawait.iqm.circuit import Circuit

if TYPE_CHECKING:
    from qawait.circuits.source import Source

__all__ = ["source_bytes"]

_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=str)


def source_bytes(source: Source) -> bytes:
    """The circuit that a user gave, without its name and before any compilation.

    OpenQASM 2 is its text, a native circuit its instructions, and a Qiskit circuit its
    registers and operations, those within gates of its own included.
    """
    circuit = source.circuit
    if source.qasm2 is not None:
        return source.qasm2.encode()
    if isinstance(circuit, Compiled):
        return _of_compiled(circuit)
    if isinstance(circuit, Circuit):
        return _ENCODER.encode(replace(circuit, name=""))
    return _ENCODER.encode(_of_qiskit(circuit))


def _of_compiled(circuit: Compiled) -> bytes:
    """Of one that its user has compiled, this is the source.

    Free parameters get numbers of their own, for the form of a template is not fixed.
    """
    values = dict(circuit.values)
    for place, name in enumerate(circuit.parameters):
        values[name] = (place + 1) / 16
    bound = circuit.template.bound("circuit", values)
    return _ENCODER.encode([circuit.parameters, bound])


def _of_qiskit(circuit: Any) -> list[Any]:
    qubits = {bit: place for place, bit in enumerate(circuit.qubits)}
    clbits = {bit: place for place, bit in enumerate(circuit.clbits)}
    registers = [[r.name, [clbits[bit] for bit in r]] for r in circuit.cregs]
    operations = [
        [
            _of_operation(entry.operation),
            [qubits[bit] for bit in entry.qubits],
            [clbits[bit] for bit in entry.clbits],
        ]
        for entry in circuit.data
    ]
    return [
        len(qubits),
        len(clbits),
        registers,
        str(circuit.global_phase),
        operations,
    ]


def _of_operation(operation: Any) -> list[Any]:
    from qiskit.circuit.library import get_standard_gate_name_mapping

    parts: list[Any] = [operation.name, [_of_value(p) for p in operation.params]]
    parts += [
        [name, str(getattr(operation, name))]
        for name in ("ctrl_state", "unit")
        if getattr(operation, name, None) is not None
    ]
    matrix = any(getattr(p, "ndim", 0) for p in operation.params)
    # what a matrix is made of depends on the version of Qiskit, and is told by it
    if operation.name not in get_standard_gate_name_mapping() and not matrix:
        definition = getattr(operation, "definition", None)
        if definition is not None:
            parts.append(_of_qiskit(definition))
    return parts


def _of_value(value: Any) -> Any:
    import numpy as np
    from qiskit.circuit import ParameterExpression

    if isinstance(value, Real):
        return float(value)
    if hasattr(value, "dtype"):
        numbers: Any = np.asarray(value, dtype=complex).ravel()
        return [list(value.shape), numbers.real.tolist(), numbers.imag.tolist()]
    if isinstance(value, list | tuple | range):
        return [_of_value(one) for one in value]
    if isinstance(value, str | ParameterExpression):
        return str(value)
    # an object shows itself with its place in memory; its definition says what it does
    return type(value).__name__
