"""Jobs through qawait, as its user writes it: ``URL JOBS SHOTS``."""

from __future__ import annotations

import asyncio
import os
import sys

import qawait
from benchmarks.data import NATIVE
from benchmarks.peers.measure import measured
from qawait.iqm.circuit import Circuit, Instruction


async def main(url: str, jobs: int, shots: int) -> None:
    circuit = Circuit(
        "bell", tuple(Instruction(name, locus, args) for name, locus, args in NATIVE)
    )
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    async with qawait.connect(service, target="square20") as client:
        with measured("qawait", "aiohttp", "msgspec", "numpy") as report:
            submitted = await asyncio.gather(
                *(client.submit(circuit, shots=shots) for _ in range(jobs))
            )
            results = await asyncio.gather(*submitted)
            report["jobs"] = jobs
    assert all(r.measurements[0]["m"].shape == (shots, 2) for r in results)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
