"""Measurements with qawait, of a job known by its id: ``URL JOB``."""

from __future__ import annotations

import asyncio
import os
import sys

import qawait
from benchmarks.peers.measure import measured


async def main(url: str, job_id: str) -> None:
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    async with qawait.connect(service, target="square20") as client:
        with measured("qawait", "aiohttp", "msgspec", "numpy"):
            result = await client.job(job_id)
    assert len(result.measurements[0]) in (1, 20)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
