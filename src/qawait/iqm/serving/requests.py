"""Run requests of every generation, read into one form.

`qubits` with full turns or `locus` with radians, both spellings of the MOVE options,
nulls or absent fields. Source: wire reference, IQM, §2, §3.3, §5.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.json import Decoder, encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.iqm.circuit import TURNS_OF_ANGLES, Circuit, Instruction, radians
from qawait.iqm.messages import Mapped  # noqa: TC001 (fields resolve at run time)
from qawait.iqm.validation import MoveValidation, check_mapping
from qawait.wire import decode

__all__ = ["Request", "circuits_of", "read_request", "write_parameters"]

_ANGLES = {turns: radians for radians, turns in TURNS_OF_ANGLES.items()}
_OLD_NAMES = {"phased_rx": "prx", "measurement": "measure"}


class _Instruction(Struct, frozen=True):
    name: str
    args: dict[str, Any] = {}
    qubits: tuple[str, ...] | None = None
    locus: tuple[str, ...] | None = None
    implementation: str | None = None


class _Circuit(Struct, frozen=True):
    name: str
    instructions: tuple[_Instruction, ...]
    metadata: dict[str, Any] | None = None


_FrameTracking = Literal["full", "no_detuning_correction", "none"]


class _Request(Struct, frozen=True):
    circuits: tuple[_Circuit | str, ...]
    shots: int = 1
    qubit_mapping: tuple[Mapped, ...] | dict[str, str] | None = None
    calibration_set_id: str | None = None
    heralding_mode: Literal["none", "zeros"] = "none"
    dd_mode: Literal["disabled", "enabled"] = "disabled"
    active_reset_cycles: int | None = None
    max_circuit_duration_over_t2: float | None = None
    move_validation_mode: MoveValidation | None = None
    move_gate_validation: MoveValidation | None = None
    move_gate_frame_tracking_mode: _FrameTracking | None = None
    move_gate_frame_tracking: _FrameTracking | None = None


_REQUEST = Decoder(_Request)


class Request(Struct, frozen=True, kw_only=True):
    """A run request, in one form for all dialects.

    The qubit mapping is already applied: circuits name physical components.
    """

    circuits: tuple[Circuit, ...]
    shots: int
    calibration_set_id: str | None = None
    heralding_mode: Literal["none", "zeros"] = "none"
    move_validation_mode: MoveValidation = "strict"
    max_circuit_duration_over_t2: float | None = None
    """None and 0.0 leave durations unchecked."""


def read_request(body: bytes) -> Request:
    """Read the body of a submission of any generation.

    Raises:
        ProtocolError: The body is not a run request; the text says where.
    """
    try:
        raw = decode(_REQUEST, body, "run request")
    except ProtocolError as error:
        raise ProtocolError(str(error)) from None
    if not raw.circuits:
        raise ProtocolError("the run request has no circuits")
    if raw.shots < 1:
        raise ProtocolError(f"shots must be positive, not {raw.shots}")
    mapping = _mapping(raw.qubit_mapping)
    return Request(
        circuits=tuple(_circuit(c, n, mapping) for n, c in enumerate(raw.circuits)),
        shots=raw.shots,
        calibration_set_id=raw.calibration_set_id,
        heralding_mode=raw.heralding_mode,
        move_validation_mode=_move_validation(raw),
        max_circuit_duration_over_t2=raw.max_circuit_duration_over_t2,
    )


def _move_validation(raw: _Request) -> MoveValidation:
    validation = raw.move_gate_validation or raw.move_validation_mode or "strict"
    tracking = raw.move_gate_frame_tracking or raw.move_gate_frame_tracking_mode
    if validation == "none" and (tracking or "full") == "full":
        raise ProtocolError(
            "full frame tracking of MOVE gates needs their validation to be strict or"
            " allow_prx, not none"
        )
    return validation


def _mapping(
    mapping: tuple[Mapped, ...] | dict[str, str] | None,
) -> dict[str, str] | None:
    if mapping is None:
        return None
    if isinstance(mapping, dict):
        mapped = mapping
    else:
        mapped = {entry.logical_name: entry.physical_name for entry in mapping}
        if len(mapped) < len(mapping):
            raise ProtocolError("the qubit mapping maps a name twice")
    try:
        check_mapping(mapped)
    except ConfigurationError as error:
        raise ProtocolError(str(error)) from None
    return mapped


def _circuit(
    circuit: _Circuit | str, number: int, mapping: dict[str, str] | None
) -> Circuit:
    if isinstance(circuit, str):
        raise ProtocolError(
            f"circuit {number} is a QIR string; this service takes native instructions"
        )
    if not circuit.name:
        raise ProtocolError(f"circuit {number} has an empty name")
    if not circuit.instructions:
        raise ProtocolError(f"circuit {circuit.name} has no instructions")
    return Circuit(
        circuit.name,
        tuple(
            _instruction(
                i, f"circuit {circuit.name}, instruction {n} ({i.name})", mapping
            )
            for n, i in enumerate(circuit.instructions)
        ),
        circuit.metadata,
    )


def _instruction(
    instruction: _Instruction, where: str, mapping: dict[str, str] | None
) -> Instruction:
    components = (
        instruction.locus if instruction.locus is not None else instruction.qubits
    )
    if components is None:
        raise ProtocolError(f"{where}: neither qubits nor locus")
    if mapping is not None:
        missing = [name for name in components if name not in mapping]
        if missing:
            raise ProtocolError(f"{where}: {missing[0]} is not in the qubit mapping")
        components = tuple(mapping[name] for name in components)
    args: dict[str, Any] = {}
    for name, value in instruction.args.items():
        if name in _ANGLES:
            args[_ANGLES[name]] = _in_radians(value)
        elif name == "feedback_label" and isinstance(value, str):
            # Until iqm-client 20 one argument was both. Wire reference §5.1.
            args["feedback_qubit"], _, args["feedback_key"] = value.partition("__")
        else:
            args[name] = value
    return Instruction(
        _OLD_NAMES.get(instruction.name, instruction.name),
        components,
        args,
        instruction.implementation,
    )


def _in_radians(turns: Any) -> Any:
    """A number converted; anything else stays what it is, for the checks to find."""
    if isinstance(turns, bool) or not isinstance(turns, int | float):
        return turns
    # JSON knows integers that are no floats.
    return radians(turns) if abs(turns) < 2**63 else math.inf


# --- what a request carried, part by part (V2 and station) ----------------------------


class _Submitted(Struct, frozen=True):
    """A run request of which only the parts are told apart."""

    circuits: msgspec.Raw


class _Parameters(Struct, frozen=True, kw_only=True):
    """The parameters of a run request, the MOVE options under either name."""

    shots: int = 1
    max_circuit_duration_over_t2: float | None = None
    heralding_mode: str = "none"
    move_validation_mode: str | None = None
    move_gate_validation: str | None = None
    move_gate_frame_tracking_mode: str | None = None
    move_gate_frame_tracking: str | None = None
    active_reset_cycles: int | None = None
    dd_mode: str = "disabled"
    dd_strategy: Any = None


_SUBMITTED = Decoder(_Submitted)
_PARAMETERS = Decoder(_Parameters)


def circuits_of(body: bytes) -> bytes:
    """The circuits of a run request as they were submitted."""
    return bytes(decode(_SUBMITTED, body, "run request").circuits)


def write_parameters(body: bytes) -> bytes:
    """The parameters of a run request, each with its default where it was left out."""
    asked = decode(_PARAMETERS, body, "run request")
    return encode(
        {
            "shots": asked.shots,
            "max_circuit_duration_over_t2": asked.max_circuit_duration_over_t2,
            "heralding_mode": asked.heralding_mode,
            "move_validation_mode": (
                asked.move_validation_mode or asked.move_gate_validation or "strict"
            ),
            "move_gate_frame_tracking_mode": (
                asked.move_gate_frame_tracking_mode
                or asked.move_gate_frame_tracking
                or "full"
            ),
            "active_reset_cycles": asked.active_reset_cycles,
            "dd_mode": asked.dd_mode,
            "dd_strategy": asked.dd_strategy,
        }
    )
