"""Let what came back decide which circuit runs next."""

import asyncio
from collections.abc import Iterator
from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait

theta = Parameter("theta")
circuit = QuantumCircuit(1, 1, name="turn")
circuit.rx(theta, 0)
circuit.measure(0, 0)


class Search:
    """Halves an interval until it knows at which angle half of the shots read 1."""

    def __init__(self) -> None:
        self.low, self.high = 0.2, pi

    def angles(self) -> Iterator[dict[str, float]]:
        while self.high - self.low > 0.2:
            yield {"theta": (self.low + self.high) / 2}

    def learn(self, point: qawait.Point) -> None:
        assert point.result is not None
        if point.result.probabilities().get("1", 0.0) > 0.5:
            self.high = point.params["theta"]
        else:
            self.low = point.params["theta"]


async def main() -> None:
    search = Search()
    async with (
        qawait.connect() as client,
        client.sweep(circuit, search.angles(), shots=2000, max_in_flight=1) as sweep,
    ):
        async for point in sweep:
            search.learn(point)
    print(f"after {sweep.progress.ready} points: pi/2 is within 0.3 of", end=" ")
    print(f"{(search.low + search.high) / 2:.1f}")


asyncio.run(main())

# prints:
# after 4 points: pi/2 is within 0.3 of 1...
