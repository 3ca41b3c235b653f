"""Send several circuits as one job, and several jobs at once."""

import asyncio

import qawait

HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
CIRCUITS = {
    "first": HEADER + "x q[0];\nmeasure q -> c;",
    "second": HEADER + "x q[1];\nmeasure q -> c;",
}


async def main() -> None:
    async with qawait.connect() as client:
        # one job that carries both circuits
        result = await (await client.submit(CIRCUITS, shots=100))
        print(len(result), [circuit.label for circuit in result])
        print(result["second"].counts())

        # a job for each circuit
        jobs = [
            await client.submit({label: circuit}, shots=100)
            for label, circuit in CIRCUITS.items()
        ]
        async for job in qawait.as_completed(jobs):
            print(job.state, job in jobs)

        # all of them have ended, and can be awaited again
        for result in await asyncio.gather(*jobs):
            print(result[0].label, result[0].counts())


asyncio.run(main())

# prints:
# 2 ['first', 'second']
# {'10': 100}
# ready True
# ready True
# first {'01': 100}
# second {'10': 100}
