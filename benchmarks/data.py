"""What the rivals are given. Standard library only: every environment imports it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NATIVE = (
    ("prx", ("QB1",), {"angle": 1.5707963267948966, "phase": 1.5707963267948966}),
    ("prx", ("QB2",), {"angle": 1.5707963267948966, "phase": 1.5707963267948966}),
    ("cz", ("QB1", "QB2"), {}),
    ("prx", ("QB2",), {"angle": 1.5707963267948966, "phase": -1.5707963267948966}),
    ("measure", ("QB2", "QB1"), {"key": "m"}),
)
"""A Bell pair in IQM's native operations: name, locus, arguments (angles in radians)."""

_QUBITS = tuple(f"QB{n}" for n in range(1, 21))

COUPLERS = (("QB1", "QB2"), ("QB4", "QB5"))
"""Two of the places at which `square20` has a CZ."""

MEASURED = {
    "A": (("m", _QUBITS),),
    "B": tuple((f"c_20_0_{bit}", (qubit,)) for bit, qubit in enumerate(_QUBITS)),
}
"""Twenty qubits under one key, and under one for each classical bit as IQM's Qiskit
adapter measures them."""


def native_circuits(
    count: int, length: int, couplers: Sequence[Sequence[str]]
) -> Iterator[list[tuple[str, tuple[str, ...], dict[str, Any]]]]:
    """Circuits of PRX with drawn angles, CZ on drawn couplers, and one measurement.

    Args:
        count: How many.
        length: Instructions of each.
        couplers: Where a CZ may be.
    """
    draw = random.Random(7)
    for _ in range(count):
        drawn: list[tuple[str, tuple[str, ...], dict[str, Any]]] = []
        for _ in range(length - 1):
            if draw.random() < 0.7:
                angles = {n: draw.uniform(-3.2, 3.2) for n in ("angle", "phase")}
                drawn.append(("prx", (draw.choice(_QUBITS),), angles))
            else:
                drawn.append(("cz", tuple(draw.choice(couplers)), {}))
        yield [*drawn, ("measure", _QUBITS, {"key": "m"})]


def programs(count: int, gates: int) -> dict[str, str]:
    """OpenQASM 2 of so many gates on twenty qubits, RX and RZ with drawn angles and CX."""
    draw = random.Random(11)
    return {f"circuit-{n}": _program(draw, gates) for n in range(count)}


def _program(draw: random.Random, gates: int) -> str:
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', "qreg q[20];", "creg c[20];"]
    for _ in range(gates):
        gate = draw.choices(("rx", "rz", "cx"), (4, 3, 3))[0]
        a, b = draw.sample(range(20), 2)
        if gate == "cx":
            lines.append(f"cx q[{a}],q[{b}];")
        else:
            lines.append(f"{gate}({draw.uniform(-3.2, 3.2)!r}) q[{a}];")
    lines += [f"measure q[{n}] -> c[{n}];" for n in range(20)]
    return "\n".join(lines)


def batch(
    work: str, couplers: Sequence[Sequence[str]]
) -> list[Sequence[tuple[str, tuple[str, ...], dict[str, Any]]]]:
    """The circuits of one job: "small" is a Bell pair, "real" 20 circuits of 20 qubits.

    Args:
        work: Which.
        couplers: Where a CZ may be.
    """
    return [NATIVE] if work == "small" else list(native_circuits(20, 60, couplers))
