"""What a machine takes, and with which words anything else is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from qawait import iqm
from qawait._batch import check_native, is_unchecked
from qawait.circuits import Compiled, as_is
from qawait.errors import CircuitError, ConfigurationError, ProtocolError
from qawait.iqm import Circuit
from qawait.iqm.architecture import DynamicQuantumArchitecture, GateInfo, Implementation
from qawait.iqm.circuit import Instruction
from qawait.iqm.operations import with_floats
from qawait.iqm.serving import read_request
from qawait.iqm.validation import Machine, MoveValidation, check


def gate(**loci: tuple[tuple[str, ...], ...]) -> GateInfo:
    return GateInfo({n: Implementation(at) for n, at in loci.items()}, next(iter(loci)))


SINGLES = (("A",), ("B",), ("C",))
ARCHITECTURE = DynamicQuantumArchitecture(
    calibration_set_id="set-3",
    qubits=("A", "B", "C", "D"),
    computational_resonators=("R", "S"),
    gates={
        "prx": gate(drag=SINGLES, square=(("B",),)),
        "cc_prx": gate(composite=(("A",), ("C",))),
        # One locus written qubit first, the other resonator first: CZ is symmetric.
        "cz": gate(tgss=(("A", "R"), ("R", "B"), ("C", "S")), crf=(("A", "B"),)),
        "move": gate(tgss_crf=(("A", "R"), ("B", "R"), ("A", "S"), ("C", "S"))),
        "measure": gate(constant=(("A", "B"), ("C",))),
        "prx_12": gate(drag=(("A",),)),
    },
)
MACHINE = Machine.of(ARCHITECTURE)

PULSE: dict[str, Any] = {"angle": 0.5, "phase": 0.25}
FED: dict[str, Any] = {**PULSE, "feedback_qubit": "B", "feedback_key": "f"}


def i(
    name: str, locus: str = "A", implementation: str | None = None, **args: Any
) -> Instruction:
    """An instruction on components of one letter each."""
    return Instruction(name, tuple(locus), args, implementation)


def prx(locus: str = "A", **args: Any) -> Instruction:
    return i("prx", locus, **{**PULSE, **args})


M = i("measure", "A", key="m")
F = i("measure", "AB", key="first", feedback_key="f")


class Bad(NamedTuple):
    """A circuit that is refused: its last instruction but M is at fault."""

    said: str
    instructions: tuple[Instruction, ...]
    mapping: dict[str, str] | None = None
    moves: MoveValidation = "strict"


def raw(name: Any, locus: Any, args: Any, implementation: Any = None) -> Instruction:
    """An instruction as no decoder would have let it pass."""
    return Instruction(name, locus, args, implementation)


BAD = [
    # --- the form: no machine takes it
    Bad("0 (None on A): the operation must be text, not None", (raw(None, ("A",), {}),)),
    Bad("0 (prx on A): the locus must be a tuple", (raw("prx", "A", PULSE),)),
    Bad("0 (prx on A): the locus must be a tuple", (raw("prx", ("A",), ()),)),
    Bad("0 (reset on 1): components are named by text", (raw("reset", (1,), {}),)),
    Bad("0 (reset on A, ): components are named by", (raw("reset", ("A", ""), {}),)),
    Bad("0 (barrier): it acts on nothing", (i("barrier", ""),)),
    Bad("0 (measure): it acts on nothing", (i("measure", "", key="k"),)),
    Bad("0 (cz on A, A): it names a component twice", (i("cz", "AA"),)),
    Bad("0 (measure on A, B, A): it names a", (i("measure", "ABA", key="k"),)),
    Bad("0 (prx on A): the implementation must be text", (i("prx", "A", "", **PULSE),)),
    Bad("the implementation must be text, not 3", (raw("cz", ("A", "B"), {}, 3),)),
    Bad("0 (prx on A, B): it acts on 1 component, not 2", (prx("AB"),)),
    Bad("0 (cz on A): it acts on 2 components, not 1", (i("cz", "A"),)),
    Bad("0 (move on A, R, S): it acts on 2 components, not 3", (i("move", "ARS"),)),
    Bad("0 (cc_prx on A, B): it acts on 1 comp", (i("cc_prx", "AB", **FED),)),
    Bad("0 (prx on A): the argument 'angle' is missing", (i("prx", phase=0.0),)),
    Bad("0 (prx on A): the argument 'phase' is missing", (i("prx", angle=0.0),)),
    Bad("0 (measure on A): the argument 'key' is missing", (i("measure"),)),
    Bad("0 (delay on A): the argument 'duration' is missing", (i("delay"),)),
    Bad("the argument 'feedback_key' is missing", (i("cc_prx", **PULSE),)),
    Bad("it has no argument 'angle_t'; it has angle, phase", (prx(angle_t=0.1),)),
    Bad("(cz on A, B): it has no argument 'angle'; it has none", (i("cz", "AB", angle=1),)),
    Bad("it has no argument 'keys'; it has feedback_key, key", (i("measure", key="k", keys=1),)),
    Bad("0 (barrier on A): it has no argument 'duration'", (i("barrier", duration=1.0),)),
    Bad("angle must be a number, not 'pi'", (prx(angle="pi"),)),
    Bad("phase must be a number, not None", (prx(phase=None),)),
    Bad("angle must be a number, not True", (prx(angle=True),)),
    Bad("angle must be a number, not 1j", (prx(angle=1j),)),
    Bad("angle must be finite, not nan", (prx(angle=math.nan),)),
    Bad("phase must be finite, not -inf", (prx(phase=-math.inf),)),
    Bad("angle must be finite, not 1000", (prx(angle=10**400),)),
    Bad("duration must not be negative, not -1e-09", (i("delay", duration=-1e-9),)),
    Bad("key must be text, not ''", (i("measure", key=""),)),
    Bad("key must be text, not 7", (i("measure", key=7),)),
    Bad("feedback_key must be text, not None", (i("measure", key="k", feedback_key=None),)),
    Bad("feedback_qubit must be text, not 2", (F, i("cc_prx", **{**FED, "feedback_qubit": 2}))),
    # --- the order: what an instruction may follow
    Bad("1 (measure on B): the key 'k' is taken", (i("measure", key="k"), i("measure", "B", key="k"))),
    Bad("1 (measure on C): the feedback key 'f' is taken", (F, i("measure", "C", key="k", feedback_key="f"))),
    Bad("0 (cc_prx on A): no measurement before has the feedback key 'f'", (i("cc_prx", **FED), F)),
    Bad("no measurement before has the feedback key 'first'", (F, i("cc_prx", **{**FED, "feedback_key": "first"}))),
    Bad("feedback_qubit C is not in the measurement with the feedback key 'f', of A, B", (F, i("cc_prx", **{**FED, "feedback_qubit": "C"}))),
    # --- the place: what this machine has
    Bad("0 (prx on Z): the machine has no Z", (prx("Z"),)),
    Bad("0 (barrier on A, Z): the machine has no Z", (i("barrier", "AZ"),)),
    Bad("0 (prx on D): it is not calibrated on D", (prx("D"),)),
    Bad("0 (measure on B, D): it is not calibrated on D", (i("measure", "BD", key="k"),)),
    Bad("0 (measure on R): it is not calibrated on R", (i("measure", "R", key="k"),)),
    Bad("0 (cz on B, C): it is not calibrated on B, C", (i("cz", "BC"),)),
    Bad("0 (move on R, A): it is not calibrated on R, A", (i("move", "RA"),)),
    Bad("1 (cc_prx on B): it is not calibrated on B", (F, i("cc_prx", "B", **FED))),
    Bad("no such operation; it has prx, cc_prx, cz, move, measure, prx_12, barrier, delay, reset", (i("h"),)),
    Bad("there is no implementation 'fast'; there is tgss, crf", (i("cz", "AB", "fast"),)),
    Bad("0 (cz on A, B): it is not calibrated on A, B", (i("cz", "AB", "tgss"),)),
    Bad("0 (prx on A): it is not calibrated on A", (i("prx", "A", "square", **PULSE),)),
    # --- the mapping
    Bad("0 (prx on A): it is not calibrated on D", (prx(),), {"A": "D"}),
    Bad("0 (prx on B): B is not in the qubit mapping", (prx("B"),), {"A": "C"}),
    Bad("0 (cz on A, B): it is not calibrated on C, A", (i("cz", "AB"),), {"A": "C", "B": "A"}),
    Bad("feedback_qubit B is not in the measurement with the feedback key 'f', of C, A", (F, i("cc_prx", **FED)), {"A": "C", "B": "A"}),
    # --- states in resonators
    Bad("1 (prx on A): the state of A is in R; move it back", (i("move", "AR"), prx())),
    Bad("1 (cz on A, R): the state of A is in R", (i("move", "AR"), i("cz", "AR"))),
    Bad("1 (measure on B, A): the state of A is in R", (i("move", "AR"), i("measure", "BA", key="k"))),
    Bad("1 (delay on A): the state of A is in R", (i("move", "AR"), i("delay", duration=0.0))),
    Bad("1 (reset on A): the state of A is in R", (i("move", "AR"), i("reset")), None, "allow_prx"),
    Bad("1 (move on B, R): R holds the state of A; move that back", (i("move", "AR"), i("move", "BR"))),
    Bad("1 (move on A, S): the state of A is in another resonator", (i("move", "AR"), i("move", "AS"))),
    Bad("3 (prx on A): the state of A is in S", (i("move", "AR"), i("move", "AR"), i("move", "AS"), prx())),
    Bad("1 (prx on x): the state of C is in S", (i("move", "xy"), prx("x")), {"x": "C", "y": "S", "A": "A"}),
]  # fmt: skip


@pytest.mark.parametrize(
    "bad", BAD, ids=[f"{n}: {bad.said}" for n, bad in enumerate(BAD)]
)
def test_what_the_machine_cannot_run_is_refused_with_circuit_instruction_and_reason(
    bad: Bad,
) -> None:
    measured = () if any(i.name == "measure" for i in bad.instructions) else (M,)
    circuit = Circuit("faulty", bad.instructions + measured)
    with pytest.raises(CircuitError) as caught:
        check(
            circuit,
            origin="faulty.json",
            machine=MACHINE,
            qubit_mapping=bad.mapping,
            move_validation_mode=bad.moves,
        )
    said = str(caught.value)
    assert said.startswith("faulty.json: instruction ")
    assert bad.said in said


GOOD: dict[str, tuple[Instruction, ...]] = {
    "turns": (prx("A"), prx("B"), prx("C"), M),
    "integers": (i("prx", angle=1, phase=0), M),
    "cz in either order": (i("cz", "RA"), i("cz", "BR"), i("cz", "BA"), M),
    "an implementation that is calibrated there": (i("cz", "BA", "crf"), M),
    "a gate only this machine has": (i("prx_12", "A", angle=0.5), M),
    "measured together though calibrated apart": (i("measure", "CA", key="k"),),
    "two keys for one qubit": (i("measure", key="k"), i("measure", key="l")),
    "a key like a feedback key": (F, i("measure", "C", key="f", feedback_key="first")),
    "feedback": (F, i("cc_prx", "C", **FED), i("cc_prx", "A", **FED)),
    "anywhere": (
        i("barrier", "ADRS"),
        i("delay", "DR", duration=0),
        i("reset", "AD"),
        M,
    ),
    "a closed sandwich": (i("move", "AR"), i("cz", "BR"), i("move", "AR"), prx(), M),
    "an open sandwich": (
        i("move", "AR"),
        i("barrier", "AR"),
        i("measure", "B", key="k"),
    ),
    "two sandwiches at once": (
        i("move", "AR"),
        i("move", "CS"),
        i("move", "AR"),
        i("move", "CS"),
        M,
    ),
    "one resonator after the other": (
        i("move", "AR"),
        i("move", "AR"),
        i("move", "AS"),
        i("move", "AS"),
        M,
    ),
}


@pytest.mark.parametrize("instructions", GOOD.values(), ids=GOOD)
def test_what_the_machine_can_run_is_taken(
    instructions: tuple[Instruction, ...],
) -> None:
    check(Circuit("good", instructions), machine=MACHINE)
    check(Circuit("good", instructions))


def test_prx_is_allowed_in_a_sandwich_on_request_and_anything_without_validation():
    turned = Circuit("c", (i("move", "AR"), prx(), i("move", "AR"), M))
    read = Circuit("c", (i("move", "AR"), i("measure", "A", key="k")))
    check(turned, machine=MACHINE, move_validation_mode="allow_prx")
    check(read, machine=MACHINE, move_validation_mode="none")
    with pytest.raises(CircuitError, match=r"instruction 1 \(measure on A\)"):
        check(read, machine=MACHINE, move_validation_mode="allow_prx")


def test_a_mapping_gives_the_loci_and_not_the_feedback_qubit() -> None:
    """`feedback_qubit` is physical. Wire reference §5.1."""
    circuit = Circuit(
        "mapped",
        (
            i("measure", "xy", key="k", feedback_key="f"),
            i("cc_prx", "x", **FED),
            i("cz", "yx", "crf"),
        ),
    )
    mapping = {"x": "A", "y": "B", "unused": "D"}
    check(circuit, machine=MACHINE, qubit_mapping=mapping)
    # Before it is known how names are mapped, nothing can be said of it.
    check(circuit)


@pytest.mark.parametrize(
    ("circuit", "said"),
    [
        (Circuit("", (M,)), "a circuit: its name is empty"),
        (Circuit("c", ()), "c: has no instructions"),
        (Circuit("c", (prx(),)), "c: measures nothing: add a 'measure' instruction"),
    ],
)
def test_a_circuit_has_a_name_and_instructions_and_measures(
    circuit: Circuit, said: str
) -> None:
    with pytest.raises(CircuitError) as caught:
        check(circuit)
    assert str(caught.value) == said


def test_without_a_machine_any_operation_may_exist_anywhere() -> None:
    check(Circuit("c", (i("cz", "YZ"), i("new", "Z", gain=1.0), M)))


def test_numbers_become_floats_and_nothing_else_changes() -> None:
    circuit = Circuit(
        "c",
        (
            i("prx", angle=1, phase=np.float64(0.1)),
            raw("delay", ["A", "B"], {"duration": Fraction(1, 8)}),
            raw("barrier", ["A", "R"], {}),
            F,
        ),
        {"n": 1},
    )
    check(circuit, machine=MACHINE)
    assert with_floats(circuit) == Circuit(
        "c",
        (
            i("prx", angle=1.0, phase=0.1),
            i("delay", "AB", duration=0.125),
            i("barrier", "AR"),
            F,
        ),
        {"n": 1},
    )
    found = with_floats(circuit).instructions[0].args.values()
    assert {type(value) for value in found} == {float}


# --- in the client --------------------------------------------------------------------


def native(*instructions: Instruction, name: str = "c") -> Compiled:
    (found,) = as_is(Circuit(name, instructions), native=True)
    return found


def test_the_client_checks_with_the_mapping_of_the_job() -> None:
    circuit = native(i("cz", "xy"), i("measure", "y", key="k"))
    options = iqm.Options(qubit_mapping={"x": "A", "y": "R"})
    with pytest.raises(CircuitError, match=r"c: instruction 1 .* calibrated on R"):
        check_native([circuit], ARCHITECTURE, options)
    check_native(
        [circuit], ARCHITECTURE, iqm.Options(qubit_mapping={"x": "R", "y": "A"})
    )
    with pytest.raises(CircuitError, match="the machine has no x"):
        check_native([circuit], ARCHITECTURE, iqm.Options())


def test_the_client_checks_with_the_move_validation_of_the_job() -> None:
    circuit = native(i("move", "AR"), prx(), i("move", "AR"), M)
    check_native([circuit], ARCHITECTURE, iqm.Options(move_validation_mode="allow_prx"))
    with pytest.raises(CircuitError, match="the state of A is in R"):
        check_native([circuit], ARCHITECTURE, iqm.Options())


def test_every_faulty_circuit_of_a_batch_is_named() -> None:
    batch = [
        native(prx("D"), M, name="one"),
        native(prx(), M, name="two"),
        native(i("cz", "BC"), M, name="three"),
    ]
    with pytest.raises(ConfigurationError) as caught:
        check_native(batch, ARCHITECTURE, iqm.Options())
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("2 circuits")
    assert [line.split(":")[0].strip() for line in rest] == ["one", "three"]


def test_what_was_compiled_for_the_calibration_set_is_not_checked_again() -> None:
    circuit = native(prx("D"), M)
    here = msgspec.structs.replace(circuit, calibration_set_id="set-3")
    there = msgspec.structs.replace(circuit, calibration_set_id="set-2")
    mapped = iqm.Options(qubit_mapping={"A": "A", "D": "D"})
    assert is_unchecked([circuit], iqm.Options(), None)
    assert not is_unchecked([here], iqm.Options(), "set-3")
    assert is_unchecked([here, circuit], iqm.Options(), "set-3")
    assert is_unchecked([here], mapped, "set-3")
    assert is_unchecked([here], iqm.Options(), "set-2")
    check_native([here], ARCHITECTURE, iqm.Options())
    for prepared, options in (
        (here, mapped),
        (there, iqm.Options()),
        (circuit, iqm.Options()),
    ):
        with pytest.raises(CircuitError, match="not calibrated on D"):
            check_native([prepared], ARCHITECTURE, options)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "qubit_mapping is empty; use None for no map"),
        ({"x": "A", "y": "A"}, "qubit_mapping maps x and y to one qubit, A"),
    ],
)
def test_a_mapping_that_is_none_is_refused_on_either_side(
    mapping: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        iqm.Options(qubit_mapping=mapping)
    assert str(caught.value) == said
    body = {"circuits": [Circuit("c", (M,))], "qubit_mapping": mapping}
    with pytest.raises(ProtocolError, match=said):
        read_request(msgspec.json.encode(body))


def test_a_mapping_names_components_that_there_are() -> None:
    options = iqm.Options(qubit_mapping={"A": "A", "x": "Z"})
    said = "qubit_mapping maps x to Z, which the machine has not"
    with pytest.raises(ConfigurationError, match=said):
        check_native([native(M)], ARCHITECTURE, options)


# --- in the local service -------------------------------------------------------------


def request(**changes: Any) -> bytes:
    return msgspec.json.encode({"circuits": [Circuit("c", (M,))], **changes})


def test_the_service_reads_either_spelling_of_the_move_options() -> None:
    old = request(move_validation_mode="allow_prx")
    new = request(move_gate_validation="none", move_gate_frame_tracking="none")
    assert read_request(old).move_validation_mode == "allow_prx"
    assert read_request(new).move_validation_mode == "none"
    assert read_request(request()).move_validation_mode == "strict"


@pytest.mark.parametrize(
    "changes",
    [
        {"move_validation_mode": "none"},
        {"move_gate_validation": "none", "move_gate_frame_tracking": "full"},
        {"move_validation_mode": "none", "move_gate_frame_tracking_mode": "full"},
    ],
)
def test_full_frame_tracking_needs_validation(changes: dict[str, str]) -> None:
    with pytest.raises(ProtocolError, match="full frame tracking"):
        read_request(request(**changes))


def test_a_name_mapped_twice_is_refused() -> None:
    entries = [{"logical_name": "A", "physical_name": to} for to in ("A", "B")]
    with pytest.raises(ProtocolError, match="maps a name twice"):
        read_request(request(qubit_mapping=entries))


def test_the_feedback_label_of_old_clients_is_taken_apart() -> None:
    """iqm-client 19 wrote qubit and key in one argument. Wire reference §5.1."""
    args = {"angle_t": 0.25, "phase_t": 0, "feedback_label": "QB1__f__2"}
    circuit = {
        "name": "c",
        "instructions": [{"name": "cc_prx", "qubits": ["A"], "args": args}],
    }
    (found,) = read_request(request(circuits=[circuit])).circuits
    assert found.instructions[0].args == {
        "angle": math.pi / 2,
        "phase": 0.0,
        "feedback_qubit": "QB1",
        "feedback_key": "f__2",
    }
