"""IQM V1 below `/cocos`, as iqm-client 20 to 28 speak it. Wire reference, IQM, §2."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from qawait.iqm.serving import (
    write_counts,
    write_run,
    write_status,
    write_submitted,
)
from qawait.local import square20
from qawait.local.border import JOB_ID, Refused, answer
from qawait.local.jobs import Job, Stage
from qawait.local.submissions import asked_job, engine_of, take
from qawait.local.user_agents import v1_word

__all__ = ["client_libraries", "routes"]

_CLIENT_LIBRARIES = msgspec.json.encode(
    {"iqm-client": {"name": "IQM Client", "min": "18.6", "max": "37.0"}}
)
_SPECIFICATION = msgspec.json.encode(square20.specification())
_STATIC = msgspec.json.encode(square20.STATIC)
_DYNAMIC = msgspec.json.encode(square20.ARCHITECTURE)

_TIMESTAMPS = (
    ("job_start", Stage.RECEIVED),
    ("compile_start", Stage.COMPILING),
    ("compile_end", Stage.COMPILED),
    ("submit_start", Stage.COMPILED),
    ("submit_end", Stage.COMPILED),
    ("execution_start", Stage.RUNNING),
    ("execution_end", Stage.READY),
    ("job_end", Stage.READY),
    ("job_end", Stage.FAILED),
    ("job_end", Stage.ABORTED),
)


async def client_libraries(request: web.Request) -> web.Response:
    """Which clients may speak; never 404, for which clients ask again without end."""
    return answer(_CLIENT_LIBRARIES)


async def _specification(request: web.Request) -> web.Response:
    return answer(_SPECIFICATION)


async def _static(request: web.Request) -> web.Response:
    return answer(_STATIC)


def check_calibration_set(set_id: str) -> None:
    """There is one calibration set.

    Raises:
        Refused: Another one is asked for.
    """
    if set_id not in ("default", square20.CALIBRATION_SET_ID):
        raise Refused(404, "there is no such calibration set")


async def _dynamic(request: web.Request) -> web.Response:
    check_calibration_set(request.match_info["set"])
    return answer(_DYNAMIC)


def _flat(prefix: str, set_id: str) -> dict[str, Any]:
    return {
        f"{prefix}_id": set_id,
        f"{prefix}_dut_label": square20.DUT,
        f"{prefix}_is_invalid": False,
        f"{prefix}_created_timestamp": square20.CALIBRATED_AT,
        f"{prefix}_end_timestamp": square20.CALIBRATED_AT,
    }


def _figures(figures: list[square20.Figure]) -> dict[str, Any]:
    return {
        figure.name: {
            "value": str(figure.value),
            "unit": figure.unit,
            "uncertainty": str(figure.uncertainty),
            "timestamp": square20.CALIBRATED_AT,
        }
        for figure in figures
    }


async def _calibration(request: web.Request) -> web.Response:
    check_calibration_set(request.match_info["set"])
    body = _flat("calibration_set", square20.CALIBRATION_SET_ID)
    body["observations"] = _figures(square20.calibration())
    return answer(msgspec.json.encode(body))


async def _metrics(request: web.Request) -> web.Response:
    check_calibration_set(request.match_info["set"])
    body = _flat("calibration_set", square20.CALIBRATION_SET_ID)
    body["calibration_set_number_of_observations"] = len(square20.calibration())
    body |= _flat("quality_metric_set", square20.METRIC_SET_ID)
    body["metrics"] = _figures(square20.metrics())
    return answer(msgspec.json.encode(body))


async def _submit(request: web.Request) -> web.Response:
    job = await take(request, "iqm-v1")
    return answer(write_submitted(job.id), 201)


def _word(request: web.Request, job: Job) -> str:
    return v1_word(job.stage, request.headers.get("User-Agent", ""))


async def _status(request: web.Request) -> web.Response:
    job = await asked_job(request)
    return answer(write_status(_word(request, job), job.message))


async def _everything(request: web.Request) -> web.Response:
    job = await asked_job(request)
    engine = engine_of(request)
    parts = await engine.parts(job)
    times = ((name, job.at(stage)) for name, stage in _TIMESTAMPS)
    metadata: dict[str, Any] = {
        "calibration_set_id": square20.CALIBRATION_SET_ID,
        "request": msgspec.Raw(parts[0]),
        "timestamps": {name: at.isoformat() for name, at in times if at is not None},
    }
    measurements = await engine.result(job, "measurements")
    return answer(
        write_run(
            _word(request, job),
            measurements=measurements,
            message=job.message,
            metadata=metadata,
        )
    )


async def _counts(request: web.Request) -> web.Response:
    job = await asked_job(request)
    counts = await engine_of(request).result(job, "measurement_counts")
    return answer(write_counts(_word(request, job), counts))


async def _abort(request: web.Request) -> web.Response:
    # 200 always: clients up to 24 take nothing else, and a job that has ended keeps
    # its state.
    await engine_of(request).cancel(await asked_job(request))
    return answer(b"{}")


async def _delete(request: web.Request) -> web.Response:
    await engine_of(request).delete(await asked_job(request))
    return answer(status=204)


def routes() -> list[web.RouteDef]:
    """The routes below `/cocos`, and the one that every dialect asks."""
    root, job = "/cocos", f"/cocos/jobs/{JOB_ID}"
    return [
        web.get("/info/client-libraries", client_libraries),
        web.get(f"{root}/info/client-libraries", client_libraries),
        web.get(f"{root}/quantum-architecture", _specification),
        web.get(f"{root}/api/v1/quantum-architecture", _static),
        web.get(f"{root}/api/v1/calibration/{{set}}/gates", _dynamic),
        web.get(f"{root}/api/v1/calibration/{{set}}", _calibration),
        web.get(f"{root}/calibration/metrics/{{set}}", _metrics),
        web.post(f"{root}/jobs", _submit),
        web.get(job, _everything),
        web.get(f"{job}/status", _status),
        web.get(f"{job}/counts", _counts),
        web.post(f"{job}/abort", _abort),
        web.delete(job, _delete),
    ]
