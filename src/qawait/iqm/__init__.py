"""IQM: native circuits, options, what a quantum computer can do, and the dialects."""

from __future__ import annotations

from qawait.iqm.architecture import (
    DynamicQuantumArchitecture,
    StaticQuantumArchitecture,
)
from qawait.iqm.calibration import CalibrationSet, Observation, QualityMetrics
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import DIALECTS
from qawait.iqm.options import DynamicalDecoupling, Options

__all__ = [
    "DIALECTS",
    "CalibrationSet",
    "Circuit",
    "DynamicQuantumArchitecture",
    "DynamicalDecoupling",
    "Instruction",
    "Observation",
    "Options",
    "QualityMetrics",
    "StaticQuantumArchitecture",
]
