# pyright: basic
"""The vendor's own simulator, where the user has installed the extra `maestro`.

Only worker processes import it: some of its releases end their process on a bad option.
Source: wire reference, Qoro, §6, and qoro-maestro 0.3.8 itself.
"""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from qawait.errors import CircuitError, ConfigurationError
from qawait.histograms import Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiskit import QuantumCircuit

    from qawait.local.asked import Asked

__all__ = ["counts", "is_installed", "values"]

_NAMES = {"GpuSim": "Gpu"}
"""What the wire calls otherwise than the simulator does."""

_GATES = [
    *("x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "u1", "u2", "u3"),
    *("id", "cx", "cy", "cz", "ch", "swap", "crx", "cry", "crz", "cu1", "cu3"),
    *("ccx", "cswap"),
]
"""Those that its own parser reads."""


def is_installed() -> bool:
    """Whether the extra is there; it is not loaded."""
    return find_spec("maestro") is not None


def counts(
    label: str,
    circuit: QuantumCircuit,
    asked: Asked,
    *,
    n_bits: int,
    skipped_bits: int,
    shots: int,
    seed: int | None,
) -> tuple[Histogram, float, float]:
    """Runs a circuit that measures; its histogram, start and end in seconds.

    Raises:
        CircuitError: The simulator refuses the circuit.
        ConfigurationError: It cannot do what is asked for.
    """
    from qawait.local.simulation import packed_outcomes

    started = time.time()
    ran = _run(label, circuit, asked, seed, shots=shots)
    # Its strings begin with bit 0 and end with the highest bit that is measured.
    rows = sorted(
        (int(key[::-1], 2) >> skipped_bits, number)
        for key, number in ran["counts"].items()
    )
    outcomes = packed_outcomes([outcome for outcome, _ in rows], n_bits)
    numbers = np.array([number for _, number in rows], np.int64)
    return Histogram(n_bits, outcomes, numbers), started, time.time()


def values(
    label: str, circuit: QuantumCircuit, observables: Sequence[str], asked: Asked
) -> tuple[dict[str, float], float, float]:
    """Expectation values of a circuit that measures nothing, with start and end.

    The leftmost letter of an observable is qubit 0, here as on Qoro's wire.

    Raises:
        CircuitError: The simulator refuses the circuit.
        ConfigurationError: It cannot do what is asked for.
    """
    started = time.time()
    terms = list(dict.fromkeys(observables))
    ran = _run(label, circuit, asked, None, observables=";".join(terms))
    found = dict(zip(terms, map(float, ran["expectation_values"]), strict=True))
    return found, started, time.time()


def _run(
    label: str,
    circuit: QuantumCircuit,
    asked: Asked,
    seed: int | None,
    **arguments: Any,
) -> dict[str, Any]:
    maestro: Any = import_module("maestro")
    config, simulator, method = _config(maestro, asked, seed)
    function = (
        maestro.simple_estimate
        if "observables" in arguments
        else maestro.simple_execute
    )
    try:
        ran: dict[str, Any] = function(
            _text(label, circuit), config=config, **arguments
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise CircuitError(label, f"the simulator maestro: {error}") from error
    # Without a graphics card or QuEST it takes another one and says so only here.
    if int(ran["simulator"]) != int(simulator.value) or (
        asked.method is not None and int(ran["method"]) != int(method.value)
    ):
        raise ConfigurationError(
            f"{simulator.name} with {method.name} is not available on this machine: the"
            " simulator would run another one in its place"
        )
    return ran


def _config(maestro: Any, asked: Asked, seed: int | None) -> tuple[Any, Any, Any]:
    truncated = (asked.bond_dimension, asked.truncation_threshold) != (None, None)
    usual = "MatrixProductState" if truncated else "Statevector"
    simulator = _member(
        maestro.SimulatorType, "simulator_type", asked.simulator or "QCSim"
    )
    method = _member(maestro.SimulationType, "simulation_type", asked.method or usual)
    options = {
        "max_bond_dimension": asked.bond_dimension,
        "singular_value_threshold": asked.truncation_threshold,
        "seed": seed,
        **asked.others,
    }
    try:
        config = maestro.SimulatorConfig(
            simulator_type=simulator,
            simulation_type=method,
            **{name: value for name, value in options.items() if value is not None},
        )
    except (TypeError, ValueError) as error:
        given = ", ".join(asked.others) or "its options"
        reason = str(error).splitlines()[0]
        raise ConfigurationError(
            f"maestro_config: maestro refuses {given}: {reason}"
        ) from error
    return config, simulator, method


def _member(members: Any, option: str, name: str) -> Any:
    # By name: the codes are not the same in all releases.
    found = getattr(members, _NAMES.get(name, name), None)
    if found is None:
        raise ConfigurationError(f"{option} {name} is not in this release of maestro")
    return found


def _text(label: str, circuit: QuantumCircuit) -> str:
    from qiskit import qasm2
    from qiskit.exceptions import QiskitError

    passes, lock = _passes()
    try:
        with lock:
            return qasm2.dumps(passes.run(circuit))
    except QiskitError as error:
        raise CircuitError(label, f"maestro cannot read it: {error.message}") from error


@cache
def _passes() -> tuple[Any, Lock]:
    from qiskit.transpiler import generate_preset_pass_manager

    return generate_preset_pass_manager(
        optimization_level=0, basis_gates=_GATES
    ), Lock()
