# pyright: basic
"""IQM's native circuits on the simulator: checked, built, run.

The machine has no noise and no durations: every shot begins in the ground state. So
heralding keeps all shots, and resets before a shot, dynamical decoupling, delays and the
check of a circuit's duration have nothing to do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qawait.errors import CircuitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.iqm.circuit import Circuit, Instruction
    from qawait.local.simulation import Run

__all__ = ["check", "simulate"]

_ARGUMENTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "prx": (frozenset({"angle", "phase"}), frozenset()),
    "cz": (frozenset(), frozenset()),
    "measure": (frozenset({"key"}), frozenset({"feedback_key"})),
    "barrier": (frozenset(), frozenset()),
    "delay": (frozenset({"duration"}), frozenset()),
    "reset": (frozenset(), frozenset()),
}
"""Operations that this service runs: required and optional arguments."""

_ARITY = {"prx": 1, "cz": 2}
_CALIBRATED = ("prx", "cz", "measure")


def check(circuit: Circuit, architecture: DynamicQuantumArchitecture) -> None:
    """Holds a circuit against what the machine can do, as its compiler would.

    Raises:
        CircuitError: Says which circuit, which instruction and why.
    """
    keys: set[str] = set()
    for number, instruction in enumerate(circuit.instructions):
        reason = _fault(instruction, keys, architecture)
        if reason is not None:
            where = f"instruction {number} ({instruction.name}"
            if instruction.locus:
                where += f" on {', '.join(instruction.locus)}"
            raise CircuitError(f"circuit {circuit.name}", f"{where}): {reason}")
    if not keys:
        raise CircuitError(f"circuit {circuit.name}", "it measures nothing")


def _fault(
    instruction: Instruction,
    keys: set[str],
    architecture: DynamicQuantumArchitecture,
) -> str | None:
    name, locus, args = instruction.name, instruction.locus, instruction.args
    if name not in _ARGUMENTS:
        return (
            f"{name} is not supported by this service; it runs {', '.join(_ARGUMENTS)}"
        )
    required, optional = _ARGUMENTS[name]
    if missing := sorted(required - args.keys()):
        return f"the argument {missing[0]} is missing"
    if unknown := sorted(args.keys() - required - optional):
        return f"the argument {unknown[0]} is not known"
    for argument in sorted(args):
        if (reason := _fault_of_argument(argument, args[argument])) is not None:
            return reason
    if not locus:
        return "it acts on nothing"
    if len(set(locus)) != len(locus):
        return "a component appears twice"
    if name in _ARITY and len(locus) != _ARITY[name]:
        return f"it acts on {_ARITY[name]} component(s), not {len(locus)}"
    strangers = [c for c in locus if c not in architecture.qubits]
    if strangers:
        return f"the machine has no qubit {strangers[0]}"
    if name == "measure":
        if args["key"] in keys:
            return f"the key {args['key']} is already used in this circuit"
        keys.add(args["key"])
    return _fault_of_locus(instruction, architecture) if name in _CALIBRATED else None


def _fault_of_argument(name: str, value: Any) -> str | None:
    if name in ("key", "feedback_key"):
        return None if isinstance(value, str) and value else f"{name} must be a text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{name} must be a number, not {value!r}"
    if not math.isfinite(value):
        return f"{name} must be finite, not {value!r}"
    if name == "duration" and value < 0:
        return f"duration must not be negative, not {value!r}"
    return None


def _fault_of_locus(
    instruction: Instruction, architecture: DynamicQuantumArchitecture
) -> str | None:
    gate = architecture.gates.get(instruction.name)
    if gate is None:
        return "the calibration set has no such gate"
    if instruction.implementation is None:
        loci = gate.loci
    elif instruction.implementation in gate.implementations:
        loci = gate.implementations[instruction.implementation].loci
    else:
        known = ", ".join(gate.implementations)
        return f"no implementation {instruction.implementation}; there is {known}"
    locus = instruction.locus
    if instruction.name == "measure":
        calibrated = all((component,) in loci for component in locus)
    else:
        # CZ is symmetric, so either order of its qubits will do.
        calibrated = locus in loci or (len(locus) == 2 and locus[::-1] in loci)
    return None if calibrated else "this locus is not calibrated"


def _built(circuit: Circuit) -> tuple[QuantumCircuit, dict[str, int]]:
    """The circuit on the qubits that it uses, and the width of each key in order.

    Classical bits follow the measurements: the first bit of a key stands behind the
    last bit of the key before.
    """
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import RGate

    used = {
        component: index
        for index, component in enumerate(
            dict.fromkeys(
                c for i in circuit.instructions if i.name != "barrier" for c in i.locus
            )
        )
    }
    widths = {key: len(locus) for key, locus in circuit.measured().items()}
    built = QuantumCircuit(len(used), sum(widths.values()))
    first = 0
    for i in circuit.instructions:
        if i.name == "barrier":
            continue
        qubits = [used[component] for component in i.locus]
        if i.name == "prx":
            built.append(RGate(i.args["angle"], i.args["phase"]), qubits)
        elif i.name == "cz":
            built.cz(qubits[0], qubits[1])
        elif i.name == "reset":
            built.reset(qubits)
        elif i.name == "measure":
            built.measure(qubits, range(first, first + len(qubits)))
            first += len(qubits)
        # A delay does nothing on a machine without noise.
    return built, widths


def simulate(
    circuits: Sequence[Circuit], shots: int, seed: int | None = None
) -> tuple[list[dict[str, NDArray[np.uint8]]], list[Run]]:
    """Runs checked circuits.

    Returns:
        For each circuit its keys in circuit order with arrays `(shots, locus)`, and
        what the simulator says of the run.
    """
    from qawait.local.simulation import Method, bits, sample

    built = [_built(circuit) for circuit in circuits]
    runs = sample(
        [f"circuit {circuit.name}" for circuit in circuits],
        [circuit for circuit, _ in built],
        Method(),
        shots=shots,
        seed=seed,
        memory=True,
    )
    measured: list[dict[str, NDArray[np.uint8]]] = []
    for run, (circuit, widths) in zip(runs, built, strict=True):
        rows = bits(run.memory, circuit.num_clbits)
        first = 0
        keyed: dict[str, NDArray[np.uint8]] = {}
        for key, width in widths.items():
            keyed[key] = rows[:, first : first + width]
            first += width
        measured.append(keyed)
    return measured, runs
