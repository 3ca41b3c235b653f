"""What an IQM quantum computer can do, as its service describes it."""

from __future__ import annotations

from msgspec import Struct, field

__all__ = [
    "DynamicQuantumArchitecture",
    "GateInfo",
    "Implementation",
    "StaticQuantumArchitecture",
]


class StaticQuantumArchitecture(Struct, frozen=True):
    """The components of a chip and how they are connected. Wire reference §6.2."""

    qubits: tuple[str, ...]
    computational_resonators: tuple[str, ...] = ()
    connectivity: tuple[tuple[str, ...], ...] = ()
    dut_label: str | None = None


class Implementation(Struct, frozen=True):
    """The loci for which one implementation of a gate is calibrated."""

    loci: tuple[tuple[str, ...], ...]


class GateInfo(Struct, frozen=True):
    """One gate with all its implementations."""

    implementations: dict[str, Implementation]
    default_implementation: str
    override_default_implementation: dict[str, str] = field(
        default_factory=dict[str, str]
    )

    @property
    def loci(self) -> tuple[tuple[str, ...], ...]:
        """The loci of all implementations, each once, in order of appearance."""
        return tuple(
            dict.fromkeys(
                locus for i in self.implementations.values() for locus in i.loci
            )
        )


class DynamicQuantumArchitecture(Struct, frozen=True):
    """The gates one calibration set makes available, and where. Wire reference §6.3."""

    calibration_set_id: str
    qubits: tuple[str, ...]
    gates: dict[str, GateInfo]
    computational_resonators: tuple[str, ...] = ()

    def loci(self, gate: str) -> tuple[tuple[str, ...], ...]:
        """The loci of a gate; empty if the gate is not calibrated."""
        info = self.gates.get(gate)
        return info.loci if info else ()
