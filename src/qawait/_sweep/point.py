"""One point of a sweep and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.errors import Error, SubmissionUncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qawait.circuit_result import CircuitResult

__all__ = ["Point"]


class Point:
    """What became of one point of a sweep: a result, or the error in its place."""

    __slots__ = (
        "_retry",
        "attempt",
        "error",
        "index",
        "job_id",
        "key",
        "params",
        "recorded",
        "result",
        "submission_id",
    )

    def __init__(
        self,
        *,
        key: str,
        index: int,
        params: Mapping[str, float],
        attempt: int = 1,
        job_id: str | None = None,
        submission_id: str | None = None,
        result: CircuitResult | None = None,
        error: Error | None = None,
        recorded: bool = False,
        retry: Callable[[], bool] | None = None,
    ) -> None:
        self.key = key
        """Its stable name: the user's, or made of its parameters, or its number."""
        self.index = index
        """Its place in the sweep, from 0."""
        self.params = params
        """Its parameters by name; empty where the sweep has no template."""
        self.attempt = attempt
        """1, and one more after each `retry`."""
        self.job_id = job_id
        """The service's id of the job that carried it; None if none became known."""
        self.submission_id = submission_id
        """Our own name for the submission; None if it was never sent."""
        self.result = result
        """None where there is an error."""
        self.error = error
        """None where there is a result."""
        self.recorded = recorded
        """Whether it comes from the journal, and nothing was sent for it in this run."""
        self._retry = retry

    @property
    def uncertain(self) -> bool:
        """Whether it may be running and billed; it is not sent again by itself."""
        return isinstance(self.error, SubmissionUncertain)

    def retry(self) -> bool:
        """Send a point again that has no result; it comes out of the sweep once more.

        Returns:
            Whether it will be sent. Not, if it has a result, if it may be running (only
            its user can resolve that), or if the sweep takes no more points.
        """
        if self.error is None or self.uncertain or self._retry is None:
            return False
        return self._retry()

    def __repr__(self) -> str:
        job = "" if self.job_id is None else f", job {self.job_id}"
        if self.error is None:
            return f"<Point {self.key!r}: ready{job}>"
        return f"<Point {self.key!r}: {type(self.error).__name__}{job}>"
