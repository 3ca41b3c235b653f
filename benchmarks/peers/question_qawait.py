"""What qawait does for the questions about jobs but send them: ``URL JOBS SHOTS``.

The service is asked about one job. From then on its answers come from memory, at once,
so that what is left is the schedule, the poller, and the reading of answers and results.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import qawait
from benchmarks.data import COUPLERS, batch
from benchmarks.peers.measure import measured
from qawait.iqm.calls import read
from qawait.iqm.circuit import Circuit, Instruction
from qawait.model import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qawait._transport import BeforeBody, Transport
    from qawait.model import Call

APART = 0.001
"""Seconds between the ends of two jobs: one after the other, as they were submitted."""


class Memory:
    """Stands in for the network with the answers about one job."""

    def __init__(self, job_id: str, ready: bytes, measurements: bytes) -> None:
        self._id = job_id.encode()
        self._ready = ready
        self._measurements = measurements
        self._ends: dict[str, float] = {}
        self.questions = 0

    @classmethod
    async def of(cls, transport: Transport, job_id: str) -> Memory:
        path = f"api/v1/jobs/{job_id}"
        ready = await transport.ask(read(path))
        measurements = await transport.ask(read(f"{path}/artifacts/measurements"))
        return cls(job_id, ready.body, measurements.body)

    def begin(self, job_ids: Iterable[str], now: float) -> None:
        """From now on these jobs end, in this order."""
        self._ends = {job: now + n * APART for n, job in enumerate(job_ids)}

    async def once(self, call: Call, before_body: BeforeBody) -> Answer:
        if call.kind == "submit":
            pending = before_body()
            if pending is not None:
                await pending
            return self._about(str(uuid4()), ready=False)
        self.questions += 1
        if call.reader is not None:
            reader = call.reader()
            reader.feed(self._measurements)
            size = len(self._measurements)
            return Answer(200, {}, b"", reader.close(), size)
        job_id = call.path.rpartition("/")[2]
        ready = time.monotonic() >= self._ends.get(job_id, math.inf)
        return self._about(job_id, ready=ready)

    def _about(self, job_id: str, *, ready: bool) -> Answer:
        body = self._ready.replace(self._id, job_id.encode())
        if not ready:
            body = body.replace(b'"completed"', b'"waiting"')
        return Answer(200, {}, body, None, len(body))


async def main(url: str, jobs: int, shots: int) -> None:
    [instructions] = batch("small", COUPLERS)
    circuit = Circuit("bell", tuple(Instruction(*i) for i in instructions))
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    async with qawait.connect(service, target="square20") as client:
        known = await client.submit(circuit, shots=shots)
        await known
        transport = client._connection.transport
        memory = await Memory.of(transport, known.id)
        transport._once = memory.once
        submitted = await asyncio.gather(
            *(client.submit(circuit, shots=shots) for _ in range(jobs))
        )
        with measured("qawait", "msgspec", "numpy") as report:
            before = memory.questions
            memory.begin((job.id for job in submitted), time.monotonic())
            results = await asyncio.gather(*submitted)
            report["questions"], report["jobs"] = memory.questions - before, jobs
    assert all(result[0].shots == shots for result in results)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
