"""The thread that writes: what waits together is committed together."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import Error, JournalError, JournalFull, fresh
from qawait.journal.places import drop_ballast, from_os, keep_ballast, write_commits
from qawait.journal.schema import BROKEN, from_sqlite

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from qawait.journal.places import Places
    from qawait.journal.schema import Connection
    from qawait.journal.segments import SegmentWriter
    from qawait.journal.status_file import StatusFile
    from qawait.journal.store import Store

__all__ = ["Order", "Settled", "Writer", "transact"]

log = logging.getLogger("qawait")

_LAZY = 0.2
"""For how many seconds something that nobody waits for may wait for company."""


class Order(Struct, frozen=True, eq=False):
    """Something to be written, or to be looked up."""

    act: Callable[[Store], Any]
    answer: asyncio.Future[Any] | None = None
    """None if nobody waits for it."""
    vital: bool = False
    """Whether it is carried out on a full disk, where the ballast makes room for it: an
    id, what became of a submission; and a question, which needs none."""
    is_question: bool = False
    """Whether it writes nothing."""


class Settled(Struct, frozen=True):
    """An order that was carried out, or was not."""

    order: Order
    value: Any = None
    error: Exception | None = None


def transact(
    connection: Connection,
    store: Store,
    segments: SegmentWriter,
    orders: list[Order],
) -> list[Settled]:
    """Carry out orders in one transaction, results first: one flush, or two.

    An order that is refused leaves the others alone. If the disk refuses, nothing of
    all of them is there.

    Raises:
        Exception: What the disk or SQLite said.
    """
    if all(order.is_question for order in orders):
        return [_settled(order, store) for order in orders]
    try:
        return _committed(connection, store, segments, orders, apart=False)
    except _Refused:
        # seldom; each one apart from the start would be two statements more for each
        return _committed(connection, store, segments, orders, apart=True)


class _Refused(Exception):
    """One of the orders was refused, and nothing of all of them is there."""


def _committed(
    connection: Connection,
    store: Store,
    segments: SegmentWriter,
    orders: list[Order],
    *,
    apart: bool,
) -> list[Settled]:
    mark = segments.mark
    settled: list[Settled] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for order in orders:
            if apart:
                connection.execute("SAVEPOINT one")
            before = segments.mark
            done = _settled(order, store)
            settled.append(done)
            if done.error is not None and not order.is_question:
                if not apart:
                    raise _Refused
                connection.execute("ROLLBACK TO one")
                store.forget()
                segments.cut(before)
            if apart:
                connection.execute("RELEASE one")
        if segments.mark != mark:
            store.set_length(*segments.mark)
            # what the commit tells of must be there when it counts
            segments.sync()
        if any(d.error is None and not d.order.is_question for d in settled):
            store.count_commit()
        connection.execute("COMMIT")
    except BaseException:
        _take_back(connection)
        store.forget()
        segments.cut(mark)
        raise
    return settled


def _settled(order: Order, store: Store) -> Settled:
    try:
        return Settled(order, order.act(store))
    except (JournalError, TypeError, ValueError) as error:
        return Settled(order, error=error)


def _take_back(connection: Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except Exception as error:
        # SQLite has done it already, after errors of the disk
        log.debug("nothing to roll back: %s", error)


class Writer:
    """Carries out orders in the order in which they were given."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        segments: SegmentWriter,
        places: Places,
        status: StatusFile,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._store = store
        self._segments = segments
        self._places = places
        self._status = status
        self._loop = loop
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._ballast = False
        self._commits = 0
        self._thread = threading.Thread(
            # with the clock of whoever opens it, which may be a virtual one
            target=copy_context().run,
            args=(self._work,),
            name="qawait journal",
            daemon=True,
        )
        self._thread.start()

    def put(self, order: Order) -> None:
        """Give an order; from any thread."""
        self._orders.put(order)

    def close(self) -> None:
        """Return once every order is carried out; no more may come."""
        self._orders.put(None)
        self._thread.join()

    # --- the thread ------------------------------------------------------------------

    def _work(self) -> None:
        self._ballast = keep_ballast(self._places)
        going_on = True
        while going_on:
            orders, going_on = self._gathered()
            if orders:
                self._tell(self._carry_out(orders))
                self._status.changed()
            if not going_on or self._status.wait() == 0.0:
                self._write_status()

    def _gathered(self) -> tuple[list[Order], bool]:
        """What waits, once somebody waits for it, or for long enough."""
        orders: list[Order] = []
        until: float | None = None
        while True:
            waits = [self._status.wait()]
            if until is not None:
                waits.append(max(0.0, until - time.monotonic()))
            patience = min((w for w in waits if w is not None), default=None)
            try:
                order = (
                    self._orders.get_nowait()
                    if patience == 0.0
                    else self._orders.get(timeout=patience)
                )
            except Empty:
                return orders, True
            if order is None:
                return orders, False
            orders.append(order)
            if until is None:
                until = time.monotonic() + (_LAZY if order.answer is None else 0.0)
            elif order.answer is not None:
                until = 0.0

    def _carry_out(self, orders: list[Order]) -> list[Settled]:
        if not self._ballast:
            self._ballast = keep_ballast(self._places)
        if not self._ballast:
            refused = JournalFull(
                f"journal {self._places.root}: the disk is full; make room, and run it"
                " again"
            )
            return self._vital_only(orders, refused)
        try:
            return self._transact(orders)
        except JournalFull as full:
            self._ballast = False
            drop_ballast(self._places)
            return self._vital_only(orders, full)
        except JournalError as error:
            return [Settled(order, error=error) for order in orders]

    def _vital_only(self, orders: list[Order], full: JournalFull) -> list[Settled]:
        """The last room is for ids; whatever can be repeated has to wait."""
        settled = [Settled(order, error=full) for order in orders if not order.vital]
        vital = [order for order in orders if order.vital]
        if vital:
            try:
                settled += self._transact(vital)
            except JournalError as error:
                settled += [Settled(order, error=error) for order in vital]
        return settled

    def _transact(self, orders: list[Order]) -> list[Settled]:
        try:
            settled = transact(self._connection, self._store, self._segments, orders)
            number = self._store.commits()
        except OSError as error:
            raise from_os(error, self._places.root) from error
        except BROKEN as error:
            raise from_sqlite(error, self._places.database) from error
        except JournalError:
            raise
        except Exception as error:
            log.exception("journal %s", self._places.root)
            raise JournalError(f"journal {self._places.root}: {error!r}") from error
        if number != self._commits:
            # not flushed: it may be older than the journal, but never younger
            self._commits = number
            write_commits(self._places, number)
        return settled

    def _write_status(self) -> None:
        try:
            self._status.write(self._store)
        except (JournalError, *BROKEN) as error:
            log.warning("the status of %s: %s", self._places.root, error)

    def _tell(self, settled: list[Settled]) -> None:
        for done in settled:
            if done.order.answer is None and done.error is not None:
                log.warning("journal %s: %s", self._places.root, done.error)
        waited_for = [done for done in settled if done.order.answer is not None]
        if waited_for:
            try:
                self._loop.call_soon_threadsafe(_answer, waited_for)
            except RuntimeError:
                log.debug("the event loop of the journal has ended")


def _answer(settled: list[Settled]) -> None:
    for done in settled:
        answer = done.order.answer
        if answer is None or answer.done():
            continue
        if done.error is None:
            answer.set_result(done.value)
        elif isinstance(done.error, Error):
            # one error of the disk may answer many
            answer.set_exception(fresh(done.error))
        else:
            answer.set_exception(done.error)
