"""Fifty circuits of MQT Bench through the command line, both services, and the truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from qiskit import QuantumCircuit, qasm2
from qiskit.quantum_info import Statevector

from tests.service.running import LocalService, running

SHOTS = 1000
SEED = 20261121
"""Of the simulator and of the ideal samples: a wrong circuit fails, chance does not."""
FAMILIES = ("ghz", "qft", "qaoa", "vqe_su2", "dj", "graphstate")
WIDTHS = (3, 4, 5, 6, 7, 8, 10, 12, 16)
CIRCUITS = [(f, n) for n in WIDTHS for f in FAMILIES][:50]


@pytest.fixture(scope="module")
def seeded_service() -> Any:
    with running("--seed", str(SEED)) as service:
        yield service


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("mqt")
    written: list[Path] = []
    for family, width in CIRCUITS:
        options = {"seed": SEED} if family == "graphstate" else {}
        circuit = get_benchmark(family, BenchmarkLevel.INDEP, width, **options)
        path = folder / f"{family}_{width}.qasm"
        path.write_text(qasm2.dumps(circuit))
        written.append(path)
    return written


def ideal(path: Path) -> dict[str, float]:
    """Probabilities by outcome over the measured bits, from Qiskit's own statevector."""
    circuit = QuantumCircuit.from_qasm_file(str(path))
    if not circuit.cregs:
        circuit.measure_all()
    pairs = sorted(
        (circuit.find_bit(i.clbits[0]).index, circuit.find_bit(i.qubits[0]).index)
        for i in circuit.data
        if i.operation.name == "measure"
    )
    circuit.remove_final_measurements()
    return Statevector(circuit).probabilities_dict([qubit for _, qubit in pairs])


def distance(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """Total variation between counts and a distribution over the same outcomes."""
    return float(np.abs(counts / counts.sum() - probabilities).sum() / 2)


def allowed(probabilities: np.ndarray) -> float:
    """The 99.9th percentile of the distance of 200 ideal samples of the same size."""
    random = np.random.default_rng(SEED)
    samples = random.multinomial(SHOTS, probabilities, size=200)
    return float(np.percentile([distance(s, probabilities) for s in samples], 99.9))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["iqm", "qoro"])
def test_fifty_circuits_come_back_with_the_ideal_distribution(
    seeded_service: LocalService, files: list[Path], where: str
):
    address = {
        "iqm": f"iqm:{seeded_service.url}",
        "qoro": f"qoro:{seeded_service.url}/api",
    }
    command = [
        *(sys.executable, "-m", "qawait", "run"),
        *(str(path) for path in files),
        *("--shots", str(SHOTS), "--measure-all", "--json"),
        *("--service", address[where]),
    ]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QAWAIT_TOKEN": seeded_service.token},
    )
    assert ran.returncode == 0, ran.stderr
    circuits = {c["label"]: c for c in json.loads(ran.stdout)["circuits"]}
    assert len(circuits) == 50

    wrong: list[str] = []
    for path in files:
        probabilities = ideal(path)
        counts = circuits[path.stem]["counts"]
        outcomes = sorted(set(probabilities) | set(counts))
        seen = np.array([counts.get(o, 0) for o in outcomes])
        truth = np.array([probabilities.get(o, 0.0) for o in outcomes])
        assert seen.sum() == SHOTS
        found, limit = distance(seen, truth), allowed(truth / truth.sum())
        if found > limit:
            wrong.append(f"{path.stem}: {found:.4f} > {limit:.4f}")
    assert wrong == [], f"seed {SEED}"
