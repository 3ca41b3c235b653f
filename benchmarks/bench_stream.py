"""How much memory does a result of a gigabyte take, and how long?

A server writes measurements of 20 qubits under one key while it sends them; nobody ever
holds the whole text. aiohttp alone, which throws the body away, shows what the network
costs here: it shares the machine with the server and with whoever decodes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.endless_server import CIRCUIT, body_bytes, endless_server

from benchmarks import harness

QUESTION = "How much memory does a result of a gigabyte take, and how long?"


def own_python() -> Path:
    return Path(sys.executable)


RIVALS = [
    harness.Rival("qawait", own_python, "stream_qawait"),
    harness.Rival("aiohttp, and nothing decoded", own_python, "stream_aiohttp"),
]

FIGURES = [
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
    harness.Figure(
        "MB of it for this result", lambda run: (run.report["grown_bytes"] or 0) / 1e6
    ),
    harness.Figure("seconds", lambda run: run.report["seconds"]),
    harness.Figure(
        "MB of JSON per second",
        lambda run: run.report["bytes"] / 1e6 / run.report["seconds"],
        higher_is_better=True,
    ),
    harness.Figure("CPU seconds", lambda run: run.report["cpu_seconds"]),
]


async def main() -> None:
    options = harness.parse_options(
        QUESTION, RIVALS, megabytes={"type": int, "default": 1000, "help": "of JSON"}
    )
    circuits = 4 if options.smallest else options.megabytes * 10**6 // len(CIRCUIT) + 1
    async with endless_server() as url:
        runs = [
            await asyncio.to_thread(harness.run, rival, url, str(circuits))
            for rival in harness.turns(RIVALS, options)
        ]
    size = {"circuits": circuits, "JSON bytes": body_bytes(circuits)}
    harness.report("stream", QUESTION, size, runs, FIGURES, options)


if __name__ == "__main__":
    asyncio.run(main())
