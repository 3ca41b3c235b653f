"""Qoro's dialect: its circuits, options and messages, and how to speak them."""

from qawait.qoro.circuit import Circuit
from qawait.qoro.execution_config import ExecutionConfig, SimulationMethod, Simulator
from qawait.qoro.options import Options

__all__ = ["Circuit", "ExecutionConfig", "Options", "SimulationMethod", "Simulator"]
