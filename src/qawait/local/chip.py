"""A simulated IQM chip: its name, what is calibrated where, and its figures.

Simulated without noise; the figures are those of a good chip of its kind, varied from
place to place by a fixed formula, so that two services agree on them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import Struct

from qawait.iqm.architecture import (
    DynamicQuantumArchitecture,
    GateInfo,
    Implementation,
    StaticQuantumArchitecture,
)

__all__ = ["CALIBRATED_AT", "Chip", "Figure", "architecture_of"]

CALIBRATED_AT = "2026-11-02T05:30:00+00:00"

_IMPLEMENTATIONS = {
    "prx": "drag_crf",
    "cc_prx": "prx_composite",
    "measure": "constant",
    "cz": "tgss",
    "move": "tgss_crf",
}


def architecture_of(
    calibration_set_id: str,
    qubits: tuple[str, ...],
    *,
    cz: tuple[tuple[str, str], ...],
    resonators: tuple[str, ...] = (),
    move: tuple[tuple[str, str], ...] = (),
) -> DynamicQuantumArchitecture:
    """An architecture on which every qubit is turned, measured and fed back to.

    Args:
        calibration_set_id: The one set there is.
        qubits: In the order of their numbers.
        cz: Pairs of components that a CZ acts on.
        resonators: Computational resonators.
        move: Pairs of a qubit and a resonator, the qubit first.
    """
    singles = tuple((qubit,) for qubit in qubits)
    loci: dict[str, tuple[tuple[str, ...], ...]] = {
        "prx": singles,
        "cc_prx": singles,
        "cz": cz,
        "measure": singles,
    }
    if move:
        loci["move"] = move
    return DynamicQuantumArchitecture(
        calibration_set_id=calibration_set_id,
        qubits=qubits,
        computational_resonators=resonators,
        gates={
            gate: GateInfo(
                {_IMPLEMENTATIONS[gate]: Implementation(where)}, _IMPLEMENTATIONS[gate]
            )
            for gate, where in loci.items()
        },
    )


class Figure(NamedTuple):
    """One observation of a calibration or quality-metric set."""

    name: str
    """The service's name for it. Wire reference §6.3."""
    value: float
    unit: str
    uncertainty: float


class Chip(Struct, frozen=True, kw_only=True):
    """One quantum computer of the local service."""

    alias: str
    display_name: str
    id: str
    dut: str
    """The label of the device under test, as IQM calls a chip."""
    metric_set_id: str
    architecture: DynamicQuantumArchitecture

    @property
    def calibration_set_id(self) -> str:
        """The one calibration set there is."""
        return self.architecture.calibration_set_id

    @property
    def static(self) -> StaticQuantumArchitecture:
        """The components and what a CZ connects."""
        return StaticQuantumArchitecture(
            qubits=self.architecture.qubits,
            computational_resonators=self.architecture.computational_resonators,
            connectivity=self.architecture.loci("cz"),
            dut_label=self.dut,
        )

    def specification(self) -> dict[str, Any]:
        """The chip in the oldest form. Wire reference §6.1."""
        a = self.architecture
        operations = {"prx": a.loci("prx"), "cz": a.loci("cz")}
        if "move" in a.gates:
            operations["move"] = a.loci("move")
        return {
            "quantum_architecture": {
                "name": self.alias,
                "qubits": a.qubits + a.computational_resonators,
                "qubit_connectivity": a.loci("cz"),
                "operations": {
                    **operations,
                    "measure": a.loci("measure"),
                    "barrier": (),
                },
            }
        }

    def coherence_times(self) -> dict[str, float]:
        """T2 of each qubit, in seconds, as the calibration set has it."""
        figures = {figure.name: figure.value for figure in self.calibration()}
        return {
            qubit: figures[f"characterization.model.{qubit}.t2_time"]
            for qubit in self.architecture.qubits
        }

    def calibration(self) -> list[Figure]:
        """What the calibration set holds: coherence times, in seconds."""
        figures: list[Figure] = []
        for n, qubit in enumerate(self.architecture.qubits):
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

    def metrics(self) -> list[Figure]:
        """Quality figures: coherence times, and fidelities of readout, PRX and CZ."""
        figures = self.calibration()
        for n, qubit in enumerate(self.architecture.qubits):
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
        for n, (one, other) in enumerate(self.architecture.loci("cz")):
            name = f"metrics.irb.cz.tgss.{one}__{other}.fidelity:par=d2"
            figures.append(Figure(name, 0.9925 + 0.0045 * _spread(n, 7), "", 0.0004))
        return figures

    def observations(self, *, of_metrics: bool) -> dict[str, Any]:
        """The calibration or the quality-metric set as api/v1 writes it.

        Wire reference §3.3.
        """
        figures = self.metrics() if of_metrics else self.calibration()
        own = self.calibration_set_id
        return {
            "observation_set_id": self.metric_set_id if of_metrics else own,
            "observation_set_type": (
                "quality-metric-set" if of_metrics else "calibration-set"
            ),
            "observation_ids": list(range(1, len(figures) + 1)),
            "describes_id": own if of_metrics else None,
            "invalid": False,
            "dut_label": self.dut,
            "created_timestamp": CALIBRATED_AT,
            "end_timestamp": CALIBRATED_AT,
            "observations": [
                {
                    "observation_id": number,
                    "dut_label": self.dut,
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


def _spread(place: int, kind: int) -> float:
    """A number from -1 to 1 that looks random and is always the same."""
    return ((place * 7919 + kind * 104729 + 31) * 2654435761 % 4294967296) / 2**31 - 1
