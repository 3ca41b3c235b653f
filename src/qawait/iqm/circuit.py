"""IQM's native circuits: one model, in radians, for every generation of the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 (fields resolve at run time)
from functools import lru_cache
from math import nextafter
from typing import Any

from msgspec import Struct, field

__all__ = ["TURNS_OF_ANGLES", "Circuit", "Instruction", "radians", "turns"]

TURNS_OF_ANGLES = {"angle": "angle_t", "phase": "phase_t"}
"""Arguments in radians and their names in full turns, as dialects up to 30 want them."""

_NUMBERS = (int, float)


def radians(turns: float) -> float:
    """An angle in radians from its full turns, rounded once."""
    return turns * math.tau


@lru_cache(maxsize=4096)
def turns(angle: float) -> float:
    """An angle in full turns that `radians` takes back to the same angle.

    Several floats may do so; it is then the one that is written shortest, so that 0.3
    turns stay 0.3. About a third of all angles lie between what full turns can express:
    for them it is the nearest.
    """
    shortest = nearest = angle / math.tau
    if radians(nearest) != angle:
        # What is further off can be no better; tests hold the powers of two, at which
        # floats lie twice as close on one side.
        return nearest
    for other in (nextafter(nearest, -math.inf), nextafter(nearest, math.inf)):
        if radians(other) == angle and len(repr(other)) < len(repr(shortest)):
            shortest = other
    return shortest


class Instruction(Struct, frozen=True, omit_defaults=False):
    """One native operation: `prx`, `cz`, `measure`, `barrier`, `delay`, `reset` and more.

    `locus` names the components it acts on, in order. Angles are in radians, durations
    in seconds. Source: IQM's native operations, wire reference §5.1.
    """

    name: str
    locus: tuple[str, ...]
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    implementation: str | None = None

    def args_in_turns(self) -> dict[str, Any]:
        """The arguments with angles as fractions of a full turn."""
        args: dict[str, Any] = {}
        for name, value in self.args.items():
            in_turns = TURNS_OF_ANGLES.get(name)
            if in_turns is None:
                args[name] = value
            else:
                args[in_turns] = turns(value) if isinstance(value, _NUMBERS) else value
        return args


class Circuit(Struct, frozen=True, omit_defaults=False):
    """A circuit of native operations with a name that is not empty."""

    name: str
    instructions: tuple[Instruction, ...]
    metadata: Mapping[str, Any] | None = None

    def measured(self) -> dict[str, tuple[str, ...]]:
        """Measurement keys in circuit order, each with the components it measures."""
        return {
            str(i.args["key"]): i.locus
            for i in self.instructions
            if i.name == "measure" and "key" in i.args
        }
