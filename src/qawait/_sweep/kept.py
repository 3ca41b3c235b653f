"""What came back so far, for a data set at the end."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import (
    ConfigurationError,
    Error,
    JobError,
    JobMissing,
    SubmissionRejected,
    SubmissionUncertain,
)
from qawait.journal.records import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait._sweep.record import Record
    from qawait.circuit_result import CircuitResult
    from qawait.journal.tables import Line
    from qawait.results import Result

__all__ = ["Kept"]

_RESULTS = 8
"""Results of the journal that are held while its points are gone through."""


class _Place(Struct, frozen=True):
    parameters: Mapping[str, float]
    job_id: str | None
    submission_id: str | None
    place: int
    error: Error | None


class Kept:
    """Remembers where each result lies: in the journal, or in memory where there is none.

    Args:
        record: The journal of the sweep.
        everything: Whether to remember at all; not for a source without an end.
    """

    def __init__(self, record: Record, *, everything: bool) -> None:
        self._record = record
        self._everything = everything
        self._places: dict[str, _Place] = {}
        self._results: OrderedDict[str, Result] = OrderedDict()

    def add(
        self,
        key: str,
        parameters: Mapping[str, float],
        submission_id: str,
        place: int,
        result: Result,
    ) -> None:
        """A point has a result: a circuit of the result of this submission."""
        if not self._everything:
            return
        self._places[key] = _Place(
            parameters, result.job_id, submission_id, place, None
        )
        self._hold(submission_id, result)

    def failed(
        self,
        key: str,
        parameters: Mapping[str, float],
        error: Error,
        job_id: str | None = None,
        submission_id: str | None = None,
    ) -> None:
        """A point has none, so far."""
        if self._everything:
            self._places[key] = _Place(parameters, job_id, submission_id, 0, error)

    async def lines(self, target: str) -> list[Line]:
        """Every point that has an outcome, in the order in which they came.

        Raises:
            ConfigurationError: They were not remembered.
        """
        from qawait.journal.tables import Line, SentJob

        if not self._everything:
            raise ConfigurationError(
                "a sweep over a source without a length keeps no results: name a journal, "
                "and read them from it with qawait.read(path)"
            )
        lines: list[Line] = []
        for key, kept in list(self._places.items()):
            result = calibration = None
            if kept.error is None:
                assert kept.submission_id is not None
                whole = await self._result(kept.submission_id)
                result, calibration = whole[kept.place], whole.calibration_set_id
            job = SentJob(
                standing=_standing(kept.error),
                target=target,
                job_id=kept.job_id,
                submission_id=kept.submission_id,
                error=kept.error,
                calibration_set_id=calibration,
            )
            lines.append(Line(job, key, kept.parameters, key, result))
        return lines

    def held(self) -> list[tuple[Mapping[str, float], CircuitResult | None]]:
        """The parameters and results of every point, where all is in memory."""
        return [
            (
                kept.parameters,
                None
                if kept.submission_id is None or kept.error is not None
                else self._results[kept.submission_id][kept.place],
            )
            for kept in self._places.values()
        ]

    async def _result(self, submission_id: str) -> Result:
        held = self._results.get(submission_id)
        if held is None:
            held = await self._record.journal.result(submission_id)
            self._hold(submission_id, held)
        return held

    def _hold(self, submission_id: str, result: Result) -> None:
        self._results[submission_id] = result
        # what lies on the disk need not lie here too
        while self._record.lasting and len(self._results) > _RESULTS:
            self._results.popitem(last=False)


def _standing(error: Error | None) -> Standing:
    match error:
        case SubmissionUncertain():
            return Standing.UNKNOWN
        case SubmissionRejected():
            return Standing.REJECTED
        case JobMissing():
            return Standing.MISSING
        case None | JobError():
            return Standing.TERMINAL
        case _:
            # nothing of it was sent
            return Standing.NEW
