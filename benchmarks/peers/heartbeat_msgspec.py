"""The same with aiohttp and typed lists of msgspec in a thread, and no other jobs."""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp
import msgspec

from benchmarks.peers.heartbeat import at_rest, heartbeat, told
from benchmarks.peers.measure import measured

DECODER = msgspec.json.Decoder(list[dict[str, list[list[int]]]])


async def main(url: str, job_id: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['PEER_TOKEN']}"}
    path = f"{url}/api/v1/jobs/{job_id}/artifacts/measurements"
    async with aiohttp.ClientSession(headers=headers) as session:
        with measured("msgspec", "aiohttp") as report:
            await at_rest(report)
            async with heartbeat() as heart:
                async with session.get(path) as answer:
                    body = await answer.read()
                circuits = await asyncio.to_thread(DECODER.decode, body)
            told(report, heart)
            report["questions"] = 0
    assert len(circuits[0]) == 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
