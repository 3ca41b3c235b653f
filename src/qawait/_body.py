"""How the body of one answer is taken from the network: kept whole, or read by pieces.

Nothing here holds up the event loop: what is large is handed to worker threads by
pieces, and while one is read there, the next arrive here.
"""

from __future__ import annotations

import asyncio
from io import SEEK_END, BytesIO
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio.to_thread

from qawait.errors import ResponseTooLarge, ResponseTruncated

if TYPE_CHECKING:
    from aiohttp import StreamReader

    from qawait.model import BodyReader

__all__ = ["LARGE", "Body", "Unreadable", "ends_with_its_connection"]

LARGE = 1 << 20
"""Bodies above this many bytes are read in a thread, so that the loop goes on."""

_PIECE = 1 << 18
"""A thread is given at least so many bytes, lest the way there cost more than the work.

The rest of what arrives meanwhile waits in aiohttp's buffer, which stops the sender at
three times as much; so that is also the most that one piece holds.
"""

_SLOWEST = 1000.0
"""Bytes per second below which an answer is given up, once it has been awaited for
`_PATIENCE` seconds."""
_PATIENCE = 10.0


class Unreadable(Exception):
    """What a reader raised about a body, kept apart from what the connection raises.

    The same body would come again, so unlike a broken connection it is no reason to ask
    again; and a reader's own `OSError` is not the network's.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Body:
    """The body of one answer, unpacked, as it arrives.

    Args:
        content: Where it arrives; nothing has been taken from there yet.
        limit: The largest body, unpacked, in bytes.
        name: What an error calls the request.
        declared: Its length as the answer states it; None if that states none.

    Raises:
        ResponseTooLarge: The declared length is above the limit.
    """

    def __init__(
        self, content: StreamReader, limit: int, name: str, declared: int | None = None
    ) -> None:
        self.size = 0
        """Bytes that have arrived so far."""
        self._content = content
        self._limit = limit
        self._name = name
        self._awaited = 0.0
        self._time = asyncio.get_running_loop().time
        # The length is that of the packed body, which is hardly ever the larger one.
        self._check(declared or 0)

    async def whole(self) -> bytes:
        """The body in one piece.

        Raises:
            ResponseTooLarge: It is larger than the limit.
            TimeoutError: It comes too slowly.
        """
        first = await self._next()
        if self._content.at_eof():
            return first
        # Grows in place: a list of pieces and their sum would be twice the body.
        kept = BytesIO(first)
        kept.seek(0, SEEK_END)
        while piece := await self._next():
            kept.write(piece)
        return kept.getvalue()

    async def read_by(self, reader: BodyReader) -> Any:
        """The value that a reader makes of the body; it is used here alone.

        Raises:
            ResponseTooLarge, TimeoutError: As for `whole`.
            ResponseTruncated: The reader says that the end is missing.
            Unreadable: The reader raised anything else.
        """
        try:
            return await self._read_by(reader)
        except BaseException as error:
            # An error outlives the answer: it must not keep alive what was read of it.
            # Cancelled from outside, a thread may still be at the reader.
            if isinstance(error, Exception):
                reader.drop()
            del reader
            for one in (error, error.__cause__):
                if one is not None:
                    clear_frames(one.__traceback__)
            raise

    async def _read_by(self, reader: BodyReader) -> Any:
        arrived: list[bytes] = []
        while piece := await self._next():
            arrived.append(piece)
            if self.size > LARGE:
                break
            if self._content.at_eof():
                return _rest(reader, arrived)
        else:
            return _rest(reader, arrived)
        held = self.size
        while True:
            if held >= _PIECE:
                await anyio.to_thread.run_sync(_feed, reader, arrived)
                arrived, held = [], 0
            piece = await self._next()
            if not piece:
                return await anyio.to_thread.run_sync(_rest, reader, arrived)
            arrived.append(piece)
            held += len(piece)

    async def _next(self) -> bytes:
        """What has arrived since; empty at the end."""
        asked = self._time()
        piece = await self._content.readany()
        # The time that a reader takes is no fault of the sender.
        self._awaited += self._time() - asked
        self.size += len(piece)
        self._check(self.size)
        if piece and self.size < _SLOWEST * (self._awaited - _PATIENCE):
            raise TimeoutError
        return piece

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ResponseTooLarge(
                f"the answer to {self._name} is larger than {self._limit} bytes"
            )


def ends_with_its_connection(response: aiohttp.ClientResponse) -> None:
    """See to it that nobody waits for the rest of a body whose connection is gone.

    aiohttp closes a connection on which chunks break the rules, and tells it to whoever
    waits for a head, but to nobody who waits for a body; nor does any deadline remain.
    """
    connection, content = response.connection, response.content

    def give_up(closed: asyncio.Future[None] | None) -> None:
        if closed is not None and not closed.cancelled():
            # why it is gone is told elsewhere; looked at, lest asyncio complain
            closed.exception()
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection is gone"))

    if connection is None:
        # it was given back, because the body is there
        return
    if connection.protocol is None or (closed := connection.protocol.closed) is None:
        give_up(None)
    else:
        closed.add_done_callback(give_up)


def _feed(reader: BodyReader, pieces: list[bytes]) -> None:
    try:
        reader.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
    except ResponseTruncated:
        raise
    except Exception as error:
        raise Unreadable(error) from error


def _rest(reader: BodyReader, pieces: list[bytes]) -> Any:
    _feed(reader, pieces)
    try:
        return reader.close()
    except ResponseTruncated:
        raise
    except Exception as error:
        raise Unreadable(error) from error
