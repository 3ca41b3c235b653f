# pyright: basic
"""IQM's native circuits on the simulator: checked, built, run.

The machine has no noise, and its operations take no time but for the delays that a
circuit asks for. Every shot begins in the ground state, so heralding with "zeros", which
measures all qubits at the start and drops the shots where one reads 1, keeps every shot;
and resets before a shot, dynamical decoupling and frame tracking have nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.errors import CircuitError
from qawait.iqm.screening import Screen
from qawait.iqm.validation import Machine
from qawait.iqm.validation import check as check_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qawait.iqm.circuit import Circuit
    from qawait.iqm.serving import Request
    from qawait.local.chip import Chip
    from qawait.local.simulation import Run

__all__ = ["check", "simulate"]

_IDLE = ("barrier", "delay")
"""What changes no state on a machine without noise."""


def check(request: Request, chip: Chip) -> None:
    """Holds the circuits of a request against what a chip can do, as a compiler would.

    Raises:
        CircuitError: Says which circuit, which instruction and why.
    """
    asked = request.calibration_set_id
    if asked not in (None, "default", chip.calibration_set_id):
        raise CircuitError(chip.alias, f"it has no calibration set {asked}")
    machine = Machine.of(chip.architecture)
    screen = Screen(machine)
    for circuit in request.circuits:
        origin = f"circuit {circuit.name}"
        if not screen.passes(circuit):
            check_rules(
                circuit,
                origin=origin,
                machine=machine,
                move_validation_mode=request.move_validation_mode,
            )
        if request.max_circuit_duration_over_t2:
            most = request.max_circuit_duration_over_t2
            _check_duration(circuit, origin, chip, most)


def _check_duration(circuit: Circuit, origin: str, chip: Chip, most: float) -> None:
    """Holds the delays of a circuit against the shortest T2 of its qubits."""
    names = {c for i in circuit.instructions for c in i.locus}
    times = {
        qubit: time for qubit, time in chip.coherence_times().items() if qubit in names
    }
    shortest = min(times, key=times.__getitem__)
    seconds = _duration(circuit)
    if seconds > most * times[shortest]:
        raise CircuitError(
            origin,
            f"its delays take {seconds:g} s, {seconds / times[shortest]:.3g} times the"
            f" T2 of {shortest}; max_circuit_duration_over_t2 allows {most:g} times",
        )


def _duration(circuit: Circuit) -> float:
    """Seconds until the last component is done, where only delays take time."""
    busy_until: dict[str, float] = {}
    for instruction in circuit.instructions:
        begin = max(busy_until.get(component, 0.0) for component in instruction.locus)
        delay: float = instruction.args.get("duration", 0.0)
        for component in instruction.locus:
            busy_until[component] = begin + delay
    return max(busy_until.values())


def _built(circuit: Circuit) -> tuple[QuantumCircuit, dict[str, int]]:
    """The circuit on the components that it uses, and the width of each key in order.

    Classical bits follow the measurements: the first bit of a key stands behind the
    last bit of the key before. A resonator is a qubit like the others: MOVE is defined
    where one of its two components is in the ground state, and there it is their SWAP,
    up to a phase that the MOVE back takes away.
    """
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import RGate

    used = {
        component: index
        for index, component in enumerate(
            dict.fromkeys(
                c for i in circuit.instructions if i.name not in _IDLE for c in i.locus
            )
        )
    }
    widths = {key: len(locus) for key, locus in circuit.measured().items()}
    built = QuantumCircuit(len(used), sum(widths.values()))
    bit_of_feedback: dict[tuple[str, str], int] = {}
    first = 0
    for i in circuit.instructions:
        if i.name in _IDLE:
            continue
        qubits = [used[component] for component in i.locus]
        if i.name == "prx":
            built.append(RGate(i.args["angle"], i.args["phase"]), qubits)
        elif i.name == "cc_prx":
            bit = bit_of_feedback[i.args["feedback_key"], i.args["feedback_qubit"]]
            with built.if_test((built.clbits[bit], 1)):
                built.append(RGate(i.args["angle"], i.args["phase"]), qubits)
        elif i.name == "cz":
            built.cz(qubits[0], qubits[1])
        elif i.name == "move":
            built.swap(qubits[0], qubits[1])
        elif i.name == "reset":
            built.reset(qubits)
        elif i.name == "measure":
            built.measure(qubits, range(first, first + len(qubits)))
            for bit, component in enumerate(i.locus, first):
                bit_of_feedback[i.args.get("feedback_key", ""), component] = bit
            first += len(qubits)
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
