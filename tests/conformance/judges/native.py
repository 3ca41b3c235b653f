"""The native circuits and options that the IQM judges submit, and what they must give.

Only the standard library: the judges import it inside the vendors' environments, the
test inside ours. Angles are in full turns here; each judge writes its client's unit.
Every circuit is asymmetric: swapped qubits, keys, bits or units change its outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SHOTS = 230


class Operation(NamedTuple):
    """A native operation: `prx` with (angle, phase) in turns, `measure` with a key."""

    name: str
    locus: tuple[str, ...]
    turns: tuple[float, float] | None = None
    key: str | None = None
    more: tuple[tuple[str, Any], ...] = ()
    """Further arguments, the same in every generation."""


def corner(cz_loci: Iterable[Iterable[str]]) -> tuple[str, str, str]:
    """Choose qubits a, b, c: CZ couples a to b and b to c, but not a to c."""
    pairs = [tuple(locus) for locus in cz_loci]
    coupled = {frozenset(pair) for pair in pairs}
    return next(
        (a, b, c)
        for a, b in pairs
        for pair in pairs
        if b in pair
        for c in pair
        if c not in (a, b) and frozenset((a, c)) not in coupled
    )


def batch(a: str, b: str, c: str) -> dict[str, list[Operation]]:
    """Return the circuits by name."""

    def prx(qubit: str, angle: float, phase: float) -> Operation:
        return Operation("prx", (qubit,), (angle, phase))

    def measure(key: str, *locus: str) -> Operation:
        return Operation("measure", locus, key=key)

    def flip_if(control: str, target: str) -> list[Operation]:
        return [
            prx(target, 0.25, 0.25),
            Operation("cz", (control, target)),
            prx(target, 0.25, -0.25),
        ]

    return {
        "flip": [prx(a, 0.5, 0.0), measure("m", c, a, b)],
        "keys": [
            prx(a, 0.5, 0.0),
            *flip_if(a, b),
            Operation("barrier", (a, b, c)),
            measure("z", c, b),
            measure("a", a),
        ],
        "phases": [
            prx(a, 0.25, 0.0),
            prx(a, 0.5, -0.125),
            prx(a, 0.25, 0.25),
            prx(b, 0.25, 0.0),
            prx(b, 0.25, 0.5),
            measure("m", a, b),
        ],
        "pairs": [prx(b, 0.25, 0.25), *flip_if(b, c), measure("m", b, a, c)],
        "biased": [prx(c, 1 / 3, 0.0), measure("m", a, c)],
    }


ALWAYS = {
    "flip": {"m": (0, 1, 0)},
    "keys": {"z": (0, 1), "a": (1,)},
    "phases": {"m": (1, 0)},
}
"""The one row that every shot gives, by circuit and key."""

PAIRS = {(0, 0, 0), (1, 0, 1)}
"""The rows of "pairs", each half of the shots."""

BIASED_ONES = 0.75
"""How often the second bit of "biased" is 1; the first never is."""


def conditional(a: str, b: str, c: str) -> dict[str, list[Operation]]:
    """Return circuits that go on after a measurement, by name."""
    half = (0.5, 0.0)
    fed = (("feedback_qubit", a), ("feedback_key", "f"))

    def measure(key: str, *locus: str, feed: str | None = None) -> Operation:
        more = () if feed is None else (("feedback_key", feed),)
        return Operation("measure", locus, key=key, more=more)

    return {
        "taken": [
            Operation("prx", (a,), half),
            measure("first", a, feed="f"),
            Operation("cc_prx", (b,), half, more=fed),
            measure("last", c, b),
        ],
        "left": [
            measure("first", a, feed="f"),
            Operation("cc_prx", (b,), half, more=fed),
            Operation("prx", (c,), half),
            measure("last", c, b),
        ],
        "reset": [
            Operation("prx", (a,), half),
            Operation("prx", (b,), half),
            Operation("reset", (a,)),
            Operation("delay", (a, b), more=(("duration", 1e-7),)),
            measure("last", a, b),
        ],
    }


CONDITIONED = {
    "taken": {"first": (1,), "last": (0, 1)},
    "left": {"first": (0,), "last": (1, 0)},
    "reset": {"last": (0, 1)},
}
"""The one row that every shot of `conditional` gives, by circuit and key."""


def moving(
    move_loci: Iterable[Iterable[str]],
) -> tuple[dict[str, list[Operation]], tuple[str, ...]]:
    """Return circuits on a star, by name, and the qubits a, b, c they measure.

    The state of a is moved into the resonator and controls b from there.
    """
    arms = [tuple(locus) for locus in move_loci]
    (a, resonator), (b, _), (c, _) = arms[1], arms[0], arms[2]

    def controlled(*before: Operation) -> list[Operation]:
        return [
            *before,
            Operation("prx", (c,), (0.5, 0.0)),
            Operation("move", (a, resonator)),
            Operation("prx", (b,), (0.25, 0.25)),
            Operation("cz", (b, resonator)),
            Operation("prx", (b,), (0.25, -0.25)),
            Operation("move", (a, resonator)),
            Operation("barrier", (a, b, c)),
            Operation("measure", (c, a, b), key="m"),
        ]

    return {
        "carried": controlled(Operation("prx", (a,), (0.5, 0.0))),
        "empty": controlled(),
        "paired": controlled(Operation("prx", (a,), (0.25, 0.25))),
    }, (a, b, c)


MOVED = {"carried": {(1, 1, 1)}, "empty": {(1, 0, 0)}, "paired": {(1, 0, 0), (1, 1, 1)}}
"""The rows of `moving`, of c, a and b; those of "paired" are each half of the shots."""


def option_sets(qubit: str) -> dict[str, dict[str, Any]]:
    """Return options by the names that the wire has up to iqm-client 32."""
    return {
        "plain": {},
        "careful": {
            "heralding_mode": "zeros",
            "max_circuit_duration_over_t2": 0.0,
            "active_reset_cycles": 2,
        },
        "free": {
            "move_validation_mode": "allow_prx",
            "move_gate_frame_tracking_mode": "no_detuning_correction",
            "max_circuit_duration_over_t2": 1.5,
        },
        "decoupled": {"dd_mode": "enabled"},
        "own strategy": {
            "dd_mode": "enabled",
            "dd_strategy": {
                "merge_contiguous_waits": False,
                "target_qubits": [qubit],
                "skip_leading_wait": True,
                "skip_trailing_wait": False,
                "gate_sequences": [
                    [7, "XYXY", "alap"],
                    [3, [[0.5, 0.25], [-1.5, 3.0]], "center"],
                ],
            },
        },
        "every qubit": {
            "dd_mode": "enabled",
            "dd_strategy": {
                "merge_contiguous_waits": True,
                "target_qubits": None,
                "skip_leading_wait": False,
                "skip_trailing_wait": True,
                "gate_sequences": [[2, "XX", "asap"]],
            },
        },
    }


MAPPED = "mapped"
"""The name of the submission with a qubit mapping and a calibration set."""
SETTINGS = "settings"
"""The name of the submission with `CUSTOM_SETTINGS`, which clients up to 32 take."""
CUSTOM_SETTINGS: Mapping[str, Any] = {"gates": {"prx": {"calibration": [1, 2.5]}}}


def attempt(call: Callable[[], object]) -> dict[str, str]:
    """Return what a call that should fail raised."""
    try:
        answer = call()
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"answer": str(answer)}
