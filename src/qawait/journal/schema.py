"""The SQLite file of a journal: how it is opened, checked, made and brought up to date.

Exclusive locking comes before the journal mode: then there is no shared-memory file, and
SQLite's own fault with two connections at a checkpoint (3.7.0 to 3.51.2) cannot happen.
FULL flushes at every commit; NORMAL loses acknowledged commits when the power fails.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, Protocol

from qawait.errors import JournalCorrupt, JournalError, JournalFull, JournalTooNew
from qawait.journal.places import private_file, sync_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "APPLICATION",
    "BROKEN",
    "VERSION",
    "Connection",
    "check",
    "configure",
    "connect",
]

APPLICATION = 0x71616A6E  # "qajn"
VERSION = 1
SYNCHRONOUS = "FULL"

SCHEMA = {
    "facts": (
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL,"
        " seal INTEGER NOT NULL)"
    ),
    "intents": (
        "CREATE TABLE intents (number INTEGER PRIMARY KEY, sent BLOB NOT NULL,"
        " manifest BLOB NOT NULL, seal INTEGER NOT NULL)"
    ),
    "submissions": (
        "CREATE TABLE submissions (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " standing TEXT NOT NULL, job_id TEXT, progress BLOB NOT NULL,"
        " written_at REAL NOT NULL, updated_at REAL NOT NULL, segment INTEGER,"
        " at INTEGER, size INTEGER, digest BLOB, seal INTEGER NOT NULL,"
        " circuits INTEGER NOT NULL, shots INTEGER NOT NULL)"
    ),
    "open_submissions": (
        "CREATE INDEX open_submissions ON submissions (number)"
        " WHERE standing <> 'terminal'"
    ),
    "points": (
        "CREATE TABLE points (key TEXT PRIMARY KEY, identity BLOB NOT NULL,"
        " submission INTEGER, place INTEGER NOT NULL) WITHOUT ROWID"
    ),
    "segments": (
        "CREATE TABLE segments (number INTEGER PRIMARY KEY, length INTEGER NOT NULL)"
    ),
    "anomalies": (
        "CREATE TABLE anomalies (number INTEGER PRIMARY KEY, submission TEXT NOT NULL,"
        " kind TEXT NOT NULL, detail TEXT NOT NULL, at REAL NOT NULL)"
    ),
}
MIGRATIONS: dict[int, Sequence[str]] = {}
"""Statements that bring a file of a version to the next one."""


BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What the standard library raises; the second where a name in the file is damaged."""


class Cursor(Protocol):
    """What is used of a cursor."""

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...


class Connection(Protocol):
    """What is used of a connection; tests bring one whose power can fail."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, which is there, or make it whole.

    Raises:
        JournalCorrupt: It is damaged, or not a journal's.
        JournalTooNew: A newer version wrote it.
        JournalError: It cannot be opened.
    """
    try:
        if not path.exists():
            _make(path)
        elif not path.stat().st_size:
            raise JournalCorrupt(f"{path} is empty, though it was not when it was made")
        connection = _opened(path)
    except BROKEN as error:
        raise from_sqlite(error, path) from error
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        recognised(connection, path)
        configure(connection)
        check(connection, path)
    except BROKEN as error:
        connection.close()
        raise from_sqlite(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    # made beforehand, because SQLite gives the file beside it the mode of this one only
    # as the umask of that moment allows
    os.close(private_file(path.with_name(path.name + "-wal")))
    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=0.2
    )


def _make(path: Path) -> None:
    """Under another name until it is whole: an empty file is never taken for a new one."""
    unfinished = path.with_name("unfinished.sqlite")
    unfinished.unlink(missing_ok=True)
    os.close(private_file(unfinished))
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        create(connection)
    finally:
        connection.close()
    fd = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    path.with_name(path.name + "-wal").unlink(missing_ok=True)
    unfinished.replace(path)
    sync_directory(path.parent)


def create(connection: Connection) -> None:
    """Write the tables of this version into an empty file."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def configure(connection: Connection) -> None:
    """How every connection to a journal is set."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(f"this file system does not allow for WAL, only for {mode}")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    if sys.platform == "darwin":  # pragma: no cover - macOS
        connection.execute("PRAGMA fullfsync = 1")
        connection.execute("PRAGMA checkpoint_fullfsync = 1")


def recognised(connection: Connection, path: Path) -> int:
    """The version of a journal's file; changes nothing, whatever it is.

    Raises:
        JournalCorrupt: It is not a journal's.
        JournalTooNew: A newer version wrote it.
    """
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION or version < 1:
        raise JournalCorrupt(f"{path} is no journal of qawait")
    if version > VERSION:
        raise JournalTooNew(
            f"{path} is of version {version}; this qawait reads journals up to"
            f" {VERSION}: update it"
        )
    return version


def check(connection: Connection, path: Path) -> None:
    """Refuse what is not a sound journal; bring one of an older version up to date.

    Raises:
        JournalCorrupt: It is damaged, or not a journal's.
        JournalTooNew: A newer version wrote it.
    """
    version = recognised(connection, path)
    [verdict] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise JournalCorrupt(f"{path} is damaged: {verdict}")
    if version < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        for older in range(version, VERSION):
            for statement in MIGRATIONS[older]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    # a trigger or a view of somebody else's would run with our own statements
    found = dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
    )
    if found != SCHEMA:
        strange = sorted(found.items() ^ SCHEMA.items())[0][0]
        raise JournalCorrupt(f"{path} has not the tables of a journal: {strange!r}")


def from_sqlite(error: Exception, path: Path) -> JournalError:
    """What SQLite said, in our own words."""
    name: str = getattr(error, "sqlite_errorname", "")
    # a limit on the size of a file is an error of writing, a full disk is not
    if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"):
        return JournalFull(f"{path}: {error}; make room, and run it again")
    if name.startswith("SQLITE_IOERR"):
        return JournalCorrupt(f"{path}: {error} ({name}); nothing more is sent")
    if "locked" in str(error):
        return JournalError(f"{path}: another program has opened the file itself")
    if isinstance(error, UnicodeDecodeError):
        return JournalCorrupt(f"{path} is damaged: a name in it is no text")
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    ):
        return JournalCorrupt(f"{path}: {error}; it is left as it is")
    return JournalError(f"{path}: {error}")
