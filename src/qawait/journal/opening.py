"""Opening a journal: whose it is, what a crash left behind, and what is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from qawait.errors import JournalCorrupt, JournalIdentityMismatch
from qawait.journal.lock import Lock
from qawait.journal.places import Places, from_os, made, read_commits, write_commits
from qawait.journal.records import Identity
from qawait.journal.rows import now
from qawait.journal.schema import BROKEN, connect, from_sqlite
from qawait.journal.segments import Segment, SegmentWriter, path_of, segments_in
from qawait.journal.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from qawait.journal.schema import Connection

__all__ = ["Opened", "open_files"]


class Opened(Struct, frozen=True):
    """The files of a journal, open for writing."""

    places: Places
    lock: Lock
    connection: Connection
    segments: SegmentWriter
    store: Store

    def close(self) -> None:
        """Close them; SQLite puts its two files together."""
        self.segments.close()
        self.connection.close()
        self.lock.release()


def open_files(path: Path, identity: Identity, *, rebind: bool = False) -> Opened:
    """Open a journal for writing, or make it; may take as long as a disk does.

    Args:
        path: The directory.
        identity: Whose journal it must be.
        rebind: Whether it may be another account's, whose place this one takes: for a
            token that was replaced by one from which the same account cannot be told.

    Raises:
        JournalLocked: Another program has it open.
        JournalIdentityMismatch: It is somebody else's.
        JournalCorrupt, JournalTooNew, JournalFull, JournalError: It cannot be used.
    """
    places = made(path)
    lock = Lock(places.lock, path)
    try:
        numbers = segments_in(places.results)
        if numbers and not places.database.exists():
            raise JournalCorrupt(
                f"{places.database} is gone; the results are still there:"
                f" `qawait journal export {path}`"
            )
        connection = connect(places.database)
        try:
            store = Store(connection, None, now)
            connection.execute("BEGIN IMMEDIATE")
            if store.commits() < read_commits(places):
                raise JournalCorrupt(
                    f"journal {path} is older than it was: a part of it is lost, as in a"
                    f" copy without {places.database.name}-wal; it is left as it is"
                )
            store.submissions.check()
            store.points.check()
            _check_identity(store, path, identity, rebind=rebind)
            number, length = _take_up(store, places)
            store.park_what_was_being_sent()
            commits = store.count_commit()
            connection.execute("COMMIT")
            write_commits(places, commits)
            segments = SegmentWriter(places.results, number, length)
            store.segments = segments
        except BROKEN as error:
            connection.close()
            raise from_sqlite(error, places.database) from error
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        lock.release()
        raise from_os(error, path) from error
    except BaseException:
        lock.release()
        raise
    return Opened(places, lock, connection, segments, store)


def _check_identity(
    store: Store, path: Path, identity: Identity, *, rebind: bool
) -> None:
    noted = store.facts.get("identity")
    try:
        known = None if noted is None else msgspec.convert(noted, Identity)
    except msgspec.ValidationError as error:
        raise JournalCorrupt(f"journal {path}: whose it is cannot be read") from error
    if known is not None and known != identity:
        names = ("endpoint", "target", "dialect", "account")
        others = [n for n in names if getattr(known, n) != getattr(identity, n)]
        if not (rebind and others == ["account"]):
            told = ", ".join(_told(name, known, identity) for name in others)
            raise JournalIdentityMismatch(
                f"journal {path} belongs to {told}; use another journal for this one"
            )
    if known != identity:
        store.facts.set("identity", identity)


def _told(name: str, known: Identity, identity: Identity) -> str:
    if name == "account":
        # both are fingerprints, which tell nobody anything
        return "another account"
    return f"{name} {getattr(known, name)} and not {getattr(identity, name)}"


def _take_up(store: Store, places: Places) -> tuple[int, int]:
    """Count what was written and not counted; the file to go on with, and its length."""
    counted = store.lengths()
    numbers = segments_in(places.results)
    for number, length in counted.items():
        path = path_of(places.results, number)
        if number not in numbers or path.stat().st_size < length:
            raise JournalCorrupt(
                f"{path} is shorter than it was; the journal is left as it is"
            )
    last = max(counted, default=0)
    length = counted.get(last, 0)
    for number in numbers:
        if number >= last:
            length = store.take_up(
                Segment(places.results, number), counted.get(number, 0)
            )
            store.set_length(number, length)
            last = number
    return max(last, 1), length
