"""A body that is read while it arrives: the same value as the whole, or the same error."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
import tracemalloc
import weakref
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from aiohttp.base_protocol import BaseProtocol
from tests.fault_server import Cut, FaultServer, Hang, Request, answering, reply

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._body import LARGE, Body
from qawait._transport import Limits, Retry, Transport
from qawait.iqm.dialects import SERVER
from qawait.model import Call
from qawait.testing import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MiB = 1 << 20


class Collector:
    """Keeps what it is fed, and where."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.threads: set[int] = set()
        self.closed = False
        self.dropped = False

    def feed(self, data: bytes | memoryview, /) -> None:
        assert not self.closed
        assert not self.dropped
        self.threads.add(threading.get_ident())
        self.pieces.append(bytes(data))

    def drop(self) -> None:
        assert not self.dropped
        self.dropped = True

    def close(self) -> bytes:
        assert not self.closed
        assert not self.dropped
        self.threads.add(threading.get_ident())
        self.closed = True
        return b"".join(self.pieces)


class Readers:
    """Makes readers, and keeps those it has made."""

    def __init__(self, kind: Callable[[], Any] = Collector) -> None:
        self.kind = kind
        self.made: list[Any] = []

    def __call__(self) -> Any:
        self.made.append(self.kind())
        return self.made[-1]

    @property
    def only(self) -> Any:
        (reader,) = self.made
        return reader


def question(reader: Callable[[], Any] | None, **fields: Any) -> Call:
    return Call(
        kind="read",
        method="GET",
        path="api/v1/jobs/7/artifacts/measurements",
        repeatable=True,
        result=True,
        reader=reader,
        **fields,
    )


@asynccontextmanager
async def asking(
    *answers: bytes | Exception, attempts: int = 1, **limits: Any
) -> AsyncIterator[tuple[Transport, FaultServer]]:
    """A transport to a server that gives these answers, the last one ever after."""

    def say(request: Request, number: int) -> bytes:
        answer = answers[min(number, len(answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with (
        answering(say) as server,
        Transport(
            server.url,
            FixedToken(Secret("canary-0123456789")),
            SERVER.read_error,
            limits=Limits(**limits),
            retry=Retry(attempts=attempts),
            random=Random(3),
        ) as transport,
    ):
        yield transport, server


def varied(size: int) -> bytes:
    """Bytes of which no two stretches are alike."""
    numbers = b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1))
    return numbers[:size]


def in_chunks(body: bytes, size: int) -> bytes:
    """The body as an answer without a length."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framed = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    head = b"HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(framed) + b"0\r\n\r\n"


# --- the value ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, 70_000, LARGE - 1, LARGE, LARGE + 1, 3 * MiB + 5]
)
@pytest.mark.parametrize(
    "framed",
    [
        lambda body: reply(200, body),
        lambda body: reply(200, gzip.compress(body, 1), Content_Encoding="gzip"),
        lambda body: in_chunks(body, 300_001),
    ],
    ids=["length", "gzip", "chunks"],
)
async def test_a_reader_is_fed_every_byte_in_order(
    size: int, framed: Callable[[bytes], bytes]
):
    body, readers = varied(size), Readers()
    async with asking(framed(body)) as (transport, _):
        answer = await transport.ask(question(readers))
        whole = await transport.ask(question(None))
        assert transport.usage.bytes_received == 2 * size
    assert answer.value == body
    assert (answer.body, answer.size) == (b"", size)
    assert (whole.body, whole.size, whole.value) == (body, size, None)


async def test_a_small_body_is_read_at_once_and_in_the_event_loop():
    """A thread costs more than it."""
    readers = Readers()
    async with asking(in_chunks(varied(LARGE), 5000)) as (transport, _):
        await transport.ask(question(readers))
    assert len(readers.only.pieces) == 1
    assert readers.only.threads == {threading.get_ident()}


async def test_a_large_body_is_never_read_in_the_event_loop():
    readers = Readers()
    async with asking(in_chunks(varied(LARGE + 1), 5000)) as (transport, _):
        await transport.ask(question(readers))
    assert threading.get_ident() not in readers.only.threads


async def test_a_large_body_comes_in_pieces_that_are_worth_a_thread():
    loop, drop = asyncio.get_running_loop(), varied(100_000)
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    content = aiohttp.StreamReader(protocol, 1 << 30, loop=loop)
    reader = Collector()

    async def drip() -> None:
        for _ in range(40):
            content.feed_data(drop)
            await anyio.wait_all_tasks_blocked()
        content.feed_eof()

    async with anyio.create_task_group() as group:
        group.start_soon(drip)
        assert await Body(content, 1 << 30, "GET x").read_by(reader) == drop * 40
    *pieces, _rest = reader.pieces
    assert len(pieces) >= 4
    assert min(map(len, pieces)) >= MiB // 4


async def test_only_a_good_answer_is_given_to_the_reader():
    readers = Readers()
    refusal = reply(404, '{"message": "gone"}')
    async with asking(refusal) as (transport, _):
        with pytest.raises(errors.NotFound, match="gone"):
            await transport.ask(question(readers))
        answer = await transport.ask(question(readers, tolerated=(404,)))
    assert answer.body == b'{"message": "gone"}'
    assert answer.value is None
    assert readers.made == []


# --- what can go wrong on the way ---------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "gzip", "chunks"])
async def test_a_body_torn_at_any_byte_is_truncated_and_its_reader_dropped(
    framing: str,
):
    body = varied(64)
    packed = gzip.compress(body)
    whole, end = {
        "length": (reply(200, body), 0),
        "gzip": (reply(200, packed, Content_Encoding="gzip"), 0),
        "chunks": (in_chunks(body, 7), len(b"0\r\n\r\n")),
    }[framing]
    start = whole.index(b"\r\n\r\n") + 4
    cuts = range(start, len(whole) - end)
    readers = Readers()
    async with asking(*(Cut(whole[:at]) for at in cuts)) as (transport, server):
        for _ in cuts:
            with pytest.raises(errors.ResponseTruncated):
                await transport.ask(question(readers))
        assert len(server.requests) == len(cuts)
    assert len(readers.made) == len(cuts)
    assert not any(reader.closed for reader in readers.made)
    assert all(reader.dropped for reader in readers.made)


@pytest.mark.parametrize("kept", [1, LARGE - 1, LARGE + 1, 2 * MiB, 4 * MiB - 1])
async def test_a_large_body_torn_on_the_way_is_truncated(kept: int):
    whole, readers = reply(200, varied(4 * MiB)), Readers()
    cut = Cut(whole[: whole.index(b"\r\n\r\n") + 4 + kept])
    async with asking(cut) as (transport, _):
        with pytest.raises(errors.ResponseTruncated):
            await transport.ask(question(readers))
    assert not readers.only.closed


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9999])
async def test_a_damaged_gzip_is_an_error_and_no_value(share: float):
    body, readers = varied(3 * MiB), Readers()
    packed = bytearray(gzip.compress(body, 1))
    packed[int(share * len(packed))] ^= 0x55
    answer = reply(200, bytes(packed), Content_Encoding="gzip")
    async with asking(answer) as (transport, _):
        with pytest.raises(errors.ProtocolError):
            await transport.ask(question(readers))
    assert not any(reader.closed for reader in readers.made)


async def test_a_repeat_has_a_reader_of_its_own():
    """Nothing that a torn answer brought gets into the value of the next."""
    body, readers = varied(2 * MiB), Readers()
    good = reply(200, body)
    async with asking(Cut(good[:-9]), Cut(good[:90]), good, attempts=3) as (
        transport,
        _,
    ):
        answer = await transport.ask(question(readers))
    assert answer.value == body
    assert [reader.closed for reader in readers.made] == [False, False, True]
    assert [reader.dropped for reader in readers.made] == [True, True, False]


async def test_silence_in_the_middle_of_a_body_is_a_timeout():
    body, readers = varied(3 * MiB), Readers()
    head = b"HTTP/1.1 200 Said\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body[: 2 * MiB])
        await reader.read()
        writer.transport.abort()

    async with (
        await asyncio.start_server(half, "127.0.0.1", 0) as server,
        Transport(
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            FixedToken(Secret("canary-0123456789")),
            SERVER.read_error,
            limits=Limits(read_silence=0.05),
            retry=Retry(attempts=1),
        ) as transport,
    ):
        with pytest.raises(errors.RequestTimeout):
            await transport.ask(question(readers))
    assert not readers.only.closed


def in_virtual_time(scenario: Callable[[aiohttp.StreamReader], Any]) -> float:
    """Seconds that a scenario takes on a clock that jumps."""

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        protocol.connection_made(asyncio.Transport())
        await scenario(aiohttp.StreamReader(protocol, 1 << 30, loop=loop))
        return loop.time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(timed())


async def dripping(content: aiohttp.StreamReader, drops: int, drop: bytes) -> None:
    for _ in range(drops):
        content.feed_data(drop)
        await asyncio.sleep(1)
    content.feed_eof()


@pytest.mark.parametrize("reader", [True, False])
@pytest.mark.parametrize(("drop", "lasts"), [(90, 12), (450, 20), (1100, 60)])
def test_a_body_slower_than_a_thousand_bytes_a_second_is_given_up(
    drop: int, lasts: int, reader: bool
):
    async def scenario(content: aiohttp.StreamReader) -> None:
        body = Body(content, MiB, "GET x")
        drip = asyncio.create_task(dripping(content, 60, bytes(drop)))
        reading = body.read_by(Collector()) if reader else body.whole()
        if lasts == 60:
            assert await reading == bytes(60 * drop)
            return
        with pytest.raises(TimeoutError):
            await reading
        drip.cancel()

    assert in_virtual_time(scenario) == lasts


def test_a_sender_is_not_blamed_for_the_time_that_a_reader_takes():
    async def scenario(content: aiohttp.StreamReader) -> None:
        loop = asyncio.get_running_loop()

        class Slow(Collector):
            def feed(self, data: bytes | memoryview, /) -> None:
                super().feed(data)
                loop.stall(1e4)

        drip = asyncio.create_task(dripping(content, 12, bytes(MiB // 4)))
        assert len(await Body(content, 4 * MiB, "GET x").read_by(Slow())) == 3 * MiB
        await drip

    assert in_virtual_time(scenario) > 1e4


# --- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("reader", [True, False])
async def test_a_result_above_its_limit_is_refused(reader: bool):
    readers, limit = Readers(), 2 * MiB
    body = varied(limit)
    async with asking(
        in_chunks(body, 70_000), in_chunks(body + b"x", 70_000), result_bytes=limit
    ) as (transport, _):
        call = question(readers if reader else None)
        assert (await transport.ask(call)).size == limit
        with pytest.raises(errors.ResponseTooLarge, match=f"larger than {limit}"):
            await transport.ask(call)
    assert [r.closed for r in readers.made] == ([True, False] if reader else [])


async def test_a_declared_length_above_the_limit_is_refused_before_a_byte_is_read():
    readers = Readers()
    huge = b"HTTP/1.1 200 Said\r\nContent-Length: 999999999999999\r\n\r\n[]"
    async with asking(Cut(huge)) as (transport, _):
        with pytest.raises(errors.ResponseTooLarge):
            await transport.ask(question(readers))
        with pytest.raises(errors.ResponseTooLarge):
            await transport.ask(question(None))
    assert not any(reader.pieces for reader in readers.made)


@pytest.mark.parametrize(
    ("declared", "error"),
    [(70, errors.ResponseTruncated), (10**9, errors.ResponseTruncated)],
)
async def test_a_declared_length_that_is_never_reached_is_a_truncated_answer(
    declared: int, error: type[errors.Error]
):
    short = b"HTTP/1.1 200 Said\r\nContent-Length: %d\r\n\r\n" % declared
    async with asking(Cut(short + b"[]")) as (transport, _):
        with pytest.raises(error):
            await transport.ask(question(Readers()))


BROKEN_CHUNKS = {
    "a size that is none": (b"2\r\n[1", b"\r\nzz\r\n"),
    "a first size that is none": (b"", b"zz\r\n"),
    "a trailer that is none": (b"3\r\n[1]\r\n", b"0\r\nno colon\r\n\r\n"),
    "more than was said": (b"1\r\n", b"[1]\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("kind", BROKEN_CHUNKS)
async def test_chunks_that_break_the_rules_end_the_answer(kind: str, apart: bool):
    """At once, though the service keeps the connection, says no more and has time."""
    first, second = BROKEN_CHUNKS[kind]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + first)
        # until the client has read so far, if it is to come apart
        for _ in range(100 if apart else 0):
            await asyncio.sleep(0)
        writer.write(second)
        await reader.read()
        writer.transport.abort()

    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as server,
        Transport(
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            FixedToken(Secret("canary-0123456789")),
            SERVER.read_error,
            limits=Limits(read_silence=1000.0),
            retry=Retry(attempts=1),
        ) as transport,
    ):
        with pytest.raises(errors.ProtocolError):
            await transport.ask(question(None))


@pytest.mark.parametrize("ends", [b"Content-Length: %d", b"Connection: close"])
@pytest.mark.parametrize("packed", [True, False])
async def test_a_connection_that_ends_behind_its_answer_leaves_it_whole(
    ends: bytes, packed: bool
):
    """It is gone long before the client has unpacked and read what it brought."""
    body = varied(5 * MiB)
    sent = gzip.compress(body, 1) if packed else body
    head = b"HTTP/1.1 200 OK\r\n" + (ends % len(sent) if b"%" in ends else ends)
    coding = b"\r\nContent-Encoding: gzip" if packed else b""
    readers = Readers()
    async with asking(Cut(head + coding + b"\r\n\r\n" + sent)) as (transport, _):
        assert (await transport.ask(question(readers))).value == body


async def test_more_than_the_declared_length_is_no_http_and_part_of_no_answer():
    async with asking(reply(200, b"[1]") + b'{"more": 2}', reply(200, b"[2]")) as (
        transport,
        _,
    ):
        with pytest.raises(errors.ProtocolError, match="does not speak HTTP"):
            await transport.ask(question(Readers()))
        assert (await transport.ask(question(Readers()))).value == b"[2]"


async def test_a_refusal_has_the_limit_of_a_small_answer():
    page = reply(500, b"x" * 70_000)
    async with asking(page, answer_bytes=60_000) as (transport, _):
        with pytest.raises(errors.ResponseTooLarge):
            await transport.ask(question(Readers()))


class Weigher:
    """Keeps nothing but the largest piece."""

    def __init__(self) -> None:
        self.largest = 0

    def feed(self, data: bytes | memoryview, /) -> None:
        self.largest = max(self.largest, len(data))

    def close(self) -> int:
        return self.largest

    def drop(self) -> None:
        pass


@pytest.mark.parametrize("limit", [1 << 32, 5 * MiB])
async def test_a_gzip_bomb_takes_little_memory(limit: int):
    """A thousand times its size, and it is never there at once."""
    bomb = reply(200, gzip.compress(bytes(48 * MiB)), Content_Encoding="gzip")
    readers = Readers(Weigher)
    async with asking(bomb, result_bytes=limit) as (transport, _):
        tracemalloc.start()
        try:
            if limit > 48 * MiB:
                assert (await transport.ask(question(readers))).size == 48 * MiB
            else:
                with pytest.raises(errors.ResponseTooLarge):
                    await transport.ask(question(readers))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert readers.only.largest <= 2 * MiB
    assert peak < 8 * MiB


async def test_the_sender_waits_while_a_reader_is_busy():
    """However long a reader takes, what waits for it does not grow."""

    class Busy(Weigher):
        def feed(self, data: bytes | memoryview, /) -> None:
            super().feed(data)
            for _ in range(20):
                anyio.from_thread.run(anyio.wait_all_tasks_blocked)

    readers = Readers(Busy)
    async with asking(reply(200, bytes(24 * MiB))) as (transport, _):
        await transport.ask(question(readers))
    assert readers.only.largest <= 2 * MiB


# --- readers that fail ------------------------------------------------------------------


class Failing(Collector):
    error: Exception
    at_close = False

    def feed(self, data: bytes | memoryview, /) -> None:
        super().feed(data)
        if not self.at_close:
            raise self.error

    def close(self) -> bytes:
        super().close()
        raise self.error


def failing(error: Exception, *, at_close: bool) -> Readers:
    fields = {"error": error, "at_close": at_close}
    return Readers(type("Failing", (Failing,), fields))


@pytest.mark.parametrize("size", [10, 3 * MiB])
@pytest.mark.parametrize("at_close", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        errors.ProtocolError("row 7 is shorter", excerpt="[[0,1]"),
        errors.UnexpectedContent("a page"),
        OSError(28, "the disk is full"),
        TimeoutError("mine"),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_a_reader_raises_comes_out_unchanged_and_is_not_asked_again(
    error: Exception, at_close: bool, size: int
):
    readers = failing(error, at_close=at_close)
    async with asking(reply(200, varied(size)), attempts=3) as (transport, server):
        for send in (transport.ask, transport.send):
            with pytest.raises(type(error)) as caught:
                await send(question(readers))
            assert caught.value is error
            assert readers.made[-1].dropped
            assert caught.value.__cause__ is None
        assert len(server.requests) == 2
        assert (await transport.ask(question(Readers()))).size == size


@pytest.mark.parametrize("size", [10, 3 * MiB])
@pytest.mark.parametrize("at_close", [False, True])
async def test_an_end_that_only_the_reader_misses_is_asked_for_again(
    at_close: bool, size: int
):
    """A connection that breaks off where no length was declared looks like the end."""
    torn = errors.ResponseTruncated("the answer ends in the middle")
    readers = failing(torn, at_close=at_close)
    async with asking(reply(200, varied(size)), attempts=2) as (transport, server):
        with pytest.raises(errors.ResponseTruncated):
            await transport.ask(question(readers))
        assert len(server.requests) == 2
    assert len(readers.made) == 2


@pytest.mark.parametrize("size", [10, 3 * MiB])
@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (errors.ProtocolError("row 7 is shorter"), 0),
        (errors.ResponseTruncated("in the middle"), 0),
        (None, 9),
    ],
    ids=["refused", "cut short", "broken off"],
)
async def test_an_error_does_not_keep_alive_what_was_read(
    error: Exception | None, kept: int, size: int
):
    """It may be kept for as long as its job, and the rows are large."""
    readers = Readers() if error is None else failing(error, at_close=True)
    whole = reply(200, varied(size))
    answer = Cut(whole[:-kept]) if kept else whole
    async with asking(answer) as (transport, _):
        gc.disable()
        try:
            with pytest.raises(errors.ProtocolError) as caught:
                await transport.ask(question(readers))
            (gone,) = [weakref.ref(reader) for reader in readers.made]
            readers.made.clear()
            # The thread that read the last piece has let go of it when it is next used.
            await anyio.to_thread.run_sync(int)
            assert gone() is None
            assert str(caught.value)
        finally:
            gc.enable()


# --- cancellation -----------------------------------------------------------------------


async def test_cancelling_leaves_no_reader_at_work_and_no_connection():
    entered, left = threading.Event(), threading.Event()
    go_on = threading.Event()

    class Stuck(Collector):
        def feed(self, data: bytes | memoryview, /) -> None:
            entered.set()
            assert go_on.wait(10)
            super().feed(data)
            left.set()

    readers = Readers(Stuck)
    good = reply(200, varied(6 * MiB))
    async with asking(good, connections=1) as (transport, server):
        ended = anyio.Event()

        async def ask() -> None:
            try:
                await transport.ask(question(readers))
            finally:
                ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            while not entered.is_set():
                await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                assert not ended.is_set(), "the thread was left at work"
            go_on.set()
        assert left.is_set()
        assert not readers.only.closed
        again = await transport.ask(question(Readers()))
        assert again.size == 6 * MiB
        assert server.connections == 2


async def test_cancelling_while_the_body_is_awaited_drops_the_reader():
    readers = Readers()
    async with asking(Hang(), connections=1) as (transport, _):
        with anyio.move_on_after(0.02) as scope:
            await transport.ask(question(readers))
        assert scope.cancelled_caught
    assert readers.made == []
