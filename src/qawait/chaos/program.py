"""The program that is killed: a sweep with a journal, and some jobs of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import qawait
from qawait.errors import Error
from qawait.iqm import Circuit, Instruction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from qawait.chaos.address import Address

__all__ = ["CLOSING", "JOB", "OPEN", "POINT", "carried_out", "keys_of", "work"]

OPEN, CLOSING, POINT, JOB = "open", "closing", "point", "job"
"""What it says: the journal is open; it will be closed; a point came with a job of this
id; a job of this id was submitted."""
SHOTS = 5
BATCH = 2
IN_FLIGHT = 4 * BATCH
"""Points; so few that submissions go on until the sweep ends."""
_PACE = qawait.Pace(first=0.005, questions_per_job=8, max_staleness=0.1)


def keys_of(name: str, points: int) -> list[str]:
    """The keys of the sweep of that name."""
    return [f"{name}-{number}" for number in range(points)]


async def work(
    address: Address,
    protocol: str,
    journal: Path,
    name: str,
    run: int,
    points: int,
    seen: Collection[str],
    say: Callable[[str], None],
) -> None:
    """Sweep to the end, like any program that is started again after each crash.

    After every third new point it submits a job by itself and does not wait for it.

    Args:
        address: Of the service.
        protocol: `iqm` or `qoro`.
        journal: Of the client and the sweep.
        name: Of the sweep, with which all names in it begin.
        run: Counts the starts of this program, for the names of its own jobs.
        points: Circuits of the sweep.
        seen: The ids of jobs that runs before this one have said.
        say: Takes each line at once.
    """
    service = address.service(protocol)
    circuits = {
        key: _circuit(protocol, n) for n, key in enumerate(keys_of(name, points))
    }
    async with qawait.connect(service, journal=journal, pace=_PACE) as client:
        say(OPEN)
        async with client.sweep(
            circuits, shots=SHOTS, batch=BATCH, max_in_flight=IN_FLIGHT
        ) as sweep:
            number = 0
            async for point in sweep:
                if point.error is not None or point.job_id in seen:
                    continue
                say(f"{POINT} {point.job_id}")
                number += 1
                if number % 3 == 0:
                    alone = f"{name}-alone-{run}-{number}"
                    try:
                        job = await client.submit(
                            {alone: _circuit(protocol, number)}, shots=SHOTS, tag=alone
                        )
                    except Error:
                        continue
                    say(f"{JOB} {job.id}")
        say(CLOSING)


def carried_out(*about: Any) -> None:
    """Do the `work` of these arguments in an event loop of its own."""
    asyncio.run(work(*about))


def _circuit(protocol: str, number: int) -> Circuit | str:
    angle = 0.001 * number
    if protocol == "qoro":
        return (
            'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\ncreg c[1];\n'
            f"rx({angle}) q[0];\nmeasure q[0] -> c[0];\n"
        )
    turn = Instruction("prx", ("QB1",), {"angle": angle, "phase": 0.0})
    return Circuit("c", (turn, Instruction("measure", ("QB1",), {"key": "m"})))
