"""V2 and station, as iqm-client 18 to 32 speak them. Wire reference, IQM, §3.1, §3.2.

Both ask below `/station`, where they share most of their paths: V2 up to 24 finds its
jobs under `circuits`, all others under `jobs`. What V2 asks below `/cocos` is V1's.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import msgspec
from aiohttp import web

from qawait.iqm.messages import Dut
from qawait.iqm.serving import (
    circuits_of,
    write_channels,
    write_error_log,
    write_parameters,
    write_status,
    write_submitted,
    write_timeline,
)
from qawait.local.border import JOB_ID, Refused, answer
from qawait.local.cocos_routes import check_calibration_set, counts_of
from qawait.local.jobs import Stage
from qawait.local.submissions import (
    asked_job,
    calibration_set_of,
    chip_of,
    engine_of,
    take,
)
from qawait.local.user_agents import (
    reads_error_as_text,
    station_library,
    station_word,
)

if TYPE_CHECKING:
    from qawait.local.chip import Chip
    from qawait.local.jobs import Job

__all__ = ["channel_properties", "routes"]

_VERSION = version("qawait")
_TIMELINE = {
    Stage.RECEIVED: ("received",),
    Stage.COMPILING: ("compilation_started",),
    Stage.COMPILED: ("compilation_ended", "pending_execution"),
    Stage.RUNNING: ("execution_started",),
    Stage.READY: ("execution_ended", "ready"),
    Stage.FAILED: ("failed",),
    Stage.ABORTED: ("aborted",),
}


def _agent(request: web.Request) -> str:
    return request.headers.get("User-Agent", "")


# --- the machine ----------------------------------------------------------------------


async def _about(request: web.Request) -> web.Response:
    software = {
        "iqm-station-control-client": station_library(_agent(request)),
        "qawait": _VERSION,
    }
    body = {
        "name": "qawait local service (simulated)",
        "version": _VERSION,
        "software_versions": software,
    }
    return answer(msgspec.json.encode(body))


async def _duts(request: web.Request) -> web.Response:
    return answer(msgspec.json.encode([Dut(chip_of(request).dut)]))


async def _static(request: web.Request) -> web.Response:
    chip = chip_of(request)
    if request.match_info["dut"] != chip.dut:
        raise Refused(404, f"there is no such chip; there is {chip.dut}")
    return answer(msgspec.json.encode(chip.static))


async def _calibration_set(request: web.Request) -> web.Response:
    check_calibration_set(request)
    body = chip_of(request).observations(of_metrics=False)
    del body["observations"]
    return answer(msgspec.json.encode(body))


async def _dynamic(request: web.Request) -> web.Response:
    check_calibration_set(request)
    return answer(msgspec.json.encode(chip_of(request).architecture))


async def _metrics(request: web.Request) -> web.Response:
    check_calibration_set(request)
    chip = chip_of(request)
    calibration = chip.observations(of_metrics=False)
    del calibration["observations"]
    body = chip.observations(of_metrics=True) | {"calibration_set": calibration}
    return answer(msgspec.json.encode(body))


async def _observation_set(request: web.Request) -> web.Response:
    """A calibration or quality-metric set by its id; what it holds is asked apart."""
    chip = chip_of(request)
    asked = request.match_info["set"]
    if asked not in (chip.calibration_set_id, chip.metric_set_id):
        raise Refused(404, "there is no such observation set")
    body = chip.observations(of_metrics=asked == chip.metric_set_id)
    observations = body.pop("observations")
    apart = request.path.endswith("/observations")
    return answer(msgspec.json.encode(observations if apart else body))


def channel_properties(chip: Chip, *, as_protobuf: bool) -> bytes:
    """The channels of a chip on which any measurement may steer any qubit."""
    channels = {f"{qubit}__drive": ["all"] for qubit in chip.architecture.qubits}
    return write_channels(channels, as_protobuf=as_protobuf)


async def _channel_properties(request: web.Request) -> web.Response:
    # iqm-client 29 to 32 asks for bytes, V2 for JSON, at the same address
    if request.headers.get("Accept") != "application/octet-stream":
        return answer(channel_properties(chip_of(request), as_protobuf=False))
    return web.Response(body=channel_properties(chip_of(request), as_protobuf=True))


# --- jobs -----------------------------------------------------------------------------


async def _submit(request: web.Request) -> web.Response:
    job = await take(request, "iqm-station")
    return answer(write_submitted(job.id))


def _word(request: web.Request, job: Job) -> str:
    return station_word(job.stage, _agent(request))


async def _status(request: web.Request) -> web.Response:
    job = await asked_job(request)
    return answer(write_status(_word(request, job)))


async def _measurements(request: web.Request) -> web.Response:
    job = await asked_job(request)
    measurements = await engine_of(request).result(job, "measurements")
    if measurements is None:
        raise Refused(404, f"job {job.id} has no measurements")
    return answer(measurements)


async def _counts(request: web.Request) -> web.Response:
    job = await asked_job(request)
    return await counts_of(request, job, _word(request, job))


async def _error_log(request: web.Request) -> web.Response:
    job = await asked_job(request)
    if job.message is None:
        raise Refused(404, f"job {job.id} has no error log")
    as_text = reads_error_as_text(_agent(request))
    return web.Response(
        body=write_error_log(job.message, as_text=as_text),
        content_type="text/plain" if as_text else "application/json",
        charset="utf-8" if as_text else None,
    )


async def _parameters(request: web.Request) -> web.Response:
    [body, *_] = await engine_of(request).parts(await asked_job(request))
    return answer(write_parameters(body))


async def _calibration_set_id(request: web.Request) -> web.Response:
    job = await asked_job(request)
    compiled = job.at(Stage.COMPILED) is not None
    used = calibration_set_of(job) if compiled else None
    return answer(msgspec.json.encode(used))


async def _circuits(request: web.Request) -> web.Response:
    [body, *_] = await engine_of(request).parts(await asked_job(request))
    return answer(circuits_of(body))


async def _timeline(
    key: Literal["stage", "status"], request: web.Request
) -> web.Response:
    job = await asked_job(request)
    steps = [
        (word, moment.at) for moment in job.timeline for word in _TIMELINE[moment.stage]
    ]
    return answer(write_timeline(steps, key))


async def _abort(request: web.Request) -> web.Response:
    # 200 always: clients up to 24 take nothing else, and a job that has ended keeps
    # its state.
    await engine_of(request).cancel(await asked_job(request))
    return answer(b"{}")


async def _delete(request: web.Request) -> web.Response:
    await engine_of(request).delete(await asked_job(request))
    return answer(status=204)


def _routes_of_job(job: str, key: Literal["stage", "status"]) -> list[web.RouteDef]:
    return [
        web.get(f"{job}/status", _status),
        web.get(f"{job}/measurements", _measurements),
        web.get(f"{job}/error_log", _error_log),
        web.get(f"{job}/request_parameters", _parameters),
        web.get(f"{job}/calibration_set_id", _calibration_set_id),
        web.get(f"{job}/circuits_batch", _circuits),
        web.get(f"{job}/timeline", partial(_timeline, key)),
        web.post(f"{job}/abort", _abort),
        web.delete(job, _delete),
    ]


def routes() -> list[web.RouteDef]:
    """The routes below `/station`."""
    root = "/station"
    calibration = f"{root}/calibration-sets/{{set}}"
    observations = f"{root}/observation-sets/{{set}}"
    return [
        web.get(f"{root}/about", _about),
        web.get(f"{root}/duts", _duts),
        web.get(f"{root}/static-quantum-architectures/{{dut}}", _static),
        web.get(calibration, _calibration_set),
        web.get(f"{calibration}/dynamic-quantum-architecture", _dynamic),
        web.get(f"{calibration}/metrics", _metrics),
        web.get(observations, _observation_set),
        web.get(f"{observations}/observations", _observation_set),
        web.get(f"{root}/channel-properties", _channel_properties),
        web.post(f"{root}/circuits", _submit),
        web.get(f"{root}/circuits/{JOB_ID}/counts", _counts),
        *_routes_of_job(f"{root}/circuits/{JOB_ID}", "stage"),
        *_routes_of_job(f"{root}/jobs/{JOB_ID}", "status"),
    ]
