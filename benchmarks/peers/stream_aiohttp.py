"""The same body with aiohttp alone, thrown away as it arrives: ``URL CIRCUITS``."""

from __future__ import annotations

import asyncio
import sys

import aiohttp

from benchmarks.peers.measure import measured


async def main(url: str, circuits: int) -> None:
    async with aiohttp.ClientSession() as session:
        with measured("aiohttp") as report:
            size = 0
            async with session.get(f"{url}/{circuits}") as answer:
                async for piece in answer.content.iter_any():
                    size += len(piece)
            report["bytes"] = size


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
