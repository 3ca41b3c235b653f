"""Watch a job go from state to state."""

import asyncio

import qawait

CIRCUIT = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[1];
creg c[1];
x q[0];
measure q -> c;
"""


async def main() -> None:
    async with qawait.connect() as client:
        job = await client.submit(CIRCUIT, shots=100)
        compiled = await job.reached("pending execution")
        print("compiled at", compiled.at)
        async for change in job.transitions():
            print(change.state, "which the service calls", change.raw)
        print(job.state == "ready", job.done())


asyncio.run(main())

# prints:
# compiled at ...+00:00
# pending compilation which the service calls ...
# pending execution which the service calls ...
# ready which the service calls completed
# True True
