"""Connections between tasks of one event loop: bytes travel in memory, in virtual time.

They stand in for TCP, so that a client and a server written for asyncio run unchanged.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Address", "Listener", "Wire", "connected"]

Address = tuple[str, int]
"""Host and port."""

_HIGH_WATER = 64 * 1024
"""Bytes on their way above which the sender is asked to pause."""


class Wire(asyncio.Transport):
    """One end of a connection. Made in pairs by `connected`.

    What is written arrives after the latency, in order. An end that is closed lets what
    was written arrive first; so does one that is aborted, but the other end then finds
    the connection reset.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        latency: float,
        *,
        own: Address,
        other: Address,
    ) -> None:
        super().__init__({"sockname": own, "peername": other})
        self._loop = loop
        self._latency = latency
        self.peer: Wire | None = None
        """The other end; None once this one has gone."""
        self._arriving: deque[tuple[float, bytes | Exception | None]] = deque()
        """What comes and when; None is the end of the stream, an error the break."""
        self._arriving_bytes = 0
        self._delivery: asyncio.Handle | None = None
        self._reading = True
        self._closing = False
        self._ended = False
        """Whether this end will write no more."""
        self._high, self._low = _HIGH_WATER, _HIGH_WATER // 4
        self._held = False
        """Whether the protocol was asked to pause writing."""
        self.set_protocol(protocol)

    # --- what a protocol asks of a transport ------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give what arrives to another protocol from now on."""
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError("connections in virtual time serve an asyncio.Protocol")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """What gets what arrives."""
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; lost without a word where the connection has gone."""
        if self._ended:
            raise RuntimeError("nothing can be written after write_eof")
        peer = self.peer
        if not data or peer is None or self._closing:
            return
        peer.expect(bytes(data))
        if not self._held and peer.arriving_bytes > self._high:
            self._held = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send bytes that lie in several places."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Send the end of the stream, and go on reading."""
        if not self._ended and self.peer is not None and not self._closing:
            self.peer.expect(None)
        self._ended = True

    def can_write_eof(self) -> bool:
        """Whether one direction can be closed alone: yes."""
        return True

    def close(self) -> None:
        """Close the connection once all that was written has arrived."""
        if not self._closing:
            if not self._ended and self.peer is not None:
                self.peer.expect(None)
            self._leave(None)

    def abort(self) -> None:
        """Break the connection off; the other end finds it reset."""
        if not self._closing:
            if self.peer is not None:
                self.peer.expect(_reset())
            self._leave(None)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Let nothing more in until `resume_reading`."""
        self._reading = False

    def resume_reading(self) -> None:
        """Let in what has arrived meanwhile."""
        if not self._reading:
            self._reading = True
            self._schedule()

    def is_reading(self) -> bool:
        """Whether what arrives is let in."""
        return self._reading and not self._closing

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Set how many bytes may be on their way."""
        self._high = high if high is not None else 4 * low if low else _HIGH_WATER
        self._low = low if low is not None else self._high // 4

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The bytes below which writing goes on, and above which it pauses."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """The bytes on their way."""
        return self.peer.arriving_bytes if self.peer is not None else 0

    # --- the way of the bytes ---------------------------------------------------------

    @property
    def arriving_bytes(self) -> int:
        """Bytes on their way to this end."""
        return self._arriving_bytes

    def expect(self, item: bytes | Exception | None) -> None:
        """Have something arrive here after the latency."""
        if self._closing:
            return
        self._arriving.append((self._loop.time() + self._latency, item))
        if isinstance(item, bytes):
            self._arriving_bytes += len(item)
        self._schedule()

    def _schedule(self) -> None:
        if self._delivery is None and self._arriving and self.is_reading():
            self._delivery = self._loop.call_at(self._arriving[0][0], self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        now = self._loop.time()
        while self._arriving and self.is_reading() and self._arriving[0][0] <= now:
            _, item = self._arriving.popleft()
            if isinstance(item, bytes):
                self._arriving_bytes -= len(item)
                self._protocol.data_received(item)
            elif item is not None:
                self._leave(item)
            elif not self._protocol.eof_received():
                self.close()
        if self.peer is not None:
            self.peer.let_write(self._arriving_bytes)
        self._schedule()

    def let_write(self, on_their_way: int) -> None:
        """Tell a protocol that was paused when it may write again."""
        if self._held and on_their_way <= self._low:
            self._held = False
            self._protocol.resume_writing()

    def _leave(self, error: Exception | None) -> None:
        self._closing = True
        self._arriving.clear()
        self._arriving_bytes = 0
        if self._delivery is not None:
            self._delivery.cancel()
        # not at once: a protocol does not expect it while it calls `close`
        self._loop.call_soon(self._gone, error)

    def _gone(self, error: Exception | None) -> None:
        self.peer = None
        self._protocol.connection_lost(error)


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


class Listener(asyncio.AbstractServer):
    """What `create_server` returns: addresses at which connections are taken."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Callable[[], asyncio.BaseProtocol],
        addresses: Iterable[Address],
        listeners: dict[Address, Listener],
    ) -> None:
        self._loop = loop
        self.factory = factory
        self._addresses = tuple(addresses)
        self._listeners = listeners
        self._ending: asyncio.Future[None] = loop.create_future()

    @property
    def sockets(self) -> tuple[_Place, ...]:
        """Where it listens: objects with `getsockname`, and no more of a socket."""
        open_ = self._addresses if self.is_serving() else ()
        return tuple(_Place(address) for address in open_)

    def is_serving(self) -> bool:
        """Whether connections are taken."""
        return any(self._listeners.get(a) is self for a in self._addresses)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it belongs to."""
        return self._loop

    async def start_serving(self) -> None:
        """Take connections from now on.

        Raises:
            OSError: Somebody else does at one of the addresses.
        """
        for address in self._addresses:
            taken = self._listeners.setdefault(address, self)
            if taken is not self:
                raise OSError(errno.EADDRINUSE, f"{address} is in use")

    async def serve_forever(self) -> None:
        """Take connections until cancelled."""
        await self.start_serving()
        try:
            await asyncio.shield(self._ending)
        finally:
            self.close()

    def close(self) -> None:
        """Take no more connections; those that are open stay open."""
        for address in self._addresses:
            if self._listeners.get(address) is self:
                del self._listeners[address]
        if not self._ending.done():
            self._ending.set_result(None)

    async def wait_closed(self) -> None:
        """Wait until no more connections are taken."""
        await asyncio.shield(self._ending)


class _Place:
    """What an aiohttp site asks of a socket that listens."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        return self._address


def connected(
    loop: asyncio.AbstractEventLoop,
    listener: Listener,
    protocol: asyncio.BaseProtocol,
    latency: float,
    *,
    own: Address,
    other: Address,
) -> Wire:
    """Connect a protocol to a listener; the nearer end of the new connection.

    Args:
        loop: Of both ends.
        listener: Makes the protocol at the farther end.
        protocol: At the nearer end.
        latency: Of one way, in seconds.
        own: The nearer end's address.
        other: The farther end's.
    """
    near = Wire(loop, protocol, latency, own=own, other=other)
    far = Wire(loop, listener.factory(), latency, own=other, other=own)
    near.peer, far.peer = far, near
    # before any byte can arrive: what was called first runs first
    loop.call_soon(far.get_protocol().connection_made, far)
    protocol.connection_made(near)
    return near
