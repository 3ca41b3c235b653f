"""One GET after the other with aiohttp alone, eight at once: ``URL JOBS SHOTS``.

As many as are asked about so many jobs; each is of a job that is ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiohttp

from benchmarks.data import COUPLERS, batch
from benchmarks.peers.measure import measured

QUESTIONS, PER_JOB = 8, 4


async def main(url: str, jobs: int, shots: int) -> None:
    [instructions] = batch("small", COUPLERS)
    circuit = {
        "name": "bell",
        "instructions": [
            {"name": name, "locus": locus, "args": args}
            for name, locus, args in instructions
        ],
    }
    headers = {"Authorization": f"Bearer {os.environ['PEER_TOKEN']}"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        async with session.post(
            "/api/v1/jobs/square20/circuit",
            json={"circuits": [circuit], "shots": shots},
        ) as answer:
            path = f"/api/v1/jobs/{json.loads(await answer.read())['id']}"
        asking = asyncio.Semaphore(QUESTIONS)

        async def ask(_: int) -> int:
            async with asking, session.get(path) as answer:
                return len(await answer.read())

        with measured("aiohttp") as report:
            await asyncio.gather(*map(ask, range(PER_JOB * jobs)))
            report["questions"], report["jobs"] = PER_JOB * jobs, jobs


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
