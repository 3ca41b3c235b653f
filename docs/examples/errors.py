"""What goes wrong, in the order in which a program meets it."""

import asyncio

import qawait
from qawait.iqm import Circuit, Instruction, Options

UNMEASURED = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[1];
h q[0];
"""

# after a second no qubit remembers anything, and the options ask the service to check
SLOW = Circuit(
    "slow",
    (
        Instruction("delay", ("QB1",), {"duration": 1.0}),
        Instruction("measure", ("QB1",), {"key": "m"}),
    ),
)
CHECKED = Options(max_circuit_duration_over_t2=1.0)


async def main() -> None:
    async with qawait.connect() as client:
        # before anything is sent
        try:
            await client.submit({"lonely": UNMEASURED})
        except qawait.CircuitError as error:
            print("refused:", error.circuit, "-", error.reason)

        # after the service has accepted the job
        job = await client.submit(SLOW, options=CHECKED)
        try:
            await job
        except qawait.JobFailed as error:
            print("failed:", error.job_id == job.id, "-", error.message)

        # a job that never was
        stranger = client.job("00000000-0000-4000-8000-000000000000")
        try:
            await stranger
        except qawait.JobMissing as error:
            print("missing:", error.job_id)

        # a deadline of your own; the job goes on
        job = await client.submit(UNMEASURED, measure_all=True, shots=100_000)
        try:
            await job.result(timeout=0.001)
        except TimeoutError:
            print("too slow")
        print((await job)[0].shots)


asyncio.run(main())

# prints:
# refused: lonely - measures nothing: add measurements, or ask for all qubits ...
# failed: True - circuit slow: its delays take 1 s, ...
# missing: 00000000-0000-4000-8000-000000000000
# too slow
# 100000
