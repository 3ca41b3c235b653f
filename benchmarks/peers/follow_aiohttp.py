"""The same requests with aiohttp alone: ``URL JOBS SHOTS WORK``.

As many submissions and questions at once as qawait has, and connections that are kept
as it keeps them. The circuits are written once, no result is decoded, and each job is
asked about once, for this service has it ready by then.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiohttp

from benchmarks.data import COUPLERS, batch
from benchmarks.peers.measure import measured

SUBMISSIONS, QUESTIONS = 4, 8


async def main(url: str, jobs: int, shots: int, work: str) -> None:
    circuits = [
        {
            "name": f"circuit-{n}",
            "instructions": [
                {"name": name, "locus": locus, "args": args, "implementation": None}
                for name, locus, args in instructions
            ],
        }
        for n, instructions in enumerate(batch(work, COUPLERS))
    ]
    request = json.dumps({"circuits": circuits, "shots": shots}).encode()
    headers = {
        "Authorization": f"Bearer {os.environ['PEER_TOKEN']}",
        "Accept-Encoding": "gzip",
    }
    submitting = asyncio.Semaphore(SUBMISSIONS)
    asking = asyncio.Semaphore(QUESTIONS)
    async with (
        aiohttp.ClientSession(url, headers=headers) as submissions,
        aiohttp.ClientSession(url, headers=headers) as questions,
    ):

        async def get(path: str) -> bytes:
            async with questions.get(path) as answer:
                assert answer.status == 200
                return await answer.read()

        async def follow(_: int) -> int:
            async with (
                submitting,
                submissions.post(
                    "/api/v1/jobs/square20/circuit",
                    data=request,
                    headers={"Content-Type": "application/json"},
                ) as answer,
            ):
                assert answer.status == 201
                job_id = json.loads(await answer.read())["id"]
            async with asking:
                status = await get(f"/api/v1/jobs/{job_id}")
                assert b'"completed"' in status
                return len(await get(f"/api/v1/jobs/{job_id}/artifacts/measurements"))

        await follow(0)
        with measured("aiohttp") as report:
            sizes = await asyncio.gather(*map(follow, range(jobs)))
            report["jobs"] = jobs
    assert min(sizes) > 2 * shots


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
