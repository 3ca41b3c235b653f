"""What a failed attempt proves, and what may be done next: the rules, and no more.

A request that changes something at a service ends in one of four ways: it certainly had
no effect, it was refused, it was accepted, or nobody knows. The rules here see to it
that what is unknown is never sent again, and never taken for something else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from qawait.errors import (
    ConfigurationError,
    NotFound,
    RateLimited,
    ResponseError,
    TlsFailed,
    TransportError,
)
from qawait.model import Delivery, End, State

if TYPE_CHECKING:
    from qawait.model import Status

__all__ = [
    "MOST_JOBS",
    "MOST_ORPHANS",
    "Next",
    "Phase",
    "after_asking",
    "after_cancelling",
    "came_to_nothing",
    "delivery_of",
    "next_step",
]

MOST_JOBS = 3
"""How many jobs may be opened for one submission in two phases."""
MOST_ORPHANS = 3
"""How many empty jobs one submission may leave behind without knowing their ids."""


class Phase(StrEnum):
    """Which part of a submission a request is."""

    WHOLE = "whole"
    """All of it in one request."""
    OPENING = "opening"
    """An empty job, which never runs."""
    PART = "part"
    """Circuits for a job that runs only when it is finished."""
    FINISH = "finish"
    """The last circuits, with which the job may run."""


class Next(StrEnum):
    """What may follow an attempt that failed."""

    AGAIN = "the same request again"
    ANOTHER_JOB = "the job is left unfinished, and another one is opened"
    ASK = "the job is asked how it stands"
    CANCEL = "the job is cancelled, so that nothing can start in it any more"
    ADOPT = "the job runs or has run, so the submission was accepted"
    PARK = "nobody knows, and nothing is sent again"
    END = "the submission has failed"


def delivery_of(error: BaseException) -> Delivery:
    """What an error of one attempt says about its effect at the service.

    Only two things prove that nothing happened: no byte left, or the service said no.
    A 5xx may come from something in front of the service, after the service has acted;
    so may a 408 and a 303. Everything else is unknown, a cancelled attempt included.
    """
    match error:
        case TransportError(sent=False):
            return Delivery.NOT_DELIVERED
        case ResponseError(status=303 | 408):
            return Delivery.UNKNOWN
        case ResponseError(status=503):
            spoken = error.recognised or error.retry_after is not None
            return Delivery.REJECTED if spoken else Delivery.UNKNOWN
        case ResponseError() if error.status < 500 or error.status == 501:
            return Delivery.REJECTED
        case ConfigurationError():
            return Delivery.NOT_DELIVERED
        case _:
            return Delivery.UNKNOWN


def came_to_nothing(error: BaseException) -> bool:
    """Whether an attempt had no effect, for a reason that passes.

    It never left, or the service was too busy and said so: 425, 429, and a 503 that is
    its own and not that of something in front of it.
    """
    if isinstance(error, RateLimited):
        return True
    if isinstance(error, ResponseError) and error.status == 503:
        return delivery_of(error) is Delivery.REJECTED
    return isinstance(error, TransportError) and not (
        error.sent or isinstance(error, TlsFailed)
    )


def next_step(
    phase: Phase, error: BaseException, *, jobs: int = 1, orphans: int = 0
) -> Next:
    """What may follow an attempt that failed; `AGAIN` only within one's patience.

    Args:
        phase: Which part of the submission it was.
        error: How it failed.
        jobs: The jobs that were opened for this submission, this one included.
        orphans: The empty jobs that may have been opened without an answer, this one
            included.
    """
    if came_to_nothing(error):
        return Next.AGAIN
    unknown = delivery_of(error) is Delivery.UNKNOWN
    match phase:
        case Phase.OPENING if unknown and orphans < MOST_ORPHANS:
            return Next.AGAIN
        case Phase.PART if unknown or isinstance(error, NotFound):
            # never finished, it never runs: so even a late arrival is harmless
            return Next.ANOTHER_JOB if jobs < MOST_JOBS else Next.END
        case Phase.FINISH if unknown:
            return Next.ASK
        case Phase.WHOLE if unknown:
            return Next.PARK
        case _:
            return Next.END


def after_asking(status: Status | None, *, patient: bool, may_cancel: bool) -> Next:
    """What follows from how a job stands whose last upload was not answered.

    Args:
        status: How it stands; None if that could not be learned.
        patient: Whether there is time left to ask again, which is `ASK`.
        may_cancel: Whether the job may be given up for another one.
    """
    if status is not None and _has_started(status):
        return Next.ADOPT
    if patient:
        return Next.ASK
    # a word that is not known may mean that it runs
    pending = status is not None and status.state is State.PENDING_COMPILATION
    return Next.CANCEL if pending and may_cancel else Next.PARK


def after_cancelling(
    status: Status | None,
    cancelled: int | None,
    circuits: int,
    *,
    patient: bool,
    jobs: int = 1,
) -> Next:
    """What follows from how a job stands that was cancelled for another one.

    Only if every circuit was cancelled has none of them started. Fewer may mean that
    the rest ran, or that it never arrived: the service does not tell the two apart.

    Args:
        status: How it stands; None if that could not be learned.
        cancelled: The circuits that the service says it has cancelled; None if it did
            not take the cancellation, or did not say.
        circuits: All circuits of the submission.
        patient: Whether there is time left to ask again.
        jobs: The jobs that were opened for this submission, this one included.
    """
    if status is not None and status.end is End.ABORTED:
        clean = cancelled == circuits and jobs < MOST_JOBS
        return Next.ANOTHER_JOB if clean else Next.PARK
    if status is not None and _has_started(status):
        return Next.ADOPT
    return Next.ASK if patient else Next.PARK


def _has_started(status: Status) -> bool:
    return status.end is not None or status.state is State.PENDING_EXECUTION
