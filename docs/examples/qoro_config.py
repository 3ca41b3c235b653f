"""Choose how a Qoro service simulates; here it is the local service at `/api`."""

import asyncio
import json
import subprocess
import sys

import qawait
from qawait import ExecutionConfig, QoroService, SimulationMethod

QUBITS = 40
GHZ = "\n".join(
    [
        'OPENQASM 2.0;\ninclude "qelib1.inc";',
        f"qreg q[{QUBITS}];\ncreg c[{QUBITS}];\nh q[0];",
        *(f"cx q[{n}], q[{n + 1}];" for n in range(QUBITS - 1)),
        "measure q -> c;",
    ]
)


async def main(url: str, token: str) -> None:
    service = QoroService(
        f"{url}/api",
        token=token,
        execution_config=ExecutionConfig(
            simulation_method=SimulationMethod.MatrixProductState, bond_dimension=4
        ),
    )
    async with qawait.connect(service) as client:
        # a GHZ state has bond dimension 2, so that nothing is lost
        job = await client.submit(GHZ, shots=100)
        counts = (await job)[0].counts()
        print(sorted({outcome[0] * QUBITS for outcome in counts}) == sorted(counts))

        # the submission's own values win, field by field
        held = await client.submit(
            GHZ, execution_config=ExecutionConfig(bond_dimension=2), hold=True
        )
        print(await service.get_execution_config(held))

        # a held job is pending, so its configuration can still be replaced
        await service.set_execution_config(
            held, ExecutionConfig(simulation_method=SimulationMethod.Stabilizer)
        )
        await held.release()
        print((await held)[0].shots)


COMMAND = "-m qawait.local --port 0 --json --private-store --follow-stdin"

with subprocess.Popen(
    [sys.executable, *COMMAND.split()],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
) as local:
    ready = json.loads(local.stdout.readline())
    asyncio.run(main(ready["url"], ready["token"]))

# prints:
# True
# ExecutionConfig(bond_dimension=2, simulation_method=<SimulationMethod.Mat...: 1>)
# 1000
