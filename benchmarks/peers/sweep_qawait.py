"""A sweep through qawait, as its user writes it: ``URL DIRECTORY POINTS SHOTS WHERE``.

WHERE is `disk`, for a journal in DIRECTORY that is read back afterwards, or `memory`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import qawait
from benchmarks.data import NATIVE
from benchmarks.peers.journal_points import flush_seconds
from benchmarks.peers.measure import measured
from qawait.iqm.circuit import Circuit, Instruction

if TYPE_CHECKING:
    from collections.abc import Iterator


def circuits(points: int) -> Iterator[Circuit]:
    """A Bell pair with another angle for every point."""
    first, *rest = (Instruction(*i) for i in NATIVE)
    for n in range(points):
        args = {"angle": n / points, "phase": 0.5}
        turned = Instruction(first.name, first.locus, args)
        yield Circuit(f"circuit-{n}", (turned, *rest))


def read_back(path: Path, points: int, shots: int) -> float:
    """Seconds to open the journal and to take the shots of every point out of it."""
    began = time.perf_counter()
    rows = [len(point.result().measured["m"]) for point in qawait.read(path)]
    seconds = time.perf_counter() - began
    assert rows == [shots] * points
    return seconds


async def main(url: str, directory: Path, points: int, shots: int, where: str) -> None:
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    path = directory / "bench.qawait" if where == "disk" else None
    given = list(circuits(points))
    async with qawait.connect(service, target="square20", journal=None) as client:
        await (await client.submit(given[0], shots=shots))
        with measured("qawait", "aiohttp", "msgspec", "numpy") as report:
            began, worked = time.perf_counter(), time.process_time()
            async with client.sweep(given, shots=shots, journal=path) as sweep:
                finished = 0
                async for point in sweep:
                    finished += point.result is not None
            report["sweep_seconds"] = time.perf_counter() - began
            report["sweep_cpu_seconds"] = time.process_time() - worked
            report["jobs"] = sweep.progress.jobs
            report["flush_seconds"] = flush_seconds(directory)
            report["read_seconds"] = read_back(path, points, shots) if path else 0.0
    assert finished == points


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            Path(sys.argv[2]),
            int(sys.argv[3]),
            int(sys.argv[4]),
            sys.argv[5],
        )
    )
