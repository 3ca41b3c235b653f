"""Circuits for IQM: compiled to native operations, or native already and checked."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from qawait.circuits.batch import for_each
from qawait.circuits.compiled import Compiled, compiled
from qawait.circuits.source import Source, is_quantum_circuit
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.operations import with_floats
from qawait.iqm.screening import Screen
from qawait.iqm.validation import Machine, check
from qawait.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = ["NativeTemplate", "compile_native", "evaluated", "native_as_is"]


def compile_native(
    sources: Iterable[Source],
    architecture: DynamicQuantumArchitecture,
    *,
    target_name: str = "the target",
    seed: int = 0,
    optimization_level: int = 2,
) -> list[Compiled]:
    """Compiles circuits to a machine's native operations; native ones stay as they are.

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

    as_is = _AsIs(architecture)

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
        return as_is.take(source)

    return for_each(sources, prepared)


def native_as_is(sources: Iterable[Source]) -> list[Compiled]:
    """Takes native circuits without knowing the machine, and compiles nothing.

    Raises:
        CircuitError: A circuit is not native, or no machine could run it.
        ConfigurationError: Several are, each named on a line of its own.
    """
    return for_each(sources, _AsIs(None).take)


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
        if not self.formulas:
            return Circuit(label, self.instructions, self.metadata)
        instructions = list(self.instructions)
        given = {self.symbols[name]: value for name, value in values.items()}
        numbers = [evaluated(label, e, given) for e in self.expressions]
        for formula in self.formulas:
            old = instructions[formula.instruction]
            number = numbers[formula.expression]
            instructions[formula.instruction] = Instruction(
                old.name, old.locus, {**old.args, formula.argument: number}
            )
        return Circuit(label, tuple(instructions), self.metadata)


def evaluated(label: str, expression: Any, given: Mapping[Any, float]) -> float:
    """The number that an expression of parameters has.

    Raises:
        CircuitError: It is not a finite real number.
    """
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


class _Same:
    """An architecture as a key: it is equal to itself and to no other."""

    def __init__(self, architecture: DynamicQuantumArchitecture) -> None:
        self.architecture = architecture

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.architecture is other.architecture

    def __hash__(self) -> int:
        return id(self.architecture)


@lru_cache(maxsize=4)
def _screen_of(same: _Same) -> Screen:
    """One screen for all submissions to a machine, which it need not learn anew."""
    return Screen(Machine.of(same.architecture))


class _AsIs:
    """Takes circuits that are native already, or compiled, as they are.

    Args:
        architecture: Of the machine they will most likely run on; None leaves it open.
    """

    def __init__(self, architecture: DynamicQuantumArchitecture | None) -> None:
        self._architecture = architecture
        self._anywhere = Screen()

    @cached_property
    def _here(self) -> Screen:
        if self._architecture is None:
            return Screen()
        return _screen_of(_Same(self._architecture))

    def take(self, source: Source) -> Compiled:
        circuit = source.circuit
        if isinstance(circuit, Compiled):
            if isinstance(circuit.template, NativeTemplate):
                return circuit
            raise CircuitError(
                source.origin, "is made for Qoro: give the circuit it is of"
            )
        if not isinstance(circuit, Circuit):
            raise CircuitError(
                source.origin, "is not native: compile=False takes native circuits only"
            )
        if circuit.name != source.label:
            circuit = replace(circuit, name=source.label)
        runs_here = self._here.passes(circuit)
        here = self._architecture and self._architecture.calibration_set_id
        if not runs_here and not self._anywhere.passes(circuit):
            # Against any machine: only with the options of a job is it known which names
            # its qubits have on the machine, and what may happen while a state is in a
            # resonator.
            check(circuit, origin=source.origin, move_validation_mode="none")
            circuit = with_floats(circuit)
        template = NativeTemplate(
            instructions=tuple(circuit.instructions), metadata=circuit.metadata
        )
        widths = {key: len(locus) for key, locus in circuit.measured().items()}
        return compiled(
            source.label,
            template,
            Layout.from_keys(widths) or Layout.of_keys(widths),
            runs_on=here if runs_here else None,
        )
