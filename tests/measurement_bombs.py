"""Large and hostile bodies of measurements, decoded in a process with little memory.

``python -m tests.measurement_bombs MEGABYTES [NAME...]`` makes each body in a process of
its own, allows that so much more memory than it has by then, decodes, and prints what
came of all of them as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from qawait.errors import ProtocolError
from qawait.measurement_decoder import MeasurementDecoder, decode_measurements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 40_000_000
"""Bytes of each body, more or less."""
ROW = b"[0,1,1,0,1,0,0,0,1,1],"
ROWS = ROW * (SIZE // len(ROW))
HALF = ROW * (SIZE // len(ROW) // 2)
DEEP = 1_000_000


def keyed(rows: bytes) -> bytes:
    return b'[{"m":[' + rows + b"]}]"


def ending_in(row: bytes) -> bytes:
    """Many good rows and one that is not like them."""
    return keyed(ROWS + row)


def times(text: bytes) -> bytes:
    return text * (SIZE // len(text))


BOMBS: dict[str, Callable[[], bytes]] = {
    "a short row at the end": lambda: ending_in(b"[0,1,1,0,1,0,0,0,1]"),
    "a long row at the end": lambda: ending_in(ROW[:-2] + b",0]"),
    "a short row first": lambda: keyed(b"[0]," + ROWS[:-1]),
    "NaN at the end": lambda: ending_in(ROW[:-3] + b"NaN]"),
    "a half at the end": lambda: ending_in(ROW[:-3] + b"0.5]"),
    "a negative level at the end": lambda: ending_in(ROW[:-3] + b"-1]"),
    "a level out of range at the end": lambda: ending_in(ROW[:-3] + b"4294967296]"),
    "a word at the end": lambda: ending_in(ROW[:-3] + b"true]"),
    "a string at the end": lambda: ending_in(ROW[:-3] + b'"1"]'),
    "a row in a row at the end": lambda: ending_in(b"[" + ROW[:-1] + b"]"),
    "a comma too many at the end": lambda: ending_in(b""),
    "no comma in the middle": lambda: keyed(HALF[:-1] + HALF[:-1]),
    "a run inside a string": lambda: b'[{"m":"[' + ROWS[:-1] + b']"}]',
    "a run inside a row": lambda: keyed(b'["' + ROWS[:-1] + b'"]'),
    "a key without end": lambda: b'[{"' + times(b"k"),
    "a key of escapes without end": lambda: b'[{"' + times(b"\\u0041"),
    "a key of backslashes without end": lambda: b'[{"' + times(b"\\\\"),
    "a key twice": lambda: keyed(HALF[:-1])[:-2] + b',"m":[' + HALF[:-1] + b"]}]",
    "a key twice in escapes": lambda: (
        keyed(HALF[:-1])[:-2] + b',"\\u006d":[' + HALF[:-1] + b"]}]"
    ),
    "keys with different shots": lambda: (
        keyed(HALF[:-1])[:-2] + b',"k":[' + HALF + ROW[:-1] + b"]}]"
    ),
    "opening brackets": lambda: b"[" * DEEP,
    "opening brackets under a key": lambda: keyed(b"[" * DEEP),
    "brackets": lambda: keyed(b"[" * DEEP + b"]" * DEEP),
    "many opening brackets": lambda: times(b"["),
    "opening braces": lambda: b'{"a":' * DEEP,
    "opening braces under a key": lambda: b'[{"m":' + b'{"a":' * DEEP,
    "a number of many digits": lambda: keyed(b"[" + times(b"1") + b"]"),
    "a number of many digits without end": lambda: keyed(b"[" + times(b"1"))[:-3],
    "a float of many digits": lambda: keyed(b"[0.5" + times(b"0") + b"]"),
    "an exponent of many digits": lambda: keyed(b"[1e" + times(b"9") + b"]"),
    "a number out of every range": lambda: ending_in(ROW[:-3] + b"1e400]"),
    "commas": lambda: keyed(b"[" + times(b",") + b"]"),
    "a row without end": lambda: b'[{"m":[[' + times(b"0,"),
    "spaces and nothing": lambda: times(b" "),
    "spaces in a row without end": lambda: b'[{"m":[[0' + times(b" "),
    "spaces, then a letter": lambda: keyed(b"[0]" + times(b" ") + b"x"),
    "rows, then rubbish": lambda: b'[{"m":[' + ROWS + times(b"\x00"),
    "two documents": lambda: keyed(HALF[:-1]) * 2,
    "bytes at random": lambda: b'[{"m":[' + Random(5).randbytes(SIZE),
    "circuits that are lists": lambda: b"[" + times(b"[],") + b"[]]",
    "circuits without measurements": lambda: b"[" + times(b"{},") + b"{}]",
    "keys without rows": lambda: b"[" + times(b'{"m":[]},') + b"{}]",
    "a bracket that turns": lambda: keyed(ROWS + ROW[:-2] + b"}"),
}
"""Each is refused, whatever stands where the fault is."""


def of_gigabyte() -> Iterator[bytes]:
    """The pieces of a body of a gigabyte, which is right."""
    run = ROW * 40_000
    for number in range(100):
        yield (b"," if number else b"[") + b'{"m":['
        for _ in range(11):
            yield run
        yield ROW[:-1] + b"]}"
    yield b"]"


def cut(body: bytes) -> dict[str, Any]:
    """A body cut at some places; what came of that, as names and how often."""
    random = Random(6)
    told: dict[str, int] = {}
    for _ in range(20):
        name = outcome(
            lambda: decode_measurements(
                memoryview(body)[: random.randrange(1, len(body))]
            )
        )
        told[name["error"]] = told.get(name["error"], 0) + 1
    return told


def outcome(work: Callable[[], Any]) -> dict[str, Any]:
    """What came of it: the name of an error of ours, its text, and the time."""
    began = time.process_time()
    try:
        rows = sum(circuit.rows for circuit in work())
    except ProtocolError as error:
        return {
            "error": type(error).__name__,
            "text": str(error),
            "seconds": time.process_time() - began,
        }
    return {"error": None, "rows": rows, "seconds": time.process_time() - began}


def allow(megabytes: int) -> None:
    """Lets this process have so much more memory than it has now, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def streamed() -> Any:
    decoder = MeasurementDecoder()
    for piece in of_gigabyte():
        decoder.feed(piece)
    return decoder.close()


def decoded(name: str, megabytes: int) -> dict[str, Any]:
    """What comes of one body with so much memory beside it."""
    if name == "a gigabyte in pieces":
        allow(megabytes)
        return outcome(streamed)
    if name in ("cut", "nothing wrong"):
        body = keyed(ROWS[:-1])
        allow(megabytes)
        return (
            cut(body) if name == "cut" else outcome(lambda: decode_measurements(body))
        )
    body = BOMBS[name]()
    allow(megabytes)
    return outcome(lambda: decode_measurements(body))


def apart(name: str, megabytes: int) -> Any:
    """The same in a process of its own, which may end as it likes."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.close(reading)
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(decoded(name, megabytes), pipe)
        finally:
            # Nothing that the parent has begun is to be ended twice.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else {"error": None, "text": "it did not end well"}


if __name__ == "__main__":
    allowed = int(sys.argv[1])
    json.dump(
        {name: apart(name, allowed) for name in sys.argv[2:] or BOMBS}, sys.stdout
    )
