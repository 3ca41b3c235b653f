"""Native circuits held against what a machine offers.

One set of rules for both sides: the client asks before it sends, the local service when
it compiles. They are those of IQM's own client, and what that only documents: feedback
follows the measurement it names. Source: wire reference §5.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.operations import ANYWHERE, fault_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.iqm.circuit import Circuit, Instruction

__all__ = ["Machine", "MoveValidation", "check", "check_mapping"]

MoveValidation = Literal["strict", "allow_prx", "none"]


_IN_SANDWICHES: Mapping[str, frozenset[str]] = {
    "strict": frozenset({"barrier"}),
    "allow_prx": frozenset({"barrier", "prx"}),
}
"""What may act on a qubit while its state is in a resonator."""


class Machine(Struct, frozen=True):
    """An architecture, arranged for looking up loci."""

    components: frozenset[str]
    loci: Mapping[str, Mapping[str | None, frozenset[tuple[str, ...]]]]
    """For each gate and implementation; None stands for all implementations."""

    @classmethod
    def of(cls, architecture: DynamicQuantumArchitecture) -> Machine:
        """The machine that an architecture describes."""
        loci: dict[str, dict[str | None, frozenset[tuple[str, ...]]]] = {}
        for gate, info in architecture.gates.items():
            of_gate: dict[str | None, frozenset[tuple[str, ...]]] = {
                name: _alike(gate, implementation.loci)
                for name, implementation in info.implementations.items()
            }
            of_gate[None] = frozenset[tuple[str, ...]]().union(*of_gate.values())
            loci[gate] = of_gate
        components = architecture.qubits + architecture.computational_resonators
        return cls(frozenset(components), loci)


def _is_factorizable(gate: str) -> bool:
    """Whether a gate on many components is the same gate on each."""
    return gate.startswith("measure")


def _alike(gate: str, loci: tuple[tuple[str, ...], ...]) -> frozenset[tuple[str, ...]]:
    """The loci with those that mean the same, or taken apart if that is enough."""
    if _is_factorizable(gate):
        return frozenset((component,) for locus in loci for component in locus)
    if gate == "cz":
        return frozenset(loci) | {locus[::-1] for locus in loci}
    return frozenset(loci)


def check_mapping(mapping: Mapping[str, str], machine: Machine | None = None) -> None:
    """Holds a qubit mapping by itself, and against a machine where it is known.

    Raises:
        ConfigurationError: It is empty, maps two names to one component, or to one that
            the machine has not.
    """
    if not mapping:
        raise ConfigurationError("qubit_mapping is empty; use None for no map")
    owners: dict[str, str] = {}
    for logical, physical in mapping.items():
        if physical in owners:
            raise ConfigurationError(
                f"qubit_mapping maps {owners[physical]} and {logical} to one qubit,"
                f" {physical}"
            )
        owners[physical] = logical
        if machine is not None and physical not in machine.components:
            raise ConfigurationError(
                f"qubit_mapping maps {logical} to {physical}, which the machine has not"
            )


class _Seen:
    """What the instructions so far have left behind."""

    __slots__ = ("feedback", "held", "keys")

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.feedback: dict[str, tuple[str, ...]] = {}
        """The components of the measurement with a feedback key."""
        self.held: dict[str, str] = {}
        """The qubit whose state is in a resonator, for each that holds one."""


def check(
    circuit: Circuit,
    *,
    origin: str | None = None,
    machine: Machine | None = None,
    qubit_mapping: Mapping[str, str] | None = None,
    move_validation_mode: MoveValidation = "strict",
) -> None:
    """Holds a circuit against a machine, or against any machine if none is given.

    Angles and durations may be integers here; `operations.with_floats` makes them
    what services take.

    Args:
        circuit: In the names that `qubit_mapping` maps.
        origin: Names the circuit in errors; None takes its own name.
        machine: Where it is to run; None leaves open what is calibrated where.
        qubit_mapping: From the circuit's names to the machine's; None if they are the
            same.
        move_validation_mode: What may act on a qubit whose state is in a resonator:
            barriers, with "allow_prx" also PRX, with "none" anything. A state may stay
            in its resonator at the end.

    Raises:
        CircuitError: Says which circuit, which instruction and why.
    """
    origin = circuit.name if origin is None else origin
    if not circuit.name:
        raise CircuitError(origin or "a circuit", "its name is empty")
    if not circuit.instructions:
        raise CircuitError(origin, "has no instructions")
    seen = _Seen()
    for number, instruction in enumerate(circuit.instructions):
        reason = fault_of(instruction)
        if reason is None:
            locus, reason = mapped(instruction, qubit_mapping)
            reason = (
                reason
                or (machine and fault_of_place(instruction, locus, machine))
                or _fault_of_order(instruction, locus, seen, move_validation_mode)
                or (machine and _fault_of_feedback(instruction, seen))
            )
        if reason:
            where = str(instruction.name)
            if instruction.locus:
                where += f" on {', '.join(map(str, instruction.locus))}"
            raise CircuitError(origin, f"instruction {number} ({where}): {reason}")
    if not seen.keys:
        raise CircuitError(origin, "measures nothing: add a 'measure' instruction")


def mapped(
    instruction: Instruction, mapping: Mapping[str, str] | None
) -> tuple[tuple[str, ...], str | None]:
    """The physical components; or what the mapping lacks for them."""
    locus = tuple(instruction.locus)
    if mapping is None:
        return locus, None
    if strangers := [name for name in locus if name not in mapping]:
        return locus, f"{strangers[0]} is not in the qubit mapping"
    return tuple(mapping[name] for name in locus), None


def fault_of_place(
    instruction: Instruction, locus: tuple[str, ...], machine: Machine
) -> str | None:
    """What this machine lacks, or None."""
    name, implementation = instruction.name, instruction.implementation
    if strangers := [c for c in locus if c not in machine.components]:
        return f"the machine has no {strangers[0]}"
    if name in ANYWHERE:
        return None
    gate = machine.loci.get(name)
    if gate is None:
        there = ", ".join([*machine.loci, *ANYWHERE])
        return f"the machine has no such operation; it has {there}"
    loci = gate.get(implementation)
    if loci is None:
        there = ", ".join(filter(None, gate))
        return f"there is no implementation {implementation!r}; there is {there}"
    if _is_factorizable(name):
        apart = [component for component in locus if (component,) not in loci]
        return f"it is not calibrated on {apart[0]}" if apart else None
    return None if locus in loci else f"it is not calibrated on {', '.join(locus)}"


def _fault_of_order(
    instruction: Instruction,
    locus: tuple[str, ...],
    seen: _Seen,
    moves: MoveValidation,
) -> str | None:
    """What does not fit to the instructions before, or None."""
    name, args = instruction.name, instruction.args
    if moves != "none" and (reason := _fault_of_sandwich(name, locus, seen, moves)):
        return reason
    if name == "measure":
        key, feedback_key = args["key"], args.get("feedback_key")
        if key in seen.keys:
            return f"the key {key!r} is taken"
        seen.keys.add(key)
        if feedback_key is not None:
            if feedback_key in seen.feedback:
                return f"the feedback key {feedback_key!r} is taken"
            seen.feedback[feedback_key] = locus
    if name == "cc_prx" and args["feedback_key"] not in seen.feedback:
        return f"no measurement before has the feedback key {args['feedback_key']!r}"
    return None


def _fault_of_feedback(instruction: Instruction, seen: _Seen) -> str | None:
    """Whether the qubit of a feedback is measured; it is named as the machine does."""
    if instruction.name != "cc_prx":
        return None
    key, qubit = (instruction.args[n] for n in ("feedback_key", "feedback_qubit"))
    measured = seen.feedback[key]
    if qubit in measured:
        return None
    return (
        f"feedback_qubit {qubit} is not in the measurement with the feedback key"
        f" {key!r}, of {', '.join(measured)} (these names are the machine's)"
    )


def _fault_of_sandwich(
    name: str, locus: tuple[str, ...], seen: _Seen, moves: MoveValidation
) -> str | None:
    if name == "move":
        qubit, resonator = locus
        held = seen.held.get(resonator)
        if held is None:
            if qubit in seen.held.values():
                return f"the state of {qubit} is in another resonator already"
            seen.held[resonator] = qubit
        elif held == qubit:
            del seen.held[resonator]
        else:
            return f"{resonator} holds the state of {held}; move that back first"
        return None
    if name not in _IN_SANDWICHES[moves]:
        for resonator, qubit in seen.held.items():
            if qubit in locus:
                return f"the state of {qubit} is in {resonator}; move it back first"
    return None
