"""The journal that a sweep writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from qawait._shared_quota import name_of
from qawait.journal.memory import MemoryJournal
from qawait.journal.records import Identity

if TYPE_CHECKING:
    from qawait._connection import Connection
    from qawait.journal.port import Journal
    from qawait.services import IQMService, QoroService

__all__ = ["identity_of", "journal_of"]


async def journal_of(
    connection: Connection, path: str | Path | None
) -> tuple[Journal, bool]:
    """The journal of a sweep, and whether it is the sweep's own to close.

    Args:
        connection: The client's.
        path: Of a journal on the disk; None keeps one in memory.

    Raises:
        JournalError: It cannot be used; the class says why.
    """
    if path is None:
        return MemoryJournal(), True
    # sqlite3 loads with it
    from qawait.journal.file import FileJournal

    place = await anyio.to_thread.run_sync(lambda: Path(path).expanduser().absolute())
    return await FileJournal.open(place, await identity_of(connection)), True


async def identity_of(connection: Connection) -> Identity:
    """Whose journal it is: the service, its target and the account."""
    assert connection.target is not None
    assert connection.service is not None
    endpoint, account = "the local simulator", ""
    if not connection.is_embedded:
        # an embedded one has another port and another token each time
        endpoint = str(connection.transport.root)
        account = await anyio.to_thread.run_sync(
            _fingerprint, str(connection.transport.root.origin()), connection.service
        )
    return Identity(
        endpoint=endpoint,
        target=connection.target.name,
        dialect=connection.wire.dialect.name,
        account=account,
    )


def _fingerprint(origin: str, service: IQMService | QoroService) -> str:
    return name_of(origin, service.token.current())
