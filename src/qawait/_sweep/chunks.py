"""How many circuits go into a job: pure, learned from how long jobs take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Chunks", "JobLimits", "fitting"]

_FIRST = 4
"""Circuits in the first job: enough to be worth its way, few if all of them are bad."""
_OVERHEAD = 0.1
"""The share of a job's time that may go into what each job costs."""
_MEMORY = 0.9
"""What an observation still counts after the next one."""


class JobLimits(Struct, frozen=True, kw_only=True):
    """What one job may hold at most; one circuit always goes."""

    circuits: int = 500
    """An uncertain submission leaves so many circuits uncertain."""
    size_bytes: int = 8 * 2**20
    """Of the circuits as they are sent; IQM counts each started 10 MiB as a request."""
    shots: int = 20_000_000
    """Of all circuits together: what comes back is read whole."""


def fitting(
    sizes: Sequence[int], shots: Sequence[int], limits: JobLimits, most: int
) -> int:
    """How many circuits, from the first one on, go into one job; at least one.

    Args:
        sizes: Bytes of each.
        shots: Of each.
        limits: Of a job.
        most: Circuits that are wanted in it.
    """
    size = total = 0
    for number in range(min(len(sizes), most, limits.circuits)):
        size += sizes[number]
        total += shots[number]
        if number and (size > limits.size_bytes or total > limits.shots):
            return number
    return max(1, min(len(sizes), most, limits.circuits))


class Chunks:
    """Learns what each job costs and what each circuit, and sizes jobs by it.

    A job of n circuits takes `overhead + n * each` seconds. It is made so large that the
    overhead is a tenth of it; until two sizes have been seen, each job is twice as large
    as the largest before.

    Args:
        most: Circuits in a job at most.
        fixed: Circuits in every job; None learns.
    """

    def __init__(self, most: int, fixed: int | None = None) -> None:
        self._most = most
        self._fixed = fixed
        self._largest = 0
        self._weight = self._n = self._t = self._nn = self._nt = 0.0

    @property
    def wanted(self) -> int:
        """Circuits in the next job."""
        if self._fixed is not None:
            return min(self._fixed, self._most)
        growing = max(_FIRST, 2 * self._largest)
        fit = self._line()
        if fit is None:
            return min(growing, self._most)
        overhead, each = fit
        if each <= 0:
            return min(growing, self._most)
        ideal = math.ceil(overhead / each * (1 - _OVERHEAD) / _OVERHEAD)
        return max(1, min(ideal, growing, self._most))

    @property
    def seconds_per_circuit(self) -> float | None:
        """In the jobs so far, overhead included; None before the first has ended."""
        return self._t / self._n if self._n else None

    def sent(self, circuits: int) -> None:
        """A job of so many circuits was sent."""
        self._largest = max(self._largest, circuits)

    def observed(self, circuits: int, seconds: float) -> None:
        """A job of so many circuits took so long, its way there included."""
        self._weight = self._weight * _MEMORY + 1
        self._n = self._n * _MEMORY + circuits
        self._t = self._t * _MEMORY + seconds
        self._nn = self._nn * _MEMORY + circuits * circuits
        self._nt = self._nt * _MEMORY + circuits * seconds

    def _line(self) -> tuple[float, float] | None:
        """Overhead and seconds of each circuit; None before two sizes were seen."""
        if not self._weight:
            return None
        mean_n, mean_t = self._n / self._weight, self._t / self._weight
        variance = self._nn / self._weight - mean_n**2
        # the difference of two large numbers is never quite 0
        if variance <= 1e-9 * mean_n**2:
            return None
        each = (self._nt / self._weight - mean_n * mean_t) / variance
        return max(mean_t - each * mean_n, 0.0), each
