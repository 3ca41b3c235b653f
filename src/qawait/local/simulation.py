# pyright: basic
"""Runs circuits on Qiskit Aer; only worker processes import this.

Aer holds the interpreter lock for a whole run, so it may not share a process with the
event loop; one thread for each run, because the service scales by processes.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Pauli
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue

from qawait.errors import CircuitError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

__all__ = [
    "MOST_QUBITS",
    "Method",
    "Run",
    "bits",
    "expectations",
    "lowered",
    "outcomes",
    "packed_outcomes",
    "sample",
]

MOST_QUBITS = {
    "statevector": 26,
    "matrix_product_state": 1000,
    "stabilizer": 1000,
    "extended_stabilizer": 63,
}
"""The widest circuit for each method; 26 qubits of state vector take 1 GiB."""


class Method(Struct, frozen=True):
    """One of Aer's methods with its options; None leaves an option to Aer."""

    name: str = "statevector"
    """A key of `MOST_QUBITS`."""
    bond_dimension: int | None = None
    truncation_threshold: float | None = None


class Run(Struct, frozen=True):
    """What the simulator gave for one circuit."""

    memory: list[str]
    """One hexadecimal outcome for each shot; empty if only counts were asked for."""
    counts: dict[str, int]
    started: float
    """Seconds since the epoch."""
    ended: float
    method: str
    """The method as the simulator reports it after the run."""
    values: dict[str, float] = {}
    """Expectation values, where these were asked for."""


@lru_cache(maxsize=16)
def _simulator(method: Method) -> AerSimulator:
    options = {
        "matrix_product_state_max_bond_dimension": method.bond_dimension,
        "matrix_product_state_truncation_threshold": method.truncation_threshold,
    }
    return AerSimulator(
        method=method.name,
        max_parallel_threads=1,
        **{name: value for name, value in options.items() if value is not None},
    )


@lru_cache(maxsize=4)
def _pass_manager(name: str):
    # Built once for each method: `transpile()` builds it anew for every call, which
    # takes 62 ms for a circuit where the kept one takes 0.2 ms.
    gates = set(AerSimulator(method=name).operation_names)
    standard = set(get_standard_gate_name_mapping())
    return generate_preset_pass_manager(
        optimization_level=0, basis_gates=sorted(gates & standard)
    )


def lowered(label: str, circuit: QuantumCircuit, method: Method) -> QuantumCircuit:
    """The circuit in gates that the method has.

    Raises:
        CircuitError: It is too wide, or holds a gate that the method cannot run.
    """
    widest = MOST_QUBITS[method.name]
    if circuit.num_qubits > widest:
        reason = (
            f"{circuit.num_qubits} qubits, and {method.name} takes {widest} at most"
        )
        if method.name == "statevector":
            reason += "; choose simulation_method MatrixProductState or Stabilizer"
        raise CircuitError(label, reason)
    try:
        circuit = _pass_manager(method.name).run(circuit)
    except QiskitError as error:
        raise CircuitError(
            label, f"{method.name} cannot run it: {error.message}"
        ) from error
    if method.name == "stabilizer":
        _refuse_what_is_not_clifford(label, circuit)
    return circuit


def _refuse_what_is_not_clifford(label: str, circuit: QuantumCircuit) -> None:
    # Every other gate of the method is Clifford at any time.
    for instruction in circuit.data:
        if instruction.operation.name == "rz":
            quarters = float(instruction.operation.params[0]) / (math.pi / 2)
            if not math.isclose(quarters, round(quarters), abs_tol=1e-9):
                raise CircuitError(
                    label,
                    "stabilizer runs Clifford gates only, and this circuit turns by"
                    f" {quarters * 90:g} degrees",
                )


def sample(
    labels: Sequence[str],
    circuits: Sequence[QuantumCircuit],
    method: Method,
    *,
    shots: int,
    seed: int | None = None,
    memory: bool = False,
) -> list[Run]:
    """Runs all circuits in one go, which saves 10 % over one by one.

    Args:
        labels: Names for errors, one for each circuit.
        circuits: Lowered for the method.
        method: For all of them.
        shots: For each circuit.
        seed: None draws a new one.
        memory: Whether the outcome of every shot is wanted, in order.

    Raises:
        CircuitError: The simulator refused a circuit, in its own words.
    """
    started = time.time()
    result = (
        _simulator(method)
        .run(list(circuits), shots=shots, memory=memory, seed_simulator=seed)
        .result()
    )
    _raise_what_failed(result, labels, method)
    runs: list[Run] = []
    for experiment in result.results:
        ended = started + experiment.time_taken
        runs.append(
            Run(
                list(getattr(experiment.data, "memory", ())),
                dict(getattr(experiment.data, "counts", {})),
                started,
                ended,
                experiment.metadata["method"],
            )
        )
        started = ended
    return runs


_EXACT = ("statevector", "matrix_product_state", "stabilizer")
"""Methods that compute expectation values; the others only sample."""


def expectations(
    labels: Sequence[str],
    circuits: Sequence[QuantumCircuit],
    method: Method,
    observables: Sequence[Sequence[str]],
) -> list[Run]:
    """The exact expectation values of each circuit, from its final state.

    Args:
        labels: Names for errors, one for each circuit.
        circuits: Lowered for the method, without measurements.
        method: For all of them.
        observables: For each circuit, the leftmost letter for qubit 0; missing letters
            are identities.

    Raises:
        ConfigurationError: The method computes none.
        CircuitError: The simulator refused a circuit, in its own words.
    """
    if method.name not in _EXACT:
        raise ConfigurationError(
            f"{method.name} computes no expectation values; {', '.join(_EXACT)} do"
        )
    asked: list[QuantumCircuit] = []
    for circuit, terms in zip(circuits, observables, strict=True):
        saving = circuit.copy()
        for term in dict.fromkeys(terms):
            # On all qubits: Aer 0.18 takes one Z on two places for Z on both.
            letters = term[: circuit.num_qubits].ljust(circuit.num_qubits, "I")
            save = SaveExpectationValue(Pauli(letters[::-1]), label=term)
            saving.append(save, circuit.qubits)
        asked.append(saving)
    started = time.time()
    result = _simulator(method).run(asked, shots=1).result()
    _raise_what_failed(result, labels, method)
    runs: list[Run] = []
    for experiment, terms in zip(result.results, observables, strict=True):
        ended = started + experiment.time_taken
        data = experiment.data.to_dict()
        values = {term: float(data[term]) for term in terms}
        ran = experiment.metadata["method"]
        runs.append(Run([], {}, started, ended, ran, values))
        started = ended
    return runs


def _raise_what_failed(result: Any, labels: Sequence[str], method: Method) -> None:
    for label, experiment in zip(labels, result.results, strict=False):
        if not experiment.success:
            raise CircuitError(
                label, f"{method.name} cannot run it: {experiment.status}"
            )
    if not result.success:
        raise CircuitError(", ".join(labels), f"the simulator stopped: {result.status}")


def _packed(hexadecimal: Sequence[str], n_bits: int) -> NDArray[np.uint8]:
    """Hexadecimal outcomes as big-endian bytes, `(k, ceil(n_bits / 8))`."""
    n_bytes = -(-n_bits // 8)
    text = "".join(outcome[2:].zfill(2 * n_bytes) for outcome in hexadecimal)
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, n_bytes)


def bits(memory: Sequence[str], n_bits: int) -> NDArray[np.uint8]:
    """Every shot as a row, `(shots, n_bits)`; column j is classical bit j."""
    packed = _packed(memory, n_bits)
    return np.unpackbits(packed[:, ::-1], axis=1, count=n_bits, bitorder="little")


def outcomes(
    counts: dict[str, int], n_bits: int, *, skipped_bits: int = 0
) -> tuple[NDArray[np.uint64] | NDArray[np.uint8], NDArray[np.int64]]:
    """Counts as arrays, by ascending outcome.

    Args:
        counts: From hexadecimal outcome to count.
        n_bits: Width of an outcome without what is skipped.
        skipped_bits: Low bits of each outcome to leave out.

    Returns:
        Outcomes, `(k,)` up to 64 bits, else packed `(k, ceil(n_bits / 8))` with bit 0
        the lowest of the last byte; and counts `(k,)`.
    """
    rows = sorted(
        (int(key, 16) >> skipped_bits, count) for key, count in counts.items()
    )
    numbers = np.array([count for _, count in rows], np.int64)
    return packed_outcomes([outcome for outcome, _ in rows], n_bits), numbers


def packed_outcomes(
    outcomes: Sequence[int], n_bits: int
) -> NDArray[np.uint64] | NDArray[np.uint8]:
    """Outcomes as a histogram holds them: numbers up to 64 bits, else packed bytes."""
    if n_bits <= 64:
        return np.array(outcomes, np.uint64)
    return _packed([hex(outcome) for outcome in outcomes], n_bits)
