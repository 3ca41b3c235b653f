"""OpenQASM 2 for Qoro: sent as it is, or written so that it means the same."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2
from qiskit.circuit import Clbit, Gate, Parameter, Qubit
from tests import exact_distribution

from qawait.circuits import Compiled, as_is, prepare, read, to_qasm2
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.circuit import Circuit, Instruction
from qawait.layout import Layout

TEXT = (
    "// as the user wrote it\nOPENQASM 2.0;\n"
    'include "qelib1.inc";\n'
    "qreg q[3];\ncreg a[1];\ncreg b[2];\n"
    "ry(0.5) q[2];\ncx q[2], q[0];\n"
    "measure q[2] -> b[1];\nmeasure q[1] -> a[0];\n"
)


def prepared(circuit: object, *, measure_all: bool = False) -> Compiled:
    (found,) = prepare(circuit, None, target_name="cluster", measure_all=measure_all)
    return found


def refusal(circuit: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        prepare(circuit, None)
    return str(caught.value)


def loaded(text: str) -> QuantumCircuit:
    """What a service makes of the text."""
    return qasm2.loads(
        text, include_path=(), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS
    )


def assert_same(circuit: QuantumCircuit, sent: Compiled) -> None:
    """The joined registers of the text have the circuit's distribution."""
    again = loaded(sent.circuit.qasm)
    assert [r.size for r in again.cregs] == [n for _, n in sent.layout.registers]
    found = exact_distribution.of_qiskit(again)
    wanted = exact_distribution.of_qiskit(circuit)
    for outcome in found.keys() | wanted.keys():
        assert found.get(outcome, 0) == pytest.approx(wanted.get(outcome, 0), abs=1e-6)


def test_openqasm_2_that_measures_is_sent_to_the_letter() -> None:
    sent = prepared({"mine": TEXT})
    assert sent.circuit.label == "mine"
    assert sent.circuit.qasm == TEXT
    assert sent.qubits == {}
    assert sent.calibration_set_id is None


def test_bits_are_positions_in_the_joined_registers() -> None:
    """Bit 0 of the first register is the lowest; a bit never measured is None."""
    sent = prepared(TEXT)
    assert sent.layout == Layout((("a", 1), ("b", 2)), (("", 0), None, ("", 2)))


def test_openqasm_2_without_measurements_is_written_with_them() -> None:
    text = TEXT[: TEXT.index("measure")]
    sent = prepared(text, measure_all=True)
    assert sent.layout.registers == (("a", 1), ("b", 2), ("meas", 3))
    assert sent.layout.bits == (None, None, None, ("", 3), ("", 4), ("", 5))
    assert loaded(sent.circuit.qasm).count_ops()["measure"] == 3


def test_openqasm_3_is_converted() -> None:
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit first;\nbit[3] c;\n'
        "ry(0.7) q[1];\nctrl @ x q[1], q[2];\nnegctrl @ ry(0.3) q[1], q[0];\n"
        "first = measure q[2];\nc[2] = measure q[0];\nc[0] = measure q[1];\n"
    )
    (source,) = read(text)
    sent = prepared(text)
    assert sent.layout.registers == (("bit0", 1), ("c", 3))
    assert_same(source.circuit, sent)


def test_registers_keep_names_that_openqasm_2_cannot_write() -> None:
    registers = [
        ClassicalRegister(2, "π r"),
        ClassicalRegister(1, "gate"),
        ClassicalRegister(3, "Upper"),
    ]
    circuit = QuantumCircuit(QuantumRegister(3, "my qubits"), *registers)
    circuit.ry(0.4, 0)
    circuit.x(2)
    circuit.measure([0, 2], [1, 5])
    sent = prepared(circuit)
    assert sent.layout.registers == (("π r", 2), ("gate", 1), ("Upper", 3))
    assert_same(circuit, sent)


def test_registers_called_like_gates_are_written_under_other_names() -> None:
    """`creg x[2];` is what Qiskit writes, and what no parser takes."""
    qubits, own = QuantumRegister(2, "h"), QuantumRegister(1, "mine")
    circuit = QuantumCircuit(
        qubits,
        own,
        ClassicalRegister(2, "x"),
        ClassicalRegister(1, "reg_x"),
        ClassicalRegister(1, "sin"),
    )
    circuit.x(1)
    circuit.measure([1, 0, 2, 1], [0, 1, 2, 3])
    [compiled] = to_qasm2(read(circuit))
    text = compiled.circuit.qasm
    names = [line.split()[1] for line in text.splitlines() if line[1:4] == "reg"]
    assert names == [
        "reg_h[2];",
        "mine[1];",
        "reg_reg_x[2];",
        "reg_x[1];",
        "reg_sin[1];",
    ]
    assert compiled.layout.registers == (("x", 2), ("reg_x", 1), ("sin", 1))
    again = qasm2.loads(text)
    assert [again.find_bit(e.qubits[0]).index for e in again.data] == [1, 1, 0, 2, 1]
    assert circuit.cregs[0].name == "x"


def test_bits_outside_registers_keep_their_place() -> None:
    bits = [Clbit() for _ in range(2)]
    circuit = QuantumCircuit([Qubit(), Qubit()], bits[:1])
    circuit.add_register(ClassicalRegister(2, "c"))
    circuit.add_bits(bits[1:])
    circuit.x(0)
    circuit.ry(0.6, 1)
    circuit.measure([0, 1, 0], [0, 1, 3])
    sent = prepared(circuit)
    assert sent.layout.registers == (("bit0", 1), ("c", 2), ("bit3", 1))
    assert_same(read(circuit)[0].circuit, sent)


BENCH = [
    "ghz",
    "qft",
    "qaoa",
    "vqe_su2",
    "dj",
    "graphstate",
    "wstate",
    "randomcircuit",
    "ae",
]


@pytest.mark.parametrize("name", BENCH)
def test_what_is_written_means_the_same(name: str) -> None:
    np.random.seed(11)
    random.seed(11)
    circuit = get_benchmark(name, BenchmarkLevel.ALG, 5)
    (source,) = read(circuit, measure_all=True)
    (sent,) = to_qasm2([source])
    assert_same(source.circuit, sent)


def test_a_template_is_bound_and_then_written() -> None:
    x, y = Parameter("x"), Parameter("y")
    circuit = QuantumCircuit(2, name="pair")
    circuit.ry(2 * x + y, 0)
    circuit.rzz(y, 0, 1)
    circuit.measure_all()
    template = prepared(circuit)
    with pytest.raises(CircuitError, match="pair: has free parameters"):
        _ = template.circuit
    for values in ({"x": 0.2, "y": 1.1}, {"x": -0.9, "y": 0.0}):
        point = template.bind(values, label="here")
        assert point.circuit.label == "here"
        assert point.layout is template.layout
        assert_same(circuit.assign_parameters(values), point)


def test_a_template_is_the_circuit_as_it_was() -> None:
    x = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(x, 0)
    circuit.measure(0, 0)
    template = prepared(circuit)
    before = template.bind({"x": 1.0}).circuit
    circuit.x(0)
    assert template.bind({"x": 1.0}).circuit == before


def test_values_that_give_no_circuit_are_refused() -> None:
    x = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(1 / x, 0)
    circuit.measure(0, 0)
    template = prepared(circuit)
    with pytest.raises(CircuitError, match="parameters give no circuit"):
        template.bind({"x": 0.0}, label="pole")


def test_what_openqasm_2_cannot_say_is_named() -> None:
    circuit = QuantumCircuit(1, 1, name="slow")
    circuit.delay(100, 0, "ns")
    circuit.measure(0, 0)
    assert refusal(circuit) == (
        "slow: 'delay' cannot be written in OpenQASM 2: it has no definition"
    )


def test_a_gate_without_definition_is_named() -> None:
    circuit = QuantumCircuit(1, 1, name="odd")
    circuit.append(Gate("blob", 1, []), [0])
    circuit.measure(0, 0)
    assert refusal(circuit).startswith("odd: 'blob' cannot be written in OpenQASM 2")


def test_a_circuit_wider_than_the_cluster_is_named() -> None:
    with pytest.raises(CircuitError) as caught:
        prepare({"a": TEXT}, None, target_name="cluster", qubits=2)
    assert str(caught.value) == "a: needs 3 qubits, cluster has 2"
    assert prepare(TEXT, None, target_name="cluster", qubits=3)


def test_circuits_made_for_one_service_are_not_sent_to_the_other() -> None:
    measure = Instruction("measure", ("QB1",), {"key": "m"})
    native = Circuit("own", (measure,))
    assert refusal(native) == (
        "own: is made for IQM and cannot be written in OpenQASM 2"
    )
    assert "is made for IQM" in refusal(as_is(native, native=True)[0])
    sent = prepared({"text": TEXT})
    assert as_is(sent, native=False) == [sent]
    with pytest.raises(CircuitError, match="text: is made for Qoro"):
        as_is(sent, native=True)


_THREAD_AFTER_THREAD = """
import threading
from qawait.circuits.openqasm import parsed
for _ in range(4):
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; h q[0];'
    thread = threading.Thread(target=parsed, args=(text, 2, "circuit"))
    thread.start()
    thread.join()
print("all four")
"""


def test_circuits_can_be_read_in_one_thread_after_another():
    """Once the thread that has loaded Qiskit ends, its OpenQASM importer crashes."""
    ran = subprocess.run(
        [sys.executable, "-c", _THREAD_AFTER_THREAD], capture_output=True, text=True
    )
    assert ran.stdout == "all four\n", ran.returncode
