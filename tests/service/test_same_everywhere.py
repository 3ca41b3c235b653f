"""One Qiskit circuit gives the same registers and counts on Aer, IQM and Qoro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit_aer import AerSimulator

import qawait
from tests.service.running import LocalService

SHOTS = 4000
FAST = qawait.Pace(first=0.02, questions_per_job=8, max_staleness=0.2)


def two_registers() -> QuantumCircuit:
    """Registers of different sizes, bits crossed, and no two outcomes alike."""
    circuit = QuantumCircuit(
        QuantumRegister(4, "q"), ClassicalRegister(3, "a"), ClassicalRegister(1, "b")
    )
    circuit.x(0)
    circuit.ry(0.7, 1)
    circuit.ry(1.9, 2)
    circuit.cx(2, 3)
    circuit.measure([0, 1, 2, 3], [1, 0, 3, 2])
    return circuit


def piecewise() -> QuantumCircuit:
    """A register that is read in two places, with one bit that is never read."""
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(3, "c"))
    circuit.ry(0.5, 0)
    circuit.measure(0, 2)
    circuit.cx(0, 1)
    circuit.x(1)
    circuit.measure(1, 0)
    return circuit


def unused_register() -> QuantumCircuit:
    circuit = QuantumCircuit(
        QuantumRegister(2, "q"),
        ClassicalRegister(2, "never"),
        ClassicalRegister(2, "read"),
    )
    circuit.ry(0.9, 0)
    circuit.x(1)
    circuit.measure([0, 1], [2, 3])
    return circuit


CIRCUITS = {c.__name__: c for c in (two_registers, piecewise, unused_register)}


def aer(circuit: QuantumCircuit) -> dict[str, int]:
    counts = AerSimulator(seed_simulator=11).run(circuit, shots=SHOTS).result()
    return dict(counts.get_counts())


def apart(one: dict[str, int], other: dict[str, int]) -> float:
    """Total variation between two sets of counts of the same size."""
    keys = sorted(set(one) | set(other))
    a, b = (np.array([c.get(k, 0) for k in keys]) / SHOTS for c in (one, other))
    return float(np.abs(a - b).sum() / 2)


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("path", ["", "/cocos", "/api"])
async def test_registers_and_counts_are_those_of_aer(
    local_service: LocalService, name: str, path: str
):
    kind: Any = qawait.QoroService if path == "/api" else qawait.IQMService
    service = kind(local_service.url + path, token=local_service.token)
    circuit = CIRCUITS[name]()
    async with qawait.connect(service, pace=FAST) as client:
        result = await (await client.submit(circuit, shots=SHOTS))
    found = result[0]
    assert found.registers == {r.name: r.size for r in circuit.cregs}
    counts = found.counts(sep=" ")
    truth = aer(circuit)
    assert set(counts) <= set(truth)
    assert apart(counts, truth) < 0.05, f"{counts} is not {truth}"
    for register in circuit.cregs:
        part = found.counts(register.name)
        assert all(len(key) == register.size for key in part)
        assert sum(part.values()) == SHOTS
