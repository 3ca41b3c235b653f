"""Hostile histograms, decoded in a process with little memory.

``python -m tests.histogram_bombs MEGABYTES`` allows the process that much more memory
than it has once it is ready, decodes each, and prints what came of it as JSON.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qawait.errors import ProtocolError
from qawait.histograms import decode_histogram
from tests.obvious_histograms import varints

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 1_000_000
"""Outcomes, of one byte each."""


def payload(
    *numbers: int, gaps: bytes = b"", rest: bytes = b"", width: int = 40
) -> str:
    """A histogram with these numbers of outcomes, shots and gaps, and what follows."""
    start = (
        b"QH1" + bytes([width]) if width <= 255 else b"QH2" + varints([width])
    ) + varints(numbers)
    return base64.b64encode(start + gaps + rest).decode()


def many(*, last: bytes = b"\x01", rest: bytes = b"", total: int = MANY) -> str:
    gaps = b"\x01" * (MANY - 1) + last
    return payload(MANY, total, MANY, gaps=gaps, rest=rest)


BOMBS: dict[str, tuple[Callable[[], str], int, str]] = {
    "nine bytes that announce 2**28 outcomes": (
        lambda: payload(2**28, 1, 2**28),
        40,
        "268435456 gaps announced, 0 bytes left",
    ),
    "more outcomes than memory has addresses": (
        lambda: payload(2**63 - 1, 1, 2**63 - 1),
        40,
        "9223372036854775807 gaps announced",
    ),
    "outcomes announced twice, once truly": (
        lambda: payload(2**40, 1, 10, gaps=b"\x01" * 10),
        40,
        "1099511627776 outcomes, but 10 gaps",
    ),
    "outcomes of 2**20 bits for which there is no room": (
        lambda: payload(2049, 2049, 2049, gaps=b"\x01" * 2049, width=2**20),
        2**20,
        "2049 outcomes of 1048576 bits take more than 268435456 bytes",
    ),
    "a width for which there is no room": (
        lambda: payload(1, 1, 1, gaps=b"\x01", width=2**20 + 1),
        2**20 + 1,
        "1048577 bits, more than 1048576",
    ),
    "a gap without end": (
        lambda: payload(1, 1, 1, gaps=b"\x80" * MANY, width=2**20),
        2**20,
        "a gap is wider than 1048576 bits",
    ),
    "gaps that are one gap without end": (
        lambda: payload(MANY, 1, MANY, gaps=b"\x80" * MANY),
        40,
        "a gap is wider than 40 bits",
    ),
    "a last gap that is cut off": (
        lambda: many(last=b"\x80"),
        40,
        "it ends inside a gap",
    ),
    "a last outcome that is too wide": (
        lambda: many(last=varints([2**40 - 1])),
        40,
        "outcome 999999 is wider than 40 bits",
    ),
    "a last outcome that comes twice": (
        lambda: many(last=b"\0"),
        40,
        "outcome 999998 appears twice",
    ),
    "flags that are not there": (
        lambda: many(rest=varints([2**40, 1])),
        40,
        "1099511627776 flags announced, 1 bytes left",
    ),
    "runs that are not there": (
        lambda: many(rest=varints([3, 2**40])),
        40,
        "runs announced, 0 bytes left",
    ),
    "a run of more flags than there are outcomes": (
        lambda: many(rest=varints([11, 1]) + b"\x01" + varints([2**62, 0])),
        40,
        "4611686018427387904 flags for 1000000 outcomes",
    ),
    "runs whose sum is right but for 2**64": (
        lambda: many(
            rest=varints([23, 3])
            + b"\x01"
            + varints([2**63 - 1, 2**63 - 1, MANY + 2, 0])
        ),
        40,
        "18446744073710551616 flags for 1000000 outcomes",
    ),
    "extras that are not there": (
        lambda: many(rest=b"\x05\x01\0" + varints([MANY, 2**40])),
        40,
        "1099511627776 extras announced, 0 bytes left",
    ),
    "extras whose sum is right but for 2**64": (
        lambda: many(
            rest=b"\x05\x01\0"
            + varints([MANY, MANY, 2**63 - 1, 2**63 - 1, *[0] * (MANY - 2)]),
            total=2 * MANY - 2,
        ),
        40,
        "its counts add up to 18446744073711551614, it says 1999998 shots",
    ),
}
"""By name: the payload, its width, and what the error says."""


def outcome(payload: str, n_bits: int) -> dict[str, Any]:
    """What came of it: the name of an error of ours, its text, and the time."""
    began = time.process_time()
    try:
        decode_histogram("qh1" if n_bits <= 255 else "qh2", n_bits, payload)
    except ProtocolError as error:
        said = {"error": type(error).__name__, "text": str(error)}
    else:
        said = {"error": None, "text": ""}
    return said | {"seconds": time.process_time() - began}


def allow(megabytes: int) -> None:
    """Lets this process have so much more memory than it has now, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(megabytes: int) -> None:
    bombs = {name: (make(), n_bits) for name, (make, n_bits, _) in BOMBS.items()}
    allow(megabytes)
    json.dump({name: outcome(*bomb) for name, bomb in bombs.items()}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
