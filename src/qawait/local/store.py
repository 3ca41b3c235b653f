"""The job store: one SQLite file, written by one thread.

A job is answered for only when it is on the disk. Writes that arrive together share one
commit, because the flush is what takes the time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from qawait.errors import ConfigurationError
from qawait.local.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Store", "default_path"]

T = TypeVar("T")

_VERSION = 1
_APPLICATION = 0x71617774  # "qawt"
_SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    ended INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX jobs_in_progress ON jobs (number) WHERE ended = 0;
CREATE TABLE parts (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (job, number)
);
CREATE TABLE results (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (job, name)
);
"""
_DECODER = msgspec.json.Decoder(Job)
MOST_KEPT_BYTES = 32 * 2**20
"""Request bodies that are read again without asking the thread."""


def default_path() -> Path:
    """The store of `qawait serve` in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "qawait" / "service.sqlite"


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Created beforehand, because the files beside it inherit the mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # The empty name is SQLite's own temporary file: it has no place in a directory, so
    # nothing can be left behind.
    connection = sqlite3.connect(
        path or "", isolation_level=None, check_same_thread=False, timeout=1
    )
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    if path is not None:
        # Exclusive before WAL: one process at a time, and no shared-memory file.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    elif (application, version) != (_APPLICATION, _VERSION):
        raise ConfigurationError(
            f"{path} is not a job store of this version of qawait; name another one"
        )
    connection.execute("COMMIT")


class Store:
    """Jobs, the bodies of their requests, and their results. Made by `open`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._kept: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()
        """Bodies of the latest jobs that were written without waiting."""
        self.kept_bytes = 0
        """Bytes of them."""
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    @classmethod
    async def open(cls, path: Path | None) -> Store:
        """Opens a store, or makes a new one.

        Args:
            path: The file; None keeps everything in a nameless file that is gone with
                the process.

        Raises:
            ConfigurationError: The file cannot be written, is another program's, or
                another service uses it.
        """
        try:
            return cls(await asyncio.to_thread(_connect, path))
        except (sqlite3.Error, OSError) as error:
            if "locked" in str(error):
                raise ConfigurationError(
                    f"another service uses the store {path}; stop it, or name another"
                ) from error
            raise ConfigurationError(
                f"the store {path} cannot be used: {error}"
            ) from error

    async def add(self, job: Job, bodies: Sequence[bytes]) -> None:
        """Writes a new job; on the disk when this returns."""
        await self._ask(self._adding(job, bodies))

    def add_later(self, job: Job, bodies: Sequence[bytes]) -> None:
        """Writes a new job without waiting; whoever reads it later will find it."""
        self._orders.put(_Order(self._adding(job, bodies), None))
        self._keep(job.id, tuple(bodies))

    def _adding(
        self, job: Job, bodies: Sequence[bytes]
    ) -> Callable[[sqlite3.Connection], None]:
        row = (job.id, job.stage.is_terminal, msgspec.json.encode(job))

        def add(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO jobs (id, ended, record) VALUES (?, ?, ?)", row
            )
            _insert_parts(connection, job.id, 0, bodies)

        return add

    async def update(
        self,
        job: Job,
        *,
        part: bytes | None = None,
        results: Mapping[str, bytes] | None = None,
    ) -> None:
        """Writes how a job stands, with a further request body or its results."""
        row = (job.stage.is_terminal, msgspec.json.encode(job), job.id)
        number = job.parts - 1
        self._drop(job.id)

        def update(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE jobs SET ended = ?, record = ? WHERE id = ?", row
            ).rowcount
            if not changed:
                return  # deleted meanwhile
            if part is not None:
                _insert_parts(connection, job.id, number, [part])
            connection.executemany(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?)",
                [(job.id, name, body) for name, body in (results or {}).items()],
            )

        await self._ask(update)

    async def delete(self, job_id: str) -> None:
        """Removes a job with everything that belongs to it."""
        self._drop(job_id)

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

        await self._ask(delete)

    async def job(self, job_id: str) -> Job | None:
        """A job; None if there is none."""

        def read(connection: sqlite3.Connection) -> Job | None:
            row = connection.execute(
                "SELECT record FROM jobs WHERE id = ?", (job_id,)
            ).fetchone()
            return None if row is None else _DECODER.decode(row[0])

        return await self._ask(read)

    async def in_progress(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""

        def read(connection: sqlite3.Connection) -> list[Job]:
            rows = connection.execute(
                "SELECT record FROM jobs WHERE ended = 0 ORDER BY number"
            )
            return [_DECODER.decode(record) for (record,) in rows]

        return await self._ask(read)

    async def parts(self, job_id: str) -> tuple[bytes, ...]:
        """The bodies of the requests that made a job, in order."""
        kept = self._kept.get(job_id)
        if kept is not None:
            return kept

        def read(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            rows = connection.execute(
                "SELECT body FROM parts WHERE job = ? ORDER BY number", (job_id,)
            )
            return tuple(body for (body,) in rows)

        return await self._ask(read)

    async def result(self, job_id: str, name: str) -> bytes | None:
        """One result of a job; None if there is none of that name."""

        def read(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT body FROM results WHERE job = ? AND name = ?", (job_id, name)
            ).fetchone()
            return None if row is None else row[0]

        return await self._ask(read)

    async def close(self) -> None:
        """Finishes what was ordered and closes the file."""
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _keep(self, job_id: str, bodies: tuple[bytes, ...]) -> None:
        self._kept[job_id] = bodies
        self.kept_bytes += sum(map(len, bodies))
        while self.kept_bytes > MOST_KEPT_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, job_id: str) -> None:
        self.kept_bytes -= sum(map(len, self._kept.pop(job_id, ())))

    def _ask(self, action: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        answer: asyncio.Future[T] = self._loop.create_future()
        self._orders.put(_Order(action, answer))
        return answer

    def _work(self) -> None:
        """The thread: takes all that is waiting, and commits once."""
        while (order := self._orders.get()) is not None:
            batch = [order]
            ends = False
            while not self._orders.empty():
                following = self._orders.get()
                if following is None:
                    ends = True
                    break
                batch.append(following)
            self._carry_out(batch)
            if ends:
                return

    def _carry_out(self, batch: list[_Order]) -> None:
        connection = self._connection
        settled: list[tuple[_Order, object, Exception | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for order in batch:
                connection.execute("SAVEPOINT one")
                try:
                    settled.append((order, order.action(connection), None))
                except (sqlite3.Error, msgspec.MsgspecError) as error:
                    connection.execute("ROLLBACK TO one")
                    settled.append((order, None, error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            # The disk is full or gone: nothing of this batch is there.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            settled = [(order, None, error) for order in batch]
        self._loop.call_soon_threadsafe(_settle, settled)


class _Order(msgspec.Struct, frozen=True):
    action: Callable[[sqlite3.Connection], object]
    answer: asyncio.Future[Any] | None


def _settle(settled: list[tuple[_Order, object, Exception | None]]) -> None:
    for order, value, error in settled:
        if order.answer is None or order.answer.done():
            continue
        if error is None:
            order.answer.set_result(value)
        else:
            order.answer.set_exception(error)


def _insert_parts(
    connection: sqlite3.Connection, job_id: str, first: int, bodies: Sequence[bytes]
) -> None:
    connection.executemany(
        "INSERT INTO parts VALUES (?, ?, ?)",
        [(job_id, number, body) for number, body in enumerate(bodies, first)],
    )
