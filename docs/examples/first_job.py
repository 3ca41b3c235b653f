"""Submit one circuit to the embedded local service and look at its counts."""

import asyncio

import qawait

CIRCUIT = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[3];
x q[0];
h q[1];
cx q[1], q[2];
measure q -> c;
"""


async def main() -> None:
    async with qawait.connect() as client:
        print(client)
        job = await client.submit(CIRCUIT, shots=1000)
        result = await job
        print(result[0].counts())
        print(result[0].bits().shape)


asyncio.run(main())

# prints:
# <Client of the local simulator: target square20, simulated>
# {'001': ..., '111': ...}
# (1000, 3)
