"""Small values by name, and the table that finds a point by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qawait.errors import JournalCorrupt, JournalError, PointMismatch
from qawait.journal.records import Found, Point, Standing
from qawait.journal.rows import decoded, encode, seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.journal.schema import Connection

__all__ = ["REPLACEABLE", "Facts", "Points"]

REPLACEABLE = frozenset({Standing.NEW, Standing.REJECTED, Standing.SUPERSEDED})
"""A point of such a submission may be sent with another one."""

_SUM = "sum of the points"


class Facts:
    """Values by name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set(self, name: str, value: object) -> None:
        """Write one down, in place of an older one."""
        data = encode(value)
        self._connection.execute(
            "INSERT INTO facts (name, value, seal) VALUES (?, ?, ?) ON CONFLICT (name)"
            " DO UPDATE SET value = excluded.value, seal = excluded.seal",
            (name, data, seal(name, data)),
        )

    def get(self, name: str) -> Any:
        """One of them; None if there is none of this name."""
        row = self._connection.execute(
            "SELECT name, value, seal FROM facts WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else _value(row)

    def all(self, prefix: str) -> dict[str, Any]:
        """All whose names begin so, by the rest of the name."""
        rows = self._connection.execute("SELECT name, value, seal FROM facts")
        return {
            row[0].removeprefix(prefix): _value(row)
            for row in rows.fetchall()
            if row[0].startswith(prefix)
        }


def _value(row: Sequence[Any]) -> Any:
    name, data, sealed = row
    if sealed != seal(name, data):
        raise JournalCorrupt(f"what the journal has under {name!r} is damaged")
    return decoded(msgspec.msgpack.decode, data)


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

    def find(self, point: Point) -> Found | None:
        """Where a point was last sent; None for one that may be sent.

        Raises:
            PointMismatch: Its key stands for another circuit than before.
        """
        row = self._connection.execute(
            "SELECT identity, points.place, id, standing, job_id FROM points"
            " LEFT JOIN submissions ON submission = number WHERE key = ?",
            (point.key,),
        ).fetchone()
        if row is None:
            return None
        identity, place, submission_id, standing, job_id = row
        if identity != point.identity:
            raise PointMismatch(
                f"the journal has the point {point.key!r} with another circuit, other"
                " parameters, shots or options; give it another key, or use another"
                " journal",
                key=point.key,
            )
        if submission_id is None or standing == Standing.SUPERSEDED:
            return None
        return Found(submission_id, place, Standing(standing), job_id)

    def add(self, points: Sequence[Point], submission: int) -> None:
        """Points go with a submission from now on.

        Raises:
            JournalError: One is under way in another submission, or has a result.
            PointMismatch: A key stands for another circuit than before.
        """
        change = 0
        for place, point in enumerate(points):
            found = self.find(point)
            if found is not None and found.standing not in REPLACEABLE:
                raise JournalError(
                    f"point {point.key!r} is {found.standing} already, in submission"
                    f" {found.submission_id}; it is not sent twice"
                )
            change ^= self._put(point.key, point.identity, submission, place)
        self._add(change)

    def free(self, key: str) -> None:
        """A point may be sent again."""
        [identity] = self._connection.execute(
            "SELECT identity FROM points WHERE key = ?", (key,)
        ).fetchone()
        self._add(self._put(key, identity, None, 0))

    def submission_of(self, key: str) -> str | None:
        """The id of the submission a point goes with."""
        found = self._connection.execute(
            "SELECT id FROM submissions JOIN points ON submission = number"
            " WHERE key = ?",
            (key,),
        ).fetchone()
        return None if found is None else found[0]

    def _put(
        self, key: str, identity: bytes, submission: int | None, place: int
    ) -> int:
        """Write one row; by how much the sum changes."""
        change = seal(key, identity, submission, place)
        before = self._connection.execute(
            "SELECT key, identity, submission, place FROM points WHERE key = ?", (key,)
        ).fetchone()
        if before is not None:
            change ^= seal(*before)
        self._connection.execute(
            "INSERT INTO points VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET submission = excluded.submission, place = excluded.place",
            (key, identity, submission, place),
        )
        return change

    def _add(self, change: int) -> None:
        if change:
            self._facts.set(_SUM, (self._facts.get(_SUM) or 0) ^ change)
