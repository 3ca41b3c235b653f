"""Sweep two parameters of one circuit, and look at all points together."""

import asyncio
from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait

gamma, beta = Parameter("gamma"), Parameter("beta")
circuit = QuantumCircuit(2, 2, name="turn")
circuit.rx(gamma, 0)
circuit.rx(beta, 1)
circuit.measure([0, 1], [0, 1])


async def main() -> None:
    grid = {"gamma": [0.0, pi], "beta": [0.0, pi / 2, pi]}
    async with (
        qawait.connect() as client,
        client.sweep(circuit, grid, shots=500) as sweep,
    ):
        print(await sweep.estimate())
        failed = [point.key async for point in sweep if point.error]
        data = await sweep.dataset()
    print(len(failed), "points failed;", dict(data["shots"].sizes))
    print(data["counts"].sel(gamma=pi, beta=0.0).to_series().to_dict())


asyncio.run(main())

# prints:
# 6 points: 6 circuits in about 2 jobs, 3000 shots, ... KiB to send, about 9 requests
# 0 points failed; {'gamma': 2, 'beta': 3}
# {'00': 0, '01': 500, '10': 0, '11': 0}
