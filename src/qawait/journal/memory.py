"""A journal in the memory of this process: the same answers, and nothing on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from qawait.errors import JournalError, PointMismatch
from qawait.journal.facts import REPLACEABLE
from qawait.journal.records import (
    Anomaly,
    EndedBy,
    Found,
    Intent,
    Point,
    Recorded,
    Standing,
    Tally,
    after,
    standing_of,
)
from qawait.journal.rows import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.errors import Error
    from qawait.journal.figures import Figures
    from qawait.model import Change, Delivery, Following
    from qawait.results import Result

__all__ = ["MemoryJournal"]

_GIVEN_UP = 100
"""Of the submissions that were refused or never left, how many are remembered."""


class MemoryJournal:
    """What was sent, for a service whose jobs end with this process.

    The methods are those of `FileJournal`. What has ended is only counted: its result is
    its caller's, so that an endless sweep needs no more memory than a short one. So is
    what was refused or never left, but for the newest hundred.
    """

    path = None

    def __init__(self) -> None:
        self.submissions: dict[str, Recorded] = {}
        """Those that have not ended."""
        self._given_up: dict[str, None] = {}
        """Those of them that were refused or never left, the oldest first."""
        self._points: dict[str, tuple[Point, str, int]] = {}
        self._tally = Tally()
        self._notes: dict[str, Any] = {}
        self._anomalies: list[Anomaly] = []

    async def close(self) -> None:
        """Nothing is left to be done."""

    # --- what happens ----------------------------------------------------------------

    async def intend(self, intent: Intent) -> None:
        """Take note of a submission before anything of it is sent.

        Raises:
            JournalError: One of its points is under way in another submission.
            PointMismatch: A key stands for another circuit than before.
        """
        for place, point in enumerate(intent.points):
            found = self._found(point)
            if found is not None and found.standing not in REPLACEABLE:
                raise JournalError(
                    f"point {point.key!r} is {found.standing} already, in submission"
                    f" {found.submission_id}; it is not sent twice"
                )
            self._points[point.key] = (point, intent.submission_id, place)
        at = now()
        recorded = Recorded(
            intent=intent, standing=Standing.NEW, written_at=at, updated_at=at
        )
        self._count(intent, None, Standing.NEW)
        self.submissions[intent.submission_id] = recorded

    async def sending(self, submission_id: str) -> None:
        """Take note that the first byte leaves now; if this raises, none may."""
        if self._get(submission_id).standing is not Standing.UNKNOWN:
            self._change(submission_id, standing=Standing.SENDING)

    async def opened(self, submission_id: str, job_id: str) -> None:
        """Take note of the id of a job that does not run before its last upload."""
        opened = (*self._get(submission_id).opened, job_id)
        self._change(submission_id, opened=opened, job_id=job_id)

    async def outcome(
        self,
        submission_id: str,
        delivery: Delivery,
        job_id: str | None = None,
        *,
        evidence: str = "",
    ) -> None:
        """Take note of what is known of a submission; what was unknown stays so."""
        known = self._get(submission_id)
        standing = after(known.standing, delivery)
        if known.standing is Standing.UNKNOWN and standing is Standing.UNKNOWN:
            evidence = known.evidence
        self._change(
            submission_id,
            standing=standing,
            job_id=known.job_id if job_id is None else job_id,
            evidence=evidence,
        )
        if standing in (Standing.NEW, Standing.REJECTED):
            self._given_up[submission_id] = None
            if len(self._given_up) > _GIVEN_UP:
                self._forget(next(iter(self._given_up)))

    def changed(
        self, submission_id: str, changes: tuple[Change, ...], raw: str
    ) -> None:
        """Take note that a job has come to another state."""
        if submission_id in self.submissions:
            self._change(submission_id, changes=changes, raw=raw)

    async def ended(
        self,
        submission_id: str,
        outcome: Result | Error,
        changes: tuple[Change, ...] = (),
        following: Following | None = None,
    ) -> None:
        """Take note that a job has ended, if it has, and forget it."""
        standing = standing_of(outcome)
        if standing is None or submission_id not in self.submissions:
            return
        if standing is Standing.MISSING:
            ended_by = EndedBy.of(outcome) if isinstance(outcome, Exception) else None
            self._change(submission_id, standing=standing, ended_by=ended_by)
            return
        self._change(submission_id, standing=standing)
        self._forget(submission_id)

    async def anomaly(self, submission_id: str, kind: str, detail: str) -> None:
        """Take note of something that must not happen, and did."""
        self._anomalies.append(Anomaly(submission_id, kind, detail, now()))

    async def resolve(
        self, submission_id: str, choice: str, job_id: str | None = None
    ) -> None:
        """What its user decided about an unknown or missing submission.

        Raises:
            JournalError: It is neither, or there is no such choice.
        """
        standing = self._get(submission_id).standing
        if standing not in (Standing.UNKNOWN, Standing.MISSING):
            raise JournalError(
                f"submission {submission_id} is {standing}, not unknown: there is"
                " nothing to resolve"
            )
        if choice == "adopt" and job_id is not None:
            self._change(submission_id, standing=Standing.ACCEPTED, job_id=job_id)
        elif choice == "resubmit":
            self._change(submission_id, standing=Standing.SUPERSEDED)
            self._forget(submission_id)
        elif choice != "keep":
            raise JournalError(
                "an unknown submission is resolved by keep, adopt with the id of its"
                f" job, or resubmit; not by {choice!r}"
            )

    async def retry(self, keys: Sequence[str]) -> None:
        """Let points that ended without a result be sent again.

        Raises:
            JournalError: One may still get a result.
        """
        for key in keys:
            if key not in self._points:
                continue
            _, submission_id, _ = self._points[key]
            standing = self._get(submission_id).standing
            if standing not in (*REPLACEABLE, Standing.MISSING):
                raise JournalError(
                    f"point {key!r} cannot be sent again: its submission is {standing}"
                )
            del self._points[key]

    async def note(self, name: str, value: object) -> None:
        """Keep a small value by name, in place of an older one."""
        self._notes[name] = value

    async def keep_figures(self, found: Figures) -> None:
        """Nothing: nobody reads this journal afterwards."""

    # --- what is asked ---------------------------------------------------------------

    async def find(self, points: Sequence[Point]) -> list[Found | None]:
        """Where each point is under way; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        return [self._found(point) for point in points]

    async def recorded(self, *standings: Standing) -> list[Recorded]:
        """Submissions of these standings that have not ended; of none given, all."""
        return [
            recorded
            for recorded in self.submissions.values()
            if not standings or recorded.standing in standings
        ]

    async def result(self, submission_id: str) -> Result:
        """There is none in memory: it was given to whoever awaited its job.

        Raises:
            JournalError: Always.
        """
        raise JournalError(
            f"the result of submission {submission_id} is not kept: this client has no"
            " journal on the disk"
        )

    async def tally(self) -> Tally:
        """How many there are, by standing."""
        return self._tally

    async def noted(self, name: str) -> Any:
        """What was noted under this name; None if nothing was."""
        return self._notes.get(name)

    async def anomalies(self) -> list[Anomaly]:
        """Everything that must not happen, and did."""
        return list(self._anomalies)

    # --- inside ----------------------------------------------------------------------

    def _found(self, point: Point) -> Found | None:
        known = self._points.get(point.key)
        if known is None:
            return None
        first, submission_id, place = known
        if first.identity != point.identity:
            raise PointMismatch(
                f"the point {point.key!r} is known with another circuit, other"
                " parameters, shots or options; give it another key",
                key=point.key,
            )
        recorded = self._get(submission_id)
        return Found(submission_id, place, recorded.standing, recorded.job_id)

    def _get(self, submission_id: str) -> Recorded:
        recorded = self.submissions.get(submission_id)
        if recorded is None:
            raise JournalError(f"the journal has no submission {submission_id}")
        return recorded

    def _change(self, submission_id: str, **changes: Any) -> None:
        known = self._get(submission_id)
        changed = replace(known, updated_at=now(), **changes)
        self._given_up.pop(submission_id, None)
        if changed.standing is not known.standing:
            self._count(known.intent, known.standing, changed.standing)
        self.submissions[submission_id] = changed

    def _count(self, intent: Intent, before: Standing | None, to: Standing) -> None:
        for counts, number in (
            (self._tally.jobs, 1),
            (self._tally.circuits, intent.circuits),
            (self._tally.shots, intent.shots),
        ):
            if before is not None:
                # a job without shots leaves what another one has taken away already
                left = counts.get(before, 0) - number
                if left:
                    counts[before] = left
                else:
                    counts.pop(before, None)
            counts[to] = counts.get(to, 0) + number

    def _forget(self, submission_id: str) -> None:
        intent = self.submissions.pop(submission_id).intent
        self._given_up.pop(submission_id, None)
        for point in intent.points:
            known = self._points.get(point.key)
            if known is not None and known[1] == submission_id:
                del self._points[point.key]
