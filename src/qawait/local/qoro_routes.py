"""Qoro below `/api`, as qoro-divi 0.9 to 0.15 speak it. Wire reference, Qoro, §1."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio.to_thread
import msgspec
from aiohttp import web

from qawait.local.border import JOB_ID, Refused, answer, body_of
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.submissions import (
    BROKEN,
    DENIED,
    QUOTAS,
    asked_job,
    check_shots,
    engine_of,
)
from qawait.local.user_agents import asks_for_maestro_config
from qawait.model import State
from qawait.qoro.execution_config import ExecutionConfig
from qawait.qoro.messages import Cluster, Credits, Row, Transaction, Transactions
from qawait.qoro.serving import (
    read_circuits,
    read_execution_config,
    read_init,
    write_cancelled,
    write_clusters,
    write_credits,
    write_execution_config,
    write_init,
    write_newer_config,
    write_page,
    write_status,
    write_systems,
    write_transactions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLUSTER", "routes"]

CLUSTER = "qoro_maestro"

_NO_QUBOS = "this service does not characterise QUBOs"
_GIFT = Decimal("500.00")
_BEGAN = now()
_SYSTEMS = write_systems([])
_CLUSTERS = write_clusters([Cluster(CLUSTER)])
_ROWS = msgspec.json.Decoder(list[Row])
_PAGE, _LONGEST_PAGE = 100, 1000
_MOST_VALUES = 1_000_000
"""Expectation values of one job: every observable comes once for each circuit."""

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
    account = Credits(
        balance=_GIFT, total_used=Decimal(0), created_at=_BEGAN, updated_at=_BEGAN
    )
    return answer(write_credits(account))


async def _transactions(request: web.Request) -> web.Response:
    page = _number(request.query, "page", 1, 1)
    _number(request.query, "page_size", 20, 1)
    if page > 1:
        raise Refused(404, f"there is no page {page} of transactions")
    gift = Transaction(
        id=1,
        amount=_GIFT,
        balance_after=_GIFT,
        transaction_type="PURCHASE",
        description="What a local service starts with; nothing costs anything here",
        created_at=_BEGAN,
    )
    return answer(write_transactions(Transactions(count=1, results=[gift])))


async def _init(request: web.Request) -> web.Response:
    body = await body_of(request)
    new = read_init(body)
    if new.job_type == "VALIDATE":
        raise Refused(501, _NO_QUBOS)
    # Clients up to 0.8 know no clusters and call every target a system.
    if new.target != CLUSTER:
        raise Refused(400, f"there is no target {new.target}; there is {CLUSTER}")
    job = Job(
        id=str(uuid4()),
        kind="qoro",
        dialect="qoro",
        target=new.target,
        circuits=0,
        shots=0,
        timeline=[Moment(Stage.OPEN, now())],
        maestro_config=new.maestro_config,
        expectation=new.job_type == "EXPECTATION",
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
    if job.stage is not Stage.OPEN and _takes_more(request, job):
        job = await engine_of(request).reopen(job)
    if job.stage is not Stage.OPEN:
        raise Refused(409, "the job is complete and takes no further circuits")
    if job.expectation and not upload.observables:
        raise Refused(400, "a job of type EXPECTATION needs observables")
    if upload.observables and not job.expectation:
        raise Refused(400, "observables are for jobs of type EXPECTATION")
    each = [] if job.expectation else upload.shots_each()
    circuits, shots = job.circuits + len(upload), job.shots + sum(each)
    check_shots(request.app[QUOTAS], circuits, max(each, default=0), shots)
    values = job.values + sum(map(len, upload.observables_each(job.circuits)))
    if values > _MOST_VALUES:
        raise Refused(
            400,
            f"cannot submit a job with {values} expectation values, the maximum is "
            f"{_MOST_VALUES}",
        )
    if upload.finalized and not circuits:
        raise Refused(400, "the job has no circuits")
    job.circuits, job.shots, job.values = circuits, shots, values
    await engine_of(request).append(job, body, finished=upload.finalized)
    return answer(b'{"status":"ok"}')


def _takes_more(request: web.Request, job: Job) -> bool:
    """Whether a promise is broken, and the job takes circuits though it must not."""
    promise = "P2" if job.stage is Stage.ABORTED else "P3"
    return promise in request.app[BROKEN]


def _state(request: web.Request, job: Job) -> State:
    if "P4" in request.app[BROKEN]:
        if job.id in request.app[DENIED]:
            return State.ABORTED
        if not job.stage.is_terminal:
            return State.PENDING_COMPILATION
    return _STATES[job.stage]


async def _status(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    began, ended = job.at(Stage.RUNNING), job.at(Stage.READY)
    seconds = (ended - began).total_seconds() if began and ended else None
    return answer(
        write_status(_state(request, job), run_time=seconds, error=job.message)
    )


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
    if "P4" in request.app[BROKEN]:
        request.app[DENIED].add(job.id)
        return answer(write_cancelled(job.id, job.circuits))
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
    if job.maestro_config is not None:
        raise Refused(409, "the job has a maestro_config, and only one can hold")
    _configure(job, config)
    await engine_of(request).configure(job)
    return answer(write_execution_config(job.id, config, posted=True))


async def _get_config(request: web.Request) -> web.Response:
    job = await asked_job(request, "qoro")
    newer = asks_for_maestro_config(request.headers.get("User-Agent", ""))
    # The eras differ in what they read where there is nothing: null here, 404 there.
    if newer or job.maestro_config is not None:
        return answer(write_newer_config(job.id, maestro_config=job.maestro_config))
    if job.config is None:
        raise Refused(404, "the job has no execution configuration")
    config = ExecutionConfig.from_response(job.config)
    return answer(write_execution_config(job.id, config, posted=False))


async def _not_served(request: web.Request) -> web.Response:
    raise Refused(501, _NO_QUBOS)


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
