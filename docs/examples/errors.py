"""What goes wrong, in the order in which a program meets it."""

import asyncio

import qawait
from qawait.iqm import Circuit, Instruction

UNMEASURED = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[1];
h q[0];
"""

# QB1 and QB20 are not neighbours, and compile=False sends the circuit as it is
IMPOSSIBLE = Circuit(
    "far apart",
    (
        Instruction("cz", ("QB1", "QB20")),
        Instruction("measure", ("QB1", "QB20"), {"key": "m"}),
    ),
)


async def main() -> None:
    async with qawait.connect() as client:
        # before anything is sent
        try:
            await client.submit({"lonely": UNMEASURED})
        except qawait.CircuitError as error:
            print("refused:", error.circuit, "-", error.reason)

        # after the service has accepted the job
        job = await client.submit(IMPOSSIBLE, compile=False)
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
# failed: True - circuit far apart: instruction 0 (cz on QB1, QB20): ...
# missing: 00000000-0000-4000-8000-000000000000
# too slow
# 100000
