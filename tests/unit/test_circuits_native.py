"""Circuits that are native already: checked, and sent as they are."""

from __future__ import annotations

from fractions import Fraction

import pytest
from msgspec.structs import replace
from qiskit import QuantumCircuit
from tests.lattice import (
    LATTICE,
    refusal,
)

from qawait.circuits import as_is, prepare
from qawait.errors import CircuitError
from qawait.iqm.circuit import Circuit, Instruction
from qawait.layout import Layout


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
    (unknown,) = as_is(circuit, native=True)
    assert unknown == replace(found, runs_on=None)


def test_integers_become_the_floats_that_newer_services_demand() -> None:
    circuit = native(Instruction("prx", ("QB2",), {"angle": 3, "phase": 0}), MEASURE)
    args = as_is(circuit, native=True)[0].circuit.instructions[0].args
    assert args == {"angle": 3.0, "phase": 0.0}
    assert {type(value) for value in args.values()} == {float}


def test_numbers_of_any_kind_become_floats_and_lists_become_tuples() -> None:
    instruction = Instruction("delay", ["QB2"], {"duration": Fraction(1, 4)})  # pyright: ignore[reportArgumentType]
    (found,) = as_is(native(instruction, MEASURE), native=True)
    assert found.circuit.instructions[0] == Instruction(
        "delay", ("QB2",), {"duration": 0.25}
    )


def test_names_are_the_users_own_until_a_job_maps_them() -> None:
    """Only the options of a job say which qubits of the machine they are."""
    bob = Instruction("measure", ("bob",), {"key": "m"})
    assert prepare(native(bob), LATTICE)[0].circuit.instructions == (bob,)


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        (Instruction("reset", ()), "instruction 0 (reset): it acts on nothing"),
        (Instruction("prx", ("b",), {"angle": 1}), "the argument 'phase' is missing"),
        (Instruction("measure", ("b",), {"key": "m"}), "the key 'm' is taken"),
    ],
)
def test_what_no_machine_would_take_is_refused_at_once(
    instruction: Instruction, said: str
) -> None:
    circuit = native(instruction, MEASURE)
    assert said in refusal(circuit)
    with pytest.raises(CircuitError, match=r"own: instruction [01] "):
        as_is(circuit, native=True)


def test_the_label_names_a_circuit_that_has_no_name() -> None:
    (found,) = as_is({"mine": Circuit("", (MEASURE,))}, native=True)
    assert found.circuit.name == "mine"


def test_without_compilation_only_native_circuits_are_taken() -> None:
    circuit = QuantumCircuit(1, name="bell")
    circuit.measure_all()
    with pytest.raises(CircuitError, match="bell: is not native: compile=False"):
        as_is(circuit, native=True)


def test_without_compilation_what_a_machine_offers_is_not_asked() -> None:
    circuit = native(Instruction("prx_12", ("new",), {"angle": 1.0}), MEASURE)
    assert as_is(circuit, native=True)[0].circuit == circuit
