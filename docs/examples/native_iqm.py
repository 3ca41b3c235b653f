"""IQM's own instructions, sent as they are."""

import asyncio
from math import pi

import qawait
from qawait.iqm import Circuit, Instruction

# angles in radians: a half turn flips QB3, the other two make a Bell pair
CIRCUIT = Circuit(
    "bell and a flip",
    (
        Instruction("prx", ("QB3",), {"angle": pi, "phase": 0.0}),
        Instruction("prx", ("QB1",), {"angle": pi / 2, "phase": pi / 2}),
        Instruction("prx", ("QB2",), {"angle": pi / 2, "phase": pi / 2}),
        Instruction("cz", ("QB1", "QB2")),
        Instruction("prx", ("QB2",), {"angle": -pi / 2, "phase": pi / 2}),
        Instruction("measure", ("QB1", "QB2"), {"key": "pair"}),
        Instruction("measure", ("QB3",), {"key": "flipped"}),
    ),
)


async def main() -> None:
    async with qawait.connect() as client:
        result = await (await client.submit(CIRCUIT, shots=500))
    pair = result.measurements[0]["pair"]
    print(pair.shape, "equal:", bool((pair[:, 0] == pair[:, 1]).all()))
    print(result[0].qubits)
    print(result[0].counts("flipped"))
    print(result[0].counts(sep=" "))
    print(result[0].counts(sep=" ", order="iqm"))


asyncio.run(main())

# prints:
# (500, 2) equal: True
# {'pair': ('QB1', 'QB2'), 'flipped': ('QB3',)}
# {'1': 500}
# {'1 00': ..., '1 11': ...}
# {'00 1': ..., '11 1': ...}
