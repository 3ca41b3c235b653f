"""The life of some jobs as the Qiskit adapter of iqm-client 36.0.0 sees it.

Runs inside the vendor's environment: ``python qiskit36.py ACT URL`` with the token in
JUDGE_TOKEN; prints one JSON document of what the unmodified adapter saw.
"""

from __future__ import annotations

import json
import math
import os
import sys
import uuid
import warnings
from typing import Any

from iqm.qiskit_iqm import IQMProvider
from native import SHOTS, attempt
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile

TOKEN = os.environ["JUDGE_TOKEN"]


def flip() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3, name="flip")
    circuit.x(0)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def crossed() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3, name="crossed")
    circuit.x(0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    return circuit


def partial() -> QuantumCircuit:
    low, high = ClassicalRegister(2, "low"), ClassicalRegister(3, "high")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), low, high, name="partial")
    circuit.x(1)
    circuit.measure(1, high[2])
    circuit.measure(0, low[1])
    return circuit


def pairs() -> QuantumCircuit:
    circuit = QuantumCircuit(4, 4, name="pairs")
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.x(1)
    circuit.measure(range(4), range(4))
    return circuit


def biased() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name="biased")
    circuit.ry(2 * math.pi / 3, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def conditional() -> QuantumCircuit:
    first, last = ClassicalRegister(1, "first"), ClassicalRegister(2, "last")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), first, last, name="conditional")
    circuit.x(0)
    circuit.measure(0, first[0])
    with circuit.if_test((first, 1)):
        circuit.r(math.pi, 0.0, 1)
    circuit.measure([0, 1], last)
    return circuit


def life(url: str) -> dict[str, Any]:
    provider = IQMProvider(url, quantum_computer="square20", token=TOKEN)
    backend = provider.get_backend()
    made = [make() for make in (flip, crossed, partial, pairs, biased)]
    circuits = transpile(made, backend, optimization_level=1, seed_transpiler=5)
    job = backend.run(circuits, shots=SHOTS)
    result = job.result(timeout=120)
    again = backend.retrieve_job(job.job_id())
    measured = provider.get_backend(use_metrics=True)
    best = transpile(pairs(), measured, optimization_level=2, seed_transpiler=5)
    return {
        "name": backend.name,
        "qubits": backend.num_qubits,
        "couplings": len(set(map(frozenset, backend.coupling_map.get_edges()))),
        "names": [entry.header["name"] for entry in result.results],
        "success": result.success,
        "status": job.status().name,
        "counts": [result.get_counts(n) for n in range(len(circuits))],
        "again": [again.result().get_counts(n) for n in range(len(circuits))],
        "with_figures": measured.run(best, shots=SHOTS)
        .result(timeout=120)
        .get_counts(),
        "unknown_job": attempt(lambda: backend.retrieve_job(str(uuid.UUID(int=7)))),
        "late_cancel": attempt(job.cancel),
        "not_transpiled": attempt(lambda: backend.run(pairs(), shots=3)),
        "wrong_name": attempt(
            lambda: IQMProvider(url, quantum_computer="moon", token=TOKEN).get_backend()
        ),
        "wrong_token": attempt(
            lambda: IQMProvider(
                url, quantum_computer="square20", token="wrong"
            ).get_backend()
        ),
    }


def feedback(url: str) -> dict[str, Any]:
    backend = IQMProvider(url, quantum_computer="square20", token=TOKEN).get_backend()
    circuit = transpile(conditional(), backend, seed_transpiler=5)
    result = backend.run(circuit, shots=SHOTS).result(timeout=120)
    return {"counts": result.get_counts()}


def abort(url: str) -> dict[str, Any]:
    backend = IQMProvider(url, quantum_computer="square20", token=TOKEN).get_backend()
    circuit = transpile(flip(), backend, seed_transpiler=5)
    job = backend.run(circuit, shots=SHOTS)
    before = job.status().name
    return {"before": before, "cancelled": job.cancel(), "status": job.status().name}


def moves(url: str) -> dict[str, Any]:
    """On a star; the adapter routes through the resonator by itself."""
    backend = IQMProvider(url, quantum_computer="star", token=TOKEN).get_backend()
    circuit = transpile(pairs(), backend, optimization_level=1, seed_transpiler=5)
    result = backend.run(circuit, shots=SHOTS).result(timeout=120)
    return {"gates": sorted(circuit.count_ops()), "counts": result.get_counts()}


if __name__ == "__main__":
    acts = {"life": life, "abort": abort, "feedback": feedback, "moves": moves}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = acts[sys.argv[1]](sys.argv[2])
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
