# pyright: basic
"""Circuits of Qiskit to templates of a service, each compiled once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit

from qawait.circuits import compile_native, read, to_qasm2
from qawait.circuits.batch import for_each
from qawait.circuits.compiled import compiled
from qawait.circuits.identity import source_bytes
from qawait.circuits.transpiler import native_form
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.circuits import Compiled, Source
    from qawait.qiskit.machine import Machine

__all__ = ["Compiler", "speaks_natively"]

_KEPT = 64
"""Templates that are remembered: an optimiser comes back with the same one."""


class Compiler:
    """Compiles circuits for one machine and remembers those with free parameters.

    Args:
        machine: What they are compiled for.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._known: OrderedDict[Any, Compiled] = OrderedDict()

    def compile(
        self,
        circuits: Mapping[str, QuantumCircuit],
        *,
        seed: int,
        optimization_level: int,
        measure_all: bool | None = False,
    ) -> list[Compiled]:
        """Every circuit as a template; for a thread.

        One that is native already, as Qiskit's transpiler has made it for this backend,
        stays as it is, on the qubits that it names.

        Args:
            circuits: By their labels, which errors name.
            seed: The transpiler's.
            optimization_level: The transpiler's, 0 to 3.
            measure_all: False refuses a circuit that measures nothing; None lets it.

        Raises:
            CircuitError: One cannot run there.
            ConfigurationError: Several cannot, each named on a line of its own.
        """
        settings = (seed, optimization_level, measure_all)

        def made(labelled: tuple[str, QuantumCircuit]) -> Compiled:
            label, circuit = labelled
            if not isinstance(circuit, QuantumCircuit):
                raise ConfigurationError(
                    f"{label}: give a QuantumCircuit, not a {type(circuit).__name__}"
                )
            [source] = read(
                circuit, label=label, measure_all=measure_all, allow_parameters=True
            )
            if not circuit.parameters:
                return self._compiled(source, seed, optimization_level)
            # what a circuit is, and not which object: that can be changed
            key = (source_bytes(source), *settings)
            template = self._known.get(key)
            if template is None:
                template = self._compiled(source, seed, optimization_level)
                self._known[key] = template
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            return template.with_values({}, label)

        return for_each(circuits.items(), made)

    def _compiled(self, source: Source, seed: int, optimization_level: int) -> Compiled:
        machine = self._machine
        name = machine.about.name
        if machine.architecture is None or machine.chip is None:
            [made] = to_qasm2([source], target_name=name, qubits=machine.about.qubits)
            return made
        circuit: QuantumCircuit = source.circuit
        if not speaks_natively(circuit, machine):
            [made] = compile_native(
                [source],
                machine.architecture,
                target_name=name,
                seed=seed,
                optimization_level=optimization_level,
            )
            return made
        template, layout = native_form(
            circuit, machine.chip, source.origin, circuit.parameters
        )
        calibration = machine.architecture.calibration_set_id
        return compiled(source.label, template, layout, calibration_set_id=calibration)


def speaks_natively(circuit: QuantumCircuit, machine: Machine) -> bool:
    """Whether a circuit is what Qiskit's transpiler makes for the backend.

    That is as wide as the machine, and of its gates only, where it has them.
    """
    target = machine.target
    return circuit.num_qubits == target.num_qubits and all(
        entry.operation.name == "barrier"
        or target.instruction_supported(
            entry.operation.name,
            tuple(circuit.find_bit(qubit).index for qubit in entry.qubits),
        )
        for entry in circuit.data
    )
