"""Submits to a service without an end, with a journal, and says each id that it gets.

Run as a program: the service's address, its token, and the journal.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import anyio

import qawait
from qawait import IQMService
from qawait.iqm import Circuit, Instruction

UNDER_WAY = 4
"""Submissions at once: as many as a client allows."""

NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))


async def main(url: str, token: str, journal: Path) -> None:
    service = IQMService(url, token=token)
    pace = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)

    async def submit(client: qawait.Client) -> None:
        while True:
            job = await client.submit(NATIVE, shots=5)
            os.write(1, f"{job.id}\n".encode())

    async with (
        qawait.connect(service, pace=pace, journal=journal) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(UNDER_WAY):
            group.start_soon(submit, client)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
