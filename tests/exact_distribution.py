"""The exact distribution of outcomes, of Qiskit's circuits and of native ones.

Written for tests: a state vector per branch of earlier measurements, and the gates of
IQM from their definition and not from Qiskit's.
"""

from __future__ import annotations

import cmath
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.quantum_info import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qawait.iqm.circuit import Circuit
    from qawait.layout import Layout

__all__ = ["of_native", "of_qiskit"]

Step = tuple[str, Any, tuple[int, ...], Any]
"""Kind ("gate", "measure", "reset"), matrix, qubits (lowest first), names of bits."""


def of_qiskit(circuit: QuantumCircuit) -> dict[str, float]:
    """Probabilities by bit string in Qiskit's order, without spaces."""
    bits = [bit for register in circuit.cregs for bit in register]

    def steps() -> Iterator[Step]:
        for operation in circuit.data:
            qubits = tuple(circuit.find_bit(q).index for q in operation.qubits)
            if operation.name == "measure":
                bit = bits.index(operation.clbits[0])
                yield "measure", None, qubits, (bit,)
            elif operation.name == "reset":
                yield "reset", None, qubits, None
            elif operation.name not in ("barrier", "delay"):
                yield "gate", Operator(operation.operation).data, qubits, None

    found: defaultdict[str, float] = defaultdict(float)
    for record, probability in _branches(circuit.num_qubits, steps()):
        string = "".join(str(record.get(bit, 0)) for bit in range(len(bits)))
        found[string[::-1]] += probability
    return dict(found)


def of_native(circuit: Circuit, layout: Layout) -> dict[str, float]:
    """The same, read through the layout as results are."""
    names = sorted({name for i in circuit.instructions for name in i.locus})

    def steps() -> Iterator[Step]:
        for i in circuit.instructions:
            qubits = tuple(names.index(name) for name in i.locus)
            if i.name == "prx":
                half, phase = i.args["angle"] / 2, i.args["phase"]
                away = -1j * math.sin(half)
                matrix = np.array(
                    [
                        [math.cos(half), away * cmath.exp(-1j * phase)],
                        [away * cmath.exp(1j * phase), math.cos(half)],
                    ]
                )
                yield "gate", matrix, qubits, None
            elif i.name == "cz":
                yield "gate", np.diag([1, 1, 1, -1]), qubits, None
            elif i.name == "measure":
                key = i.args["key"]
                yield "measure", None, qubits, [(key, n) for n in range(len(qubits))]
            elif i.name == "reset":
                yield "reset", None, qubits, None
            else:
                assert i.name in ("barrier", "delay"), i.name

    found: defaultdict[str, float] = defaultdict(float)
    for record, probability in _branches(len(names), steps()):
        string = "".join(
            "0" if bit is None else str(record[bit]) for bit in layout.bits
        )
        found[string[::-1]] += probability
    return dict(found)


def _branches(n: int, steps: Iterator[Step]) -> Iterator[tuple[dict[Any, int], float]]:
    """What each branch recorded, with its probability."""
    start = np.zeros((2,) * n, complex)
    start[(0,) * n] = 1
    branches: list[tuple[dict[Any, int], NDArray[Any]]] = [({}, start)]
    for kind, matrix, qubits, bits in steps:
        if kind == "gate":
            branches = [(r, _applied(matrix, qubits, s)) for r, s in branches]
            continue
        for place, qubit in enumerate(qubits):
            parts: list[tuple[dict[Any, int], NDArray[Any]]] = []
            for record, state in branches:
                for value in (0, 1):
                    part = np.zeros_like(state)
                    chosen = [slice(None)] * n
                    chosen[qubit] = value
                    into = list(chosen)
                    if kind == "reset":
                        into[qubit] = 0
                    part[tuple(into)] = state[tuple(chosen)]
                    if np.linalg.norm(part) < 1e-7:
                        continue
                    seen = record if kind == "reset" else record | {bits[place]: value}
                    parts.append((seen, part))
            branches = parts
    for record, state in branches:
        yield record, float(np.linalg.norm(state) ** 2)


def _applied(
    matrix: NDArray[Any], qubits: tuple[int, ...], state: NDArray[Any]
) -> NDArray[Any]:
    k = len(qubits)
    # A matrix has its first qubit as the lowest bit, so as its last axis.
    tensor = np.asarray(matrix).reshape((2,) * (2 * k))
    axes = list(reversed(qubits))
    moved = np.tensordot(tensor, state, axes=(list(range(k, 2 * k)), axes))
    return np.moveaxis(moved, list(range(k)), axes)
