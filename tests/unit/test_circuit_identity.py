"""A circuit is what its user wrote: neither its name, nor what it is compiled to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp

from qawait.circuits import prepare, read
from qawait.circuits.identity import source_bytes
from qawait.iqm import Circuit, Instruction

QASM = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; measure q -> c;'
)


def bytes_of(circuit: Any) -> bytes:
    [source] = read(circuit, allow_parameters=True)
    return source_bytes(source)


def base(name: str = "base") -> QuantumCircuit:
    circuit = QuantumCircuit(
        QuantumRegister(2, "q"), ClassicalRegister(2, "c"), name=name
    )
    circuit.rx(0.5, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def changed(change: Callable[[QuantumCircuit], Any]) -> QuantumCircuit:
    """The same, with something else before its last two measurements."""
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    circuit.rx(0.5, 0)
    circuit.cx(0, 1)
    change(circuit)
    circuit.measure([0, 1], [0, 1])
    return circuit


def gate(angle: float) -> Any:
    inner = QuantumCircuit(1, name="mine")
    inner.rx(angle, 0)
    return inner.to_gate()


VARIANTS: dict[str, QuantumCircuit] = {
    "base": base(),
    "other angle": changed(lambda c: c.rx(0.25, 0)),
    "other qubit": changed(lambda c: c.rx(0.25, 1)),
    "parameter": changed(lambda c: c.rx(Parameter("a"), 0)),
    "other parameter": changed(lambda c: c.rx(Parameter("b"), 0)),
    "expression": changed(lambda c: c.rx(2 * Parameter("a"), 0)),
    "barrier": changed(lambda c: c.barrier()),
    "gate of one's own": changed(lambda c: c.append(gate(0.1), [0])),
    "another one called the same": changed(lambda c: c.append(gate(0.2), [0])),
    "matrix": changed(lambda c: c.append(UnitaryGate([[1, 0], [0, 1]]), [0])),
    "other matrix": changed(lambda c: c.append(UnitaryGate([[0, 1], [1, 0]]), [0])),
    "control on 0": changed(lambda c: c.cx(0, 1, ctrl_state=0)),
    "control on 1": changed(lambda c: c.cx(0, 1)),
    "delay": changed(lambda c: c.delay(10, 0)),
    "longer delay": changed(lambda c: c.delay(20, 0)),
}


def test_whatever_differs_makes_another_circuit():
    found = {name: bytes_of(circuit) for name, circuit in VARIANTS.items()}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_name_makes_no_other_circuit(name: str):
    renamed = VARIANTS[name].copy(name="renamed")
    assert bytes_of(renamed) == bytes_of(VARIANTS[name])


def test_a_number_is_the_same_in_every_type():
    floats = [0.5, np.float64(0.5), np.float32(0.5)]
    found = {bytes_of(changed(lambda c, a=a: c.rx(a, 0))) for a in floats}
    assert len(found) == 1


def test_objects_do_not_tell_where_they_lie_in_memory():
    def evolving(term: str) -> QuantumCircuit:
        operator = SparsePauliOp(term)
        return changed(lambda c: c.append(PauliEvolutionGate(operator, 0.5), [0, 1]))

    assert bytes_of(evolving("XZ")) == bytes_of(evolving("XZ"))
    assert bytes_of(evolving("XZ")) != bytes_of(evolving("ZX"))


def test_the_text_of_openqasm_2_is_the_circuit():
    assert bytes_of(QASM) == bytes_of(QASM)
    assert bytes_of(QASM) != bytes_of(QASM.replace("h q[0]", "h q[1]"))


def native(name: str, angle: float) -> Circuit:
    return Circuit(
        name,
        (
            Instruction("prx", ("QB1",), {"angle": angle, "phase": 0.0}),
            Instruction("measure", ("QB1",), {"key": "m"}),
        ),
    )


def test_a_native_circuit_is_its_instructions():
    assert bytes_of(native("a", 0.5)) == bytes_of(native("b", 0.5))
    assert bytes_of(native("a", 0.5)) != bytes_of(native("a", 0.6))


def test_what_its_user_compiled_is_the_circuit():
    def compiled(angle: float, name: str = "c") -> Any:
        a = Parameter("a")
        circuit = QuantumCircuit(1, 1, name=name)
        circuit.rx(angle * a, 0)
        circuit.measure(0, 0)
        return prepare(circuit, None)[0]

    assert bytes_of(compiled(0.5)) == bytes_of(compiled(0.5, "d"))
    assert bytes_of(compiled(0.5)) != bytes_of(compiled(0.25))
    bound = compiled(0.5).bind({"a": 1.0})
    assert bytes_of(bound) != bytes_of(compiled(0.5).bind({"a": 2.0}))
    assert bytes_of(bound) != bytes_of(compiled(0.5))


def test_another_process_finds_the_same_bytes():
    program = (
        "from tests.unit.test_circuit_identity import VARIANTS, bytes_of\n"
        "import hashlib\n"
        "print(*[hashlib.sha256(bytes_of(c)).hexdigest() for c in VARIANTS.values()])\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] != ""
