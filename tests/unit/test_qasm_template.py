"""A template for Qoro is the same circuits as its points bound one by one."""

from __future__ import annotations

import math
import re

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Operator

from qawait._points import bind_points
from qawait.circuits import Compiled, prepare
from qawait.circuits.qasm_template import qasm_template
from qawait.errors import CircuitError, ConfigurationError

GAMMA, BETA = Parameter("gamma"), Parameter("beta")
POINTS = [("a", {"gamma": 0.3, "beta": -1.1}), ("b", {"gamma": -2.5, "beta": 1e-7})]


def compiled(circuit: QuantumCircuit) -> Compiled:
    [one] = prepare(circuit, None)
    return one


def unitary(text: str) -> Operator:
    circuit = qasm2.loads(
        text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS, include_path=()
    )
    return Operator(circuit.remove_final_measurements(inplace=False))


def check_same(circuit: QuantumCircuit, points: list[tuple[str, dict[str, float]]]):
    one = compiled(circuit)
    made = qasm_template(one, points)
    assert made is not None
    for found, (label, values) in zip(made.circuits(), points, strict=True):
        assert found.label == label
        assert unitary(found.qasm).equiv(unitary(one.bind(values, label).circuit.qasm))
    return made


def test_each_different_expression_is_one_placeholder():
    circuit = QuantumCircuit(2, 2)
    circuit.rx(GAMMA, 0)
    circuit.ry(2 * BETA + 0.1, 1)
    circuit.rz(GAMMA, 1)
    circuit.cx(0, 1)
    circuit.rz(GAMMA * BETA, 0)
    circuit.rx(900_000_000.25, 1)
    circuit.measure([0, 1], [0, 1])
    made = check_same(circuit, POINTS)
    assert len(made.names) == 3
    assert made.rows[0] == ("a", pytest.approx((0.3, -2.1, -0.33)))
    assert made.qasm.count(made.names[0]) == 2


def test_gates_of_ones_own_and_wide_ones_are_taken_apart():
    own = QuantumCircuit(2, name="own")
    own.rzz(GAMMA / 3, 0, 1)
    own.u(BETA, -GAMMA, 0.5, 0)
    circuit = QuantumCircuit(3, 3)
    circuit.append(own.to_gate(), [2, 0])
    circuit.cp(BETA, 0, 1)
    circuit.append(own.to_gate().control(1), [0, 1, 2])
    circuit.measure([0, 1, 2], [2, 1, 0])
    check_same(circuit, POINTS)


def test_names_stand_nowhere_in_the_program_and_none_begins_another():
    vector = ParameterVector("angle", 12)
    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(1, "angle03"))
    for parameter in vector:
        circuit.rx(parameter, 0)
        circuit.ry(0.4, 0)
    circuit.measure(0, 0)
    values = {f"angle[{n}]": 0.1 * n - 0.7 for n in range(12)}
    made = check_same(circuit, [("a", values)])
    assert len(set(map(len, made.names))) == 1
    assert "creg angle03[1];" in next(made.circuits()).qasm


def test_a_number_that_looks_like_a_mark_leaves_the_circuits_bound():
    circuit = QuantumCircuit(1, 1)
    circuit.rx(GAMMA, 0)
    circuit.ry(900_000_000.5, 0)
    circuit.measure(0, 0)
    assert qasm_template(compiled(circuit), [("a", {"gamma": 1.0})]) is None


def test_a_value_bound_before_is_in_every_row():
    circuit = QuantumCircuit(1, 1)
    circuit.rx(GAMMA + BETA, 0)
    circuit.measure(0, 0)
    half = compiled(circuit).bind({"beta": 0.5})
    bound, made = bind_points([half], [{"gamma": 1.0}, {"gamma": 2.0}], template=True)
    assert [one.label for one in bound] == ["0", "1"]
    assert made is not None
    assert made.rows == (("0", (1.5,)), ("1", (2.5,)))


def test_an_angle_that_is_no_number_names_its_point():
    circuit = QuantumCircuit(1, 1)
    circuit.rx(1 / GAMMA, 0)
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="bad"):
        bind_points(
            [compiled(circuit)],
            {"good": {"gamma": 1.0}, "bad": {"gamma": 0.0}},
            template=True,
        )


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "no points"),
        ({}, "no points"),
        (7, "not int"),
        ("ab", "not str"),
        ([{"gamma": 1.0}], "give them values: beta"),
        ([{"gamma": 1.0, "beta": 1.0, "delta": 1.0}], "delta"),
        ([{"gamma": 1.0, "beta": math.nan}], "not a finite number"),
        ([3.0], "point 0: .*not float"),
        ({"": {"gamma": 1.0, "beta": 1.0}}, "label of a point"),
        ({1: {"gamma": 1.0, "beta": 1.0}}, "label of a point"),
    ],
)
def test_points_that_cannot_be_right_are_refused(points: object, said: str):
    circuit = QuantumCircuit(1, 1)
    circuit.rx(GAMMA + BETA, 0)
    circuit.measure(0, 0)
    with pytest.raises(ConfigurationError, match=said):
        bind_points([compiled(circuit)], points, template=True)  # type: ignore[arg-type]


def test_points_are_of_one_circuit_with_free_parameters():
    fixed = QuantumCircuit(1, 1)
    fixed.measure(0, 0)
    one = compiled(fixed)
    with pytest.raises(ConfigurationError, match="not to 2"):
        bind_points([one, one], [{}], template=False)
    with pytest.raises(CircuitError, match=re.escape("no free parameters")):
        bind_points([one], [{}], template=False)
