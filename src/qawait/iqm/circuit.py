"""IQM's native circuits: one model, in radians, for every generation of the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 (fields resolve at run time)
from typing import Any

from msgspec import Struct, field

__all__ = ["TURNS_OF_ANGLES", "Circuit", "Instruction"]

TURNS_OF_ANGLES = {"angle": "angle_t", "phase": "phase_t"}
"""Arguments in radians and their names in full turns, as dialects up to 30 want them."""


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
        return {
            TURNS_OF_ANGLES.get(name, name): (
                value / (2 * math.pi) if name in TURNS_OF_ANGLES else value
            )
            for name, value in self.args.items()
        }


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
