"""What must be there before the blocks of a page can be played, page by page.

A block of Python that is no whole program is played in a test, after the setting of its
page: what a reader of the page would have by then. `<url>` is the local service's.
"""

from __future__ import annotations

EVERYWHERE = """
import asyncio
from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait
from qawait import IQMService, QoroService

url = "<url>"
QoroService.PUBLIC_URL = "<url>/api"
circuit = QuantumCircuit(1, 1)
circuit.x(0)
circuit.measure(0, 0)
turn = QuantumCircuit(1, 1)
turn.rx(Parameter("theta"), 0)
turn.measure(0, 0)
"""

CLIENT = "client = await qawait.open(IQMService(url))\n"
CLOSE = "await client.close()\n"
JOB = CLIENT + "job = await client.submit(circuit)\n"
SWEPT = CLIENT + "circuit, grid = turn, {'theta': [0.0, 1.0]}\n"

FAILED = """
from qawait.iqm import Circuit, Instruction, Options

slow = Circuit(
    "slow",
    (
        Instruction("delay", ("QB1",), {"duration": 1.0}),
        Instruction("measure", ("QB1",), {"key": "m"}),
    ),
)
job = await client.submit(slow, options=Options(max_circuit_duration_over_t2=1.0))
"""
FOUR_BITS = """
four = QuantumCircuit(4, 4)
four.rx(Parameter("gamma"), 0)
four.rx(Parameter("beta"), 3)
four.measure(range(4), range(4))
"""

SETTINGS: dict[str, tuple[str, str]] = {
    "README.md": ("", CLOSE),
    "how-to/handle-errors.md": (CLIENT + FAILED + "jobs = [job]\n", CLOSE),
    "how-to/handle-large-results.md": (JOB + "result = await job\n", CLOSE),
    "how-to/keep-a-journal.md": ("", ""),
    "how-to/observe.md": (
        "service, mine, mine_too = IQMService(url), None, None\n",
        CLOSE,
    ),
    "how-to/plot.md": (
        CLIENT
        + FOUR_BITS
        + "grid = {'gamma': [0.0, 1.0], 'beta': [0.0, 1.0]}\n"
        + "sweep = await client.start_sweep(four, grid, journal='night.qawait')\n"
        + "job = await client.submit([circuit] * 3)\n"
        + "result = await job\n"
        + "cut = lambda found: found.expectation('ZZII')\n",
        "await sweep.close()\n" + CLOSE,
    ),
    "how-to/use-with-qiskit.md": (
        CLIENT
        + "from qiskit.primitives import BackendEstimatorV2\n"
        + "from qiskit.transpiler import generate_preset_pass_manager\n"
        + "from qawait import Budget\n"
        + "from qawait.qiskit import *\n"
        + "circuit = QuantumCircuit(1)\n"
        + "circuit.rx(Parameter('theta'), 0)\n"
        + "circuit.measure_all()\n"
        + "values = [[0.0], [1.0]]\n",
        "",
    ),
    "how-to/reattach-to-a-job.md": (JOB + "ID = job.id\n", CLOSE),
    "how-to/sweep.md": (
        SWEPT + "sweep = await client.start_sweep(circuit, grid)\n",
        CLOSE,
    ),
    "how-to/use-in-a-notebook.md": ("circuits = [circuit, circuit]\n", ""),
    "how-to/use-without-asyncio.md": ("", ""),
    "reference/client.md": (
        "client = await qawait.open(QoroService())\n"
        "circuit, state = turn, QuantumCircuit(3)\n"
        "state.x(0)\n",
        CLOSE,
    ),
    "reference/sweep.md": (
        SWEPT
        + "async with client.sweep(circuit, grid, journal='night.qawait') as sweep:\n"
        + "    await sweep.finish()\n",
        CLOSE,
    ),
}
"""What comes before the blocks of a page, and what after them."""

REPLACED: dict[str, tuple[tuple[str, str], ...]] = {
    "README.md": (('"https://..."', '"<url>"'), ('"garnet"', '"square20"')),
    "how-to/reattach-to-a-job.md": (('"0fa7b2c6-…"', "ID"),),
}
"""What a reader fills in."""

READERS_OWN = """
import subprocess
import sys

import pytest

import qawait

vendor_python = sys.executable


def fidelity(client):
    counts = client.submit("bell.qasm", shots=100).result()[0].counts()
    return (counts["00"] + counts["11"]) / 100

"""
"""What the tests on a page have before them in the reader's file."""

SCRIPT = """
import qawait

with qawait.connect_sync(qawait.IQMService()) as client:
    client.submit("bell.qasm", shots=1000).result()
"""
"""A reader's program, which takes its service from the environment."""
