"""How the result of a job that is ready is fetched, in each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qawait.errors import ProtocolError
from qawait.iqm import messages
from qawait.iqm.calls import read
from qawait.model import CircuitRecord
from qawait.wire import decode

if TYPE_CHECKING:
    from qawait.iqm.run_result import RunResult
    from qawait.model import Exchange, Manifest, Status
    from qawait.results import Result

__all__ = ["measurement_artifact", "whole_job"]


def _records(payload: messages.Payload) -> tuple[CircuitRecord, ...]:
    """What a submitted request tells of its circuits, for a job adopted by id."""
    return tuple(
        CircuitRecord(
            label=circuit.name,
            shots=payload.shots,
            qubits={
                str(i.args["key"]): i.locus or i.qubits
                for i in circuit.instructions
                if i.name in ("measure", "measurement") and "key" in i.args
            },
        )
        for circuit in payload.circuits
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
    return msgspec.structs.replace(manifest, circuits=records)


def whole_job(
    path: str, job_id: str, status: Status, manifest: Manifest
) -> Exchange[Result]:
    """Status, measurements and metadata in one answer (V1)."""
    from qawait.iqm.run_result import RunResult

    [answer] = yield [read(path.format(job_id), result=True)]
    run_result = RunResult.decode(answer.body)
    request = run_result.metadata.request
    if not manifest.circuits and request is not None:
        try:
            payload = msgspec.convert(request, messages.Payload)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"the request in the metadata: {error}") from None
        manifest = _completed(manifest, _records(payload))
    return _as_result(run_result, manifest, job_id, status.message)


def measurement_artifact(
    job_id: str, status: Status, manifest: Manifest
) -> Exchange[Result]:
    """Measurements and, for a job adopted by id, the submitted request (api/v1)."""
    from qawait.iqm.run_result import Metadata, RunResult
    from qawait.measurements import decode_measurements

    calls = [read(f"api/v1/jobs/{job_id}/artifacts/measurements", result=True)]
    if not manifest.circuits:
        calls.append(read(f"api/v1/jobs/{job_id}/payload", result=True))
    measurements, *payload = yield calls
    if payload:
        submitted = decode(messages.PAYLOAD, payload[0].body, "submitted request")
        manifest = _completed(manifest, _records(submitted))
    run_result = RunResult(
        status="ready",
        measurements=decode_measurements(measurements.body),
        metadata=Metadata(
            calibration_set_id=status.calibration_set_id,
            timestamps={s.raw: s.at.isoformat() for s in status.steps if s.at},
        ),
    )
    return _as_result(run_result, manifest, job_id, status.message)
