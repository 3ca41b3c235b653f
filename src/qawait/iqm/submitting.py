"""Run requests as each generation of IQM's clients writes them, and the answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import UNSET, Raw
from msgspec.json import encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.iqm import messages
from qawait.iqm.options import Options
from qawait.wire import checked_id, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qawait.iqm.circuit import Circuit
    from qawait.model import Answer, Call, Submission

__all__ = [
    "no_uploads",
    "options_of",
    "read_error",
    "read_opened",
    "write_in_full",
    "write_in_radians",
    "write_in_turns",
]

_T = TypeVar("_T")


def options_of(submission: Submission) -> Options:
    """The options of a submission, all at their defaults if it has none."""
    options = submission.options if submission.options is not None else Options()
    if not isinstance(options, Options):
        raise ConfigurationError(
            f"an IQM service takes qawait.iqm.Options, not {type(options).__name__}"
        )
    return options


def _dd_strategy(options: Options) -> dict[str, Any] | None:
    if options.dd_strategy is None:
        return None
    return msgspec.to_builtins(options.dd_strategy)


def _mapping(options: Options) -> tuple[messages.Mapped, ...] | None:
    if options.qubit_mapping is None:
        return None
    return tuple(messages.Mapped(*pair) for pair in options.qubit_mapping.items())


def _optional(value: _T | None) -> _T | msgspec.UnsetType:
    return UNSET if value is None else value


def write_in_turns(submission: Submission) -> bytes:
    """The run request as clients up to iqm-client 30 write it."""
    return _short(submission, _in_turns)


def write_in_radians(submission: Submission) -> bytes:
    """The run request as iqm-client 31 and 32 write it."""
    return _short(submission, _in_radians)


def _short(
    submission: Submission,
    form: Callable[[Circuit], messages.CircuitInTurns | messages.CircuitOnLoci],
) -> bytes:
    o = options_of(submission)
    if o.use_timeslot:
        raise ConfigurationError(
            "use_timeslot is for IQM Server (api/v1); this service has no such option"
        )
    strategy = _dd_strategy(o)
    if strategy is not None and strategy["target_qubits"] is None:
        del strategy["target_qubits"]
    return encode(
        messages.ShortRequest(
            # One by one: what a circuit is taken apart into is soon gone, and other
            # threads get their turn in between.
            circuits=tuple([Raw(encode(form(c))) for c in submission.circuits]),
            custom_settings=_optional(o.custom_settings),
            calibration_set_id=_optional(o.calibration_set_id),
            qubit_mapping=_optional(_mapping(o)),
            shots=submission.shots,
            # infinity goes out as an explicit null, as the vendor's clients write it
            max_circuit_duration_over_t2=_optional(o.max_circuit_duration_over_t2),
            heralding_mode=o.heralding_mode,
            move_validation_mode=o.move_validation_mode,
            move_gate_frame_tracking_mode=o.move_gate_frame_tracking_mode,
            active_reset_cycles=_optional(o.active_reset_cycles),
            dd_mode=o.dd_mode,
            dd_strategy=_optional(strategy),
        )
    )


def _in_turns(circuit: Circuit) -> messages.CircuitInTurns:
    return messages.CircuitInTurns(
        circuit.name,
        tuple(
            [
                messages.InstructionInTurns(
                    i.name,
                    i.locus,
                    i.args_in_turns(),
                    UNSET if i.implementation is None else i.implementation,
                )
                for i in circuit.instructions
            ]
        ),
        _optional(circuit.metadata),
    )


def _in_radians(circuit: Circuit) -> messages.CircuitOnLoci:
    return messages.CircuitOnLoci(
        circuit.name,
        tuple(
            [
                messages.InstructionOnLocus(
                    i.name,
                    i.locus,
                    i.args,
                    UNSET if i.implementation is None else i.implementation,
                )
                for i in circuit.instructions
            ]
        ),
        _optional(circuit.metadata),
    )


def write_in_full(submission: Submission) -> bytes:
    """The run request as clients from iqm-client 33 on write it."""
    o = options_of(submission)
    limit = o.max_circuit_duration_over_t2
    if limit is not None and not math.isfinite(limit):
        # JSON has no infinity, and null would mean the service's own limit
        raise ConfigurationError(
            "max_circuit_duration_over_t2 must be finite; 0.0 switches the check off"
        )
    return encode(
        messages.FullRequest(
            circuits=tuple([Raw(encode(c)) for c in submission.circuits]),
            custom_settings=_optional(o.custom_settings),
            calibration_set_id=o.calibration_set_id,
            qubit_mapping=_mapping(o),
            shots=submission.shots,
            max_circuit_duration_over_t2=limit,
            heralding_mode=o.heralding_mode,
            move_gate_validation=o.move_validation_mode,
            move_gate_frame_tracking=o.move_gate_frame_tracking_mode,
            active_reset_cycles=o.active_reset_cycles,
            dd_mode=o.dd_mode,
            dd_strategy=_dd_strategy(o),
            move_validation_mode=o.move_validation_mode,
            move_gate_frame_tracking_mode=o.move_gate_frame_tracking_mode,
        )
    )


def read_opened(answer: Answer) -> str:
    """The id of the job that a submission has become."""
    return checked_id(decode(messages.SUBMITTED, answer.body, "submission answer").id)


def no_uploads(job_id: str, submission: Submission) -> Iterator[Call]:
    """Nothing: one request carries the whole batch."""
    return iter(())


def read_error(answer: Answer) -> str | None:
    """The message of an error in any of the shapes of IQM's services, or None."""
    try:
        body = decode(messages.ERROR, answer.body, "error")
    except ProtocolError:
        return None
    if body.message is not None:
        return body.message
    if isinstance(body.detail, str):
        return body.detail
    if body.detail is not None:
        return encode(body.detail).decode()
    if body.errors:
        first = body.errors[0]
        if isinstance(first, dict) and isinstance(first.get("message"), str):  # pyright: ignore[reportUnknownMemberType]
            return str(first["message"])  # pyright: ignore[reportUnknownArgumentType]
    return None
