"""What routes have in common: finding a job, and taking an IQM run request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import anyio.to_thread
from aiohttp import web

from qawait.iqm.serving import Request, read_request
from qawait.local.border import Refused, body_of
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.targets import CHIPS
from qawait.local.work import SMALL_BODY_BYTES, read_small_request

if TYPE_CHECKING:
    from qawait.local.chip import Chip
    from qawait.local.engine import Engine
    from qawait.local.options import Quotas

__all__ = [
    "BROKEN",
    "CHIP",
    "DENIED",
    "ENGINE",
    "QUOTAS",
    "asked_job",
    "calibration_set_of",
    "check_shots",
    "chip_of",
    "engine_of",
    "take",
]

BROKEN: web.AppKey[frozenset[str]] = web.AppKey("broken")
CHIP: web.AppKey[Chip] = web.AppKey("chip")
DENIED: web.AppKey[set[str]] = web.AppKey("denied")
"""Jobs that are said to be cancelled and run on, where P4 is broken."""
ENGINE: web.AppKey[Engine] = web.AppKey("engine")
QUOTAS: web.AppKey[Quotas] = web.AppKey("quotas")


def engine_of(request: web.Request) -> Engine:
    """The engine behind a request."""
    return request.app[ENGINE]


def chip_of(request: web.Request) -> Chip:
    """The one quantum computer of IQM's dialects."""
    return request.app[CHIP]


def calibration_set_of(job: Job) -> str:
    """The calibration set of the chip that a job was sent to.

    It may not be the chip of today: jobs outlive the service.
    """
    return CHIPS[job.target].calibration_set_id


async def asked_job(request: web.Request, kind: str = "iqm") -> Job:
    """The job that the path names, if it came in a dialect of this kind.

    Raises:
        Refused: There is none.
    """
    job_id = request.match_info["id"]
    job = await engine_of(request).find(job_id)
    if job is None or job.kind != kind:
        raise Refused(404, f"there is no job {job_id}")
    return job


def check_shots(quotas: Quotas, circuits: int, shots: int, total: int) -> None:
    """Holds a job against the quotas.

    Args:
        quotas: The limits of this service.
        circuits: How many the job has.
        shots: For a circuit.
        total: Over all circuits.

    Raises:
        Refused: It asks for more; the sentence names the limit.
    """
    for what, asked, most in (
        ("circuits", circuits, quotas.circuits),
        ("shots per circuit", shots, quotas.shots),
        ("shots over all circuits", total, quotas.shots_in_total),
    ):
        if asked > most:
            raise Refused(
                400, f"cannot submit a job with {asked} {what}, the maximum is {most}"
            )


async def take(request: web.Request, dialect: str) -> Job:
    """Reads a run request and puts it into the queue.

    Raises:
        ProtocolError: The body is not a run request.
        Refused: It asks for more than the quotas allow.
    """
    body = await body_of(request)
    # what is longer is read in a thread, so that other requests go on
    if len(body) < SMALL_BODY_BYTES:
        run: Request = read_small_request(body)
    else:
        run = await anyio.to_thread.run_sync(read_request, body)
    circuits = len(run.circuits)
    total = circuits * run.shots
    check_shots(request.app[QUOTAS], circuits, run.shots, total)
    job = Job(
        id=str(uuid4()),
        kind="iqm",
        dialect=dialect,
        target=chip_of(request).alias,
        circuits=circuits,
        shots=total,
        timeline=[Moment(Stage.RECEIVED, now())],
    )
    await engine_of(request).submit(job, [body])
    return job
