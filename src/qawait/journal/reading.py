"""Reading a journal without a lock, a network or a token, also while it is written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qawait.errors import JournalCorrupt, JournalError
from qawait.journal.figures import that_held
from qawait.journal.lock import holder_of
from qawait.journal.places import Places, is_journal
from qawait.journal.read_jobs import ReadJob, ReadPoint
from qawait.journal.records import Identity, Standing, Tally
from qawait.journal.rows import END, End, Row, decoded, now
from qawait.journal.schema import BROKEN, check, configure, from_sqlite
from qawait.journal.segments import Segment, segments_in
from qawait.journal.status_file import Snapshot, read_status, snapshot
from qawait.journal.store import Store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from qawait.journal.records import Anomaly
    from qawait.journal.segments import Slot
    from qawait.results import Result

__all__ = ["ReadJob", "ReadPoint", "Reading", "copied", "read", "result_of"]

_KEPT = 16
"""Results whose descriptions are kept in memory; their arrays stay on the disk."""
_PATIENCE = 2.0
"""For how many seconds a program that has just begun is given time to say something."""


def read(path: str | Path) -> Reading:
    """Read a journal: its jobs, points and results.

    Works while a program writes it, and what that program has not finished is then about
    a second old. Nothing is changed.

    Raises:
        JournalError: There is none.
        JournalCorrupt, JournalTooNew: It is damaged, or a newer version wrote it.
    """
    return Reading(Path(path))


class Reading:
    """A journal as it stood at one moment; `refresh` looks again.

    Attributes:
        path: The directory.
        alive: Whether a program has it open.
        at: The moment (aware, UTC); of unfinished jobs of a live journal, about a
            second ago.
        jobs: Every submission, oldest first.
        points: Every point by its key, in the order in which they were sent.
        figures: Quality figures of the target by calibration set and time, oldest first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places = Places(path)
        self._segments: dict[int, Segment] = {}
        self._ends: dict[int, list[tuple[Slot, End]]] = {}
        self._results: OrderedDict[Slot, Result] = OrderedDict()
        self.refresh()

    def refresh(self) -> None:
        """Look again; what was read before is kept."""
        if not is_journal(self.path) and not segments_in(self._places.results):
            raise JournalError(f"there is no journal {self.path}")
        # the rest first: what ends in between is then in both, and not in none
        rest = self._of_a_program()
        self.alive = rest is not None
        if rest is None:
            rest = self._of_the_database()
        self.at = rest.at
        self._rest = rest
        self.figures = rest.figures
        jobs = [self._job(end.row, slot) for slot, end in self._read_ends()]
        ended = {job.submission_id for job in jobs}
        jobs += [
            self._job(row, None)
            for row in rest.unended
            if row.sent.submission_id not in ended
        ]
        self.jobs = sorted(jobs, key=lambda job: job.written_at)
        self.points = {
            point.key: ReadPoint(job, place)
            for job in self.jobs
            for place, point in enumerate(job.points)
        }

    @property
    def identity(self) -> Identity | None:
        """The service, target and account it belongs to; None if that is lost."""
        return self._rest.identity

    @property
    def notes(self) -> dict[str, Any]:
        """What was noted by name."""
        return self._rest.notes

    @property
    def anomalies(self) -> list[Anomaly]:
        """Everything that must not happen, and did."""
        return self._rest.anomalies

    @property
    def unknown(self) -> list[ReadJob]:
        """Submissions that may be running and billed, or may never have arrived."""
        return [job for job in self.jobs if job.standing is Standing.UNKNOWN]

    @property
    def tally(self) -> Tally:
        """How many there are, by standing."""
        tally = Tally()
        for job in self.jobs:
            for counts, number in (
                (tally.jobs, 1),
                (tally.circuits, job.circuits),
                (tally.shots, job.shots),
            ):
                counts[job.standing] = counts.get(job.standing, 0) + number
        return tally

    def dataset(self) -> Any:
        """The points as an xarray Dataset over their parameters.

        Raises:
            MissingExtra: xarray is not installed.
            ConfigurationError: There are no points.
        """
        from qawait.journal.tables import dataset

        return dataset(self)

    def frame(self) -> Any:
        """Every point, and every circuit without one, as a row of a pandas DataFrame.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from qawait.journal.tables import frame

        return frame(self)

    def __iter__(self) -> Iterator[ReadPoint]:
        return iter(self.points.values())

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        alive = ", in use" if self.alive else ""
        counts = ", ".join(f"{n} {name}" for name, n in self.tally.jobs.items())
        return f"<Reading of {self.path}{alive}: {counts or 'nothing yet'}>"

    # --- inside ----------------------------------------------------------------------

    def _job(self, row: Row, slot: Slot | None) -> ReadJob:
        calibration = row.sent.calibration_set_id
        figures = that_held(self.figures, calibration, row.written_at)
        return ReadJob(row, slot, self._result, figures)

    def _read_ends(self) -> Iterator[tuple[Slot, End]]:
        for number in segments_in(self._places.results):
            known = self._ends.setdefault(number, [])
            segment = self._segment(number)
            start = known[-1][0].end if known else 0
            known += [
                (slot, decoded(END.decode, description))
                for slot, description in segment.slots(start)
            ]
            yield from known

    def _segment(self, number: int) -> Segment:
        segment = self._segments.get(number)
        if segment is None or segment.path.stat().st_size != len(segment):
            segment = Segment(self._places.results, number)
            self._segments[number] = segment
        return segment

    def _result(self, slot: Slot) -> Result:
        known = self._results.get(slot)
        if known is None:
            known = result_of(self._segments[slot.segment], slot)
            self._results[slot] = known
            if len(self._results) > _KEPT:
                self._results.popitem(last=False)
        return known

    def _of_a_program(self) -> Snapshot | None:
        """What the program that has it open says; None if there is none."""
        until = time.monotonic() + _PATIENCE
        while (pid := holder_of(self._places.lock)) is not None:
            said = read_status(self._places.status)
            # it has only just begun, and what is there is of the one before
            if said is not None and said.pid == pid:
                return said
            if time.monotonic() > until:
                return _nothing()
            time.sleep(0.01)
        return None

    def _of_the_database(self) -> Snapshot:
        if not is_journal(self.path):
            return _nothing()
        with copied(self.path) as store:
            # nobody sends it any more; opening the journal would say the same
            store.park_what_was_being_sent()
            return snapshot(store)


@contextmanager
def copied(path: Path) -> Generator[Store]:
    """The tables of a journal, from a copy, so that reading never changes anything.

    Raises:
        JournalCorrupt, JournalTooNew, JournalError: They cannot be read.
    """
    database = Places(path).database
    with tempfile.TemporaryDirectory(prefix="qawait-") as directory:
        copy = Path(directory) / database.name
        try:
            for ending in ("", "-wal"):
                source = database.with_name(database.name + ending)
                if source.exists():
                    shutil.copyfile(source, f"{copy}{ending}")
            connection = sqlite3.connect(copy, isolation_level=None)
        except (OSError, *BROKEN) as error:
            raise JournalError(f"journal {path}: {error}") from error
        try:
            configure(connection)
            # a copy may be lost, so no disk is waited for
            connection.execute("PRAGMA synchronous = OFF")
            check(connection, database)
            yield Store(connection, None, now)
        except BROKEN as error:
            raise from_sqlite(error, database) from error
        finally:
            connection.close()


def _nothing() -> Snapshot:
    """What is known where only the results are left."""
    return Snapshot(
        pid=os.getpid(), host="", at=now(), identity=None, tally=Tally(), unended=[]
    )


def result_of(segment: Segment, slot: Slot) -> Result:
    """The result that lies there.

    Raises:
        JobError: Its job ended with this error.
        JournalCorrupt: The file is damaged.
    """
    from qawait.journal.stored_results import unpack_result

    description, block = segment.read(slot)
    end = decoded(END.decode, description)
    if end.result is None:
        ended_by = end.row.progress.ended_by
        if ended_by is None:
            raise JournalCorrupt(f"{segment.path}: an end without a result or an error")
        raise ended_by.error(end.row.job_id)
    return unpack_result(end.result, block)
