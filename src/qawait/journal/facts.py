"""Small values by name, and the table that finds a point by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from qawait.errors import JournalCorrupt, JournalError, PointMismatch
from qawait.journal.records import Found, Point, Standing
from qawait.journal.rows import decoded, encode, seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qawait.journal.schema import Connection

__all__ = ["REPLACEABLE", "Facts", "Points"]

REPLACEABLE = frozenset({Standing.NEW, Standing.REJECTED, Standing.SUPERSEDED})
"""A point of such a submission may be sent with another one."""

_SUM = "sum of the points"
_AT_ONCE = 240
"""Points in one statement: each statement lets go of the interpreter and has to wait for
it again, and four values of each must be fewer than the 999 that an old SQLite takes."""

T = TypeVar("T")
_Row = tuple[str, bytes, int | None, int]
"""Key, identity, number of the submission, place in it."""


class _Place(Struct, frozen=True):
    """A row of the points, with the submission it names."""

    row: _Row
    submission_id: str | None
    standing: str | None
    job_id: str | None


class Facts:
    """Values by name, held in memory as well: nobody else writes them meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: dict[str, bytes] = {}

    def set(self, name: str, value: object) -> None:
        """Write one down, in place of an older one."""
        data = encode(value)
        self._connection.execute(
            "INSERT INTO facts (name, value, seal) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET value = excluded.value, seal = excluded.seal",
            (name, data, seal(name, data)),
        )
        self._held[name] = data

    def get(self, name: str) -> Any:
        """One of them; None if there is none of this name."""
        if name not in self._held:
            row = self._connection.execute(
                "SELECT name, value, seal FROM facts WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                return None
            self._held[name] = _sound(row)
        return decoded(msgspec.msgpack.decode, self._held[name])

    def forget(self) -> None:
        """What was written last was taken back."""
        self._held.clear()

    def all(self, prefix: str) -> dict[str, Any]:
        """All whose names begin so, by the rest of the name."""
        rows = self._connection.execute("SELECT name, value, seal FROM facts")
        return {
            row[0].removeprefix(prefix): decoded(msgspec.msgpack.decode, _sound(row))
            for row in rows.fetchall()
            if row[0].startswith(prefix)
        }


def _sound(row: Sequence[Any]) -> bytes:
    name, data, sealed = row
    if sealed != seal(name, data):
        raise JournalCorrupt(f"what the journal has under {name!r} is damaged")
    return data


class Points:
    """Where each point was last sent.

    A key that cannot be found any more would be sent twice, so a sum over the whole
    table is kept beside it, and looked at when a journal is opened.
    """

    def __init__(self, connection: Connection, facts: Facts) -> None:
        self._connection = connection
        self._facts = facts

    def check(self) -> None:
        """Raise unless the table is what was written."""
        rows = self._connection.execute(
            "SELECT key, identity, submission, place FROM points"
        )
        total = 0
        for row in rows.fetchall():
            total ^= seal(*row)
        if total != (self._facts.get(_SUM) or 0):
            raise JournalCorrupt("the points of the journal are not those it had")

    def find(self, points: Sequence[Point]) -> list[Found | None]:
        """Where each point was last sent; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        found = self._places([point.key for point in points])
        return [_found(point, found.get(point.key)) for point in points]

    def add(self, points: Sequence[Point], submission: int) -> None:
        """Points go with a submission from now on.

        Raises:
            JournalError: One is under way in another submission, or has a result.
            PointMismatch: A key stands for another circuit than before.
        """
        before = self._places([point.key for point in points])
        rows: dict[str, _Row] = {}
        for place, point in enumerate(points):
            found = _found(point, before.get(point.key))
            if found is not None and found.standing not in REPLACEABLE:
                raise JournalError(
                    f"point {point.key!r} is {found.standing} already, in submission"
                    f" {found.submission_id}; it is not sent twice"
                )
            twice = rows.get(point.key)
            if twice is not None and twice[1] != point.identity:
                raise _mismatch(point)
            rows[point.key] = (point.key, point.identity, submission, place)
        self._put(list(rows.values()), [known.row for known in before.values()])

    def free(self, key: str) -> None:
        """A point may be sent again."""
        known = self._places([key])[key]
        self._put([(key, known.row[1], None, 0)], [known.row])

    def submission_of(self, key: str) -> str | None:
        """The id of the submission a point goes with."""
        found = self._connection.execute(
            "SELECT id FROM submissions JOIN points ON submission = number"
            " WHERE key = ?",
            (key,),
        ).fetchone()
        return None if found is None else found[0]

    def _places(self, keys: Sequence[str]) -> dict[str, _Place]:
        """What the table has under these keys."""
        found: dict[str, _Place] = {}
        for part in _parts(keys):
            named = ", ".join("?" * len(part))
            rows = self._connection.execute(
                "SELECT key, identity, submission, points.place, id, standing, job_id"
                " FROM points LEFT JOIN submissions ON submission = number"
                f" WHERE key IN ({named})",
                part,
            )
            for row in rows.fetchall():
                found[row[0]] = _Place(row[:4], *row[4:])
        return found

    def _put(self, rows: Sequence[_Row], before: Sequence[_Row]) -> None:
        """Write rows in place of others, and the sum with them."""
        change = 0
        for row in (*rows, *before):
            change ^= seal(*row)
        for part in _parts(rows):
            values = ", ".join(["(?, ?, ?, ?)"] * len(part))
            self._connection.execute(
                f"INSERT INTO points VALUES {values} ON CONFLICT (key) DO UPDATE"
                " SET submission = excluded.submission, place = excluded.place",
                [value for row in part for value in row],
            )
        if change:
            self._facts.set(_SUM, (self._facts.get(_SUM) or 0) ^ change)


def _parts(many: Sequence[T]) -> Iterator[Sequence[T]]:
    return (many[at : at + _AT_ONCE] for at in range(0, len(many), _AT_ONCE))


def _found(point: Point, known: _Place | None) -> Found | None:
    if known is None:
        return None
    _, identity, _, place = known.row
    if identity != point.identity:
        raise _mismatch(point)
    if known.submission_id is None or known.standing == Standing.SUPERSEDED:
        return None
    standing = Standing(known.standing)
    return Found(known.submission_id, place, standing, known.job_id)


def _mismatch(point: Point) -> PointMismatch:
    return PointMismatch(
        f"the journal has the point {point.key!r} with another circuit, other"
        " parameters, shots or options; give it another key, or use another"
        " journal",
        key=point.key,
    )
