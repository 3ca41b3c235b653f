"""Jobs through qawait, as its user writes it: ``URL JOBS SHOTS WORK``."""

from __future__ import annotations

import asyncio
import os
import sys

import qawait
from benchmarks.data import COUPLERS, batch
from benchmarks.peers.measure import measured
from qawait.iqm.circuit import Circuit, Instruction


async def main(url: str, jobs: int, shots: int, work: str) -> None:
    circuits = [
        Circuit(f"circuit-{n}", tuple(Instruction(*i) for i in instructions))
        for n, instructions in enumerate(batch(work, COUPLERS))
    ]
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    async with qawait.connect(service, target="square20") as client:

        async def follow(_: int) -> set[int | None]:
            result = await (await client.submit(circuits, shots=shots))
            return {circuit.shots for circuit in result}

        await follow(0)
        with measured("qawait", "aiohttp", "msgspec", "numpy") as report:
            taken = await asyncio.gather(*map(follow, range(jobs)))
            report["jobs"] = jobs
    assert set().union(*taken) == {shots}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
