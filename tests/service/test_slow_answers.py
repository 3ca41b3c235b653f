"""Answers that come byte by byte: each is given up, and holds up nobody else."""

from __future__ import annotations

import asyncio
import gzip
from random import Random

import anyio
from msgspec.structs import replace

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._transport import Limits, Transport
from qawait.iqm.dialects import SERVER, V1
from qawait.model import Call, Dialect
from qawait.testing import LocalService, run_virtual, service

DRIBBLING, HEALTHY = 100, 50
GIVEN_UP = 10.0
"""Seconds after which less than a thousand bytes a second is too slow."""
SEED = 17_100
HEALTHY_TAKES = 0.25
"""Seconds of each healthy answer."""
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"{}"
LONG = b"[" * 9_000
HEADS = {"status": (b"HTTP/1.1 200 ", LONG), "headers": (OK + b"X-Slow: ", LONG)}
BODIES = {
    "length": (OK + b"Content-Length: 90000\r\n\r\n", LONG),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\nFFFF\r\n", LONG),
    "unbounded": (OK + b"Connection: close\r\n\r\n", LONG),
    "gzip": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 90000\r\n\r\n",
        gzip.compress(Random(SEED).randbytes(9_000)),
    ),
}
"""What comes at once, and what comes in drops after it."""
DRIBBLED = HEADS | BODIES


def transport(there: LocalService, dialect: Dialect) -> Transport:
    root = there.url if dialect is SERVER else f"{there.url}/cocos"
    return Transport(
        root,
        FixedToken(Secret(there.token)),
        dialect.read_error,
        limits=Limits(connections=DRIBBLING + HEALTHY),
    )


async def took(client: Transport, call: Call) -> tuple[float, errors.Error | None]:
    began = anyio.current_time()
    error = None
    try:
        await client.send(call)
    except errors.Error as met:
        error = met
    return anyio.current_time() - began, error


def test_a_hundred_dribbling_answers_are_given_up_and_hold_up_no_other():
    async def world() -> None:
        async with service(faults="dribble:900ms@other/iqm-server") as there:
            dribbled = transport(there, SERVER)
            healthy = transport(there, V1)
            slow: list[tuple[float, errors.Error | None]] = []
            fast: list[tuple[float, errors.Error | None]] = []

            async def ask_slowly() -> None:
                path = "api/v1/quantum-computers"
                slow.append(
                    await took(dribbled, Call(kind="read", method="GET", path=path))
                )

            async def ask() -> None:
                path = "quantum-architecture"
                fast.append(
                    await took(healthy, Call(kind="read", method="GET", path=path))
                )

            async with dribbled, healthy:
                await ask()
                [(alone, _)] = fast
                async with anyio.create_task_group() as group:
                    for _ in range(DRIBBLING):
                        group.start_soon(ask_slowly)
                    await anyio.sleep(3)
                    for _ in range(HEALTHY):
                        group.start_soon(ask)
            assert len(slow) == DRIBBLING
            for seconds, error in slow:
                assert type(error) is errors.RequestTimeout
                assert GIVEN_UP <= seconds <= GIVEN_UP + 1
            assert len(fast) == 1 + HEALTHY
            for seconds, error in fast:
                assert error is None
                assert seconds < 2 * alone

    run_virtual(world)


class Dribbler:
    """A server that answers `slow/KIND` in drops, and `healthy` soon."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.gone = 0
        """Slow answers whose client has left."""

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                await reader.readexactly(len(BODY))
            kind = head.split(b" ")[1].decode().rpartition("/")[2]
            if kind == "healthy":
                await anyio.sleep(HEALTHY_TAKES)
                writer.write(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n[]")
                await reader.read()
            else:
                await self.dribble(reader, writer, *DRIBBLED[kind])
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def dribble(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        at_once: bytes,
        slowly: bytes,
    ) -> None:
        writer.write(at_once)
        while slowly and not (reader.at_eof() or writer.transport.is_closing()):
            size = self.random.randint(1, 9)
            drop, slowly = slowly[:size], slowly[size:]
            writer.write(drop)
            await anyio.sleep(self.random.uniform(0.1, 0.7))
        self.gone += bool(slowly)


def test_answers_that_dribble_anywhere_end_in_time_and_nobody_waits_for_them():
    """In the status line, the headers or any sort of body; questions and submissions."""
    random, limits = Random(SEED), Limits(connections=DRIBBLING + HEALTHY)
    kinds = list(DRIBBLED)
    slow = [
        (kinds[n % len(kinds)], "submit" if n % 5 == 4 else "read")
        for n in range(DRIBBLING)
    ]

    def deadline(kind: str, asked: str) -> float:
        silence = limits.submit_silence if asked == "submit" else limits.read_silence
        return GIVEN_UP if kind in BODIES else limits.connect + 2 * silence

    async def world() -> None:
        dribbler, ended, well = Dribbler(random), list[float](), list[float]()

        async def ask_slowly(client: Transport, kind: str, asked: str) -> None:
            call = Call(kind="read", method="GET", path=f"slow/{kind}")
            if asked == "submit":
                call = replace(call, kind="submit", method="POST", body=BODY)
            seconds, error = await took(client, call)
            about = SEED, kind, asked, seconds, error
            assert type(error) is errors.RequestTimeout, about
            # a question must not be taken for one that never left, nor a submission
            assert error.sent, about
            latest = deadline(kind, asked)
            assert latest <= seconds <= latest + 1, about
            ended.append(anyio.current_time())

        async def ask(client: Transport, after: float) -> None:
            await anyio.sleep(after)
            call = Call(kind="read", method="GET", path="healthy")
            seconds, error = await took(client, call)
            assert error is None
            assert HEALTHY_TAKES <= seconds < 2 * HEALTHY_TAKES, (SEED, seconds)
            well.append(anyio.current_time())

        async with await asyncio.start_server(dribbler.serve, "127.0.0.1", 0) as server:
            client = Transport(
                f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                FixedToken(Secret("canary-0123456789")),
                SERVER.read_error,
                limits=limits,
            )
            async with client, anyio.create_task_group() as group:
                for kind, asked in slow:
                    group.start_soon(ask_slowly, client, kind, asked)
                for _ in range(HEALTHY):
                    group.start_soon(ask, client, random.uniform(1, 9))
            # the server notices when it next writes
            await anyio.sleep(2)
        assert (len(ended), len(well)) == (DRIBBLING, HEALTHY)
        assert max(well) < min(ended)
        assert dribbler.gone == DRIBBLING

    run_virtual(world)
