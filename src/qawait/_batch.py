"""A batch of circuits on its way into a submission: checked, prepared, written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from qawait.errors import ConfigurationError
from qawait.iqm.options import Options as IQMOptions
from qawait.model import CircuitRecord, Dialect, Manifest, Submission, Target
from qawait.qoro.options import Options as QoroOptions

if TYPE_CHECKING:
    from qawait.circuits import Compiled
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["Options", "batch", "check_shots", "options_for", "prepare", "prepare_as_is"]

Options = IQMOptions | QoroOptions

_KINDS: dict[str, type[Options]] = {"iqm": IQMOptions, "qoro": QoroOptions}


def check_shots(shots: Any) -> None:
    """Raise ConfigurationError unless this is a number of shots."""
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ConfigurationError(f"shots must be a positive integer, not {shots!r}")


def options_for(
    dialect: Dialect,
    options: Any,
    config: ExecutionConfig | None,
    default: ExecutionConfig | None,
) -> Options:
    """The options of one submission: its own over those of the service.

    Args:
        dialect: Whose options they must be.
        options: As the user gave them; None leaves all to the service.
        config: The submission's own execution configuration (Qoro).
        default: The service object's execution configuration (Qoro).

    Raises:
        ConfigurationError: They belong to another vendor's service.
    """
    kind = _KINDS[dialect.vendor]
    if options is None:
        options = kind()
    if not isinstance(options, kind):
        raise ConfigurationError(
            f"this service takes qawait.{dialect.vendor}.Options, "
            f"not {type(options).__module__}.{type(options).__name__}"
        )
    if isinstance(options, IQMOptions):
        if config is not None:
            raise ConfigurationError(
                "execution_config is for Qoro; an IQM service takes options"
            )
        return options
    merged = default
    for own in (options.execution_config, config):
        if own is not None:
            merged = own if merged is None else merged.override(own)
    return replace(options, execution_config=merged)


def prepare(
    circuits: Any,
    architecture: DynamicQuantumArchitecture | None,
    target: Target,
    measure_all: bool,
    seed: int,
    optimization_level: int,
) -> list[Compiled]:
    """Read and compile; meant for a thread, where loading Qiskit holds up nobody."""
    from qawait import circuits as preparing

    return preparing.prepare(
        circuits,
        architecture,
        target_name=target.name,
        qubits=target.qubits,
        measure_all=measure_all,
        seed=seed,
        optimization_level=optimization_level,
    )


def prepare_as_is(circuits: Any, dialect: Dialect) -> list[Compiled]:
    """Read circuits and leave them as they are; meant for a thread."""
    from qawait import circuits as preparing

    return preparing.as_is(circuits, native=dialect.architecture is not None)


def batch(
    prepared: list[Compiled],
    *,
    shots: int,
    target: Target,
    tag: str | None,
    options: Options,
) -> tuple[Submission, Manifest]:
    """What is sent, and what must be remembered of it to read its result.

    Circuits run on the calibration set they were compiled for, unless the options name
    another one.

    Raises:
        CircuitError: A circuit has parameters without a value.
        ConfigurationError: The circuits were compiled for different calibration sets.
    """
    calibrations = {circuit.calibration_set_id for circuit in prepared} - {None}
    if len(calibrations) > 1:
        raise ConfigurationError(
            "the circuits of one job were compiled for different calibration sets; "
            "compile them again, or submit them apart"
        )
    pinned = next(iter(calibrations), None)
    if isinstance(options, IQMOptions):
        pinned = options.calibration_set_id or pinned
        options = replace(options, calibration_set_id=pinned)
    submission = Submission(
        circuits=tuple(circuit.circuit for circuit in prepared),
        shots=shots,
        target=target,
        tag=tag,
        options=options,
    )
    records = tuple(
        CircuitRecord(
            label=circuit.label,
            shots=shots,
            layout=circuit.layout,
            qubits=circuit.qubits,
        )
        for circuit in prepared
    )
    return submission, Manifest(
        circuits=records,
        target=target.name,
        simulated=target.simulated,
        calibration_set_id=pinned,
    )
