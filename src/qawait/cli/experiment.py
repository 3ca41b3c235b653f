"""The landscape of `qawait demo`, measured as a user of the library would do it."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

import qawait
from qawait.cli.connection import Where
from qawait.cli.landscape import EDGES, NODES, Landscape, cut_sizes, grid, template
from qawait.cli.progress import Progress
from qawait.cli.text import with_plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from qawait._job import Job
    from qawait.circuits import Compiled
    from qawait.client import Client

__all__ = ["Cost", "Experiment"]

_CIRCUITS_IN_A_JOB = 10


class Cost(Struct, frozen=True):
    """What an experiment took."""

    jobs: int
    circuits: int
    shots: int
    requests: int
    bytes_sent: int
    bytes_received: int
    seconds: float
    """From the first submission to the last result."""
    seconds_in_total: float
    """With starting the service and compiling."""


class Experiment:
    """The landscape, from the angles to the best point."""

    target: str
    landscape: Landscape
    best_sampled: int
    """The largest cut among all shots at the best point, in edges."""
    cost: Cost

    def __init__(self, side: int, shots: int, console: Console) -> None:
        self._gammas, self._betas = grid(side)
        self._shots = shots
        self._console = console

    async def run(self) -> None:
        """Everything that talks to the service."""
        started = time.perf_counter()
        self._tell(
            f"MaxCut on a graph of {NODES} nodes and {len(EDGES)} edges, by QAOA with one"
            " layer."
        )
        self._tell("Starting the local service; nothing leaves this machine.")
        async with Where(None, None).client() as client:
            self.target = client.target.name
            (circuit,) = await client.compile(template())
            points = [
                circuit.bind({"gamma": gamma, "beta": beta}, label=f"{row} {column}")
                for row, beta in enumerate(self._betas)
                for column, gamma in enumerate(self._gammas)
            ]
            self._tell(
                f"One circuit is compiled for {self.target} (simulated) and bound at"
                f" {with_plural(len(points), 'point')}."
            )
            sending = time.perf_counter()
            jobs = await self._measure(client, points)
            ended = time.perf_counter()
            self.cost = Cost(
                jobs=jobs,
                circuits=len(points),
                shots=len(points) * self._shots,
                requests=client.usage.requests,
                bytes_sent=client.usage.bytes_sent,
                bytes_received=client.usage.bytes_received,
                seconds=round(ended - sending, 3),
                seconds_in_total=round(ended - started, 3),
            )

    async def _measure(self, client: Client, points: Sequence[Compiled]) -> int:
        """Send all points, read them as their jobs get ready; the number of jobs."""
        progress = Progress(len(points))

        async def send(start: int) -> Job:
            part = points[start : start + _CIRCUITS_IN_A_JOB]
            job = await client.submit(part, shots=self._shots)
            progress.follow(job)
            return job

        shape = (len(self._betas), len(self._gammas))
        cuts, errors, largest = np.zeros(shape), np.zeros(shape), np.zeros(shape, int)
        with progress.shown():
            jobs = await asyncio.gather(
                *map(send, range(0, len(points), _CIRCUITS_IN_A_JOB))
            )
            async for job in qawait.as_completed(jobs):
                for point in await job:
                    row, column = map(int, point.label.split())
                    sizes = cut_sizes(point.bits())
                    cuts[row, column] = sizes.mean()
                    errors[row, column] = sizes.std() / math.sqrt(len(sizes))
                    largest[row, column] = sizes.max()
        self.landscape = Landscape(self._gammas, self._betas, cuts, errors)
        self.best_sampled = int(largest[self.landscape.best])
        return len(jobs)

    def _tell(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
