"""Points through a journal: ``DIRECTORY POINTS CIRCUITS SHOTS disk|memory``."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers.measure import measured
from qawait.journal.file import FileJournal
from qawait.journal.memory import MemoryJournal
from qawait.journal.reading import read
from qawait.journal.records import Identity, Intent, Point
from qawait.layout import Layout
from qawait.model import CircuitRecord, Delivery, Manifest
from qawait.results import Result

if TYPE_CHECKING:
    from qawait.journal.port import Journal

UNDER_WAY = 4
BITS = 20
LAYOUT = Layout((("c", BITS),), tuple(("m", bit) for bit in range(BITS)))
OWNER = Identity(endpoint="bench", target="bench", dialect="bench", account="bench")


def flush_seconds(directory: Path) -> float:
    """What the disk takes to make a page durable; the median of twenty."""
    fd = os.open(directory / "page", os.O_RDWR | os.O_CREAT, 0o600)
    times: list[float] = []
    for number in range(20):
        os.pwrite(fd, bytes(4096), 4096 * number)
        began = time.perf_counter()
        os.fsync(fd)
        times.append(time.perf_counter() - began)
    os.close(fd)
    return sorted(times)[len(times) // 2]


async def write(
    journal: Journal, jobs: int, results: list[Result], points: list[list[Point]]
) -> float:
    queue = iter(range(jobs))
    began = time.perf_counter()

    async def submit() -> None:
        for number in queue:
            name, result = f"s-{number}", results[number % len(results)]
            circuits = tuple(
                CircuitRecord(label=c.label, shots=c.shots, layout=LAYOUT)
                for c in result
            )
            intent = Intent(
                submission_id=name,
                target="bench",
                circuits=len(circuits),
                shots=sum(c.shots or 0 for c in result),
                manifest=Manifest(circuits=circuits, target="bench"),
                points=tuple(points[number]),
            )
            await journal.intend(intent)
            await journal.sending(name)
            await journal.outcome(name, Delivery.ACCEPTED, f"job-{number}")
            await journal.ended(name, result)

    async with asyncio.TaskGroup() as group:
        for _ in range(UNDER_WAY):
            group.create_task(submit())
    return time.perf_counter() - began


def read_back(path: Path, points: int) -> float:
    began = time.perf_counter()
    found = sum(point.result().measured.rows > 0 for point in read(path))
    seconds = time.perf_counter() - began
    assert found == points
    return seconds


async def main(
    directory: Path, points: int, circuits: int, shots: int, where: str
) -> None:
    rng = np.random.default_rng(1)
    results = [
        Result.of_shots(
            [
                {"m": rng.integers(0, 2, (shots, BITS), np.uint8)}
                for _ in range(circuits)
            ],
            Manifest(
                circuits=tuple(
                    CircuitRecord(label=str(n), shots=shots, layout=LAYOUT)
                    for n in range(circuits)
                )
            ),
            job_id="job",
        )
        for _ in range(4)
    ]
    jobs = points // circuits
    sent = [
        [
            Point(
                key=f"{job}-{n}",
                identity=hashlib.sha256(f"{job} {n}".encode()).digest(),
                label=str(n),
                parameters={"gamma": float(job), "beta": float(n)},
            )
            for n in range(circuits)
        ]
        for job in range(jobs)
    ]
    path = directory / "bench.qawait"
    with measured("qawait", "msgspec", "numpy") as report:
        report["flush_seconds"] = flush_seconds(directory)
        if where == "memory":
            report["write_seconds"] = await write(MemoryJournal(), jobs, results, sent)
            report["read_seconds"] = report["bytes"] = 0
        else:
            journal = await FileJournal.open(path, OWNER)
            report["write_seconds"] = await write(journal, jobs, results, sent)
            await journal.close()
            report["read_seconds"] = read_back(path, points)
            files = [file for file in path.rglob("*") if file.is_file()]
            report["bytes"] = sum(file.stat().st_size for file in files)
        report["seconds_each"] = report["write_seconds"] / jobs


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5]))
