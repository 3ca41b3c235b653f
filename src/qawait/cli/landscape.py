# pyright: basic
"""MaxCut on a small graph, and the landscape of QAOA with one layer on it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

__all__ = ["EDGES", "NODES", "Landscape", "cut_sizes", "grid", "max_cut", "template"]

NODES = 6
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (2, 4))
"""It has triangles, so no partition cuts every edge, and no symmetry, so that a bit read
in the wrong place would show."""


def cut_sizes(bits: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many edges each partition cuts, shape (shots,).

    Args:
        bits: Shape (shots, nodes); column j is the side of node j, 0 or 1.
    """
    first, second = np.array(EDGES).T
    return (bits[:, first] != bits[:, second]).sum(axis=1)


def max_cut() -> int:
    """The most edges that any partition cuts, by trying all of them."""
    partitions = np.array(list(itertools.product((0, 1), repeat=NODES)))
    return int(cut_sizes(partitions).max())


def template() -> QuantumCircuit:
    """QAOA with one layer: angles `gamma` and `beta`, measured into the register `cut`.

    The state is prod exp(-i beta X) exp(-i gamma C) |+...+>, where C counts the edges
    that are cut.
    """
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
    from qiskit.circuit import Parameter

    gamma, beta = Parameter("gamma"), Parameter("beta")
    nodes = QuantumRegister(NODES, "node")
    circuit = QuantumCircuit(nodes, ClassicalRegister(NODES, "cut"), name="maxcut")
    circuit.h(nodes)
    for a, b in EDGES:
        circuit.rzz(-gamma, a, b)
    circuit.rx(2 * beta, nodes)
    circuit.measure(nodes, circuit.cregs[0])
    return circuit


def grid(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The angles (gamma, beta) in radians, each the middle of one of `side` cells.

    Gamma goes from 0 to pi and beta from 0 to pi/2; the rest of the plane repeats it.
    """
    middles = (np.arange(side) + 0.5) / side
    return middles * math.pi, middles * math.pi / 2


class Landscape(Struct, frozen=True):
    """Expected cut over both angles, as it was measured."""

    gammas: NDArray[np.float64]
    """Radians, ascending, shape (n,)."""
    betas: NDArray[np.float64]
    """Radians, ascending, shape (m,)."""
    cuts: NDArray[np.float64]
    """Mean number of edges cut, shape (m, n): a row for each beta."""
    errors: NDArray[np.float64]
    """The standard errors of `cuts`, same shape."""

    @property
    def best(self) -> tuple[int, int]:
        """Row and column of the largest expected cut."""
        row, column = np.unravel_index(int(np.argmax(self.cuts)), self.cuts.shape)
        return int(row), int(column)
