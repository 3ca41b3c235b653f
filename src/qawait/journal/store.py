"""What is written for each thing that happens to a submission, and what is asked back.

Every method runs inside one transaction of the writer's and in its thread.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from qawait.errors import JournalError
from qawait.journal.facts import REPLACEABLE, Facts, Points
from qawait.journal.records import (
    Anomaly,
    EndedBy,
    Found,
    Intent,
    Point,
    Standing,
    Tally,
    after,
    standing_of,
)
from qawait.journal.rows import END, End, Progress, Row, Sent, decoded, encode
from qawait.journal.table import Submissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qawait.errors import Error
    from qawait.journal.schema import Connection
    from qawait.journal.segments import Segment, SegmentWriter, Slot
    from qawait.journal.table import Entry
    from qawait.model import Change, Delivery, Following
    from qawait.results import Result

__all__ = ["CUT_OFF", "Store"]

AFTER_A_CRASH = Standing.UNKNOWN
"""Where a submission stands whose program ended while it was being sent."""
CUT_OFF = "the program ended while it was being sent"
"""The evidence of such a one."""

_COMMITS = "commits"


class Store:
    """The tables of a journal.

    Args:
        connection: To the SQLite file; the caller begins and commits.
        segments: Where results go; None for a reader.
        now: The time of day, aware and in UTC.
    """

    def __init__(
        self,
        connection: Connection,
        segments: SegmentWriter | None,
        now: Callable[[], datetime],
    ) -> None:
        self.submissions = Submissions(connection)
        self.facts = Facts(connection)
        self.points = Points(connection, self.facts)
        self.segments = segments
        self._connection = connection
        self._now = now

    # --- what happens ----------------------------------------------------------------

    def intend(self, intent: Intent) -> None:
        """Write a submission down, unless it is."""
        if self.submissions.find(intent.submission_id) is not None:
            return
        # numpy loads with it
        from qawait.journal.manifests import encode_manifest

        now = self._now()
        row = Row(
            sent=Sent.of(intent),
            standing=Standing.NEW,
            job_id=None,
            progress=Progress(),
            written_at=now,
            updated_at=now,
            manifest=encode_manifest(intent.manifest),
        )
        self._insert(row)

    def sending(self, submission_id: str) -> None:
        """Bytes of it may leave from now on."""
        entry = self._get(submission_id)
        if entry.standing is not Standing.UNKNOWN:
            self._write(entry, standing=Standing.SENDING)

    def opened(self, submission_id: str, job_id: str) -> None:
        """A job was opened for it, which does not run yet."""
        entry = self._get(submission_id)
        opened = (*entry.progress.opened, job_id)
        progress = replace(entry.progress, opened=opened)
        self._write(entry, job_id=job_id, progress=progress)

    def outcome(
        self, submission_id: str, delivery: Delivery, job_id: str | None, evidence: str
    ) -> None:
        """An attempt to deliver it went this way."""
        entry = self._get(submission_id)
        standing = after(entry.standing, delivery)
        progress = entry.progress
        if entry.standing is not Standing.UNKNOWN or standing is Standing.ACCEPTED:
            # what made it unknown is not replaced by what a later attempt met
            progress = replace(progress, evidence=evidence)
        self._write(
            entry,
            standing=standing,
            job_id=entry.job_id if job_id is None else job_id,
            progress=progress,
        )

    def changed(
        self, submission_id: str, changes: tuple[Change, ...], raw: str
    ) -> None:
        """Its job has come to another state."""
        entry = self._get(submission_id)
        if entry.standing is not Standing.TERMINAL:
            progress = replace(entry.progress, changes=changes, raw=raw)
            self._write(entry, progress=progress)

    def ended(
        self,
        submission_id: str,
        outcome: Result | Error,
        changes: tuple[Change, ...],
        following: Following | None = None,
    ) -> None:
        """Its job has ended, or is missing; the result goes to the files of results."""
        standing = standing_of(outcome)
        if standing is None:
            return
        entry = self._get(submission_id)
        packed = ended_by = None
        if isinstance(outcome, Exception):
            ended_by = EndedBy.of(outcome)
        else:
            # numpy loads with it
            from qawait.journal.stored_results import pack_result

            packed = pack_result(outcome)
        digest = packed.digest if packed else encode(ended_by)
        if entry.standing is Standing.TERMINAL:
            if digest != entry.digest and not self._is_first(entry, outcome):
                how = ended_by.kind if ended_by else "another result"
                self.anomaly(submission_id, "second end", f"{how}; the first counts")
            return
        progress = replace(
            entry.progress,
            changes=changes or entry.progress.changes,
            raw=changes[-1].raw if changes else entry.progress.raw,
            ended_by=ended_by,
            following=following,
        )
        entry.standing, entry.progress = standing, progress
        if standing is Standing.TERMINAL:
            row = self.submissions.row(entry)
            end = End(row=row, result=packed and packed.description, digest=digest)
            assert self.segments is not None
            block = packed.block if packed else ()
            entry.slot = self.segments.append(encode(end), block)
            entry.digest = digest
        self._write(entry)

    def resolve(self, submission_id: str, choice: str, job_id: str | None) -> None:
        """What its user decided about a submission that is unknown, or missing.

        Raises:
            JournalError: It is neither, or there is no such choice.
        """
        entry = self._get(submission_id)
        if entry.standing not in (Standing.UNKNOWN, Standing.MISSING):
            raise JournalError(
                f"submission {submission_id} is {entry.standing}, not unknown: there is"
                " nothing to resolve"
            )
        match choice, job_id:
            case "keep", _:
                self._write(entry, progress=replace(entry.progress, kept=True))
            case "adopt", str():
                self._write(entry, standing=Standing.ACCEPTED, job_id=job_id)
            case "resubmit", _:
                self._write(entry, standing=Standing.SUPERSEDED)
            case _:
                raise JournalError(
                    "an unknown submission is resolved by keep, adopt with the id of"
                    f" its job, or resubmit; not by {choice!r}"
                )

    def retry(self, keys: Sequence[str]) -> None:
        """Let points that have no result be sent again.

        Raises:
            JournalError: One has a result, or may still get one.
        """
        for key in keys:
            submission_id = self.points.submission_of(key)
            if submission_id is None:
                continue
            entry = self._get(submission_id)
            failed = entry.standing is Standing.TERMINAL and entry.progress.ended_by
            if not failed and entry.standing not in (*REPLACEABLE, Standing.MISSING):
                raise JournalError(
                    f"point {key!r} cannot be sent again: its submission is"
                    f" {entry.standing}"
                )
            self.points.free(key)

    def anomaly(self, submission_id: str, kind: str, detail: str) -> None:
        """Something happened that must not."""
        self._connection.execute(
            "INSERT INTO anomalies (submission, kind, detail, at) VALUES (?, ?, ?, ?)",
            (submission_id, kind, detail, self._now().timestamp()),
        )

    def count_commit(self) -> int:
        """Number this commit; the number only grows."""
        number = self.commits() + 1
        self.facts.set(_COMMITS, number)
        return number

    # --- after a crash ---------------------------------------------------------------

    def park_what_was_being_sent(self) -> None:
        """What was being sent when its program ended is unknown, and not new."""
        for entry in self.submissions.of([Standing.SENDING]):
            progress = replace(entry.progress, evidence=CUT_OFF)
            self._write(entry, standing=AFTER_A_CRASH, progress=progress)

    def take_up(self, segment: Segment, start: int) -> int:
        """Take up ends that were written, but not yet counted.

        Returns:
            The length of the file that counts now.

        Raises:
            JournalCorrupt: A whole record is none of an end.
        """
        for slot, description in segment.slots(start):
            if not segment.is_whole(slot, description):
                break
            end = decoded(END.decode, description)
            entry = self.submissions.find(end.row.sent.submission_id)
            if entry is None:
                entry = self._insert(end.row)
            if entry.slot is None:
                entry.slot, entry.digest = slot, end.digest
                entry.progress, entry.job_id = end.row.progress, end.row.job_id
                self._write(entry, standing=Standing.TERMINAL)
            start = slot.end
        return start

    def lengths(self) -> dict[int, int]:
        """The length of each file of results that counts."""
        rows = self._connection.execute("SELECT number, length FROM segments")
        return dict(rows.fetchall())

    def set_length(self, number: int, length: int) -> None:
        """How much of a file of results counts."""
        self._connection.execute(
            "INSERT INTO segments (number, length) VALUES (?, ?)"
            " ON CONFLICT (number) DO UPDATE SET length = excluded.length",
            (number, length),
        )

    # --- what is asked ---------------------------------------------------------------

    def find(self, points: Sequence[Point]) -> list[Found | None]:
        """Where each point was last sent; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        return self.points.find(points)

    def rows(self, standings: Iterable[Standing] = ()) -> list[Row]:
        """The submissions of these standings, oldest first; of none given, all."""
        wanted = list(standings)
        entries = self.submissions.of(wanted) if wanted else self.submissions.all()
        return [self.submissions.row(entry) for entry in entries]

    def end(self, submission_id: str) -> tuple[Row, Slot | None]:
        """A submission, and where its end lies; None while it has none."""
        entry = self._get(submission_id)
        return self.submissions.row(entry), entry.slot

    def tally(self) -> Tally:
        """How many there are, by standing."""
        tally = Tally()
        for standing, jobs, circuits, shots in self._connection.execute(
            "SELECT standing, count(*), sum(circuits), sum(shots) FROM submissions"
            " GROUP BY standing"
        ).fetchall():
            key = Standing(standing)
            tally.jobs[key], tally.circuits[key] = jobs, circuits
            tally.shots[key] = shots
        return tally

    def anomalies(self) -> list[Anomaly]:
        """Everything that must not happen, and did."""
        rows = self._connection.execute(
            "SELECT submission, kind, detail, at FROM anomalies ORDER BY number"
        )
        return [
            Anomaly(submission, kind, detail, datetime.fromtimestamp(at, UTC))
            for submission, kind, detail, at in rows.fetchall()
        ]

    def forget(self) -> None:
        """What was written last was taken back."""
        self.facts.forget()

    def commits(self) -> int:
        """The number of the last commit that changed something."""
        return self.facts.get(_COMMITS) or 0

    # --- inside ----------------------------------------------------------------------

    def _is_first(self, entry: Entry, outcome: Result | Error) -> bool:
        """Whether this says the same as the end that counts, in whatever order."""
        if isinstance(outcome, Exception) or entry.slot is None:
            return False
        from qawait.journal.stored_results import unpack_result

        assert self.segments is not None
        description, block = self.segments.read(entry.slot)
        first = decoded(END.decode, description).result
        return first is not None and list(unpack_result(first, block)) == list(outcome)

    def _insert(self, row: Row) -> Entry:
        entry = self.submissions.insert(row)
        self.points.add(row.sent.points, entry.number)
        return entry

    def _get(self, submission_id: str) -> Entry:
        entry = self.submissions.find(submission_id)
        if entry is None:
            raise JournalError(f"the journal has no submission {submission_id}")
        return entry

    def _write(self, entry: Entry, **changes: Any) -> None:
        self.submissions.update(replace(entry, updated_at=self._now(), **changes))
