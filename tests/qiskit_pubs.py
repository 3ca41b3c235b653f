"""Circuits and PUBs that tests run over a service and by Qiskit's own simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

if TYPE_CHECKING:
    from qiskit.primitives import BitArray, DataBin

A, B = Parameter("a"), Parameter("b")
SEED = 7


def values(*shape: int) -> np.ndarray:
    """Angles for `scrambled`, the same in each run."""
    return np.random.default_rng(SEED).uniform(0.0, np.pi, (*shape, 2))


def scrambled() -> QuantumCircuit:
    """Two registers, measured in another order than that of the qubits."""
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "x"), ClassicalRegister(1, "flag")
    )
    circuit.rx(A, 0)
    circuit.ry(B, 1)
    circuit.cx(0, 2)
    circuit.measure([0, 1, 2], [2, 0, 1])
    return circuit


def certain() -> QuantumCircuit:
    """Reads wide = 1000000001 and flag = 10, whatever comes."""
    circuit = QuantumCircuit(
        QuantumRegister(11), ClassicalRegister(10, "wide"), ClassicalRegister(2, "flag")
    )
    circuit.x([4, 9])
    circuit.measure([4, *[q for q in range(11) if q != 4][:9]], range(10))
    circuit.measure([0, 9], [10, 11])
    return circuit


def joined(data: DataBin, place: tuple[int, ...] = ()) -> dict[str, int]:
    """Counts over all registers, shot by shot; the last register leftmost."""
    names = list(data)
    bits: list[BitArray] = [data[name][place] for name in names]
    strings = [array.get_bitstrings() for array in bits]
    counts: dict[str, int] = {}
    for shot in zip(*reversed(strings), strict=True):
        key = " ".join(shot)
        counts[key] = counts.get(key, 0) + 1
    return counts


def distance(one: dict[str, int], other: dict[str, int]) -> float:
    """Half the sum of the differences of two distributions: 0 to 1."""
    sizes: Any = sum(one.values()), sum(other.values())
    return 0.5 * sum(
        abs(one.get(key, 0) / sizes[0] - other.get(key, 0) / sizes[1])
        for key in one.keys() | other.keys()
    )
