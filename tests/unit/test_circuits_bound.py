"""A template is compiled once, then bound point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from tests.lattice import (
    assert_same,
    compiled,
)

from qawait.errors import CircuitError


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
