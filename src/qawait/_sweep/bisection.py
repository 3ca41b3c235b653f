"""What follows a batch that was not accepted: pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from qawait._delivery import came_to_nothing
from qawait.errors import (
    ConfigurationError,
    Error,
    MissingExtra,
    ResponseError,
    SubmissionRejected,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Verdict", "halves", "verdict"]

T = TypeVar("T")

_OF_ITS_CONTENT = (400, 413, 422)
"""Statuses by which a service refuses what is in a request."""


class Verdict(Enum):
    """What to do with the circuits of a batch that was not accepted."""

    APART = "send its halves apart"
    LATER = "send it again when the service is back"
    NEVER = "none of them is sent again"


def verdict(error: Error) -> Verdict:
    """What may be done after this error of a submission.

    A batch is taken apart only if it certainly did not run and the reason may lie in one
    of its circuits. It is sent again only if it certainly was not taken, for a reason
    that passes. After an unknown outcome nothing is.
    """
    if isinstance(error, SubmissionRejected):
        cause = error.__cause__
        if cause is not None and came_to_nothing(cause):
            return Verdict.LATER
        if isinstance(cause, ResponseError) and cause.status in _OF_ITS_CONTENT:
            return Verdict.APART
        return Verdict.NEVER
    if isinstance(error, ConfigurationError):
        apart = not isinstance(error, MissingExtra)
        return Verdict.APART if apart else Verdict.NEVER
    return Verdict.LATER if came_to_nothing(error) else Verdict.NEVER


def halves(batch: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """A batch of two or more in two parts, in order, the first at most one shorter."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
