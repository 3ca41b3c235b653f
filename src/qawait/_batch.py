"""A batch of circuits on its way into a submission: checked, prepared, written down."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex, cast

from msgspec import to_builtins
from msgspec.structs import replace

from qawait.errors import ConfigurationError
from qawait.iqm.circuit import Circuit
from qawait.iqm.options import Options as IQMOptions
from qawait.iqm.screening import Screen
from qawait.iqm.validation import Machine, check, check_mapping
from qawait.journal.records import Intent
from qawait.model import CircuitRecord, Dialect, Manifest, Submission, Target
from qawait.qoro.options import Options as QoroOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.circuits import Compiled
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.qoro.execution_config import ExecutionConfig
    from qawait.qoro.observables import Observables
    from qawait.qoro.template import Template

__all__ = [
    "Options",
    "batch",
    "calibration_of",
    "check_native",
    "intent_of",
    "is_light",
    "is_unchecked",
    "left_to_check",
    "options_for",
    "prepare",
    "prepare_as_is",
    "settings_of",
]

Options = IQMOptions | QoroOptions

_KINDS: dict[str, type[Options]] = {"iqm": IQMOptions, "qoro": QoroOptions}


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
    # What came after it stands in its place; given together they are refused.
    merged = default if options.execution_config or not options.is_configured else None
    for own in (options.execution_config, config):
        if own is not None:
            merged = own if merged is None else merged.override(own)
    return replace(options, execution_config=merged)


_LIGHT = 500
"""Native instructions that are read and checked in about the time a thread takes."""


def is_light(circuits: Any) -> bool:
    """Whether circuits are so few, and native, that a thread costs more than they do."""
    many = cast(
        "Sequence[Any]", circuits if isinstance(circuits, list | tuple) else [circuits]
    )
    return (
        all(isinstance(circuit, Circuit) for circuit in many)
        and sum(len(circuit.instructions) for circuit in many) <= _LIGHT
    )


def prepare(
    circuits: Any,
    architecture: DynamicQuantumArchitecture | None,
    target: Target,
    measure_all: bool | None,
    seed: int,
    optimization_level: int,
) -> list[Compiled]:
    """Read and compile; meant for a thread, where loading Qiskit holds up nobody."""
    from qawait import circuits as preparing

    given: Any = seed
    if (
        # a plain one is told at once: to ask for a protocol takes microseconds
        type(given) is not int
        and (isinstance(given, bool) or not isinstance(given, SupportsIndex))
    ) or seed < 0:
        raise ConfigurationError(f"seed must be an integer from 0 on, not {seed!r}")
    if optimization_level not in (0, 1, 2, 3):
        raise ConfigurationError(
            f"optimization_level is 0, 1, 2 or 3, not {optimization_level!r}"
        )
    seed = index(seed)
    return preparing.prepare(
        circuits,
        architecture,
        target_name=target.name,
        qubits=target.qubits,
        measure_all=measure_all,
        seed=seed,
        optimization_level=optimization_level,
    )


def prepare_as_is(
    circuits: Any, dialect: Dialect, measure_all: bool | None
) -> list[Compiled]:
    """Read circuits and leave them as they are; meant for a thread."""
    from qawait import circuits as preparing

    native = dialect.architecture is not None
    return preparing.as_is(circuits, native=native, measure_all=measure_all)


def calibration_of(prepared: list[Compiled], options: Options) -> str | None:
    """The calibration set that a job is to run on; None is the current one.

    Circuits run on the calibration set they were compiled for, unless the options name
    another one.

    Raises:
        ConfigurationError: The circuits were compiled for different calibration sets.
    """
    calibrations = {circuit.calibration_set_id for circuit in prepared} - {None}
    if len(calibrations) > 1:
        raise ConfigurationError(
            "the circuits of one job were compiled for different calibration sets; "
            "compile them again, or submit them apart"
        )
    asked = options.calibration_set_id if isinstance(options, IQMOptions) else None
    return asked or next(iter(calibrations), None)


def is_unchecked(
    prepared: list[Compiled], options: Options, calibration_set_id: str | None
) -> bool:
    """Whether native circuits are still to be held against the machine.

    Args:
        prepared: Every circuit that runs.
        options: The service's own.
        calibration_set_id: What `calibration_of` gave.
    """
    if not isinstance(options, IQMOptions):
        return False
    return options.qubit_mapping is not None or any(
        circuit.calibration_set_id is None
        or circuit.calibration_set_id != calibration_set_id
        for circuit in prepared
    )


def left_to_check(
    prepared: list[Compiled],
    architecture: DynamicQuantumArchitecture | None,
    options: Options,
) -> list[Compiled]:
    """The native circuits that are still to be held against a machine.

    What was compiled for the same calibration set, or found right for it, and is not
    mapped, is right already.
    """
    if architecture is None or not isinstance(options, IQMOptions):
        return []
    if options.qubit_mapping is not None:
        return prepared
    here = architecture.calibration_set_id
    return [
        circuit
        for circuit in prepared
        if here not in (circuit.calibration_set_id, circuit.runs_on)
    ]


def check_native(
    prepared: list[Compiled],
    architecture: DynamicQuantumArchitecture | None,
    options: Options,
) -> None:
    """Hold native circuits against a machine; meant for a thread.

    Raises:
        CircuitError: One circuit cannot run there.
        ConfigurationError: Several cannot, each named on a line of its own; or the
            qubit mapping names what the machine has not.
    """
    from qawait.circuits.batch import for_each

    if architecture is None or not isinstance(options, IQMOptions):
        return
    mapping = options.qubit_mapping
    machine = Machine.of(architecture)
    if mapping is not None:
        check_mapping(mapping, machine)
    screen = Screen(machine, mapping)

    def held_against(circuit: Compiled) -> None:
        if not screen.passes(circuit.circuit):
            check(
                circuit.circuit,
                origin=circuit.label,
                machine=machine,
                qubit_mapping=mapping,
                move_validation_mode=options.move_validation_mode,
            )

    for_each(left_to_check(prepared, architecture, options), held_against)


def batch(
    prepared: list[Compiled],
    *,
    shots: int,
    target: Target,
    tag: str | None,
    options: Options,
    calibration_set_id: str | None,
    shots_each: tuple[int, ...] = (),
    observables: Observables | None = None,
    template: Template | None = None,
) -> tuple[Submission, Manifest]:
    """What is sent, and what must be remembered of it to read its result.

    Args:
        prepared: Every circuit that runs.
        shots: For all of them.
        target: Where they run.
        tag: The job's name.
        options: The service's own.
        calibration_set_id: IQM: what they are to run on, in place of what the options
            say. Name the one which the circuits were held against: another one may be
            current when they run. None is the current one.
        shots_each: Shots of each circuit instead; empty if there is one number.
        observables: What is computed instead of shots; None where shots are taken.
        template: What travels in place of the circuits, which then need not be written
            out; None sends them.

    Raises:
        CircuitError: A circuit has parameters without a value.
        ConfigurationError: There are not as many numbers of shots as circuits, or
            numbers of shots for expectation values.
    """
    if shots_each and len(shots_each) != len(prepared):
        raise ConfigurationError(
            f"{len(shots_each)} numbers of shots for {len(prepared)} circuits"
        )
    if shots_each and observables is not None:
        raise ConfigurationError("expectation values take no shots: give no numbers")
    if isinstance(options, IQMOptions):
        options = replace(options, calibration_set_id=calibration_set_id)
    submission = Submission(
        circuits=tuple(circuit.circuit for circuit in prepared)
        if template is None
        else (template,),
        rows=None if template is None else len(prepared),
        shots=shots,
        shots_each=shots_each,
        observables=observables,
        target=target,
        tag=tag,
        options=options,
    )
    asked = shots_each or (None if observables else shots,) * len(prepared)
    records = tuple(
        CircuitRecord(
            label=circuit.label,
            shots=number,
            layout=circuit.layout,
            qubits=circuit.qubits,
        )
        for circuit, number in zip(prepared, asked, strict=True)
    )
    return submission, Manifest(
        circuits=records,
        target=target.name,
        simulated=target.simulated,
        calibration_set_id=calibration_set_id,
    )


def settings_of(
    dialect: Dialect,
    options: Options,
    measure_all: bool | None,
    compile: bool,  # noqa: A002
    seed: int,
    optimization_level: int,
) -> dict[str, Any]:
    """All that circuits are made and sent with, in plain values, for the record."""
    return {
        "dialect": dialect.name,
        "options": to_builtins(options),
        "measure_all": measure_all,
        "compile": compile,
        "seed": index(seed),
        "optimization_level": optimization_level,
    }


def intent_of(
    submission: Submission,
    manifest: Manifest,
    submission_id: str,
    settings: dict[str, Any],
) -> Intent:
    """What is written down of a batch before anything of it is sent."""
    each = submission.shots_each
    taken = 0 if submission.observables is not None else submission.shots
    return Intent(
        submission_id=submission_id,
        target=submission.target.name,
        circuits=len(manifest.circuits),
        shots=sum(record.shots or 0 for record in manifest.circuits),
        tag=submission.tag,
        manifest=manifest,
        settings=settings | {"shots": list(each) if each else taken},
    )
