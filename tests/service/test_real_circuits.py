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


def ran(files: list[Path], service: str, token: str) -> dict[str, dict[str, int]]:
    """What `qawait run` counts, by the name of the file."""
    command = [
        *(sys.executable, "-m", "qawait", "run"),
        *(str(path) for path in files),
        *("--shots", str(SHOTS), "--measure-all", "--json"),
        *("--service", service),
    ]
    environment = {**os.environ, "QAWAIT_TOKEN": token}
    process = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment
    )
    assert process.returncode == 0, process.stderr
    circuits = json.loads(process.stdout)["circuits"]
    return {circuit["label"]: circuit["counts"] for circuit in circuits}


def too_far(path: Path, counts: dict[str, int]) -> bool:
    probabilities = ideal(path)
    outcomes = sorted(set(probabilities) | set(counts))
    seen = np.array([counts.get(o, 0) for o in outcomes])
    truth = np.array([probabilities.get(o, 0.0) for o in outcomes])
    assert seen.sum() == SHOTS
    # a single outcome leaves no room for chance, only for rounding
    return distance(seen, truth) > allowed(truth / truth.sum()) + 1e-9


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["iqm", "qoro"])
def test_fifty_circuits_come_back_with_the_ideal_distribution(
    seeded_service: LocalService, files: list[Path], where: str
):
    """One in 200 correct samples exceeds the bound by chance, so what does is drawn
    once more: a wrong circuit exceeds it again, a correct one in 1 of 40,000 runs.
    """
    url, token = seeded_service.url, seeded_service.token
    service = {"iqm": f"iqm:{url}", "qoro": f"qoro:{url}/api"}[where]
    first = ran(files, service, token)
    assert len(first) == 50
    again = [path for path in files if too_far(path, first[path.stem])]
    assert len(again) <= 3, f"seed {SEED}: {[path.stem for path in again]}"
    if again:
        second = ran(again, service, token)
        wrong = [path.stem for path in again if too_far(path, second[path.stem])]
        assert wrong == [], f"seed {SEED}"
