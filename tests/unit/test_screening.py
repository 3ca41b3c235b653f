"""What passes at a glance is what the full check finds right, and as services take it."""

from __future__ import annotations

import math
from itertools import permutations
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, seed, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.lattice import LATTICE, QUBITS, lattice

from qawait._batch import check_native
from qawait.circuits import prepare
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm import screening
from qawait.iqm.architecture import DynamicQuantumArchitecture, GateInfo, Implementation
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.operations import with_floats
from qawait.iqm.options import Options
from qawait.iqm.screening import Screen
from qawait.iqm.validation import Machine, check

MACHINE = Machine.of(LATTICE)
MAPPING = {"x": "QB2", "y": "QB9"}
M = Instruction("measure", ("QB2", "QB9"), {"key": "m"})


def prx(qubit: str = "QB2", **args: Any) -> Instruction:
    return Instruction("prx", (qubit,), {"angle": 0.5, "phase": -0.25, **args})


def circuit(*instructions: Instruction, name: str = "c") -> Circuit:
    return Circuit(name, instructions)


def is_right(
    found: Circuit, machine: Machine | None, mapping: dict[str, str] | None
) -> bool:
    try:
        for moves in ("strict", "allow_prx", "none"):
            check(
                found,
                machine=machine,
                qubit_mapping=mapping,
                move_validation_mode=moves,
            )
    except CircuitError:
        return False
    return True


PLAIN = [
    circuit(prx(), M),
    circuit(Instruction("cz", ("QB9", "QB2")), M),
    circuit(Instruction("cz", ("QB2", "QB9"), {}, "standard"), M),
    circuit(Instruction("barrier", ("QB2", "QB3", "alice")), M),
    circuit(Instruction("reset", ("QB2", "QB1")), M),
    circuit(Instruction("delay", ("QB2",), {"duration": 0.0}), M),
    circuit(M, Instruction("measure", ("QB2",), {"key": "again"})),
    circuit(*[prx(q, angle=float(n)) for n, q in enumerate(QUBITS)] * 3, M),
]


@pytest.mark.parametrize("plain", PLAIN, ids=range(len(PLAIN)))
def test_what_nearly_all_circuits_are_made_of_passes(plain: Circuit) -> None:
    """Else nothing would be faster for it."""
    for screen in (Screen(), Screen(MACHINE)):
        assert screen.passes(plain)
        assert screen.passes(plain)


def test_what_passes_under_a_mapping_is_named_as_the_mapping_names_it() -> None:
    mapped = circuit(prx("x"), Instruction("cz", ("y", "x")), Instruction(*MEASURE_X))
    assert Screen(MACHINE, MAPPING).passes(mapped)
    assert not Screen(MACHINE).passes(mapped)
    assert not Screen(MACHINE, {"x": "QB2", "y": "QB3"}).passes(mapped)
    assert not Screen(MACHINE, {"x": "QB2"}).passes(mapped)


MEASURE_X = ("measure", ("x",), {"key": "m"})

FAULTS = {
    "an angle that is none": prx(angle=math.nan),
    "an infinite angle": prx(phase=math.inf),
    "two infinities": prx(angle=math.inf, phase=-math.inf),
    "an integer": prx(angle=1),
    "numpy's float": prx(angle=np.float64(0.5)),
    "a truth value": prx(phase=True),
    "text for a number": prx(angle="0.5"),
    "one argument more": prx(duration=1.0),
    "one argument less": Instruction("prx", ("QB2",), {"angle": 0.5}),
    "an argument of another name": Instruction(
        "prx", ("QB2",), {"angle": 0.5, "angles": 0.5}
    ),
    "no dict": Instruction("prx", ("QB2",), (("angle", 0.5), ("phase", 0.5))),  # pyright: ignore[reportArgumentType]
    "another mapping": replace(prx(), args=MappingProxyType(prx().args)),
    "a list for a locus": Instruction("prx", ["QB2"], prx().args),  # pyright: ignore[reportArgumentType]
    "an argument of CZ": Instruction("cz", ("QB9", "QB2"), {"angle": 0.5}),
    "a key that is no text": replace(M, args={"key": 5}),
    "an empty key": replace(M, args={"key": ""}),
    "a key that is taken": M,
    "feedback": replace(M, args={"key": "f", "feedback_key": "f"}),
    "a negative time": Instruction("delay", ("QB2",), {"duration": -1.0}),
    "an integer of seconds": Instruction("delay", ("QB2",), {"duration": 1}),
    "an endless time": Instruction("delay", ("QB2",), {"duration": math.inf}),
    "no time at all": Instruction("delay", ("QB2",), {"duration": math.nan}),
    "a time and more": Instruction("delay", ("QB2",), {"duration": 1.0, "key": "k"}),
    "another qubit": prx("QB4"),
    "an uncalibrated pair": Instruction("cz", ("QB1", "QB2")),
    "a qubit twice": Instruction("barrier", ("QB2", "QB2")),
    "another implementation": Instruction("prx", ("QB2",), prx().args, "fast"),
    "an unknown operation": Instruction("u3", ("QB2",)),
}


@pytest.mark.parametrize("wrong", FAULTS.values(), ids=FAULTS)
def test_a_single_instruction_out_of_line_does_not_pass(wrong: Instruction) -> None:
    """Also where the same operation was right at the same place before."""
    screen = Screen(MACHINE)
    good = [i for plain in PLAIN for i in plain.instructions if i.name != "measure"]
    before = circuit(*good, M)
    assert screen.passes(before)
    assert not screen.passes(circuit(*good, M, wrong))
    assert not screen.passes(circuit(wrong, M))
    assert screen.passes(before)


def test_a_circuit_without_a_name_instructions_or_measurement_does_not_pass() -> None:
    screen = Screen(MACHINE)
    assert screen.passes(circuit(prx(), M))
    assert not screen.passes(circuit(prx(), M, name=""))
    assert not screen.passes(circuit())
    assert not screen.passes(circuit(prx()))


# Everything that could be in an instruction, right or not.
FLOATS = st.sampled_from([0.0, -0.5, 1.5, 1e308, math.nan, math.inf, -math.inf])
VALUES = FLOATS | st.sampled_from([1, True, None, "", "k", "m", np.float64(1.5), [0.5]])
ARGUMENTS = st.sampled_from(["angle", "phase", "key", "duration", "feedback_key", "x"])
NAMES = st.sampled_from(
    ["prx", "cz", "measure", "barrier", "delay", "reset", "move", "cc_prx", "own", ""]
)
PLACES = st.lists(st.sampled_from([*QUBITS[:3], "x", "y", "QB4", ""]), max_size=3)
IMPLEMENTATIONS = st.sampled_from([None, None, None, "standard", "fast", ""])


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    good = draw(
        st.sampled_from(
            [
                prx(),
                prx("QB9"),
                prx("x"),
                M,
                Instruction(*MEASURE_X),
                Instruction("cz", ("QB9", "QB2")),
                Instruction("cz", ("x", "y"), {}, "standard"),
                Instruction("delay", ("QB2",), {"duration": 1e-6}),
            ]
        )
    )
    name, locus, args = good.name, good.locus, dict(good.args)
    implementation = good.implementation
    match draw(st.integers(0, 15)):
        case 0:
            name = draw(NAMES)
        case 1:
            locus = draw(PLACES.map(tuple) | PLACES)
        case 2:
            args[draw(ARGUMENTS)] = draw(VALUES)
        case 3:
            args = draw(st.dictionaries(ARGUMENTS, VALUES, max_size=3))
        case 4:
            implementation = draw(IMPLEMENTATIONS)
        case 5 if "key" in args:
            args["key"] = draw(st.sampled_from(["k", "l"]))
        case _:
            pass
    return Instruction(name, locus, args, implementation)  # pyright: ignore[reportArgumentType]


LAST = Instruction("measure", ("QB2",), {"key": "last"})
CIRCUITS = st.lists(
    st.lists(instructions(), max_size=5).map(lambda own: circuit(*own, LAST)),
    max_size=4,
)


@seed(47)
@settings(max_examples=300)
@given(
    CIRCUITS,
    st.sampled_from([None, MACHINE]),
    st.sampled_from([None, MAPPING, {**MAPPING, "QB2": "QB1", "QB9": "QB14"}]),
)
def test_whatever_passes_is_right_and_needs_no_floats(
    circuits: list[Circuit], machine: Machine | None, mapping: dict[str, str] | None
) -> None:
    screen = Screen(machine, mapping)
    for found in circuits:
        passed = screen.passes(found)
        event(f"passed: {passed}")
        if passed:
            assert is_right(found, machine, mapping)
            # Their repr tells 1.0 from 1 and a tuple from a list.
            assert repr(with_floats(found)) == repr(found)


# --- in the client --------------------------------------------------------------------


def runs_on(
    found: Circuit, architecture: DynamicQuantumArchitecture = LATTICE
) -> str | None:
    (compiled,) = prepare(found, architecture)
    return compiled.runs_on


def test_a_circuit_is_known_to_run_where_it_was_prepared_for() -> None:
    assert runs_on(circuit(prx(), M)) == "calibration-7"
    assert runs_on(circuit(prx(angle=1), M)) is None
    assert runs_on(circuit(prx("QB4"), M)) is None


def test_moves_and_feedback_are_left_to_the_options_of_the_job() -> None:
    """Whether they are right depends on them."""
    moving = GateInfo({"standard": Implementation((("QB2", "R"),))}, "standard")
    machine = lattice(resonators=("R",))
    gates = {**machine.gates, "move": moving}
    machine = DynamicQuantumArchitecture("set-8", machine.qubits, gates, ("R",))
    move = Instruction("move", ("QB2", "R"))
    held = Instruction("barrier", ("QB2", "R"))
    assert runs_on(circuit(held, M), machine) == "set-8"
    assert runs_on(circuit(move, held, move, M), machine) is None


def test_what_was_found_right_is_judged_anew_for_another_calibration_or_a_mapping() -> (
    None
):
    (found,) = prepare(circuit(prx(), M), LATTICE)
    poorer = lattice(("QB9", "QB2"), ())
    gates = {**poorer.gates, "prx": lattice(("QB9",)).gates["prx"]}
    there = DynamicQuantumArchitecture("set-9", poorer.qubits, gates)
    check_native([found], LATTICE, Options())
    with pytest.raises(CircuitError, match="not calibrated on QB2"):
        check_native([found], there, Options())
    swapped = Options(qubit_mapping={"QB2": "QB4", "QB9": "QB9"})
    with pytest.raises(ConfigurationError, match="QB4, which the machine has not"):
        check_native([found], LATTICE, swapped)
    partial = Options(qubit_mapping={"QB2": "QB2"})
    with pytest.raises(CircuitError, match="QB9 is not in the qubit mapping"):
        check_native([found], LATTICE, partial)


def test_numbers_of_any_kind_go_out_as_floats_beside_plain_circuits() -> None:
    plain, other = prepare([circuit(prx(), M), circuit(prx(angle=1), M)], LATTICE)
    check_native([plain, other], LATTICE, Options())
    for compiled, angle in ((plain, "0.5"), (other, "1.0")):
        assert repr(compiled.circuit.instructions[0].args["angle"]) == angle


def test_a_list_of_instructions_becomes_a_tuple_in_a_plain_circuit_too() -> None:
    given = Circuit("c", [prx(), M])  # pyright: ignore[reportArgumentType]
    (found,) = prepare(given, LATTICE)
    assert found.circuit.instructions == (prx(), M)


def test_what_was_seen_does_not_pile_up(monkeypatch: pytest.MonkeyPatch):
    """A barrier may be on any choice of qubits, and a screen lives as long as a client."""
    monkeypatch.setattr(screening, "_MOST_KNOWN", 5)
    screen = Screen(MACHINE)
    for locus in permutations(QUBITS, 2):
        assert screen.passes(circuit(Instruction("barrier", locus), M))
        assert 0 < len(screen) <= 5


def test_two_machines_of_one_calibration_set_are_not_taken_for_each_other():
    """Their circuits come in turns, as from two clients of one program."""
    without = replace(
        LATTICE, gates={n: g for n, g in LATTICE.gates.items() if n != "prx"}
    )
    turned = circuit(prx(), M)
    for _ in range(2):
        assert prepare(turned, LATTICE)[0].runs_on == LATTICE.calibration_set_id
        assert prepare(turned, without)[0].runs_on is None
