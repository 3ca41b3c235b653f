"""Circuits that are native already: checked, and sent as they are."""

from __future__ import annotations

import math

import pytest
from qiskit import QuantumCircuit
from tests.lattice import (
    LATTICE,
    QUBITS,
    gate,
    refusal,
)

from qawait.circuits import as_is, prepare
from qawait.errors import CircuitError
from qawait.iqm.architecture import DynamicQuantumArchitecture
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
