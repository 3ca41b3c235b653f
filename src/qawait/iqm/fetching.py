"""How the result of a job that is ready is fetched, in each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from qawait.errors import ProtocolError
from qawait.iqm import messages
from qawait.iqm.calls import read
from qawait.iqm.states import read_timeline, status_of, steps
from qawait.model import CircuitRecord, End
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.iqm.run_result import RunResult
    from qawait.model import Answer, Exchange, Manifest, Status
    from qawait.results import Result

__all__ = [
    "ending_in_parts",
    "ending_of_whole_job",
    "job_in_parts",
    "measurement_artifact",
    "result_of_whole_job",
    "whole_job",
]

T = TypeVar("T")


def _records(payload: messages.Payload) -> tuple[CircuitRecord, ...]:
    """What a submitted request tells of its circuits, for a job adopted by id."""
    return tuple(
        CircuitRecord(label=str(number), shots=payload.shots)
        if isinstance(circuit, str)
        else CircuitRecord(
            label=circuit.name,
            shots=payload.shots,
            qubits={
                str(i.args["key"]): i.locus or i.qubits
                for i in circuit.instructions
                if i.name in ("measure", "measurement") and "key" in i.args
            },
        )
        for number, circuit in enumerate(payload.circuits)
    )


def _as_result(
    run_result: RunResult, manifest: Manifest | None, job_id: str, message: str | None
) -> Result:
    from qawait.results import Result

    if run_result.measurements is None:
        raise ProtocolError("the job is ready, but its measurements are missing")
    qubits = [record.qubits for record in manifest.circuits] if manifest else None
    return Result.of_shots(
        run_result.measurements,
        manifest,
        job_id=job_id,
        message=message,
        metadata=run_result.metadata,
        warnings=run_result.warnings or (),
        run_result=run_result,
        simulated=manifest.simulated if manifest else False,
        target=manifest.target if manifest else None,
        calibration_set_id=run_result.metadata.calibration_set_id,
        qubits=qubits,
    )


def _completed(manifest: Manifest, records: tuple[CircuitRecord, ...]) -> Manifest:
    """The manifest with what the service remembers, where ours says nothing."""
    if manifest.circuits:
        return manifest
    return replace(manifest, circuits=records)


def whole_job(
    path: str, job_id: str, manifest: Manifest
) -> Exchange[tuple[Status, Result | None]]:
    """Status, measurements and metadata in one answer (V1).

    While there are no measurements the answer has little but the submitted request.
    """
    from qawait.iqm.run_decoder import RunDecoder

    call = read(path.format(job_id), result=True, reader=RunDecoder)
    [answer] = yield [call]
    run_result: RunResult = answer.value
    status = status_of(run_result)
    if status.end is not End.READY:
        return replace(status, message=_message(status.message)), None
    request = run_result.metadata.request
    if not manifest.circuits and request is not None:
        try:
            payload = msgspec.convert(request, messages.Payload)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"the request in the metadata: {error}") from None
        manifest = _completed(manifest, _records(payload))
    return status, _as_result(run_result, manifest, job_id, status.message)


def result_of_whole_job(
    path: str, job_id: str, status: Status, manifest: Manifest
) -> Exchange[Result]:
    """The result in the answer about everything, once it is there (V1)."""
    now, result = yield from whole_job(path, job_id, manifest)
    if result is None:
        raise ProtocolError(f"the job was {status.raw!r}, and now is {now.raw!r}")
    return result


def measurement_artifact(
    job_id: str, status: Status, manifest: Manifest
) -> Exchange[Result]:
    """Measurements and, for a job adopted by id, the submitted request (api/v1)."""
    from qawait.iqm.run_result import Metadata, RunResult
    from qawait.measurement_decoder import MeasurementDecoder

    path = f"api/v1/jobs/{job_id}/artifacts/measurements"
    calls = [read(path, result=True, reader=MeasurementDecoder)]
    if not manifest.circuits:
        calls.append(read(f"api/v1/jobs/{job_id}/payload", result=True))
    measurements, *payload = yield calls
    if payload:
        submitted = decode(messages.PAYLOAD, payload[0].body, "submitted request")
        manifest = _completed(manifest, _records(submitted))
    run_result = RunResult(
        status="ready",
        measurements=measurements.value,
        metadata=Metadata(
            calibration_set_id=status.calibration_set_id,
            timestamps={s.raw: s.at.isoformat() for s in status.steps if s.at},
        ),
    )
    return _as_result(run_result, manifest, job_id, status.message)


def ending_of_whole_job(path: str, job_id: str, status: Status) -> Exchange[Status]:
    """How a job ended that has no result, from everything about it (V1)."""
    from qawait.iqm.run_result import RunResult

    [answer] = yield [read(path.format(job_id), result=True, optional=True)]
    run = _told(lambda answer: RunResult.decode(answer.body), answer)
    if run is None:
        return status
    # the word of the end is the one that was asked about
    whole = status_of(replace(run, status=status.raw, measurements=None))
    return replace(whole, message=status.message or _message(run.message))


# --- V2 and station: each part of a job is a path of its own --------------------------


def job_in_parts(
    path: str, job_id: str, status: Status, manifest: Manifest
) -> Exchange[Result]:
    """Measurements, with what else the service tells of the job, side by side.

    Only the measurements have to be there. The submitted circuits are as large as the
    submission was, so they are asked for only where nothing is remembered of them.

    Args:
        path: Where the parts of a job are, with `{}` for its id.
        job_id: The job.
        status: Its last status.
        manifest: What is remembered of its submission.
    """
    from qawait.iqm.run_result import Metadata, RunResult
    from qawait.measurement_decoder import MeasurementDecoder

    job = path.format(job_id)
    calls = [
        read(f"{job}/measurements", result=True, reader=MeasurementDecoder),
        read(f"{job}/timeline", optional=True),
        read(f"{job}/calibration_set_id", optional=True),
        read(f"{job}/request_parameters", optional=True),
    ]
    if not manifest.circuits:
        calls.append(read(f"{job}/circuits_batch", result=True, optional=True))
    measurements, timeline, calibration, parameters, *circuits = yield calls
    asked = _told(_read_parameters, parameters)
    batch = _told(_read_circuits, circuits[0]) if circuits else None
    if batch is not None:
        shots = asked.get("shots") if asked else None
        payload = messages.Payload(batch, shots if isinstance(shots, int) else None)
        manifest = _completed(manifest, _records(payload))
    run_result = RunResult(
        status="ready",
        measurements=measurements.value,
        metadata=Metadata(
            calibration_set_id=_told(_read_calibration_set_id, calibration),
            parameters=asked,
            timestamps=_told(read_timeline, timeline),
        ),
    )
    return _as_result(run_result, manifest, job_id, status.message)


def ending_in_parts(path: str, job_id: str, status: Status) -> Exchange[Status]:
    """How a job ended that has no result: its timeline and, if it failed, why."""
    job = path.format(job_id)
    calls = [read(f"{job}/timeline", optional=True)]
    if status.end is End.FAILED:
        calls.append(read(f"{job}/error_log", optional=True))
    timeline, *log = yield calls
    times = _told(read_timeline, timeline) or {}
    return replace(
        status,
        message=status.message or (_read_error_log(log[0]) if log else None),
        steps=steps(times.items()),
    )


def _told(reader: Callable[[Answer], T], answer: Answer) -> T | None:
    """What a part says that a job can do without; None if it is not there or torn."""
    if answer.status >= 300:
        return None
    try:
        return reader(answer)
    except ProtocolError:
        return None


def _read_parameters(answer: Answer) -> dict[str, Any]:
    return decode(messages.PARAMETERS, answer.body, "request parameters")


def _read_calibration_set_id(answer: Answer) -> str | None:
    return decode(messages.CALIBRATION_SET_ID, answer.body, "calibration set id")


def _read_circuits(
    answer: Answer,
) -> tuple[messages.PayloadCircuit | str, ...]:
    return decode(messages.CIRCUITS, answer.body, "submitted circuits")


def _read_error_log(answer: Answer) -> str | None:
    """Why a job failed: JSON from iqm-client 25.3 on, before that the text itself."""
    if answer.status >= 300:
        return None
    try:
        log = decode(messages.ERROR_LOG, answer.body, "error log")
    except ProtocolError:
        log = answer.body.decode("utf-8", "replace")
    if isinstance(log, messages.ErrorLog):
        return _message(log.user_error_message) or _message(log.full_error_log)
    return _message(log)


def _message(text: str | None) -> str | None:
    """A message, unless it is empty or what vendors' software writes for none."""
    stripped = (text or "").strip()
    return stripped if stripped not in ("", "None") else None
