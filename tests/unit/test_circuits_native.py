"""Compiling to native operations: the same distribution, read through the layout."""

from __future__ import annotations

import math
import random
import threading

import numpy as np
import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.quantum_info import Operator
from tests import exact_distribution

from qawait.circuits import (
    Compiled,
    as_is,
    compile_native,
    prepare,
    read,
    transpiler,
)
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.architecture import (
    DynamicQuantumArchitecture,
    GateInfo,
    Implementation,
)
from qawait.iqm.circuit import Circuit, Instruction
from qawait.layout import Layout

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


def qaoa() -> QuantumCircuit:
    gamma, beta = Parameter("gamma"), Parameter("beta")
    circuit = QuantumCircuit(5, name="qaoa")
    circuit.h(range(5))
    for a, b in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2)]:
        circuit.rzz(2 * gamma * (a + 1), a, b)
    circuit.rx(2 * beta + 0.1, range(5))
    circuit.measure_all()
    return circuit


def test_a_template_is_bound_without_being_compiled_again() -> None:
    circuit = qaoa()
    template = compiled(circuit)
    assert repr(template) == "<Compiled 'qaoa': meas[5], free: beta, gamma>"
    assert template.parameters == ("beta", "gamma")
    for gamma, beta in [(0.0, 0.0), (0.4, -1.2), (2.5, 0.7)]:
        values = {"gamma": gamma, "beta": beta}
        point = template.bind(values, label=f"gamma={gamma}")
        assert point.label == point.circuit.name == f"gamma={gamma}"
        assert point.layout is template.layout
        assert point.qubits == template.qubits
        assert point.parameters == ()
        assert point.calibration_set_id == "calibration-7"
        assert_same(circuit.assign_parameters(values), point)


def test_a_bound_circuit_needs_a_name() -> None:
    with pytest.raises(CircuitError, match="qaoa: the label of a bound circuit"):
        compiled(qaoa()).bind({"beta": 0.1}, label="")


def test_parameters_can_be_bound_one_after_the_other() -> None:
    template = compiled(qaoa())
    half = template.bind({"beta": 0.2})
    assert half.parameters == ("gamma",)
    whole = half.bind({"gamma": 0.9})
    assert whole.circuit == template.bind({"gamma": 0.9, "beta": 0.2}).circuit


def test_a_parameter_without_effect_still_takes_values() -> None:
    """A rotation about Z just before the measurement is optimised away."""
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("a"), 0)
    circuit.rz(Parameter("z"), 0)
    circuit.measure(0, 0)
    template = compiled(circuit)
    assert template.parameters == ("a", "z")
    values = {"a": 0.3, "z": 0.4}
    assert_same(circuit.assign_parameters(values), template.bind(values))


def test_elements_of_a_vector_are_bound_by_their_names() -> None:
    angles = ParameterVector("angle", 11)
    circuit = QuantumCircuit(1, 1)
    circuit.ry(angles[1], 0)
    circuit.ry(angles[10] / 2, 0)
    circuit.measure(0, 0)
    values = {"angle[1]": 0.3, "angle[10]": np.float64(1.4)}
    point = compiled(circuit).bind(values)
    assert_same(circuit.assign_parameters(values), point)


def test_a_template_cannot_be_sent_before_it_is_bound() -> None:
    template = compiled(qaoa())
    with pytest.raises(CircuitError, match="give them values: beta, gamma"):
        _ = template.circuit
    with pytest.raises(CircuitError, match="qaoa: has free parameters"):
        template.bind({"beta": 1.0}).check_bound()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"delta": 1.0}, "has no free parameter 'delta'; free: beta, gamma"),
        ({"beta": math.nan}, "parameter beta: nan is not a finite number"),
        ({"beta": -math.inf}, "parameter beta: -inf is not a finite number"),
        ({"beta": "1.0"}, "parameter beta: '1.0' is not a finite number"),
        ({"beta": 1j}, "parameter beta: 1j is not a finite number"),
        ({"beta": np.array([1.0, 2.0])}, "is not a finite number"),
    ],
)
def test_a_value_that_cannot_be_bound_is_named(
    values: dict[str, float], said: str
) -> None:
    with pytest.raises(CircuitError) as caught:
        compiled(qaoa()).bind(values, label="point 3")
    assert caught.value.circuit == "point 3"
    assert said in caught.value.reason


def test_values_that_give_no_angle_are_refused() -> None:
    x = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(1 / x + x.log(), 0)
    circuit.measure(0, 0)
    template = compiled(circuit)
    assert template.bind({"x": 2.0}).parameters == ()
    for value in (0.0, -1.0):
        with pytest.raises(CircuitError, match="no finite real value"):
            template.bind({"x": value})


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


# --- circuits that are native already --------------------------------------------------


def native(*instructions: Instruction) -> Circuit:
    return Circuit("own", instructions)


MEASURE = Instruction("measure", ("alice", "QB9"), {"key": "m"})


def test_native_circuits_are_sent_as_they_are() -> None:
    circuit = native(
        Instruction("prx", ("alice",), {"angle": 1.0, "phase": 0.5}, "standard"),
        Instruction("cz", ("QB9", "QB2")),
        Instruction("barrier", ("QB9", "QB3")),
        Instruction("delay", ("QB9",), {"duration": 1e-6}),
        Instruction("reset", ("QB2",)),
        MEASURE,
        Instruction("measure", ("QB2",), {"key": "a_1_0"}),
    )
    circuit = Circuit("own", circuit.instructions, {"experiment": 7})
    (found,) = prepare(circuit, LATTICE)
    assert found.circuit == circuit
    assert found.qubits == {"m": ("alice", "QB9"), "a_1_0": ("QB2",)}
    assert found.layout == Layout(
        (("m", 2), ("a_1_0", 1)), (("m", 0), ("m", 1), ("a_1_0", 0))
    )
    assert as_is(circuit, native=True) == [found]


def test_integers_become_the_floats_that_newer_services_demand() -> None:
    circuit = native(Instruction("prx", ("QB2",), {"angle": 3, "phase": 0}), MEASURE)
    args = as_is(circuit, native=True)[0].circuit.instructions[0].args
    assert args == {"angle": 3.0, "phase": 0.0}
    assert {type(value) for value in args.values()} == {float}


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        (Instruction("cz", ("QB9", "QB3")), "cz on QB9, QB3: is not calibrated there"),
        (Instruction("cz", ("QB9", "bob")), "the machine has no bob"),
        (Instruction("cz", ("QB9", "QB9")), "names a component twice"),
        (Instruction("reset", ()), "instruction 0, reset: acts on nothing"),
        (Instruction("prx", ("QB9",), {"angle": 1.0}), "argument 'phase' is missing"),
        (
            Instruction("prx", ("QB9",), {"angle": math.nan, "phase": 0.0}),
            "angle must be finite, not nan",
        ),
        (
            Instruction("prx", ("QB9",), {"angle": "pi", "phase": 0.0}),
            "angle must be a number, not 'pi'",
        ),
        (Instruction("delay", ("QB9",), {"duration": -1.0}), "must not be negative"),
        (Instruction("measure", ("QB9",), {"key": ""}), "key must be text, not ''"),
        (Instruction("measure", ("QB9",), {"key": "m"}), "the key 'm' is taken"),
        (Instruction("h", ("QB9",)), "no such operation; it has prx, cz, measure, bar"),
        (Instruction("cz", ("QB9", "QB2"), {}, "fast"), "it has standard"),
    ],
)
def test_a_native_circuit_that_the_machine_cannot_run_is_refused(
    instruction: Instruction, said: str
) -> None:
    message = refusal(native(instruction, MEASURE))
    assert message.startswith("own: instruction ")
    assert said in message


def test_only_calibrated_qubits_are_measured_whatever_the_implementation() -> None:
    gates = LATTICE.gates | {"measure": gate(("alice",), ("QB2",))}
    partly = DynamicQuantumArchitecture("x", QUBITS, gates)
    assert "measure on alice, QB9: is not calibrated" in refusal(
        native(MEASURE), partly
    )


def test_a_native_circuit_that_measures_nothing_is_refused() -> None:
    for circuit in (native(), native(Instruction("reset", ("QB9",)))):
        assert refusal(circuit) == "own: measures nothing: add a 'measure' instruction"


def test_without_compilation_only_native_circuits_are_taken() -> None:
    circuit = QuantumCircuit(1, name="bell")
    circuit.measure_all()
    with pytest.raises(CircuitError, match="bell: is not native: compile=False"):
        as_is(circuit, native=True)


def test_without_compilation_what_a_machine_offers_is_not_asked() -> None:
    circuit = native(Instruction("prx_12", ("new",), {"angle": 1.0}), MEASURE)
    assert as_is(circuit, native=True)[0].circuit == circuit
