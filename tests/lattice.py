"""A machine of six qubits for tests, and what circuits become on it."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qawait.circuits import Compiled, compile_native, prepare, read
from qawait.errors import ConfigurationError
from qawait.iqm.architecture import DynamicQuantumArchitecture, GateInfo, Implementation
from tests import exact_distribution

# A lattice of two rows; names in no order, so that nothing can come from their digits.
QUBITS = ("QB9", "QB2", "alice", "QB1", "QB14", "QB3")
COUPLERS = (
    ("QB2", "QB9"),
    ("QB2", "alice"),
    ("QB1", "QB14"),
    ("QB3", "QB14"),
    ("QB9", "QB1"),
    ("QB14", "QB2"),
    ("alice", "QB3"),
)


def gate(*loci: tuple[str, ...]) -> GateInfo:
    return GateInfo({"standard": Implementation(loci)}, "standard")


def lattice(
    qubits: tuple[str, ...] = QUBITS,
    couplers: tuple[tuple[str, ...], ...] = COUPLERS,
    resonators: tuple[str, ...] = (),
) -> DynamicQuantumArchitecture:
    each = tuple((qubit,) for qubit in qubits)
    gates = {"prx": gate(*each), "cz": gate(*couplers), "measure": gate(*each)}
    return DynamicQuantumArchitecture("calibration-7", qubits, gates, resonators)


LATTICE = lattice()


def compiled(circuit: object, *, level: int = 2, seed: int = 0) -> Compiled:
    sources = read(circuit, allow_parameters=True)
    (found,) = compile_native(
        sources, LATTICE, target_name="tiny", seed=seed, optimization_level=level
    )
    return found


def refusal(circuit: object, architecture: DynamicQuantumArchitecture = LATTICE) -> str:
    with pytest.raises(ConfigurationError) as caught:
        prepare(circuit, architecture, target_name="tiny")
    return str(caught.value)


def keys(circuit: Compiled) -> list[str]:
    return list(circuit.circuit.measured())


def assert_same(circuit: QuantumCircuit, native: Compiled) -> None:
    """The native circuit runs on the lattice and has the original's distribution."""
    for i in native.circuit.instructions:
        if i.name == "cz":
            assert i.locus in COUPLERS
        assert set(i.locus) <= set(QUBITS)
        assert all(type(v) is float for k, v in i.args.items() if k != "key")
    found = exact_distribution.of_native(native.circuit, native.layout)
    wanted = exact_distribution.of_qiskit(circuit)
    for outcome in found.keys() | wanted.keys():
        assert found.get(outcome, 0) == pytest.approx(wanted.get(outcome, 0), abs=1e-6)
