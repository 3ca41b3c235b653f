"""IQM's native operations: what each acts on and is given. Wire reference §5.1."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from qawait.iqm.circuit import Circuit, Instruction

__all__ = ["ANYWHERE", "fault_of", "with_floats"]


class _Operation(Struct, frozen=True):
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    arity: int | None = None
    """None acts on one component or more."""
    is_calibrated: bool = True
    """Whether an architecture says where it can be done; else it can be anywhere."""


_ANGLES = frozenset({"angle", "phase"})
_FEEDBACK = frozenset({"feedback_qubit", "feedback_key"})
_OPERATIONS = {
    "prx": _Operation(_ANGLES, arity=1),
    "cc_prx": _Operation(_ANGLES | _FEEDBACK, arity=1),
    "cz": _Operation(arity=2),
    "move": _Operation(arity=2),
    "measure": _Operation(frozenset({"key"}), frozenset({"feedback_key"})),
    "barrier": _Operation(is_calibrated=False),
    "delay": _Operation(frozenset({"duration"}), is_calibrated=False),
    "reset": _Operation(is_calibrated=False),
}
ANYWHERE = tuple(n for n, known in _OPERATIONS.items() if not known.is_calibrated)
"""Operations that need no calibration: they can be done on any component."""
_NUMBERS = _ANGLES | {"duration"}
_TEXTS = _FEEDBACK | {"key"}


def fault_of(instruction: Instruction) -> str | None:
    """What is wrong with an instruction on any machine; None if nothing is."""
    name, implementation = instruction.name, instruction.implementation
    # Built without a decoder, an instruction may hold anything.
    locus, args = cast("object", instruction.locus), cast("object", instruction.args)
    if not _is_text(name):
        return f"the operation must be text, not {name!r}"
    if not isinstance(locus, tuple | list) or not isinstance(args, dict):
        return "the locus must be a tuple of names, and the arguments a dict"
    if nameless := [c for c in instruction.locus if not _is_text(c)]:
        return f"components are named by text, not {nameless[0]!r}"
    if not instruction.locus:
        return "it acts on nothing"
    if len(set(instruction.locus)) != len(instruction.locus):
        return "it names a component twice"
    if implementation is not None and not _is_text(implementation):
        return f"the implementation must be text, not {implementation!r}"
    known = _OPERATIONS.get(name)
    if known is not None:
        if known.arity is not None and len(instruction.locus) != known.arity:
            many = "component" if known.arity == 1 else "components"
            return f"it acts on {known.arity} {many}, not {len(instruction.locus)}"
        if instruction.args.keys() != known.required:
            given = frozenset(instruction.args)
            if missing := sorted(known.required - given):
                return f"the argument {missing[0]!r} is missing"
            if unknown := sorted(map(str, given - known.required - known.optional)):
                allowed = ", ".join(sorted(known.required | known.optional)) or "none"
                return f"it has no argument {unknown[0]!r}; it has {allowed}"
    for argument, value in instruction.args.items():
        if reason := _fault_of_argument(argument, value):
            return reason
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _fault_of_argument(name: str, value: Any) -> str | None:
    # The first is what nearly all are, and asking for a Real takes ten times as long.
    is_number = isinstance(value, float) or (
        not isinstance(value, bool) and isinstance(value, Real)
    )
    if name in _NUMBERS and not is_number:
        return f"{name} must be a number, not {value!r}"
    # JSON has neither infinity nor NaN.
    if is_number and not _is_finite(value):
        return f"{name} must be finite, not {value!r}"
    if name == "duration" and value < 0:
        return f"duration must not be negative, not {value!r}"
    if name in _TEXTS and not _is_text(value):
        return f"{name} must be text, not {value!r}"
    return None


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def with_floats(circuit: Circuit) -> Circuit:
    """A checked circuit whose numbers are floats and whose loci are tuples.

    Services from IQM's dialect of client 31 on refuse integers. Wire reference §5.1.
    """
    instructions = tuple(_with_floats(i) for i in circuit.instructions)
    return replace(circuit, instructions=instructions)


def _with_floats(instruction: Instruction) -> Instruction:
    args = instruction.args
    wrong = [n for n in _NUMBERS & args.keys() if type(args[n]) is not float]
    if wrong or type(instruction.locus) is not tuple:
        floats = {n: float(args[n]) for n in wrong}
        locus = tuple(instruction.locus)
        return replace(instruction, locus=locus, args=args | floats)
    return instruction
