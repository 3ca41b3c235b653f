"""Operations that act on what was measured, and on a resonator, mean what they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from qawait.errors import CircuitError
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from qawait.iqm.serving import Request
from qawait.local.native import check, simulate
from qawait.local.targets import SQUARE20, STAR

if TYPE_CHECKING:
    from qawait.local.chip import Chip

SEED = 20261122
R = "COMPR1"


def prx(qubit: str, angle: float = math.pi, phase: float = 0.0) -> Instruction:
    return Instruction("prx", (qubit,), {"angle": angle, "phase": phase})


def cc_prx(
    qubit: str, of: str, key: str, angle: float = math.pi, phase: float = 0.0
) -> Instruction:
    args = {"angle": angle, "phase": phase, "feedback_qubit": of, "feedback_key": key}
    return Instruction("cc_prx", (qubit,), args)


def measure(key: str, *qubits: str, feedback_key: str | None = None) -> Instruction:
    args = {"key": key}
    if feedback_key is not None:
        args["feedback_key"] = feedback_key
    return Instruction("measure", qubits, args)


def cz(one: str, other: str) -> Instruction:
    return Instruction("cz", (one, other))


def move(qubit: str) -> Instruction:
    return Instruction("move", (qubit, R))


def rows(
    *instructions: Instruction, chip: Chip = SQUARE20, shots: int = 5, **asked: Any
) -> dict[str, list[list[int]]]:
    circuit = Circuit("c", instructions)
    check(Request(circuits=(circuit,), shots=shots, **asked), chip)
    [measured], _ = simulate([circuit], shots, SEED)
    return {key: bits.tolist() for key, bits in measured.items()}


# --- feedback -------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "outcome"), [("QB3", 1), ("QB4", 0)])
def test_cc_prx_acts_where_its_own_qubit_was_measured_as_one(
    source: str, outcome: int
) -> None:
    found = rows(
        prx("QB3"),
        measure("first", "QB4", "QB3", feedback_key="f"),
        cc_prx("QB9", source, "f"),
        measure("last", "QB9", "QB8"),
    )
    assert found == {"first": [[0, 1]] * 5, "last": [[outcome, 0]] * 5}


def test_cc_prx_follows_the_measurement_shot_by_shot() -> None:
    found = rows(
        prx("QB1", math.pi / 2),
        measure("coin", "QB1", feedback_key="f"),
        cc_prx("QB7", "QB1", "f"),
        measure("copy", "QB7"),
        shots=64,
    )
    assert found["copy"] == found["coin"]
    assert {row[0] for row in found["coin"]} == {0, 1}


def test_the_feedback_key_tells_two_measurements_of_one_qubit_apart() -> None:
    found = rows(
        prx("QB1"),
        measure("one", "QB1", feedback_key="excited"),
        prx("QB1"),
        measure("zero", "QB1", feedback_key="ground"),
        cc_prx("QB2", "QB1", "excited"),
        cc_prx("QB3", "QB1", "ground"),
        measure("m", "QB2", "QB3"),
    )
    assert found == {"one": [[1]] * 5, "zero": [[0]] * 5, "m": [[1, 0]] * 5}


def test_cc_prx_has_the_angle_and_the_axis_of_prx() -> None:
    """From -y half a turn about +45 degrees leads to -x, and about -45 to +x."""

    def read(phase: float) -> list[list[int]]:
        return rows(
            prx("QB2"),
            measure("on", "QB2", feedback_key="f"),
            prx("QB1", math.pi / 2),
            cc_prx("QB1", "QB2", "f", math.pi, phase),
            prx("QB1", math.pi / 2, math.pi / 2),
            measure("m", "QB1"),
        )["m"]

    assert read(math.pi / 4) == [[0]] * 5
    assert read(-math.pi / 4) == [[1]] * 5


def test_a_measurement_in_the_middle_collapses_what_it_measures() -> None:
    """A Bell pair measured in the middle agrees with both of its later readings."""
    found = rows(
        prx("QB1", math.pi / 2, math.pi / 2),
        prx("QB2", math.pi / 2, math.pi / 2),
        cz("QB1", "QB2"),
        prx("QB2", -math.pi / 2, math.pi / 2),
        measure("middle", "QB1"),
        measure("late", "QB2", "QB1"),
        shots=64,
    )
    middle = [row[0] for row in found["middle"]]
    assert found["late"] == [[bit, bit] for bit in middle]
    assert set(middle) == {0, 1}


def test_reset_ends_entanglement_and_leaves_the_other_qubit_alone() -> None:
    found = rows(
        prx("QB6"),
        prx("QB7"),
        measure("before", "QB6", "QB7"),
        Instruction("reset", ("QB6",)),
        measure("after", "QB6", "QB7"),
        prx("QB6"),
        measure("again", "QB6", "QB7"),
    )
    assert found == {
        "before": [[1, 1]] * 5,
        "after": [[0, 1]] * 5,
        "again": [[1, 1]] * 5,
    }


# --- the resonator --------------------------------------------------------------------


def through_the_resonator(control: float) -> list[list[int]]:
    """CNOT from QB5 to QB2 through the resonator, then both read, QB2 first."""
    return rows(
        prx("QB5", control),
        prx("QB2", math.pi / 2, math.pi / 2),
        move("QB5"),
        cz("QB2", R),
        move("QB5"),
        prx("QB2", -math.pi / 2, math.pi / 2),
        measure("m", "QB2", "QB5"),
        chip=STAR,
    )["m"]


def side_by_side(control: float) -> list[list[int]]:
    """The same on two neighbours of the lattice."""
    return rows(
        prx("QB1", control),
        prx("QB2", math.pi / 2, math.pi / 2),
        cz("QB2", "QB1"),
        prx("QB2", -math.pi / 2, math.pi / 2),
        measure("m", "QB2", "QB1"),
    )["m"]


@pytest.mark.parametrize(("control", "row"), [(0.0, [0, 0]), (math.pi, [1, 1])])
def test_a_sandwich_of_moves_around_cz_is_cz_between_the_qubits(
    control: float, row: list[int]
) -> None:
    assert through_the_resonator(control) == side_by_side(control) == [row] * 5


def test_a_superposition_comes_back_from_the_resonator_with_its_phase() -> None:
    def read(phase: float) -> list[list[int]]:
        return rows(
            prx("QB3", math.pi / 2, phase),
            move("QB3"),
            Instruction("barrier", ("QB3", R)),
            Instruction("delay", ("QB1",), {"duration": 1e-6}),
            move("QB3"),
            prx("QB3", math.pi / 2),
            measure("m", "QB3"),
            chip=STAR,
        )["m"]

    assert read(0.0) == [[1]] * 5
    assert read(math.pi) == [[0]] * 5


def test_while_its_state_is_away_a_qubit_is_in_the_ground_state() -> None:
    found = rows(
        prx("QB4"),
        prx("QB1"),
        move("QB4"),
        measure("m", "QB1", "QB4"),
        chip=STAR,
        move_validation_mode="none",
    )
    assert found == {"m": [[1, 0]] * 5}


def test_one_resonator_serves_one_qubit_after_the_other() -> None:
    """A GHZ state of three arms: all readings of a shot agree."""
    arms = [prx("QB1", math.pi / 2, math.pi / 2), move("QB1")]
    for qubit in ("QB4", "QB6"):
        arms += [
            prx(qubit, math.pi / 2, math.pi / 2),
            cz(qubit, R),
            prx(qubit, -math.pi / 2, math.pi / 2),
        ]
    found = rows(
        *arms, move("QB1"), measure("m", "QB1", "QB4", "QB6"), chip=STAR, shots=64
    )
    assert {tuple(row) for row in found["m"]} == {(0, 0, 0), (1, 1, 1)}


def test_cz_with_an_empty_resonator_changes_nothing() -> None:
    found = rows(
        prx("QB2", math.pi / 2),
        cz("QB2", R),
        prx("QB2", math.pi / 2),
        measure("m", "QB2", "QB1"),
        chip=STAR,
    )
    assert found == {"m": [[1, 0]] * 5}


# --- durations ------------------------------------------------------------------------


def refused(*instructions: Instruction, most: float) -> str:
    with pytest.raises(CircuitError) as caught:
        rows(*instructions, max_circuit_duration_over_t2=most)
    return str(caught.value)


def delay(seconds: float, *qubits: str) -> Instruction:
    return Instruction("delay", qubits, {"duration": seconds})


def test_delays_count_against_the_shortest_t2_of_the_circuit() -> None:
    t2 = SQUARE20.coherence_times()
    weak, strong = sorted(("QB1", "QB2"), key=t2.__getitem__)
    both = measure("m", "QB1", "QB2")
    between = (t2[weak] + t2[strong]) / 2
    said = refused(delay(between, strong), both, most=1.0)
    assert said.startswith("circuit c: its delays take ")
    assert f"times the T2 of {weak}; max_circuit_duration_over_t2 allows 1" in said
    alone = rows(
        delay(between, strong), measure("m", strong), max_circuit_duration_over_t2=1.0
    )
    assert alone == {"m": [[0]] * 5}


def test_delays_side_by_side_count_once_and_one_after_the_other_twice() -> None:
    t2 = SQUARE20.coherence_times()
    half = 0.6 * min(t2["QB1"], t2["QB2"])
    both = measure("m", "QB1", "QB2")
    beside = (delay(half, "QB1"), delay(half, "QB2"), both)
    behind = (delay(half, "QB1"), Instruction("barrier", ("QB1", "QB2")), *beside[1:])
    rows(*beside, max_circuit_duration_over_t2=1.0)
    assert "1.2 times the T2" in refused(*behind, most=1.0)
    rows(*behind, max_circuit_duration_over_t2=1.3)
    rows(*behind, max_circuit_duration_over_t2=0.0)
    rows(*behind)
