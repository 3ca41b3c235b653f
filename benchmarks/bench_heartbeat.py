"""How long does the event loop stand still while a large result comes in?

A task sleeps for a millisecond, over and over, while a result is downloaded and decoded
in the same event loop; the longest time from one beat to the next is the gap. For
qawait, a thousand jobs of another service are followed meanwhile, and asked about as
fast as that service answers. A rival that blocks runs in a thread, as its user would do
it, and follows nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conformance.environments import vendor_python
from tests.service.running import circuit, measure, run_request, running, submit

from benchmarks import harness
from benchmarks.data import MEASURED

if TYPE_CHECKING:
    from tests.service.running import LocalService

QUESTION = "How long does the event loop stand still while a large result comes in?"


def own_python() -> Path:
    return Path(sys.executable)


def iqm36_python() -> Path:
    return vendor_python("iqm36")


RIVALS = [
    harness.Rival("qawait", own_python, "heartbeat_qawait"),
    harness.Rival("msgspec in a thread", own_python, "heartbeat_msgspec"),
    harness.Rival("iqm-client 36 in a thread", iqm36_python, "heartbeat_iqm36"),
]


def _milliseconds(name: str, field: str) -> harness.Figure:
    return harness.Figure(name, lambda run: 1e3 * run.report[field])


FIGURES = [
    _milliseconds("longest gap in ms", "gap"),
    _milliseconds("longest gap in ms, less the wait for a processor", "own_gap"),
    _milliseconds("longest gap in ms at rest", "rest_gap"),
    harness.Figure("seconds", lambda run: run.report["seconds"]),
    harness.Figure(
        "questions about other jobs", lambda run: run.report["questions"], True
    ),
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
]


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        RIVALS,
        circuits={"type": int, "default": 240, "help": "each 0.42 MB of result"},
        jobs={"type": int, "default": 1000, "help": "followed meanwhile"},
    )
    shots = 10_000
    if options.smallest:
        options.circuits, options.jobs, shots = 2, 5, 50
    runs: list[harness.Run] = []
    with (
        running("--null", "--seed", "1") as service,
        running("--null", "--service-time", "36000") as crowded,
        tempfile.TemporaryDirectory() as folder,
    ):
        job_id = asyncio.run(_large_job(service, options.circuits, shots))
        followed = Path(folder, "jobs.json")
        followed.write_text(json.dumps(asyncio.run(_jobs(crowded, options.jobs))))
        for rival in harness.turns(RIVALS, options):
            more = (crowded.url, str(followed)) if rival.name == "qawait" else ()
            runs.append(
                harness.run(
                    rival,
                    service.url,
                    job_id,
                    *more,
                    PEER_TOKEN=service.token,
                    PEER_TOKEN_OF_JOBS=crowded.token,
                )
            )
    size: dict[str, Any] = {
        "circuits": options.circuits,
        "shots": shots,
        "jobs": options.jobs,
    }
    harness.report("heartbeat", QUESTION, size, runs, FIGURES, options)


async def _large_job(service: LocalService, circuits: int, shots: int) -> str:
    programs = [
        circuit(f"c{n}", *(measure(key, *locus) for key, locus in MEASURED["A"]))
        for n in range(circuits)
    ]
    async with service.session() as session:
        return await submit(session, run_request(*programs, shots=shots))


async def _jobs(service: LocalService, number: int) -> list[str]:
    request = run_request(circuit("c", measure("m", "QB1")), shots=100)
    async with service.session() as session:
        return [await submit(session, request) for _ in range(number)]


if __name__ == "__main__":
    main()
