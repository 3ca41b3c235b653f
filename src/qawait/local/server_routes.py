"""IQM Server api/v1 at the root, as iqm-client 33 to 36 speak it.

Wire reference, IQM, §3.3.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version

import msgspec
from aiohttp import web

from qawait.iqm.messages import (
    Health,
    QuantumComputer,
    QuantumComputers,
    TimelineEntry,
)
from qawait.iqm.serving import write_job
from qawait.local.border import JOB_ID, Refused, answer
from qawait.local.jobs import Job, Stage, now
from qawait.local.station_routes import channel_properties
from qawait.local.submissions import (
    asked_job,
    calibration_set_of,
    chip_of,
    engine_of,
    take,
)

__all__ = ["routes"]

_VERSION = version("qawait")
_HEALTH = msgspec.json.encode(Health(healthy=True))

_WORDS = {
    Stage.RECEIVED: "waiting",
    Stage.COMPILING: "waiting",
    Stage.COMPILED: "waiting",
    Stage.RUNNING: "processing",
    Stage.READY: "completed",
    Stage.FAILED: "failed",
    Stage.ABORTED: "cancelled",
}
_STATION = "iqm-station-control"
_TIMELINE = {
    Stage.RECEIVED: (("created", "iqm-server"), ("received", _STATION)),
    Stage.COMPILING: (("compilation_started", _STATION),),
    Stage.COMPILED: (("compilation_ended", _STATION),),
    Stage.RUNNING: (("execution_started", _STATION),),
    Stage.READY: (("execution_ended", _STATION), ("completed", "iqm-server")),
    Stage.FAILED: (("failed", "iqm-server"),),
    Stage.ABORTED: (("cancelled", "iqm-server"),),
}


def _about() -> bytes:
    return msgspec.json.encode(
        {
            "name": "qawait local service (simulated)",
            "version": _VERSION,
            "software_versions": {"qawait": _VERSION},
        }
    )


async def _get_about(request: web.Request) -> web.Response:
    return answer(_about())


async def _computers(request: web.Request) -> web.Response:
    chip = chip_of(request)
    computer = QuantumComputer(chip.id, chip.alias, chip.display_name)
    return answer(msgspec.json.encode(QuantumComputers([computer])))


def _check_computer(request: web.Request) -> None:
    name = request.match_info["qc"]
    chip = chip_of(request)
    if name not in (chip.alias, chip.id):
        raise Refused(404, f"there is no such quantum computer; there is {chip.alias}")


def _check_calibration_set(request: web.Request) -> None:
    known = ("default", chip_of(request).calibration_set_id)
    if request.match_info["set"] not in known:
        raise Refused(404, "there is no such calibration set")


async def _health(request: web.Request) -> web.Response:
    _check_computer(request)
    return answer(_HEALTH)


async def _queue(request: web.Request) -> web.Response:
    _check_computer(request)
    today = now()
    body = {
        "queue_length": engine_of(request).queue_length,
        "available": [{"start": today, "end": today + timedelta(days=1)}],
    }
    return answer(msgspec.json.encode(body))


async def _artifact(request: web.Request) -> web.Response:
    _check_computer(request)
    name = request.match_info["name"]
    if name == "about":
        return answer(_about())
    chip = chip_of(request)
    if name == "duts":
        duts = [{"label": chip.dut, "dut_type": "chip"}]
        return answer(msgspec.json.encode(duts))
    if name == "static-quantum-architectures":
        return answer(msgspec.json.encode([chip.static]))
    if name == "channel-properties":
        return web.Response(body=channel_properties(chip, as_protobuf=True))
    raise Refused(404, "a simulated quantum computer has no such artifact")


async def _dynamic(request: web.Request) -> web.Response:
    _check_computer(request)
    _check_calibration_set(request)
    return answer(msgspec.json.encode(chip_of(request).architecture))


async def _calibration(request: web.Request) -> web.Response:
    _check_computer(request)
    _check_calibration_set(request)
    observations = chip_of(request).observations(of_metrics=False)
    return answer(msgspec.json.encode(observations))


async def _metrics(request: web.Request) -> web.Response:
    _check_computer(request)
    _check_calibration_set(request)
    observations = chip_of(request).observations(of_metrics=True)
    return answer(msgspec.json.encode(observations))


def _timeline(job: Job) -> list[TimelineEntry]:
    return [
        TimelineEntry(word, moment.at.isoformat(), source)
        for moment in job.timeline
        for word, source in _TIMELINE[moment.stage]
    ]


async def _submit(request: web.Request) -> web.Response:
    _check_computer(request)
    if request.query.get("use_timeslot", "false") != "false":
        raise Refused(400, "this service has no time slots; leave use_timeslot false")
    job = await take(request, "iqm-server")
    # Always waiting, even if it has ended by now: a client that is told so at once
    # never asks, and would be another one than what is measured.
    created = TimelineEntry("created", job.timeline[0].at.isoformat())
    return answer(
        write_job(
            job.id,
            "waiting",
            timeline=[created],
            queue_position=_position(request, job),
        ),
        201,
    )


def _position(request: web.Request, job: Job) -> int | None:
    return engine_of(request).jobs_ahead(job)


async def _no_pulses(request: web.Request) -> web.Response:
    raise Refused(501, "this service runs circuits, not pulse schedules")


async def _job(request: web.Request) -> web.Response:
    job = await asked_job(request)
    compiled = job.at(Stage.COMPILED) is not None
    return answer(
        write_job(
            job.id,
            _WORDS[job.stage],
            timeline=_timeline(job),
            calibration_set_id=calibration_set_of(job) if compiled else None,
            queue_position=_position(request, job),
            error=job.message,
        )
    )


async def _payload(request: web.Request) -> web.Response:
    job = await asked_job(request)
    return answer((await engine_of(request).parts(job))[0])


async def _result(request: web.Request) -> web.Response:
    job = await asked_job(request)
    result = await engine_of(request).result(job, request.match_info["name"])
    if result is None:
        raise Refused(
            404, f"job {job.id} has no such artifact; it is {_WORDS[job.stage]}"
        )
    return answer(result)


async def _cancel(request: web.Request) -> web.Response:
    job = await asked_job(request)
    if not await engine_of(request).cancel(job):
        raise Refused(
            403, f"job {job.id} is already {_WORDS[job.stage]}", "illegal_job_status"
        )
    return answer(b"{}")


async def _delete(request: web.Request) -> web.Response:
    await engine_of(request).delete(await asked_job(request))
    return answer(status=204)


def routes() -> list[web.RouteDef]:
    """The routes of api/v1, and `/about`."""
    root = "/api/v1"
    computer, job = f"{root}/quantum-computers/{{qc}}", f"{root}/jobs/{JOB_ID}"
    calibration = f"{root}/calibration-sets/{{qc}}/{{set}}"
    return [
        web.get("/about", _get_about),
        web.get(f"{root}/about", _get_about),
        web.get(f"{root}/quantum-computers", _computers),
        web.get(f"{computer}/health", _health),
        web.get(f"{computer}/queue-availability", _queue),
        web.get(f"{computer}/artifacts/{{name}}", _artifact),
        web.get(f"{calibration}/dynamic-quantum-architecture", _dynamic),
        web.get(calibration, _calibration),
        web.get(f"{calibration}/metrics", _metrics),
        web.post(f"{root}/jobs/{{qc}}/circuit", _submit),
        web.post(f"{root}/jobs/{{qc}}/run", _no_pulses),
        web.post(f"{root}/jobs/{{qc}}/sweep", _no_pulses),
        web.get(job, _job),
        web.get(f"{job}/payload", _payload),
        web.get(f"{job}/artifacts/{{name}}", _result),
        web.post(f"{job}/cancel", _cancel),
        web.delete(job, _delete),
    ]
