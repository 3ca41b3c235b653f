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
from qawait.local.border import JOB_ID, Refused, answer
from qawait.local.chip import CALIBRATED_AT, Figure
from qawait.local.jobs import Job, Stage
from qawait.local.submissions import (
    asked_job,
    calibration_set_of,
    chip_of,
    engine_of,
    take,
)
from qawait.local.user_agents import asks_for_counts_only, v1_word

__all__ = ["check_calibration_set", "client_libraries", "counts_of", "routes"]

_CLIENT_LIBRARIES = msgspec.json.encode(
    {"iqm-client": {"name": "IQM Client", "min": "18.6", "max": "37.0"}}
)

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
    return answer(msgspec.json.encode(chip_of(request).specification()))


async def _static(request: web.Request) -> web.Response:
    return answer(msgspec.json.encode(chip_of(request).static))


def check_calibration_set(request: web.Request) -> None:
    """There is one calibration set.

    Raises:
        Refused: Another one is asked for.
    """
    known = ("default", chip_of(request).calibration_set_id)
    if request.match_info["set"] not in known:
        raise Refused(404, "there is no such calibration set")


async def _dynamic(request: web.Request) -> web.Response:
    check_calibration_set(request)
    return answer(msgspec.json.encode(chip_of(request).architecture))


def _flat(prefix: str, set_id: str, dut: str) -> dict[str, Any]:
    return {
        f"{prefix}_id": set_id,
        f"{prefix}_dut_label": dut,
        f"{prefix}_is_invalid": False,
        f"{prefix}_created_timestamp": CALIBRATED_AT,
        f"{prefix}_end_timestamp": CALIBRATED_AT,
    }


def _figures(figures: list[Figure]) -> dict[str, Any]:
    return {
        figure.name: {
            "value": str(figure.value),
            "unit": figure.unit,
            "uncertainty": str(figure.uncertainty),
            "timestamp": CALIBRATED_AT,
        }
        for figure in figures
    }


async def _calibration(request: web.Request) -> web.Response:
    check_calibration_set(request)
    chip = chip_of(request)
    body = _flat("calibration_set", chip.calibration_set_id, chip.dut)
    body["observations"] = _figures(chip.calibration())
    return answer(msgspec.json.encode(body))


async def _metrics(request: web.Request) -> web.Response:
    check_calibration_set(request)
    chip = chip_of(request)
    body = _flat("calibration_set", chip.calibration_set_id, chip.dut)
    body["calibration_set_number_of_observations"] = len(chip.calibration())
    body |= _flat("quality_metric_set", chip.metric_set_id, chip.dut)
    body["metrics"] = _figures(chip.metrics())
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
        "calibration_set_id": calibration_set_of(job),
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


async def counts_of(request: web.Request, job: Job, word: str) -> web.Response:
    """The counts of a job that stands at this word, in V1, V2 and station."""
    engine = engine_of(request)
    counts = await engine.result(job, "measurement_counts")
    if not asks_for_counts_only(request.headers.get("User-Agent", "")):
        return answer(write_counts(word, counts))
    [body, *_] = await engine.parts(job)
    return answer(write_counts(word, counts, message=job.message, request=body))


async def _counts(request: web.Request) -> web.Response:
    job = await asked_job(request)
    return await counts_of(request, job, _word(request, job))


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
