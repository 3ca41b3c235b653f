"""A large result and many jobs in one event loop: ``URL JOB URL_OF_JOBS FILE_OF_IDS``.

The second address is of a service with the jobs that stay in its queue and are asked
about all the while, as fast as it answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import numpy as np

import qawait
from benchmarks.peers.heartbeat import at_rest, heartbeat, told
from benchmarks.peers.measure import measured


async def main(url: str, job_id: str, jobs_url: str, job_ids: list[str]) -> None:
    large = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    many = qawait.IQMService(jobs_url, token=os.environ["PEER_TOKEN_OF_JOBS"])
    async with (
        qawait.connect(large, target="square20") as client,
        qawait.connect(many, target="square20") as follower,
    ):
        with measured("qawait", "aiohttp", "msgspec", "numpy") as report:
            await at_rest(report)
            jobs = [follower.job(one) for one in job_ids]
            asked = follower.usage.requests
            async with heartbeat() as heart:
                result = await client.job(job_id)
            told(report, heart)
            report["questions"] = follower.usage.requests - asked
            report["received_bytes"] = client.usage.bytes_received
        assert not any(job.done() for job in jobs)
    # numpy is loaded before the clock runs, as the rivals load what they need.
    assert np.asarray(result.measurements[0]["m"]).ndim == 2


if __name__ == "__main__":
    asyncio.run(
        main(*sys.argv[1:4], json.loads(Path(sys.argv[4]).read_text()))  # type: ignore[call-arg]
    )
