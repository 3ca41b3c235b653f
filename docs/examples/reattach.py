"""Come back to a job by its id, from another client."""

import asyncio
import tempfile
from pathlib import Path

import qawait

CIRCUIT = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg low[2];
creg high[1];
x q[0];
measure q[0] -> low[0];
measure q[1] -> low[1];
measure q[2] -> high[0];
"""


async def submit(store: Path) -> str:
    async with qawait.connect(store=store) as client:
        job = await client.submit(CIRCUIT, shots=200)
        return job.id


async def fetch(store: Path, job_id: str) -> None:
    async with qawait.connect(store=store) as client:
        result = await client.job(job_id)
        print(result[0].registers)
        print(result[0].counts(sep=" "))


with tempfile.TemporaryDirectory() as directory:
    store = Path(directory) / "jobs.sqlite"
    job_id = asyncio.run(submit(store))
    asyncio.run(fetch(store, job_id))

# prints:
# {'low': 2, 'high': 1}
# {'0 01': 200}
