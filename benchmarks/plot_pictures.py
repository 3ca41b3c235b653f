"""Makes the pictures of `docs/how-to/plot.md`: `python -m benchmarks.plot_pictures`.

The sweep and the counts run on the simulator of the local service; the jobs of the
timelines run in virtual time, on one machine that others use as well.
"""

from __future__ import annotations

import asyncio
import tempfile
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait
from qawait import plot
from qawait.iqm import Circuit, Instruction
from qawait.testing import run_virtual, service

IMAGES = Path(__file__).parents[1] / "docs" / "images"
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2))


def maxcut() -> QuantumCircuit:
    """QAOA with one layer for a square with a diagonal."""
    gamma, beta = Parameter("gamma"), Parameter("beta")
    circuit = QuantumCircuit(4, 4, name="maxcut")
    circuit.h(range(4))
    for one, other in EDGES:
        circuit.rzz(gamma, one, other)
    circuit.rx(2 * beta, range(4))
    circuit.measure(range(4), range(4))
    return circuit


def cut(result: qawait.CircuitResult) -> tuple[float, float]:
    labels = [
        "".join("Z" if q in edge else "I" for q in range(4))[::-1] for edge in EDGES
    ]
    pairs = [result.expectation(label) for label in labels]
    value = sum((1 - mean) / 2 for mean, _ in pairs)
    return value, sum((error or 0.0) ** 2 / 4 for _, error in pairs) ** 0.5


def picture(name: str, width: float = 8.0, height: float = 4.8) -> tuple[Any, Any]:
    figure: Any = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(), lambda: figure.savefig(
        IMAGES / f"plot-{name}.png", dpi=110
    )


async def landscape(journal: Path) -> list[Any]:
    grid = {
        "gamma": np.linspace(0, pi, 24).tolist(),
        "beta": np.linspace(0, pi / 2, 16).tolist(),
    }
    async with (
        qawait.connect() as client,
        client.sweep(maxcut(), grid, shots=500, journal=journal) as sweep,
    ):
        return [point async for point in sweep]


async def night() -> list[qawait.Job]:
    """Twenty jobs of a minute on a machine that others use as well."""
    flip = Circuit("flip", (Instruction("measure", ("QB1",), {"key": "m"}),))
    async with (
        service(
            service_time=60.0,
            service_time_cv=0.4,
            strangers=8.0,
            outages=[(600.0, 720.0)],
            seed=3,
        ) as there,
        qawait.connect(there.iqm) as client,
    ):
        jobs = [await client.submit(flip, shots=10) for _ in range(20)]
        for job in jobs:
            await job
        return jobs


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        points = asyncio.run(landscape(Path(directory) / "landscape"))
        ax, save = picture("sweep")
        plot.sweep(points, value=cut, ax=ax)
        save()
        ax, save = picture("line")
        beta = sorted({point.params["beta"] for point in points})[5]
        row = [point for point in points if point.params["beta"] == beta]
        plot.sweep(row, "gamma", value=cut, ax=ax)
        save()
        best = max(points, key=lambda point: cut(point.result)[0])
        ax, save = picture("counts")
        plot.counts(best.result, ax)
        save()
        jobs = run_virtual(night)
        ax, save = picture("timeline", 10.0)
        plot.timeline(jobs, ax)
        save()
        ax, save = picture("polling")
        plot.polling(jobs, ax)
        save()


if __name__ == "__main__":
    main()
