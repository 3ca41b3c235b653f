# pyright: basic
"""What a client's target is for Qiskit: gates, couplings, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.to_thread
from msgspec import Struct
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qawait.circuits.transpiler import Chip, chip_of, target_of
from qawait.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from qawait.client import Client
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.iqm.calibration import QualityMetrics
    from qawait.model import Target as ServiceTarget

__all__ = ["Machine", "machine_of"]

# fmt: off
_QELIB1 = (
    "u1", "u2", "u3", "u", "cx", "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx",
    "ry", "rz", "sx", "sxdg", "cz", "cy", "swap", "ch", "ccx", "cswap", "crx", "cry",
    "crz", "cu1", "cu3", "cu", "p", "cp", "rxx", "rzz", "measure", "reset",
)
# fmt: on
"""The gates of OpenQASM 2's own library that Qiskit knows by the same names."""


class Machine(Struct, frozen=True):
    """A target of a service in Qiskit's words."""

    about: ServiceTarget
    vendor: str
    target: Target
    architecture: DynamicQuantumArchitecture | None = None
    """None for a service that takes any circuit."""
    chip: Chip | None = None
    """What Qiskit's indices stand for; None likewise."""


async def machine_of(client: Client, *, figures: bool) -> Machine:
    """Ask the service of a client what its target can do.

    Args:
        client: An open one.
        figures: Whether to ask for the quality metrics, too: one request more.
    """
    vendor = client._wire.dialect.vendor
    architecture = await client.architecture()
    if architecture is None:
        target = await anyio.to_thread.run_sync(_anything, client.target.qubits)
        return Machine(client.target, vendor, target)
    quality = None
    if figures:
        try:
            quality = await client.quality_metrics(architecture.calibration_set_id)
        except (ConfigurationError, NotFound):
            # many a service publishes none, and can do without
            quality = None
    chip = chip_of(architecture)
    target = await anyio.to_thread.run_sync(_described, chip, quality)
    return Machine(client.target, vendor, target, architecture, chip)


def _anything(qubits: int | None) -> Target:
    """The target of a service that compiles by itself what OpenQASM 2 can say."""
    target = Target(num_qubits=qubits)
    known = get_standard_gate_name_mapping()
    for name in _QELIB1:
        target.add_instruction(known[name], name=name)
    return target


def _described(chip: Chip, quality: QualityMetrics | None) -> Target:
    if quality is None:
        return target_of(chip)
    figures: dict[tuple[str, tuple[int, ...]], InstructionProperties] = {}

    def note(gate: str, wire_gate: str, locus: tuple[int, ...]) -> None:
        names = [chip.qubits[index] for index in locus]
        fidelity = quality.fidelity(wire_gate, *names)
        if fidelity is not None:
            # a measured fidelity can lie above 1 by its uncertainty
            error = min(max(1.0 - fidelity, 0.0), 1.0)
            figures[gate, locus] = InstructionProperties(error=error)

    for index in range(len(chip.qubits)):
        note("r", "prx", (index,))
        note("measure", "measure", (index,))
    for a, b in chip.couplers:
        note("cz", "cz", (a, b))
        if ("cz", (a, b)) in figures:
            figures["cz", (b, a)] = figures["cz", (a, b)]
    qubits: list[Any] = [
        QubitProperties(t1=quality.t1(name), t2=quality.t2(name))
        for name in chip.qubits
    ]
    return target_of(chip, figures=figures, qubits=qubits)
