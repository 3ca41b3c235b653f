"""The chips that the local service can be; it is one of them at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.local.chip import Chip, architecture_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHIPS", "SQUARE20", "STAR"]


def _square20() -> Chip:
    """Twenty qubits in five columns and four rows, QB1 to QB5 in the first row."""
    columns, rows = 5, 4
    qubits = tuple(f"QB{n}" for n in range(1, columns * rows + 1))
    pairs = tuple(
        (qubits[n], qubits[neighbour])
        for n in range(len(qubits))
        for neighbour in (n + 1, n + columns)
        if neighbour < len(qubits)
        and (neighbour == n + columns or neighbour % columns != 0)
    )
    return Chip(
        alias="square20",
        display_name="Square 20 (simulated by qawait)",
        id="5c1f7d0e-2b5a-5d5b-9a56-2f1f20a5c020",
        dut="M000_SQUARE20_SIMULATED",
        metric_set_id="0d4e3a52-6c55-5f0a-9f6e-20f0a5c0e7c5",
        architecture=architecture_of(
            "c7a1b2a4-90d1-5b39-8a6c-20f0a5c0ca15", qubits, cz=pairs
        ),
    )


def _star() -> Chip:
    """Six qubits around one computational resonator: CZ and MOVE are only with it."""
    qubits = tuple(f"QB{n}" for n in range(1, 7))
    arms = tuple((qubit, "COMPR1") for qubit in qubits)
    return Chip(
        alias="star",
        display_name="Star 6 (simulated by qawait)",
        id="b0d5f6a1-4f0c-5e86-8a0b-57a2005a0006",
        dut="M000_STAR6_SIMULATED",
        metric_set_id="3e1b8c94-77c2-5b1d-9d0e-57a2005ae7c5",
        architecture=architecture_of(
            "9f0a6d1c-2c6b-5a7e-b4c1-57a2005aca15",
            qubits,
            resonators=("COMPR1",),
            cz=arms,
            move=arms,
        ),
    )


SQUARE20 = _square20()
STAR = _star()
CHIPS: Mapping[str, Chip] = {chip.alias: chip for chip in (SQUARE20, STAR)}
"""By alias, which is also what `--target` takes."""
