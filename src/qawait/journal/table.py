"""The table of submissions: one small row that changes, and one large that does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from qawait.errors import JournalCorrupt
from qawait.journal.records import Standing
from qawait.journal.rows import Progress, Row, Sent, decoded, encode, seal
from qawait.journal.segments import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qawait.journal.schema import Connection

__all__ = ["Entry", "Submissions"]

_SENT = msgspec.msgpack.Decoder(Sent)
_PROGRESS = msgspec.msgpack.Decoder(Progress)
_COLUMNS = (
    "number, id, circuits, shots, standing, job_id, progress, written_at, updated_at,"
    " segment, at, size, digest, seal"
)


class Entry(Struct):
    """How one submission stands, and where its end lies."""

    number: int
    submission_id: str
    circuits: int
    shots: int
    standing: Standing
    job_id: str | None
    progress: Progress
    written_at: datetime
    updated_at: datetime
    slot: Slot | None = None
    digest: bytes | None = None

    def values(self) -> tuple[Any, ...]:
        """The columns from `id` to `seal`, in the order of the table."""
        slot = self.slot
        where = (
            (None, None, None) if slot is None else (slot.segment, slot.at, slot.size)
        )
        values = (
            self.submission_id,
            self.circuits,
            self.shots,
            self.standing.value,
            self.job_id,
            encode(self.progress),
            self.written_at.timestamp(),
            self.updated_at.timestamp(),
            *where,
            self.digest,
        )
        return (*values, seal(self.number, values))


class Submissions:
    """The rows of all submissions.

    Raises:
        JournalCorrupt: From any method: a row is not what was written.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        """Raise unless every row is what was written."""
        for entry in self.all():
            self.row(entry)

    def insert(self, row: Row) -> Entry:
        """Write a new submission."""
        sent = encode(row.sent)
        self._connection.execute(
            "INSERT INTO intents (sent, manifest, seal) VALUES (?, ?, ?)",
            (sent, row.manifest, seal(sent, row.manifest)),
        )
        [number] = self._connection.execute("SELECT last_insert_rowid()").fetchone()
        entry = Entry(
            number=number,
            submission_id=row.sent.submission_id,
            circuits=row.sent.circuits,
            shots=row.sent.shots,
            standing=row.standing,
            job_id=row.job_id,
            progress=row.progress,
            written_at=row.written_at,
            updated_at=row.updated_at,
        )
        self._connection.execute(
            f"INSERT INTO submissions ({_COLUMNS})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, *entry.values()),
        )
        return entry

    def update(self, entry: Entry) -> None:
        """Write how it stands now."""
        self._connection.execute(
            "UPDATE submissions SET id = ?, circuits = ?, shots = ?, standing = ?, job_id = ?, progress = ?,"
            " written_at = ?, updated_at = ?, segment = ?, at = ?, size = ?,"
            " digest = ?, seal = ? WHERE number = ?",
            (*entry.values(), entry.number),
        )

    def find(self, submission_id: str) -> Entry | None:
        """One submission by its id."""
        found = self._select("WHERE id = ?", (submission_id,))
        return found[0] if found else None

    def of(self, standings: Iterable[Standing]) -> list[Entry]:
        """Those of some standings, oldest first."""
        wanted = [standing.value for standing in standings]
        places = ", ".join("?" * len(wanted))
        return self._select(f"WHERE standing IN ({places}) ORDER BY number", wanted)

    def unended(self) -> list[Entry]:
        """Those whose end does not lie in a file of results, oldest first."""
        return self._select("WHERE standing <> 'terminal' ORDER BY number")

    def all(self) -> list[Entry]:
        """All, oldest first."""
        return self._select("ORDER BY number")

    def row(self, entry: Entry) -> Row:
        """A submission with what was sent."""
        found = self._connection.execute(
            "SELECT sent, manifest, seal FROM intents WHERE number = ?", (entry.number,)
        ).fetchone()
        if found is None or found[2] != seal(found[0], found[1]):
            raise JournalCorrupt(f"the record of submission {entry.number} is damaged")
        return Row(
            sent=decoded(_SENT.decode, found[0]),
            standing=entry.standing,
            job_id=entry.job_id,
            progress=entry.progress,
            written_at=entry.written_at,
            updated_at=entry.updated_at,
            manifest=found[1],
        )

    def _select(self, where: str, values: Sequence[Any] = ()) -> list[Entry]:
        found = self._connection.execute(
            f"SELECT {_COLUMNS} FROM submissions {where}", values
        )
        return [_entry(row) for row in found.fetchall()]


def _entry(found: Sequence[Any]) -> Entry:
    number, submission_id, circuits, shots, standing, job_id, progress = found[:7]
    *times, segment, at, size, digest, sealed = found[7:]
    if sealed != seal(number, tuple(found[1:-1])):
        raise JournalCorrupt(f"the record of submission {number} is damaged")
    written_at, updated_at = (datetime.fromtimestamp(time, UTC) for time in times)
    return Entry(
        number=number,
        submission_id=submission_id,
        circuits=circuits,
        shots=shots,
        standing=Standing(standing),
        job_id=job_id,
        progress=decoded(_PROGRESS.decode, progress),
        written_at=written_at,
        updated_at=updated_at,
        slot=None if segment is None else Slot(segment, at, size),
        digest=digest,
    )
