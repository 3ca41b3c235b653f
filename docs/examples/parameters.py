"""Compile a circuit with a free parameter once, then send it at many values."""

import asyncio
from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait

theta = Parameter("theta")
circuit = QuantumCircuit(1, 1, name="turn")
circuit.rx(theta, 0)
circuit.measure(0, 0)


async def main() -> None:
    async with qawait.connect() as client:
        [template] = await client.compile(circuit)
        print(template.parameters)
        points = [
            template.bind({"theta": angle}, label=f"{turns:g} turns")
            for turns in (0.0, 0.25, 0.5)
            for angle in [2 * pi * turns]
        ]
        result = await (await client.submit(points, shots=1000))
    for point in result:
        print(point.label, point.counts())


asyncio.run(main())

# prints:
# ('theta',)
# 0 turns {'0': 1000}
# 0.25 turns {'0': ..., '1': ...}
# 0.5 turns {'1': 1000}
