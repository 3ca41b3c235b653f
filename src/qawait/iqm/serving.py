"""The opposite half of IQM's dialects: requests in, answers out.

The local service uses it; the client never imports it. It accepts every generation of
request in one reader: `qubits` with full turns or `locus` with radians, both spellings of
the MOVE options, nulls or absent fields. Source: wire reference, IQM, §2, §3.3, §5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.json import Decoder, encode

from qawait.errors import ProtocolError
from qawait.iqm.circuit import TURNS_OF_ANGLES, Circuit, Instruction
from qawait.iqm.messages import (
    Compilation,
    CountsOfCircuit,
    JobData,
    JobMessage,
    JobStatus,
    Mapped,
    Submitted,
    TimelineEntry,
)
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Request",
    "read_request",
    "write_counts",
    "write_job",
    "write_run",
    "write_status",
    "write_submitted",
]

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


class _Request(Struct, frozen=True):
    circuits: tuple[_Circuit | str, ...]
    shots: int = 1
    qubit_mapping: tuple[Mapped, ...] | dict[str, str] | None = None
    calibration_set_id: str | None = None
    heralding_mode: Literal["none", "zeros"] = "none"
    dd_mode: Literal["disabled", "enabled"] = "disabled"
    active_reset_cycles: int | None = None
    max_circuit_duration_over_t2: float | None = None


_REQUEST = Decoder(_Request)


class Request(Struct, frozen=True, kw_only=True):
    """A run request, in one form for all dialects.

    The qubit mapping is already applied: circuits name physical components.
    """

    circuits: tuple[Circuit, ...]
    shots: int
    calibration_set_id: str | None = None
    heralding_mode: Literal["none", "zeros"] = "none"


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
    )


def _mapping(
    mapping: tuple[Mapped, ...] | dict[str, str] | None,
) -> dict[str, str] | None:
    if mapping is None or isinstance(mapping, dict):
        return mapping
    return {entry.logical_name: entry.physical_name for entry in mapping}


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
        if name in _ANGLES and isinstance(value, int | float):
            args[_ANGLES[name]] = value * 2 * math.pi
        else:
            args[name] = value
    return Instruction(
        _OLD_NAMES.get(instruction.name, instruction.name),
        components,
        args,
        instruction.implementation,
    )


def write_submitted(job_id: str) -> bytes:
    """The answer to a submission in V1, V2 and station."""
    return encode(Submitted(job_id))


def write_status(status: str, message: str | None = None) -> bytes:
    """The light status of V1, V2 and station."""
    return encode(JobStatus(status, message))


def write_run(
    status: str,
    *,
    measurements: bytes | None,
    message: str | None,
    metadata: dict[str, Any],
) -> bytes:
    """Everything about a job in V1; `measurements` is JSON already."""
    body: dict[str, Any] = {"status": status}
    if measurements is not None:
        body["measurements"] = msgspec.Raw(measurements)
    if message is not None:
        body["message"] = message
    body["metadata"] = metadata
    return encode(body)


def write_counts(
    status: str, counts: Sequence[CountsOfCircuit] | bytes | None
) -> bytes:
    """Counts of all circuits in V1, V2 and station; None while there are none."""
    batch = msgspec.Raw(counts) if isinstance(counts, bytes) else counts
    return encode({"status": status, "counts_batch": batch})


def write_job(
    job_id: str,
    status: str,
    *,
    timeline: Sequence[TimelineEntry] = (),
    calibration_set_id: str | None = None,
    queue_position: int | None = None,
    error: str | None = None,
) -> bytes:
    """A job of api/v1."""
    return encode(
        JobData(
            id=job_id,
            status=status,
            compilation=Compilation(calibration_set_id),
            errors=[] if error is None else [JobMessage(error)],
            queue_position=queue_position,
            timeline=list(timeline),
        )
    )
