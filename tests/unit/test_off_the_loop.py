"""What is large is read beside the event loop, in little memory; what is small in it."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest
from tests.endless_server import CIRCUIT, body_bytes, endless_server
from tests.fault_server import Cut, answering, reply

from qawait._auth import FixedToken, Secret
from qawait._body import LARGE
from qawait._service import Service
from qawait._transport import Retry, Transport
from qawait.errors import ResponseTruncated
from qawait.iqm.dialects import SERVER, STATION
from qawait.iqm.run_decoder import RunDecoder
from qawait.journal.memory import MemoryJournal
from qawait.measurement_decoder import MeasurementDecoder
from qawait.model import Call, CircuitRecord, End, Manifest, State, Status
from qawait.qoro.dialect import DIALECT as QORO

if TYPE_CHECKING:
    from qawait.model import Exchange

ROOT = Path(__file__).resolve().parents[2]
READY = Status(raw="ready", state=State.READY, end=End.READY)


class Taster:
    """A reader that keeps nothing."""

    def feed(self, data: bytes | memoryview, /) -> None:
        pass

    def close(self) -> str:
        return "tasted"

    def drop(self) -> None:
        pass


async def steps_beside_the_loop(*steps: list[int], reader: Any = None) -> list[bool]:
    """Which steps of an exchange run beside the loop, if answers have these sizes.

    A step gets the answers to the calls of the one before it; the first gets none.
    """
    threads: list[int] = []

    def exchange() -> Exchange[None]:
        for sizes in steps:
            threads.append(threading.get_ident())
            yield [
                Call(
                    kind="read",
                    method="GET",
                    path=f"parts/{size}",
                    repeatable=True,
                    reader=reader,
                )
                for size in sizes
            ]
        threads.append(threading.get_ident())

    async with (
        answering(
            lambda request, _: reply(200, bytes(int(request.path.rpartition("/")[2])))
        ) as server,
        Transport(
            server.url, FixedToken(Secret("canary-0123456789")), SERVER.read_error
        ) as transport,
    ):
        await Service(SERVER, transport, MemoryJournal()).exchange(exchange())
    return [thread != threading.get_ident() for thread in threads]


@pytest.mark.parametrize("reader", [None, Taster])
@pytest.mark.parametrize(
    ("steps", "beside"),
    [
        ([[LARGE]], [False, False]),
        ([[LARGE // 2, LARGE // 2]], [False, False]),
        ([[LARGE + 1]], [False, True]),
        ([[LARGE // 2, LARGE // 2 + 1]], [False, True]),
        ([[5], [LARGE], [5]], [False, False, True, True]),
        ([[LARGE + 1], [5]], [False, True, True]),
    ],
)
async def test_only_what_reads_large_answers_runs_beside_the_event_loop(
    steps: list[list[int]], beside: list[bool], reader: Any
):
    """All that came so far counts: many pages may be read when the last has come."""
    assert await steps_beside_the_loop(*steps, reader=reader) == beside


@pytest.mark.parametrize("dialect", [SERVER, STATION], ids=lambda dialect: dialect.name)
async def test_a_large_result_is_that_of_its_text(dialect: Any):
    """Over a socket, in several pieces, every circuit and every row of it."""
    circuits = 4
    body = b"[" + b",".join([CIRCUIT] * circuits) + b"]"

    def say(request: Any, number: int) -> bytes:
        measured = request.path.endswith("/measurements")
        return reply(200, body) if measured else reply(404)

    manifest = Manifest(
        circuits=tuple(
            CircuitRecord(label=str(number), shots=10_000) for number in range(circuits)
        )
    )
    async with (
        answering(say) as server,
        Transport(
            server.url,
            FixedToken(Secret("canary-0123456789")),
            dialect.read_error,
            retry=Retry(attempts=1),
        ) as transport,
    ):
        service = Service(dialect, transport, MemoryJournal())
        result = await service.result("7", READY, manifest)
    expected = json.loads(CIRCUIT)["m"]
    assert len(result.measurements) == circuits
    assert all(one["m"].tolist() == expected for one in result.measurements)


def test_the_large_parts_of_every_dialect_are_known():
    """Whoever adds a dialect says whether its measurements are read as they come."""
    manifest = Manifest(circuits=(CircuitRecord(label="c"),))
    from qawait.iqm.dialects import DIALECTS

    for dialect in DIALECTS.values():
        read = [
            call for call in next(dialect.result("7", READY, manifest)) if call.result
        ]
        assert [call.reader is not None for call in read] == [True], dialect.name
    [page] = next(QORO.result("7", READY, manifest))
    assert page.result
    assert page.reader is None


@pytest.mark.parametrize("reader", [MeasurementDecoder, RunDecoder])
async def test_a_result_that_broke_off_is_let_go_at_once(reader: Any):
    """And not when the garbage is next collected: it may be asked for four times."""
    made: list[Any] = []

    def making() -> Any:
        made.append(reader())
        return made[-1]

    start = b"[" if reader is MeasurementDecoder else b'{"measurements":['
    whole = reply(200, start + b",".join([CIRCUIT] * 4))

    def say(request: Any, number: int) -> bytes:
        raise Cut(whole[:-9])

    call = Call(kind="read", method="GET", path="x", result=True, reader=making)
    async with (
        answering(say) as server,
        Transport(
            server.url, FixedToken(Secret("canary-0123456789")), SERVER.read_error
        ) as transport,
    ):
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(ResponseTruncated):
                await transport.ask(call)
            made.clear()
            # The thread that read the last piece has let go of it when it is next used.
            await anyio.to_thread.run_sync(int)
            kinds = (MeasurementDecoder, RunDecoder)
            assert not [one for one in gc.get_objects() if isinstance(one, kinds)]
        finally:
            gc.enable()


async def test_a_large_result_takes_little_more_memory_than_its_packed_rows():
    circuits = 150
    command = [sys.executable, "-m", "benchmarks.peers.stream_qawait"]
    async with endless_server() as url:
        peer = await asyncio.to_thread(
            subprocess.run,
            [*command, url, str(circuits)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=50,
        )
    report = json.loads(peer.stdout)
    assert report["bytes"] == body_bytes(circuits) > 60_000_000
    if report["grown_bytes"] is None:
        pytest.skip("this system does not tell how much memory a process has taken")
    packed = circuits * 10_000 * 3
    assert report["grown_bytes"] < packed + 16_000_000


LIMITED = """
import asyncio, resource, sys, time
from qawait._auth import FixedToken, Secret
from qawait._transport import Retry, Transport
from qawait.errors import ProtocolError
from qawait.iqm.dialects import SERVER
from qawait.iqm.run_decoder import RunDecoder
from qawait.measurement_decoder import MeasurementDecoder
from qawait.model import Call

async def main(url):
    async with Transport(url, FixedToken(Secret("none")), SERVER.read_error) as transport:
        await asyncio.to_thread(time.time)
        [taken] = [l for l in open("/proc/self/status") if l.startswith("VmData:")]
        taken = 1024 * int(taken.split()[1])
        for reader, more in ((MeasurementDecoder, 100_000_000), (RunDecoder, 250_000_000)):
            resource.setrlimit(resource.RLIMIT_DATA, (taken + more, -1))
            for path in ("zeros", "spaces", "rows", "brackets", "digits"):
                call = Call(kind="read", method="GET", path=path, result=True,
                            repeatable=True, reader=reader)
                try:
                    await transport.ask(call)
                except ProtocolError as error:
                    print(reader.__name__, path, type(error).__name__)

asyncio.run(main(sys.argv[1]))
"""


def bomb(start: bytes, filling: bytes) -> bytes:
    """A gigabyte of the filling behind a start, in a megabyte of gzip."""
    million = gzip.compress((filling * (1 << 24))[: 1 << 24], 9)
    return gzip.compress(start) + million * 64


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to set its limit")
async def test_a_gigabyte_out_of_a_megabyte_of_gzip_needs_little_memory():
    """Whatever it unpacks to, and whether or not it could be measurements."""
    starts = {
        "zeros": (b"", b"\0"),
        "spaces": (b"[", b" "),
        "rows": (b'[{"m":[', b"[0,1],"),
        "brackets": (b"", b"["),
        "digits": (b'[{"m":[[', b"0"),
    }
    bombs = {path: bomb(*parts) for path, parts in starts.items()}

    def say(request: Any, number: int) -> bytes:
        path = request.path.rpartition("/")[2]
        return reply(200, bombs[path], Content_Encoding="gzip")

    async with answering(say) as server:
        peer = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", LIMITED, server.url],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert peer.returncode == 0, peer.stderr
    assert peer.stdout.splitlines() == [
        "MeasurementDecoder zeros UnexpectedContent",
        "MeasurementDecoder spaces ProtocolError",
        "MeasurementDecoder rows ProtocolError",
        "MeasurementDecoder brackets ProtocolError",
        "MeasurementDecoder digits ProtocolError",
        "RunDecoder zeros UnexpectedContent",
        "RunDecoder spaces ResponseTooLarge",
        "RunDecoder rows ResponseTooLarge",
        "RunDecoder brackets ResponseTooLarge",
        "RunDecoder digits ResponseTooLarge",
    ]
