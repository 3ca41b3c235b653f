"""Expectation values of the local service, held against the state itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2
from qiskit.quantum_info import Pauli, Statevector

from qawait.errors import CircuitError, ConfigurationError
from qawait.local.asked import Asked
from qawait.local.qasm import Program, check, simulate

SEED = 20261121
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\n'
PLAIN = Asked()
ALL = tuple("".join(letters) for letters in product("IXYZ", repeat=3))


def values(text: str, *observables: str, asked: Asked = PLAIN) -> dict[str, float]:
    [row], [run] = simulate((Program("p", text, 0, observables),), asked, SEED)
    assert row.results == run.values
    return run.values


def random_circuit(seed: int) -> QuantumCircuit:
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for _ in range(3):
        for qubit in range(3):
            circuit.u(*random.uniform(0, 6, 3), qubit)
        circuit.cx(0, 1)
        circuit.cz(1, 2)
    return circuit


@pytest.mark.parametrize("method", [None, "Statevector", "MatrixProductState"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_pauli_has_its_exact_value(seed: int, method: str | None) -> None:
    """All 64 of three qubits; the leftmost letter is qubit 0, not so in Qiskit."""
    circuit = random_circuit(seed)
    state = Statevector(circuit)
    found = values(qasm2.dumps(circuit), *ALL, asked=Asked(method=method))
    for label in ALL:
        exact = float(np.real(state.expectation_value(Pauli(label[::-1]))))
        assert found[label] == pytest.approx(exact, abs=1e-9), label


def test_two_observables_of_one_letter_do_not_mix() -> None:
    """Aer takes them for one where each acts on its own qubit only."""
    found = values(HEAD + "rx(0.3) q[0];\nry(1.1) q[2];", "ZII", "IIZ", "ZIZ")
    exact = {"ZII": np.cos(0.3), "IIZ": np.cos(1.1), "ZIZ": np.cos(0.3) * np.cos(1.1)}
    assert found == pytest.approx(exact)


def test_keys_are_the_observables_as_they_were_sent() -> None:
    """Missing letters are identities, and what comes twice is one key."""
    found = values(HEAD + "x q[0];", "Z", "ZI", "IIIII", "Z")
    assert found == {"Z": -1, "ZI": -1, "IIIII": 1}


def test_measurements_at_the_end_come_after_the_observables() -> None:
    found = values(HEAD + "h q[1];\nmeasure q -> c;", "IXI", "IZI")
    assert found == pytest.approx({"IXI": 1, "IZI": 0})


@pytest.mark.parametrize(
    "statements",
    [
        "h q[0];\nmeasure q[0] -> c[0];\nx q[0];",
        "h q[0];\nreset q[0];",
        "measure q[0] -> c[0];\nif (c == 1) x q[1];",
        "measure q[0] -> c[0];\ncx q[0],q[1];",
    ],
    ids=["measured", "reset", "condition", "partner"],
)
def test_what_leaves_no_single_state_fails_by_name(statements: str) -> None:
    program = Program("odd", HEAD + statements, 0, ("ZII",))
    with pytest.raises(CircuitError, match=r"circuit odd: .*one final state"):
        check((program,), Asked())


def test_an_observable_on_a_qubit_that_is_not_there_fails_by_name() -> None:
    with pytest.raises(CircuitError, match=r"circuit p: .*IIIX acts on qubit 3"):
        values(HEAD, "ZII", "IIIX")
    assert values(HEAD, "ZIII") == {"ZIII": 1}


def test_a_wide_clifford_circuit_has_values_in_the_stabilizer_method() -> None:
    text = (
        HEAD.replace("[3]", "[200]")
        + "h q[0];\n"
        + "".join(f"cx q[{n}],q[{n + 1}];\n" for n in range(199))
    )
    found = values(text, "X" * 200, "ZZ", "Z", asked=Asked(method="Stabilizer"))
    assert found == {"X" * 200: 1, "ZZ": 1, "Z": 0}


def test_a_method_that_only_samples_says_which_do_not() -> None:
    with pytest.raises(ConfigurationError, match=r"extended_stabilizer .*statevector"):
        values(HEAD, "Z", asked=Asked(method="ExtendedStabilizer"))
