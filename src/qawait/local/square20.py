"""`square20`: the one IQM quantum computer of the local service, and its figures.

Twenty qubits on a lattice of five columns and four rows, QB1 to QB5 in the first row.
Simulated without noise; the figures are those of a good chip of its kind, varied from
place to place by a fixed formula, so that two services agree on them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from qawait.iqm.architecture import (
    DynamicQuantumArchitecture,
    GateInfo,
    Implementation,
    StaticQuantumArchitecture,
)

__all__ = [
    "ALIAS",
    "ARCHITECTURE",
    "CALIBRATED_AT",
    "CALIBRATION_SET_ID",
    "DISPLAY_NAME",
    "DUT",
    "ID",
    "METRIC_SET_ID",
    "PAIRS",
    "QUBITS",
    "STATIC",
    "Figure",
    "calibration",
    "metrics",
    "observations",
    "specification",
]

ALIAS = "square20"
DUT = "M000_SQUARE20_SIMULATED"
DISPLAY_NAME = "Square 20 (simulated by qawait)"
ID = "5c1f7d0e-2b5a-5d5b-9a56-2f1f20a5c020"
CALIBRATION_SET_ID = "c7a1b2a4-90d1-5b39-8a6c-20f0a5c0ca15"
METRIC_SET_ID = "0d4e3a52-6c55-5f0a-9f6e-20f0a5c0e7c5"
CALIBRATED_AT = "2026-11-02T05:30:00+00:00"

_COLUMNS, _ROWS = 5, 4
QUBITS = tuple(f"QB{n}" for n in range(1, _COLUMNS * _ROWS + 1))
PAIRS = tuple(
    (QUBITS[n], QUBITS[neighbour])
    for n in range(len(QUBITS))
    for neighbour in (n + 1, n + _COLUMNS)
    if neighbour < len(QUBITS)
    and (neighbour == n + _COLUMNS or neighbour % _COLUMNS != 0)
)
_SINGLES = tuple((qubit,) for qubit in QUBITS)

STATIC = StaticQuantumArchitecture(qubits=QUBITS, connectivity=PAIRS, dut_label=DUT)


def _gate(implementation: str, loci: tuple[tuple[str, ...], ...]) -> GateInfo:
    return GateInfo({implementation: Implementation(loci)}, implementation)


ARCHITECTURE = DynamicQuantumArchitecture(
    calibration_set_id=CALIBRATION_SET_ID,
    qubits=QUBITS,
    gates={
        "prx": _gate("drag_crf", _SINGLES),
        "cz": _gate("tgss", PAIRS),
        "measure": _gate("constant", _SINGLES),
    },
)


class Figure(NamedTuple):
    """One observation of a calibration or quality-metric set."""

    name: str
    """The service's name for it. Wire reference §6.3."""
    value: float
    unit: str
    uncertainty: float


def _spread(place: int, kind: int) -> float:
    """A number from -1 to 1 that looks random and is always the same."""
    return ((place * 7919 + kind * 104729 + 31) * 2654435761 % 4294967296) / 2**31 - 1


def _times() -> list[Figure]:
    figures: list[Figure] = []
    for n, qubit in enumerate(QUBITS):
        t1 = 45e-6 + 14e-6 * _spread(n, 1)
        echo = min(1.9 * t1, 38e-6 + 13e-6 * _spread(n, 2))
        t2 = echo * (0.55 + 0.2 * _spread(n, 3))
        figures += [
            Figure(f"characterization.model.{qubit}.{name}", value, "s", value / 25)
            for name, value in (
                ("t1_time", t1),
                ("t2_time", t2),
                ("t2_echo_time", echo),
            )
        ]
    return figures


def calibration() -> list[Figure]:
    """What the calibration set holds: coherence times, in seconds."""
    return _times()


def metrics() -> list[Figure]:
    """Quality figures: coherence times, and fidelities of readout, PRX and CZ."""
    figures = _times()
    for n, qubit in enumerate(QUBITS):
        up = 0.013 + 0.007 * _spread(n, 4)
        down = 0.024 + 0.011 * _spread(n, 5)
        readout = f"metrics.ssro.measure.constant.{qubit}"
        gate = f"metrics.rb.prx.drag_crf.{qubit}.fidelity:par=d2"
        figures += [
            Figure(f"{readout}.error_0_to_1", up, "", 0.0008),
            Figure(f"{readout}.error_1_to_0", down, "", 0.0011),
            Figure(f"{readout}.fidelity", 1 - (up + down) / 2, "", 0.0007),
            Figure(gate, 0.9990 + 0.0006 * _spread(n, 6), "", 0.00004),
        ]
    for n, (one, other) in enumerate(PAIRS):
        name = f"metrics.irb.cz.tgss.{one}__{other}.fidelity:par=d2"
        figures.append(Figure(name, 0.9925 + 0.0045 * _spread(n, 7), "", 0.0004))
    return figures


def observations(figures: list[Figure], set_id: str) -> dict[str, Any]:
    """An observation set as api/v1 writes it. Wire reference §3.3."""
    return {
        "observation_set_id": set_id,
        "observation_set_type": (
            "calibration-set" if set_id == CALIBRATION_SET_ID else "quality-metric-set"
        ),
        "observation_ids": list(range(1, len(figures) + 1)),
        "describes_id": None if set_id == CALIBRATION_SET_ID else CALIBRATION_SET_ID,
        "invalid": False,
        "dut_label": DUT,
        "created_timestamp": CALIBRATED_AT,
        "end_timestamp": CALIBRATED_AT,
        "observations": [
            {
                "observation_id": number,
                "dut_label": DUT,
                "dut_field": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "uncertainty": figure.uncertainty,
                "invalid": False,
                "source": {"type": "simulation"},
                "tags": [],
                "created_timestamp": CALIBRATED_AT,
                "modified_timestamp": CALIBRATED_AT,
            }
            for number, figure in enumerate(figures, 1)
        ],
    }


def specification() -> dict[str, Any]:
    """The chip in the oldest form. Wire reference §6.1."""
    return {
        "quantum_architecture": {
            "name": ALIAS,
            "qubits": QUBITS,
            "qubit_connectivity": PAIRS,
            "operations": {
                "prx": _SINGLES,
                "cz": PAIRS,
                "measure": _SINGLES,
                "barrier": (),
            },
        }
    }
