"""Plain circuits are found right at a glance; `validation.check` judges the others.

Nearly all circuits are turns, CZ and measurements, the same ones on the same components
again and again. What an instruction may be where is then looked up, not worked out.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING

from qawait.iqm.operations import fault_of
from qawait.iqm.validation import fault_of_place, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.iqm.circuit import Circuit, Instruction
    from qawait.iqm.validation import Machine

__all__ = ["Screen"]

_TURN, _NOTHING, _KEY, _TIME, _OTHER = range(5)
"""What an operation is given."""

_GIVEN = {
    "prx": _TURN,
    "cz": _NOTHING,
    "barrier": _NOTHING,
    "reset": _NOTHING,
    "measure": _KEY,
    "delay": _TIME,
}


_MOST_KNOWN = 10_000
"""A barrier may be on any choice of qubits: what was seen must not pile up."""


class Screen:
    """Finds circuits that are certainly right, and remembers what it has seen.

    Without MOVE and feedback no instruction bears on another one, but that keys differ.

    Args:
        machine: Where they are to run; None leaves open what is calibrated where.
        qubit_mapping: A checked mapping to its names; None if they are the same.
    """

    def __init__(
        self,
        machine: Machine | None = None,
        qubit_mapping: Mapping[str, str] | None = None,
    ) -> None:
        self._machine = machine
        self._mapping = qubit_mapping
        self._known: dict[tuple[str, tuple[str, ...], str | None], int] = {}
        """What is right for each operation, locus and implementation so far."""

    def __len__(self) -> int:
        """How many operations, each with its locus, it remembers."""
        return len(self._known)

    def passes(self, circuit: Circuit) -> bool:
        """Whether `check` would find it right with any validation of MOVE.

        Its numbers are floats then and its loci tuples, as services take them. One that
        does not pass may be right all the same.
        """
        try:
            return bool(circuit.name) and self._are_plain(circuit)
        # Built without a decoder, a circuit may hold anything.
        except (KeyError, TypeError):
            return False

    def _are_plain(self, circuit: Circuit) -> bool:
        known = self._known
        keys: set[str] = set()
        # This runs for every instruction that is sent: nothing here is in a function.
        for instruction in circuit.instructions:
            args = instruction.args
            given = known.get(
                (instruction.name, instruction.locus, instruction.implementation)
            )
            if given is None:
                given = self._learned(instruction)
            if type(args) is not dict:
                return False
            if given == _TURN:
                angle, phase = args["angle"], args["phase"]
                if type(angle) is not float or type(phase) is not float:
                    return False
                # The sum is finite only if both are.
                if len(args) != 2 or not isfinite(angle + phase):
                    return False
            elif given == _NOTHING:
                if args:
                    return False
            elif given == _KEY:
                key = args["key"]
                if type(key) is not str or not key or key in keys or len(args) != 1:
                    return False
                keys.add(key)
            elif given == _TIME:
                time = args["duration"]
                if type(time) is not float or not 0 <= time < inf:
                    return False
                if len(args) != 1:
                    return False
            else:
                return False
        return bool(keys)

    def _learned(self, instruction: Instruction) -> int:
        """What this operation is given, here; `_OTHER` if it is not right."""
        if fault_of(instruction):
            return _OTHER
        locus, fault = mapped(instruction, self._mapping)
        if self._machine is not None:
            fault = fault or fault_of_place(instruction, locus, self._machine)
        if fault:
            return _OTHER
        given = _GIVEN.get(instruction.name, _OTHER)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        place = (instruction.name, instruction.locus, instruction.implementation)
        self._known[place] = given
        return given
