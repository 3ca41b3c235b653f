# pyright: basic
"""OpenQASM 2 programs on the simulator, as a Qoro cluster runs them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import CircuitError, ConfigurationError
from qawait.histograms import Histogram
from qawait.local import maestro
from qawait.qoro.serving import encode_row, encode_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

    from qawait.local.asked import Asked
    from qawait.local.simulation import Method, Run
    from qawait.qoro.messages import Row

__all__ = ["Program", "check", "method_of", "simulate"]

_METHODS = {
    "Statevector": "statevector",
    "MatrixProductState": "matrix_product_state",
    "Stabilizer": "stabilizer",
    "ExtendedStabilizer": "extended_stabilizer",
}


class Program(Struct, frozen=True):
    """One circuit of a job."""

    label: str
    qasm: str
    shots: int
    observables: tuple[str, ...] = ()
    """The leftmost letter for qubit 0; none where shots are asked for."""


def method_of(asked: Asked) -> Method | None:
    """Aer's method for what is asked; nothing is replaced by something else.

    Without a method it is a state vector, or a matrix product state where a bond
    dimension or a threshold is set.

    Returns:
        None where only the extra `maestro` can do it, and it is there.

    Raises:
        ConfigurationError: This service cannot do what the configuration asks for.
    """
    from qawait.local.simulation import Method

    missing = None
    truncated = (asked.bond_dimension, asked.truncation_threshold) != (None, None)
    usual = "MatrixProductState" if truncated else "Statevector"
    method = asked.method or usual
    if asked.simulator not in (None, "QiskitAer"):
        missing = f"simulator {asked.simulator} is not installed here"
    elif method not in _METHODS:
        missing = f"simulation_method {method} is not installed here"
    elif asked.others:
        missing = f"{', '.join(asked.others)} cannot be honoured here"
    if missing is not None:
        if maestro.is_installed():
            return None
        raise ConfigurationError(
            f"{missing}; this service runs QiskitAer, what goes beyond it needs the "
            "extra 'maestro'"
        )
    if method != "MatrixProductState":
        # The client warned that they have no effect; the service's rule is the same.
        return Method(_METHODS[method])
    return Method(_METHODS[method], asked.bond_dimension, asked.truncation_threshold)


def check(programs: tuple[Program, ...], asked: Asked) -> None:
    """Finds what is wrong with a job before it takes its turn.

    Raises:
        CircuitError: Names the circuit and says what is wrong with it.
        ConfigurationError: This service cannot do what the configuration asks for.
    """
    _compiled(programs, method_of(asked))


def simulate(
    programs: tuple[Program, ...], asked: Asked, seed: int | None = None
) -> tuple[list[Row], list[Run]]:
    """Runs a job.

    Args:
        programs: All of its circuits.
        asked: How; a seed in it wins.
        seed: None draws a new one.

    Returns:
        The result of each circuit as it goes onto the wire, and what the simulator says
        of each run, in the order of the programs.
    """
    seed = seed if asked.seed is None else asked.seed
    method = method_of(asked)
    ready = _compiled(programs, method)
    if method is None:
        return _by_maestro(programs, ready, asked, seed)
    if programs[0].observables:
        return _values(programs, ready, method)
    return _counts(programs, ready, method, seed)


# --- reading the programs -------------------------------------------------------------


class _Ready(Struct, frozen=True):
    circuit: QuantumCircuit
    n_bits: int
    skipped_bits: int


# Kept for the run that follows, which may meet the same process.
@lru_cache(maxsize=8)
def _compiled(
    programs: tuple[Program, ...], method: Method | None
) -> tuple[_Ready, ...]:
    return tuple(_ready(program, method) for program in programs)


def _ready(program: Program, method: Method | None) -> _Ready:
    from qiskit import qasm2

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
    if program.observables:
        _refuse_observables(where, circuit, program.observables)
        circuit = _without_measurements(where, circuit)
        return _Ready(_lowered(where, circuit, method), 0, 0)
    if _measures(circuit):
        return _Ready(_lowered(where, circuit, method), declared, 0)
    # Qoro's own simulator counts over all qubits where nothing is measured (wire
    # reference, Qoro, §6); classical bits that were declared all the same stay out.
    circuit.measure_all()
    return _Ready(_lowered(where, circuit, method), circuit.num_qubits, declared)


def _lowered(
    where: str, circuit: QuantumCircuit, method: Method | None
) -> QuantumCircuit:
    from qawait.local.simulation import lowered

    return circuit if method is None else lowered(where, circuit, method)


def _measures(circuit: QuantumCircuit) -> bool:
    return any(
        instruction.operation.name == "measure"
        or any(
            _measures(block) for block in getattr(instruction.operation, "blocks", ())
        )
        for instruction in circuit.data
    )


def _refuse_observables(
    where: str, circuit: QuantumCircuit, observables: Sequence[str]
) -> None:
    for term in observables:
        if len(term.rstrip("I")) > circuit.num_qubits:
            raise CircuitError(
                where,
                f"the observable {term[:40]} acts on qubit {len(term.rstrip('I')) - 1},"
                f" there are {circuit.num_qubits}",
            )


def _without_measurements(where: str, circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without the measurements at its end, which observables come before.

    Raises:
        CircuitError: Something in the middle leaves no single state behind.
    """
    left = circuit.copy_empty_like()
    measured: set[object] = set()
    for instruction in circuit.data:
        name = instruction.operation.name
        if name == "measure":
            measured.update(instruction.qubits)
            continue
        if name == "barrier":
            left.append(instruction)
            continue
        if name in ("reset", "if_else") or not measured.isdisjoint(instruction.qubits):
            raise CircuitError(
                where,
                "expectation values are computed from one final state; a reset, a "
                "condition or a measurement before the end leaves none",
            )
        left.append(instruction)
    return left


# --- running them -----------------------------------------------------------------------


def _counts(
    programs: tuple[Program, ...],
    ready: tuple[_Ready, ...],
    method: Method,
    seed: int | None,
) -> tuple[list[Row], list[Run]]:
    """Samples circuits; those with the same number of shots share one run of Aer."""
    from qawait.local.simulation import outcomes, sample

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
    rows: list[Row] = []
    for index, (program, one) in enumerate(zip(programs, ready, strict=True)):
        values, counts = outcomes(
            runs[index].counts, one.n_bits, skipped_bits=one.skipped_bits
        )
        rows.append(encode_row(program.label, Histogram(one.n_bits, values, counts)))
    return rows, [runs[index] for index in range(len(programs))]


def _values(
    programs: tuple[Program, ...], ready: tuple[_Ready, ...], method: Method
) -> tuple[list[Row], list[Run]]:
    from qawait.local.simulation import expectations

    runs = expectations(
        [f"circuit {program.label}" for program in programs],
        [one.circuit for one in ready],
        method,
        [program.observables for program in programs],
    )
    rows = [
        encode_values(program.label, run.values)
        for program, run in zip(programs, runs, strict=True)
    ]
    return rows, runs


def _by_maestro(
    programs: tuple[Program, ...],
    ready: tuple[_Ready, ...],
    asked: Asked,
    seed: int | None,
) -> tuple[list[Row], list[Run]]:
    from qawait.local.simulation import Run

    rows: list[Row] = []
    runs: list[Run] = []
    for number, (program, one) in enumerate(zip(programs, ready, strict=True)):
        where = f"circuit {program.label}"
        if program.observables:
            values, started, ended = maestro.values(
                where, one.circuit, program.observables, asked
            )
            rows.append(encode_values(program.label, values))
        else:
            histogram, started, ended = maestro.counts(
                where,
                one.circuit,
                asked,
                n_bits=one.n_bits,
                skipped_bits=one.skipped_bits,
                shots=program.shots,
                # Circuits from one seed would repeat each other's samples.
                seed=None if seed is None else seed + number,
            )
            rows.append(encode_row(program.label, histogram))
        runs.append(Run([], {}, started, ended, asked.method or "maestro"))
    return rows, runs
