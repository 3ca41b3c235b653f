"""The batch of native circuits that both IQM judges submit, and what it must give.

Only the standard library: the judges import it inside the vendors' environments, the
test inside ours. Angles are in full turns here; each judge writes its client's unit.
Every circuit is asymmetric: swapped qubits, keys, bits or units change its outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SHOTS = 230


class Operation(NamedTuple):
    """A native operation: `prx` with (angle, phase) in turns, `measure` with a key."""

    name: str
    locus: tuple[str, ...]
    turns: tuple[float, float] | None = None
    key: str | None = None


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


def attempt(call: Callable[[], object]) -> dict[str, str]:
    """Return what a call that should fail raised."""
    try:
        answer = call()
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"answer": str(answer)}
