"""The journal that a sweep writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from msgspec import Struct

from qawait.journal.memory import MemoryJournal

if TYPE_CHECKING:
    from qawait._connection import Connection
    from qawait.journal.port import Journal

__all__ = ["Written", "journal_of"]


class Written(Struct, frozen=True):
    """Where a sweep is written down."""

    journal: Journal
    owned: bool = True
    """Whether it is closed with the sweep."""
    prefix: str = ""
    """What keys begin with in it, where several sweeps share it."""


async def journal_of(connection: Connection, path: str | Path | None) -> Written:
    """The journal of a sweep.

    In that of a client, the keys of its second sweep begin with `2/`, and so on: two
    lists both have a point "0". A program that is run again begins its sweeps in the same
    order.

    Args:
        connection: The client's.
        path: Of a journal on the disk; None takes that of the client, and keeps one in
            memory if it has none.

    Raises:
        JournalError: It cannot be used; the class says why.
    """
    clients = connection.journal
    if path is None:
        if clients.path is None:
            return Written(MemoryJournal())
        connection.sweeps += 1
        number = connection.sweeps
        return Written(clients, owned=False, prefix="" if number == 1 else f"{number}/")
    place = await anyio.to_thread.run_sync(lambda: Path(path).expanduser().absolute())
    if place == clients.path:
        return Written(clients, owned=False)
    # sqlite3 loads with it
    from qawait.journal.file import FileJournal

    return Written(await FileJournal.open(place, await connection.identity()))
