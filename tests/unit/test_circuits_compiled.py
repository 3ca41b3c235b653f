"""Compiling to native operations: the same distribution, read through the layout."""

from __future__ import annotations

import math
import random
import threading

import numpy as np
import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter
from qiskit.quantum_info import Operator
from tests import exact_distribution
from tests.lattice import (
    LATTICE,
    assert_same,
    compiled,
    gate,
    keys,
    lattice,
    refusal,
)

from qawait.circuits import compile_native, prepare, read, transpiler
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.architecture import DynamicQuantumArchitecture
from qawait.iqm.circuit import Circuit, Instruction
from qawait.layout import Layout


def test_the_oracle_itself_knows_the_gates_of_qiskit() -> None:
    """Both halves of the oracle agree with Qiskit's operators on asymmetric input."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.ry(0.3, 1)
    circuit.ccx(0, 1, 2)
    amplitudes = Operator(circuit).data[:, 0]
    circuit.measure(range(3), range(3))
    found = exact_distribution.of_qiskit(circuit)
    for index, amplitude in enumerate(amplitudes):
        wanted = pytest.approx(abs(amplitude) ** 2, abs=1e-9)
        assert found.get(f"{index:03b}", 0) == wanted
    flip = (
        Instruction("prx", ("b",), {"angle": 2 * math.acos(0.6), "phase": 0.0}),
        Instruction("measure", ("b", "a"), {"key": "m"}),
    )
    layout = Layout((("m", 2),), (("m", 0), ("m", 1)))
    found = exact_distribution.of_native(Circuit("x", flip), layout)
    assert found == pytest.approx({"00": 0.36, "01": 0.64})


def test_x_on_qubit_0_of_three_reads_001() -> None:
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.measure_all()
    native = compiled(circuit)
    found = exact_distribution.of_native(native.circuit, native.layout)
    assert found == pytest.approx({"001": 1})
    assert keys(native) == ["meas_3_0"]
    assert native.layout.registers == (("meas", 3),)


def test_registers_keep_their_order_sizes_and_bits() -> None:
    """An unused register, one in permuted order, one partly measured."""
    q = QuantumRegister(5, "q")
    registers = [
        ClassicalRegister(n, name) for name, n in zip("dab", (1, 2, 3), strict=True)
    ]
    circuit = QuantumCircuit(q, *registers)
    unused, first, second = registers
    circuit.x(0)
    circuit.ry(0.4, 3)
    circuit.cx(3, 4)
    circuit.measure(q[3], first[1])
    circuit.measure(q[0], first[0])
    circuit.measure(q[4], second[2])
    native = compiled(circuit)
    assert native.layout.registers == (("d", 1), ("a", 2), ("b", 3))
    assert native.layout.bits == (
        None,
        ("a_2_1", 0),
        ("a_2_1", 1),
        None,
        None,
        ("b_3_2_2", 0),
    )
    assert unused.size == 1
    assert_same(circuit, native)


def test_measuring_into_permuted_bits_is_one_key_in_bit_order() -> None:
    circuit = QuantumCircuit(4, 4)
    for qubit, angle in enumerate((0.3, 0.7, 1.1, 2.0)):
        circuit.ry(angle, qubit)
    circuit.measure([0, 1, 2, 3], [2, 0, 3, 1])
    native = compiled(circuit)
    assert keys(native) == ["c_4_0"]
    assert_same(circuit, native)


def test_a_register_measured_in_the_middle_has_a_key_per_bit() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 1)
    circuit.cx(0, 1)
    circuit.ry(0.5, 0)
    circuit.measure(1, 0)
    native = compiled(circuit)
    assert sorted(keys(native)) == ["c_2_0_0", "c_2_0_1"]
    assert native.layout.bits == (("c_2_0_0", 0), ("c_2_0_1", 0))
    assert_same(circuit, native)


def test_a_barrier_after_a_measurement_keeps_its_place() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(1)
    circuit.measure(1, 0)
    circuit.barrier()
    circuit.x(0)
    circuit.measure(0, 1)
    native = compiled(circuit)
    names = [i.name for i in native.circuit.instructions]
    assert names.index("measure") < names.index("barrier") < names.index("prx", 3)
    assert_same(circuit, native)


def test_a_bit_measured_again_keeps_the_collapse_and_reads_the_later_value() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.8, 0)
    circuit.measure(0, 0)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    native = compiled(circuit)
    lost = [key for key in keys(native) if key.startswith("overwritten_")]
    assert lost == ["overwritten_0", "overwritten_1"]
    assert native.layout.bits == (("c_2_0_0", 0), ("c_2_0_1", 0))
    assert_same(circuit, native)


def test_one_qubit_read_into_two_bits_is_not_one_measurement() -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.ry(0.8, 0)
    circuit.measure(0, 1)
    circuit.measure(0, 0)
    native = compiled(circuit)
    assert sorted(keys(native)) == ["c_2_0_0", "c_2_0_1"]
    assert_same(circuit, native)


def test_a_reset_in_the_middle_stays() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.8, 0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.ry(0.3, 0)
    circuit.measure([0, 1], [0, 1])
    native = compiled(circuit)
    assert "reset" in [i.name for i in native.circuit.instructions]
    assert_same(circuit, native)


def test_a_joint_measurement_stands_where_the_last_of_its_bits_is_measured() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.r(0.3, 0.7, 1)
    circuit.measure(0, 2)
    circuit.cz(2, 1)
    circuit.measure(1, 0)
    circuit.r(0.2, 0.1, 2)
    circuit.measure(2, 1)
    chip = transpiler.Chip(("a", "b", "c"), ((1, 2),))
    template, _ = transpiler.native_form(circuit, chip, "x")
    assert template.instructions == (
        Instruction("prx", ("b",), {"angle": 0.3, "phase": 0.7}),
        Instruction("cz", ("b", "c")),
        Instruction("prx", ("c",), {"angle": 0.2, "phase": 0.1}),
        Instruction("measure", ("b", "c", "a"), {"key": "c_3_0"}),
    )


def test_an_operation_without_native_form_is_named() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    with pytest.raises(CircuitError, match="x: 'h' has no native form"):
        transpiler.native_form(circuit, transpiler.Chip(("a",), ()), "x")


def test_angles_and_phases_are_those_of_qiskit_in_radians() -> None:
    circuit = QuantumCircuit(1, 1)
    x = Parameter("x")
    circuit.r(np.float64(1), (x * 0 + 2.5).bind({x: 1}), 0)
    circuit.measure(0, 0)
    first = compiled(circuit, level=0).circuit.instructions[0]
    assert first.args == {"angle": 1.0, "phase": 2.5}
    assert {type(value) for value in first.args.values()} == {float}


def test_a_register_without_bits_is_left_out() -> None:
    empty = ClassicalRegister(0, "none")
    circuit = QuantumCircuit(QuantumRegister(1), empty, ClassicalRegister(1, "c"))
    circuit.measure(0, 0)
    native = compiled(circuit)
    assert native.layout == Layout((("c", 1),), (("c_1_0", 0),))


def test_delays_are_in_seconds() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(120, 0, "ns")
    circuit.delay(Parameter("wait"), 0, "us")
    circuit.measure(0, 0)
    bound = compiled(circuit).bind({"wait": 3.0})
    delays = [i for i in bound.circuit.instructions if i.name == "delay"]
    durations = [i.args["duration"] for i in delays]
    assert durations == pytest.approx([1.2e-7, 3e-6])


def test_a_delay_in_units_of_a_machine_we_do_not_know_is_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.delay(120, 0, "dt")
    circuit.measure(0, 0)
    assert "a delay of 120 dt has no length in seconds" in refusal(circuit)


def test_keys_of_registers_tell_the_layout_to_who_knows_nothing_else() -> None:
    """Also for names that look like keys, which would have a second reading."""
    names = [("a", 2), ("a_2", 1), ("π r", 2), ("a_2_1", 1), ("a_3_4", 2)]
    registers = [ClassicalRegister(n, name) for name, n in names]
    circuit = QuantumCircuit(QuantumRegister(2), *registers)
    for register in registers:
        circuit.reset([0, 1])
        circuit.x(0)
        circuit.measure(range(register.size), register)
    native = compiled(circuit)
    measured = native.circuit.measured()
    widths = {key: len(locus) for key, locus in measured.items()}
    assert Layout.from_keys(widths) == native.layout
    assert_same(circuit, native)


def test_a_single_bit_whose_register_ends_in_a_number_has_one_reading() -> None:
    """`a_2_1_0` would be register `a_2`, and bit 0 of a register `a`."""
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "a_2"))
    circuit.measure(0, 0)
    native = compiled(circuit)
    assert keys(native) == ["a_2_1_0_0"]
    assert Layout.from_keys({"a_2_1_0_0": 1}) == native.layout


def test_no_two_registers_get_the_same_key() -> None:
    """`a_4_2_0` would be all of `a_4`, and bit 0 of `a`."""
    registers = [ClassicalRegister(n, name) for name, n in (("a_4", 2), ("a", 4))]
    spare = ClassicalRegister(2, "b")
    circuit = QuantumCircuit(4)
    circuit.add_register(registers[0], spare, registers[1])
    circuit.x(2)
    circuit.measure([0, 1], registers[0])
    circuit.measure([2], [registers[1][0]])
    native = compiled(circuit)
    assert sorted(keys(native)) == ["a_4_2_0", "a_4_2_0_0", "a_4_2_0_1"]
    assert_same(circuit, native)


BENCH = [
    "ghz",
    "qft",
    "qaoa",
    "vqe_su2",
    "dj",
    "graphstate",
    "wstate",
    "bv",
    "qpeexact",
    "randomcircuit",
    "ae",
    "grover",
]


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("name", BENCH)
def test_routing_over_the_lattice_keeps_the_distribution(name: str, level: int) -> None:
    np.random.seed(7)
    random.seed(7)
    circuit = get_benchmark(name, BenchmarkLevel.ALG, 5)
    (source,) = read(circuit, measure_all=True)
    assert_same(source.circuit.decompose(reps=2), compiled(source, level=level))


def test_many_distant_qubits_are_routed() -> None:
    """All pairs of six qubits interact; the lattice has seven couplers."""
    circuit = QuantumCircuit(6, 6)
    circuit.h(range(6))
    for a in range(6):
        for b in range(a):
            circuit.cp(0.3 + a + 2 * b, a, b)
    circuit.h(range(6))
    circuit.measure(range(6), [5, 0, 4, 1, 3, 2])
    native = compiled(circuit)
    assert keys(native) == ["c_6_0"]
    assert_same(circuit, native)


def test_the_same_seed_gives_the_same_circuit() -> None:
    circuit = get_benchmark("qft", BenchmarkLevel.ALG, 6)
    first = compiled(circuit, seed=3)
    assert compiled(circuit, seed=3).circuit == first.circuit
    different = [compiled(circuit, seed=seed).circuit for seed in range(4, 10)]
    assert any(other != first.circuit for other in different)


def test_threads_may_compile_at_the_same_time() -> None:
    circuits = [get_benchmark(name, BenchmarkLevel.ALG, 5) for name in BENCH[:2]] * 4
    alone = [compiled(circuit).circuit for circuit in circuits]
    together: dict[int, Circuit] = {}

    def work(number: int) -> None:
        together[number] = compiled(circuits[number]).circuit

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[n] for n in range(8)] == alone


def test_a_circuit_wider_than_the_machine_is_named_with_both_widths() -> None:
    wide = QuantumCircuit(25, name="wide")
    wide.measure_all()
    assert refusal(wide) == "wide: needs 25 qubits, tiny has 6"


def test_qubits_that_cannot_be_driven_or_measured_are_not_used() -> None:
    couplers = (("a", "b"), ("c", "b"), ("c", "d"))
    whole = lattice(("a", "b", "c", "d"), couplers)
    gates = whole.gates | {"prx": gate(("b",), ("c",), ("d",))}
    broken = DynamicQuantumArchitecture("x", whole.qubits, gates)
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(0, 2)
    circuit.measure(range(3), range(3))
    (native,) = prepare(circuit, broken)
    used = {name for i in native.circuit.instructions for name in i.locus}
    assert used == {"b", "c", "d"}
    four = QuantumCircuit(4)
    four.measure_all()
    assert refusal(four, broken) == "0: needs 4 qubits, tiny has 3"


def test_a_machine_in_two_parts_is_no_reason_for_a_traceback() -> None:
    parts = lattice(("a", "b", "c", "d"), (("a", "b"), ("c", "d")))
    circuit = QuantumCircuit(3)
    circuit.ccx(0, 1, 2)
    circuit.measure_all()
    assert "0: cannot be compiled for tiny: A connected component" in refusal(
        circuit, parts
    )


def test_a_machine_coupled_through_a_resonator_says_so() -> None:
    star = lattice(("a", "b"), (("a", "R"), ("b", "R")), ("R",))
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    circuit.measure_all()
    assert "couples its qubits through a resonator" in refusal(circuit, star)
    single = QuantumCircuit(1)
    single.x(0)
    single.measure_all()
    assert len(prepare(single, star)) == 1


def test_a_gate_nobody_can_decompose_is_named() -> None:
    circuit = QuantumCircuit(1, 1, name="odd")
    circuit.append(Gate("blob", 1, []), [0])
    circuit.measure(0, 0)
    assert "odd: cannot be compiled for tiny:" in refusal(circuit)
    assert "blob" in refusal(circuit)


def test_every_circuit_that_does_not_fit_is_named() -> None:
    wide = QuantumCircuit(7)
    wide.measure_all()
    fits = QuantumCircuit(2)
    fits.measure_all()
    lines = refusal({"a": wide, "b": fits, "c": wide}).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "2 circuits cannot be used",
        "  a",
        "  c",
    ]


def test_bad_settings_of_the_transpiler_are_refused() -> None:
    for settings in ({"optimization_level": 4}, {"seed": -1}):
        with pytest.raises(ConfigurationError):
            prepare([], LATTICE, **settings)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError):
            compile_native([], LATTICE, **settings)  # type: ignore[arg-type]
