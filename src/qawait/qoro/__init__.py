"""Qoro's dialect: its circuits, options and messages, and how to speak them."""

from qawait.qoro.account import Configs
from qawait.qoro.circuit import Circuit
from qawait.qoro.execution_config import ExecutionConfig, SimulationMethod, Simulator
from qawait.qoro.messages import Credits, Transaction
from qawait.qoro.observables import Observables
from qawait.qoro.options import Options
from qawait.qoro.template import Template

__all__ = [
    "Circuit",
    "Configs",
    "Credits",
    "ExecutionConfig",
    "Observables",
    "Options",
    "SimulationMethod",
    "Simulator",
    "Template",
    "Transaction",
]
