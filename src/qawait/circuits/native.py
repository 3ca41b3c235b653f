"""Circuits for IQM: compiled to native operations, or native already and checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from qawait.circuits.batch import for_each
from qawait.circuits.compiled import Compiled, compiled
from qawait.circuits.source import Source, is_quantum_circuit
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.circuit import Circuit, Instruction
from qawait.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = ["NativeTemplate", "compile_native", "native_as_is"]

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "prx": ("angle", "phase"),
    "cz": (),
    "measure": ("key",),
    "cc_prx": ("angle", "phase", "feedback_qubit", "feedback_key"),
    "move": (),
    "barrier": (),
    "delay": ("duration",),
    "reset": (),
}
"""What each operation must be given. Wire reference §5.1."""

_NUMBERS = frozenset({"angle", "phase", "duration"})
_NOT_CALIBRATED = frozenset({"barrier", "delay", "reset"})


def compile_native(
    sources: Iterable[Source],
    architecture: DynamicQuantumArchitecture,
    *,
    target_name: str = "the target",
    seed: int = 0,
    optimization_level: int = 2,
) -> list[Compiled]:
    """Compiles circuits to a machine's native operations; native ones are checked.

    A register whose bits are each measured once, at the end, gets one measurement with
    the key `<register>_<length>_<index>` and its qubits in bit order. Any other register
    gets one key per bit, `<register>_<length>_<index>_<bit>`; where a bit is measured
    again, the value that is lost gets the key `overwritten_<n>`.

    Args:
        sources: What `read` gave. What was compiled before passes through.
        architecture: Which gates there are, and where.
        target_name: Names the machine in errors.
        seed: The transpiler's; the same seed gives the same circuit.
        optimization_level: The transpiler's, from 0 (none) to 3 (slow).

    Raises:
        CircuitError: A circuit is too wide or has no native form.
        ConfigurationError: Several cannot be compiled, each named on a line of its own.
    """
    if optimization_level not in (0, 1, 2, 3):
        raise ConfigurationError(f"optimization_level {optimization_level}: 0 to 3")
    if seed < 0:
        raise ConfigurationError(f"seed {seed} is negative")

    def prepared(source: Source) -> Compiled:
        circuit = source.circuit
        if is_quantum_circuit(circuit):
            from qawait.circuits import transpiler

            template, layout = transpiler.transpiled(
                circuit,
                architecture,
                origin=source.origin,
                target_name=target_name,
                seed=seed,
                optimization_level=optimization_level,
            )
            calibration = architecture.calibration_set_id
            return compiled(
                source.label, template, layout, calibration_set_id=calibration
            )
        return _taken_as_is(source, architecture)

    return for_each(sources, prepared)


def native_as_is(sources: Iterable[Source]) -> list[Compiled]:
    """Takes native circuits without knowing the machine, and compiles nothing.

    Raises:
        CircuitError: A circuit is not native, or no machine could run it.
        ConfigurationError: Several are, each named on a line of its own.
    """
    return for_each(sources, lambda source: _taken_as_is(source, None))


class Formula(Struct, frozen=True):
    """An argument of an instruction that depends on parameters."""

    instruction: int
    argument: str
    expression: int
    """Which of the template's expressions gives its value."""


class NativeTemplate(Struct, frozen=True, kw_only=True):
    """Native instructions, some of whose arguments wait for parameters."""

    instructions: tuple[Instruction, ...]
    formulas: tuple[Formula, ...] = ()
    expressions: tuple[Any, ...] = ()
    """Qiskit's ParameterExpression, each once: many gates share one angle."""
    symbols: Mapping[str, Any] = {}
    """Qiskit's Parameter for each name."""
    metadata: Mapping[str, Any] | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.symbols)

    def measured(self) -> dict[str, tuple[str, ...]]:
        """Measurement keys in circuit order, each with the components it measures."""
        return Circuit("", self.instructions).measured()

    def bound(self, label: str, values: Mapping[str, float]) -> Circuit:
        """The circuit with numbers for all parameters, under this name."""
        instructions = list(self.instructions)
        if self.formulas:
            given = {self.symbols[name]: value for name, value in values.items()}
            numbers = [_evaluated(label, e, given) for e in self.expressions]
            for formula in self.formulas:
                old = instructions[formula.instruction]
                number = numbers[formula.expression]
                instructions[formula.instruction] = Instruction(
                    old.name, old.locus, {**old.args, formula.argument: number}
                )
        return Circuit(label, tuple(instructions), self.metadata)


def _evaluated(label: str, expression: Any, given: Mapping[Any, float]) -> float:
    try:
        number = float(expression.bind_all(given))
    # Qiskit gives a complex number, or raises, for what has no real value.
    except (ArithmeticError, RuntimeError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise CircuitError(
            label, f"these parameters give {expression} no finite real value"
        )
    return number


def _taken_as_is(
    source: Source, architecture: DynamicQuantumArchitecture | None
) -> Compiled:
    circuit = source.circuit
    if isinstance(circuit, Compiled):
        if isinstance(circuit.template, NativeTemplate):
            return circuit
        raise CircuitError(source.origin, "is made for Qoro: give the circuit it is of")
    if not isinstance(circuit, Circuit):
        raise CircuitError(
            source.origin, "is not native: compile=False takes native circuits only"
        )
    template = NativeTemplate(
        instructions=_checked(circuit, source.origin, architecture),
        metadata=circuit.metadata,
    )
    widths = {key: len(locus) for key, locus in circuit.measured().items()}
    layout = Layout.from_keys(widths) or Layout.of_keys(widths)
    return compiled(source.label, template, layout)


def _checked(
    circuit: Circuit, origin: str, architecture: DynamicQuantumArchitecture | None
) -> tuple[Instruction, ...]:
    """The instructions with integers for angles and durations made float.

    Services from dialect 31 on refuse integers there. Wire reference §5.1.
    """
    keys: set[str] = set()
    for number, instruction in enumerate(circuit.instructions):
        reason = _wrong_with(instruction) or (
            architecture and _missing_for(instruction, architecture)
        )
        if instruction.name == "measure" and not reason:
            key = instruction.args["key"]
            reason = f"the key {key!r} is taken" if key in keys else None
            keys.add(key)
        if reason:
            where = f"instruction {number}, {instruction.name}"
            if instruction.locus:
                where += f" on {', '.join(instruction.locus)}"
            raise CircuitError(origin, f"{where}: {reason}")
    if not keys:
        raise CircuitError(origin, "measures nothing: add a 'measure' instruction")
    return tuple(_with_floats(instruction) for instruction in circuit.instructions)


def _wrong_with(instruction: Instruction) -> str | None:
    """What no machine would take, or None."""
    locus, args = instruction.locus, instruction.args
    if not locus:
        return "acts on nothing"
    if len(set(locus)) < len(locus):
        return "names a component twice"
    for name in _ARGUMENTS.get(instruction.name, ()):
        if name not in args:
            return f"the argument {name!r} is missing"
    for name, value in args.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _NUMBERS and not number:
            return f"{name} must be a number, not {value!r}"
        # JSON has no infinity and no NaN; msgspec would send null.
        if number and not math.isfinite(value):
            return f"{name} must be finite, not {value!r}"
        if name == "duration" and value < 0:
            return f"{name} must not be negative, not {value!r}"
        if name == "key" and not (isinstance(value, str) and value):
            return f"{name} must be text, not {value!r}"
    return None


def _missing_for(
    instruction: Instruction, architecture: DynamicQuantumArchitecture
) -> str | None:
    """What this machine lacks to run it, or None."""
    components = {*architecture.qubits, *architecture.computational_resonators}
    if strangers := [c for c in instruction.locus if c not in components]:
        return f"the machine has no {strangers[0]}"
    if instruction.name in _NOT_CALIBRATED:
        return None
    gate = architecture.gates.get(instruction.name)
    if gate is None:
        known = ", ".join([*architecture.gates, *sorted(_NOT_CALIBRATED)])
        return f"the machine has no such operation; it has {known}"
    loci: Sequence[tuple[str, ...]] = gate.loci
    if instruction.implementation is not None:
        found = gate.implementations.get(instruction.implementation)
        if found is None:
            known = ", ".join(gate.implementations)
            return f"no implementation {instruction.implementation!r}; it has {known}"
        loci = found.loci
    if _calibrated(instruction, loci):
        return None
    return "is not calibrated there"


def _calibrated(instruction: Instruction, loci: Sequence[tuple[str, ...]]) -> bool:
    locus = instruction.locus
    if instruction.name == "measure":
        single = {component for known in loci for component in known}
        return single.issuperset(locus)
    # CZ is symmetric: either order of its components will do.
    return locus in loci or (instruction.name == "cz" and locus[::-1] in loci)


def _with_floats(instruction: Instruction) -> Instruction:
    args = instruction.args
    if not any(type(args[name]) is int for name in _NUMBERS & args.keys()):
        return instruction
    floats = {n: float(v) if n in _NUMBERS else v for n, v in args.items()}
    return replace(instruction, args=floats)
