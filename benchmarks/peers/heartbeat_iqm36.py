"""The same with iqm-client 36 in a thread, as its user would, and no other jobs."""

from __future__ import annotations

import asyncio
import os
import sys

from iqm.iqm_client import IQMClient

from benchmarks.peers.heartbeat import at_rest, heartbeat, told
from benchmarks.peers.measure import measured


async def main(url: str, job_id: str) -> None:
    client = IQMClient.from_url(
        url, quantum_computer="square20", token=os.environ["PEER_TOKEN"]
    )
    with measured("iqm-client", "pydantic", "requests") as report:
        await at_rest(report)
        async with heartbeat() as heart:
            circuits = await asyncio.to_thread(client.get_job_measurements, job_id)
        told(report, heart)
        report["questions"] = 0
    assert len(circuits[0]) == 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
