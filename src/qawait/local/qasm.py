# pyright: basic
"""OpenQASM 2 programs on the simulator, as a Qoro cluster runs them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import CircuitError, ConfigurationError
from qawait.histograms import Histogram
from qawait.qoro.execution_config import ExecutionConfig, SimulationMethod, Simulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

    from qawait.local.simulation import Method, Run

__all__ = ["Program", "compiled", "method_of", "simulate"]

_METHODS = {
    SimulationMethod.Statevector: "statevector",
    SimulationMethod.MatrixProductState: "matrix_product_state",
    SimulationMethod.Stabilizer: "stabilizer",
    SimulationMethod.ExtendedStabilizer: "extended_stabilizer",
}
_NOISE = ("noisy_device", "noise_realizations", "noise_scaling_factor")


class Program(Struct, frozen=True):
    """One circuit of a job."""

    label: str
    qasm: str
    shots: int


def method_of(config: ExecutionConfig | None) -> Method:
    """Aer's method for a configuration; nothing is replaced by something else.

    Without a method it is a state vector, or a matrix product state where a bond
    dimension or a threshold is set. What `api_meta` says about the compiler of a
    quantum computer has nothing to act on here: there is no layout and no route.

    Raises:
        ConfigurationError: This service cannot do what the configuration asks for.
    """
    from qawait.local.simulation import Method

    if config is None:
        return Method()
    if config.simulator not in (None, Simulator.QiskitAer):
        raise ConfigurationError(
            f"simulator {config.simulator.name} is not installed here; this service"
            " runs QiskitAer, other simulators need the extra 'maestro'"
        )
    for name in _NOISE:
        if getattr(config, name) is not None:
            raise ConfigurationError(
                f"{name}: this service simulates without noise; noise needs the extra"
                " 'maestro'"
            )
    if (config.api_meta or {}).get("approximation_degree", 1) != 1:
        raise ConfigurationError(
            "approximation_degree has no documented meaning on a simulator"
        )
    truncated = (config.bond_dimension, config.truncation_threshold) != (None, None)
    method = config.simulation_method
    if method is None:
        method = (
            SimulationMethod.MatrixProductState
            if truncated
            else SimulationMethod.Statevector
        )
    if method not in _METHODS:
        raise ConfigurationError(
            f"simulation_method {method.name} is not installed here; it needs the extra"
            " 'maestro'"
        )
    if method is not SimulationMethod.MatrixProductState:
        # The client warned that they have no effect; the service's rule is the same.
        return Method(_METHODS[method])
    return Method(_METHODS[method], config.bond_dimension, config.truncation_threshold)


@lru_cache(maxsize=8)
def compiled(programs: tuple[Program, ...], method: Method) -> tuple[_Ready, ...]:
    """Reads the programs and brings them into gates that the method has.

    Kept for the run that follows, which may meet the same process.

    Raises:
        CircuitError: Names the circuit and says what is wrong with it.
    """
    return tuple(_ready(program, method) for program in programs)


class _Ready(Struct, frozen=True):
    circuit: QuantumCircuit
    n_bits: int
    skipped_bits: int


def _ready(program: Program, method: Method) -> _Ready:
    from qiskit import qasm2

    from qawait.local.simulation import lowered

    where = f"circuit {program.label}"
    try:
        circuit = qasm2.loads(
            program.qasm,
            # By default the parser opens any path that an include names.
            include_path=(),
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
        )
    except qasm2.QASM2ParseError as error:
        raise CircuitError(where, f"not OpenQASM 2: {error.message}") from error
    if not circuit.num_qubits:
        raise CircuitError(where, "it has no qubits")
    declared = circuit.num_clbits
    if _measures(circuit):
        return _Ready(lowered(where, circuit, method), declared, 0)
    # Qoro's own simulator counts over all qubits where nothing is measured (wire
    # reference, Qoro, §6); classical bits that were declared all the same stay out.
    circuit.measure_all()
    return _Ready(lowered(where, circuit, method), circuit.num_qubits, declared)


def _measures(circuit: QuantumCircuit) -> bool:
    return any(
        instruction.operation.name == "measure"
        or any(
            _measures(block) for block in getattr(instruction.operation, "blocks", ())
        )
        for instruction in circuit.data
    )


def simulate(
    programs: Sequence[Program],
    config: ExecutionConfig | None,
    seed: int | None = None,
) -> tuple[list[tuple[str, Histogram]], list[Run]]:
    """Runs a job; circuits with the same number of shots share one run of Aer.

    Returns:
        Label and histogram of each circuit, and what the simulator says of each run,
        in the order of the programs.
    """
    from qawait.local.simulation import outcomes, sample

    method = method_of(config)
    ready = compiled(tuple(programs), method)
    by_shots: dict[int, list[int]] = {}
    for index, program in enumerate(programs):
        by_shots.setdefault(program.shots, []).append(index)
    runs: dict[int, Run] = {}
    for number, (shots, indices) in enumerate(by_shots.items()):
        sampled = sample(
            [f"circuit {programs[i].label}" for i in indices],
            [ready[i].circuit for i in indices],
            method,
            shots=shots,
            # Runs from one seed would repeat each other's samples.
            seed=None if seed is None else seed + number,
        )
        runs.update(zip(indices, sampled, strict=True))
    rows: list[tuple[str, Histogram]] = []
    for index, (program, one) in enumerate(zip(programs, ready, strict=True)):
        values, counts = outcomes(
            runs[index].counts, one.n_bits, skipped_bits=one.skipped_bits
        )
        rows.append((program.label, Histogram(one.n_bits, values, counts)))
    return rows, [runs[index] for index in range(len(programs))]
