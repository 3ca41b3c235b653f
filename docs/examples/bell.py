"""A Bell pair, from the circuit to the counts."""

import asyncio

from qiskit import QuantumCircuit

import qawait


async def main() -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    async with qawait.connect() as client:
        job = await client.submit(bell, shots=1000)
        result = await job
        print(job.state, result[0].counts())


asyncio.run(main())

# prints:
# ready {'00': ..., '11': ...}
