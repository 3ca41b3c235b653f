"""Qoro below `/api`, as qoro-divi 0.9 to 0.14 speak it. Wire reference, Qoro, §1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio.to_thread
import msgspec
from aiohttp import web

from qawait.local.border import JOB_ID, Refused, answer, body_of
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.submissions import QUOTAS, asked_job, check_shots, engine_of
from qawait.local.user_agents import asks_for_maestro_config
from qawait.model import State
from qawait.qoro.execution_config import ExecutionConfig
from qawait.qoro.messages import Cluster, Row
from qawait.qoro.serving import (
    read_circuits,
    read_execution_config,
    read_init,
    write_cancelled,
    write_clusters,
    write_execution_config,
    write_init,
    write_page,
    write_status,
    write_systems,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLUSTER", "routes"]

CLUSTER = "qoro_maestro"

_SYSTEMS = write_systems([])
_CLUSTERS = write_clusters([Cluster(CLUSTER)])
_ROWS = msgspec.json.Decoder(list[Row])
_PAGE, _LONGEST_PAGE = 100, 1000

_STATES = {
    Stage.OPEN: State.PENDING_COMPILATION,
    Stage.RECEIVED: State.PENDING_COMPILATION,
    # PENDING promises that a configuration is still taken, so it ends here.
    Stage.COMPILING: State.PENDING_EXECUTION,
    Stage.COMPILED: State.PENDING_EXECUTION,
    Stage.RUNNING: State.PENDING_EXECUTION,
    Stage.READY: State.READY,
    Stage.FAILED: State.FAILED,
    Stage.ABORTED: State.ABORTED,
}


async def _root(request: web.Request) -> web.Response:
    return answer(b'{"status":"ok"}')


async def _systems(request: web.Request) -> web.Response:
    return answer(_SYSTEMS)


async def _clusters(request: web.Request) -> web.Response:
    return answer(_CLUSTERS)


async def _blueprint(request: web.Request) -> web.Response:
    return answer(b"{}")


async def _credits(request: web.Request) -> web.Response:
    today = now().isoformat().replace("+00:00", "Z")
    body = {
        "balance": "500.00",
        "total_used": "0",
        "created_at": today,
        "updated_at": today,
    }
    return answer(msgspec.json.encode(body))


async def _transactions(request: web.Request) -> web.Response:
    return answer(
        b'{"count":0,"total_pages":1,"next":null,"previous":null,"results":[]}'
    )


async def _init(request: web.Request) -> web.Response:
    body = await body_of(request)
    new = read_init(body)
    if new.kind != "simulator" or new.target != CLUSTER:
        raise Refused(400, f"there is no target {new.target}; there is {CLUSTER}")
    if new.maestro_config:
        raise Refused(
            400, "maestro_config is not supported by this service; leave it out"
        )
    job = Job(
        id=str(uuid4()),
        kind="qoro",
        dialect="qoro",
        target=new.target,
        circuits=0,
        shots=0,
        timeline=[Moment(Stage.OPEN, now())],
    )
    if new.execution_config is not None:
        _configure(job, new.execution_config)
    await engine_of(request).submit(job, [body])
    return answer(write_init(job.id), 201)


def _configure(job: Job, config: ExecutionConfig) -> None:
    job.config = config.to_payload()
    job.seconds = (config.api_meta or {}).get("max_execution_time")


async def _add_circuits(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    body = await body_of(request)
    # Unpacking is the work of a thread: a body of a megabyte holds several of text.
    upload = await anyio.to_thread.run_sync(read_circuits, body)
    if job.stage is not Stage.OPEN:
        raise Refused(409, "the job is complete and takes no further circuits")
    circuits = job.circuits + len(upload.circuits)
    shots = job.shots + len(upload.circuits) * upload.shots
    check_shots(request.app[QUOTAS], circuits, upload.shots, shots)
    if upload.finalized and not circuits:
        raise Refused(400, "the job has no circuits")
    job.circuits, job.shots = circuits, shots
    await engine_of(request).append(job, body, finished=upload.finalized)
    return answer(b'{"status":"ok"}')


async def _status(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    began, ended = job.at(Stage.RUNNING), job.at(Stage.READY)
    seconds = (ended - began).total_seconds() if began and ended else None
    return answer(write_status(_STATES[job.stage], run_time=seconds, error=job.message))


def _number(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = query.get(name, str(default))
    if (
        not (text.isascii() and text.isdecimal() and len(text) < 10)
        or int(text) < least
    ):
        raise Refused(400, f"{name} must be a number from {least} on")
    return int(text)


async def _results(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    body = await engine_of(request).result(job, "rows")
    if body is None:
        reason = f": {job.message}" if job.message else ""
        raise Refused(400, f"results are not available, the job is {job.stage}{reason}")
    limit = min(_number(request.query, "limit", _PAGE, 1), _LONGEST_PAGE)
    offset = _number(request.query, "offset", 0, 0)
    rows = _ROWS.decode(body)
    page = write_page(
        rows[offset : offset + limit],
        count=len(rows),
        limit=limit,
        offset=offset,
        url=str(request.url.with_query(None)),
    )
    return answer(page)


async def _cancel(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    if not await engine_of(request).cancel(job):
        raise Refused(409, f"the job cannot be cancelled, it is {job.stage}")
    return answer(write_cancelled(job.id, job.circuits))


async def _delete(request: web.Request) -> web.Response:
    await engine_of(request).delete(await asked_job(request, "qoro"))
    return answer(status=204)


async def _set_config(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    config = read_execution_config(await body_of(request))
    if job.stage not in (Stage.OPEN, Stage.RECEIVED):
        raise Refused(409, "a configuration can be set only while the job is PENDING")
    _configure(job, config)
    await engine_of(request).configure(job)
    return answer(write_execution_config(job.id, config, posted=True))


async def _get_config(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    if asks_for_maestro_config(request.headers.get("User-Agent", "")):
        body: dict[str, Any] = {
            "job_id": job.id,
            "maestro_config": None,
            "device_config": None,
        }
        return answer(msgspec.json.encode(body))
    if job.config is None:
        raise Refused(404, "the job has no execution configuration")
    config = ExecutionConfig.from_response(job.config)
    return answer(write_execution_config(job.id, config, posted=False))


async def _not_served(request: web.Request) -> web.Response:
    raise Refused(501, "this service does not characterise QUBOs")


def routes() -> list[web.RouteDef]:
    """The routes below `/api`; Qoro's paths end in a slash, but for DELETE."""
    root, job = "/api", f"/api/job/{JOB_ID}"
    return [
        web.get(f"{root}/", _root),
        web.get(f"{root}/qpusystem/", _systems),
        web.get(f"{root}/simulatorcluster/", _clusters),
        web.get(f"{root}/vendor-config-blueprint/", _blueprint),
        web.get(f"{root}/credits/", _credits),
        web.get(f"{root}/credits/transactions/", _transactions),
        web.post(f"{root}/job/init/", _init),
        web.post(f"{job}/add_circuits/", _add_circuits),
        web.get(f"{job}/status/", _status),
        web.get(f"{job}/resultsV2/", _results),
        web.post(f"{job}/cancel/", _cancel),
        web.delete(job, _delete),
        web.post(f"{job}/execution_config/", _set_config),
        web.get(f"{job}/execution_config/", _get_config),
        web.post(f"{job}/submit_qubo/", _not_served),
        web.get(f"{job}/validation_result/", _not_served),
        web.get(f"{job}/validation_result/html/", _not_served),
    ]
