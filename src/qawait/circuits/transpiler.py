# pyright: basic
"""Qiskit circuits to IQM's native operations, by Qiskit's own transpiler."""

from __future__ import annotations

import re
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from qiskit.circuit import Delay, Measure, Parameter, ParameterExpression, Reset
from qiskit.circuit.library import CZGate, RGate
from qiskit.exceptions import QiskitError
from qiskit.transpiler import Target, generate_preset_pass_manager

from qawait.circuits.batch import one_line
from qawait.circuits.native import Formula, NativeTemplate
from qawait.circuits.rules import registers_of
from qawait.errors import CircuitError
from qawait.iqm.circuit import Instruction
from qawait.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qiskit import QuantumCircuit
    from qiskit.transpiler import (
        InstructionProperties,
        QubitProperties,
        StagedPassManager,
    )

    from qawait.iqm.architecture import DynamicQuantumArchitecture

__all__ = ["Chip", "chip_of", "native_form", "target_of", "transpiled"]

_ENDS_IN_NUMBER = re.compile(r".*_\d+", re.DOTALL)


class Chip(Struct, frozen=True):
    """What the transpiler has to know of an architecture; hashable."""

    qubits: tuple[str, ...]
    """Names of the qubits that can be driven and measured; Qiskit knows their index."""
    couplers: tuple[tuple[int, int], ...]
    """Where CZ is calibrated, in the order of the architecture's loci."""


def transpiled(
    circuit: QuantumCircuit,
    architecture: DynamicQuantumArchitecture,
    *,
    origin: str,
    target_name: str,
    seed: int,
    optimization_level: int,
) -> tuple[NativeTemplate, Layout]:
    """Compiles one circuit; free parameters stay free.

    Raises:
        CircuitError: It is too wide or has no native form.
    """
    chip = chip_of(architecture)
    width, available = circuit.num_qubits, len(chip.qubits)
    if width > available:
        reason = f"needs {width} qubits, {target_name} has {available}"
        raise CircuitError(origin, reason)
    passes, lock = _passes(chip, optimization_level, seed)
    try:
        # A pass manager keeps its state in itself, and clients compile in threads.
        with lock:
            native = passes.run(circuit)
    except QiskitError as error:
        reason = f"cannot be compiled for {target_name}: {one_line(error)}"
        if architecture.computational_resonators and not chip.couplers:
            reason = (
                f"{target_name} couples its qubits through a resonator, for which"
                " circuits are not compiled: give native instructions"
            )
        raise CircuitError(origin, reason) from error
    return native_form(native, chip, origin, circuit.parameters)


def native_form(
    circuit: QuantumCircuit,
    chip: Chip,
    origin: str,
    parameters: Iterable[Any] = (),
) -> tuple[NativeTemplate, Layout]:
    """A circuit of native gates on the chip's own qubits, written down for IQM.

    `parameters` are those of the circuit before it was transpiled: one that had no
    effect is gone from the gates, and its user still gives it values.

    Raises:
        CircuitError: It has another operation than `r`, `cz`, `measure`, `barrier`,
            `delay` in seconds and `reset`, or measures nothing.
    """
    symbols = {parameter.name: parameter for parameter in parameters}
    return _Writer(circuit, chip, origin).written(symbols)


def chip_of(architecture: DynamicQuantumArchitecture) -> Chip:
    """The qubits and couplers of an architecture that circuits are compiled for."""
    driven = {component for locus in architecture.loci("prx") for component in locus}
    measured = {
        component for locus in architecture.loci("measure") for component in locus
    }
    qubits = tuple(q for q in architecture.qubits if q in driven and q in measured)
    index = {name: number for number, name in enumerate(qubits)}
    return Chip(
        qubits,
        tuple(
            (index[locus[0]], index[locus[1]])
            for locus in architecture.loci("cz")
            if len(locus) == 2 and locus[0] in index and locus[1] in index
        ),
    )


def target_of(
    chip: Chip,
    *,
    figures: Mapping[tuple[str, tuple[int, ...]], InstructionProperties] | None = None,
    qubits: Sequence[QubitProperties] | None = None,
) -> Target:
    """A chip as Qiskit's transpiler wants it described.

    Args:
        chip: The chip.
        figures: How well a gate does, by its name in Qiskit and its qubits, where that
            is known; None knows nothing.
        qubits: Of each qubit in order; None knows nothing.
    """
    known = figures or {}

    def everywhere(gate: str) -> dict[Any, InstructionProperties | None]:
        return {(i,): known.get((gate, (i,))) for i in range(len(chip.qubits))}

    target = Target(
        num_qubits=len(chip.qubits),
        qubit_properties=None if qubits is None else list(qubits),
    )
    # PRX(θ, φ) is Qiskit's R. Wire reference §5.1.
    target.add_instruction(RGate(Parameter("theta"), Parameter("phi")), everywhere("r"))
    both_ways = {
        pair: known.get(("cz", pair))
        for a, b in chip.couplers
        for pair in ((a, b), (b, a))
    }
    target.add_instruction(CZGate(), both_ways)
    target.add_instruction(Measure(), everywhere("measure"))
    target.add_instruction(Reset(), everywhere("reset"))
    target.add_instruction(Delay(Parameter("t")), everywhere("delay"))
    return target


# Building a pass manager takes some 35 ms, running it on a small circuit 2 ms.
@lru_cache(maxsize=16)
def _passes(chip: Chip, level: int, seed: int) -> tuple[StagedPassManager, Lock]:
    passes = generate_preset_pass_manager(
        optimization_level=level, target=target_of(chip), seed_transpiler=seed
    )
    return passes, Lock()


class _Writer:
    """Writes one transpiled circuit down as native instructions."""

    def __init__(self, circuit: QuantumCircuit, chip: Chip, origin: str) -> None:
        self.circuit = circuit
        self.origin = origin
        self.chip = chip
        self.couplers = {frozenset(pair): pair for pair in chip.couplers}
        self.operations = list(circuit.data)
        self.loci = [
            tuple(circuit.find_bit(qubit).index for qubit in operation.qubits)
            for operation in self.operations
        ]
        self.instructions: list[Instruction] = []
        self.formulas: list[Formula] = []
        self.expressions: dict[Any, int] = {}

    def written(self, symbols: dict[str, Any]) -> tuple[NativeTemplate, Layout]:
        measurements, layout = self.measurements()
        for number, operation in enumerate(self.operations):
            name = operation.name
            if name == "measure":
                if number in measurements:
                    self.instructions.append(measurements[number])
            elif name == "r":
                angle, phase = operation.params
                self.add("prx", self.loci[number], angle=angle, phase=phase)
            elif name == "cz":
                a, b = self.loci[number]
                # Named as the architecture names it, for services that are strict.
                self.add("cz", self.couplers[frozenset((a, b))])
            elif name == "delay":
                duration = self.seconds(operation.operation)
                self.add("delay", self.loci[number], duration=duration)
            elif name in ("barrier", "reset"):
                self.add(name, self.loci[number])
            else:
                raise CircuitError(self.origin, f"{name!r} has no native form")
        if not measurements:
            raise CircuitError(self.origin, "measures nothing once it is compiled")
        template = NativeTemplate(
            instructions=tuple(self.instructions),
            formulas=tuple(self.formulas),
            expressions=tuple(self.expressions),
            symbols=symbols,
        )
        return template, layout

    def names(self, locus: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.chip.qubits[index] for index in locus)

    def add(self, operation: str, locus: tuple[int, ...], **args: Any) -> None:
        numbers: dict[str, Any] = {}
        for argument, value in args.items():
            if isinstance(value, ParameterExpression) and value.parameters:
                expression = self.expressions.setdefault(value, len(self.expressions))
                here = len(self.instructions)
                self.formulas.append(Formula(here, argument, expression))
            else:
                numbers[argument] = float(value)
        self.instructions.append(Instruction(operation, self.names(locus), numbers))

    def seconds(self, delay: Any) -> Any:
        # The transpiler has brought all units but a machine's own to seconds.
        if delay.unit != "s":
            reason = (
                f"a delay of {delay.duration} {delay.unit} has no length in seconds"
            )
            raise CircuitError(self.origin, reason)
        return delay.duration

    def measurements(self) -> tuple[dict[int, Instruction], Layout]:
        """The measurements to write, each under the number of its operation.

        A register that is measured in one place has its instruction under the last of
        its operations and none under the others.
        """
        # The operation that gives each bit its final value, and those it replaces.
        final: dict[Any, int] = {}
        replaced: list[int] = []
        last_on_qubit: dict[int, int] = {}
        for number, operation in enumerate(self.operations):
            for index in self.loci[number]:
                last_on_qubit[index] = number
            if operation.name == "measure":
                bit = operation.clbits[0]
                if bit in final:
                    replaced.append(final[bit])
                final[bit] = number

        written = {
            number: self.measured(f"overwritten_{n}", self.loci[number])
            for n, number in enumerate(replaced)
        }
        rewritten = {self.operations[number].clbits[0] for number in replaced}
        columns: list[tuple[str, int] | None] = []
        registers = registers_of(self.circuit)
        keys_of_bits = {
            f"{name}_{size}_{index}_{bit}"
            for index, (name, size) in enumerate(registers)
            for bit in range(size)
        }
        for index, register in enumerate(self.circuit.cregs):
            key = f"{register.name}_{register.size}_{index}"
            numbers = [final.get(bit) for bit in register]
            in_one_place = (
                all(
                    n is not None and last_on_qubit[self.loci[n][0]] == n
                    for n in numbers
                )
                and rewritten.isdisjoint(register)
                and key not in keys_of_bits
                # Such a key could be read back as that of one bit.
                and not (
                    register.size == 1 and _ENDS_IN_NUMBER.fullmatch(register.name)
                )
            )
            if in_one_place:
                locus = tuple(self.loci[n][0] for n in numbers if n is not None)
                last = max(n for n in numbers if n is not None)
                written[last] = self.measured(key, locus)
                columns.extend((key, column) for column in range(register.size))
                continue
            for bit, number in enumerate(numbers):
                if number is None:
                    columns.append(None)
                    continue
                key_of_bit = f"{key}_{bit}"
                written[number] = self.measured(key_of_bit, self.loci[number])
                columns.append((key_of_bit, 0))
        return written, Layout(registers, tuple(columns))

    def measured(self, key: str, locus: tuple[int, ...]) -> Instruction:
        return Instruction("measure", self.names(locus), {"key": key})
