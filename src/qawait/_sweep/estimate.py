"""What a sweep will take, before anything is sent: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait._sweep.chunks import Chunks
from qawait.qoro.uploads import LARGEST_BODY_BYTES

if TYPE_CHECKING:
    from qawait._sweep.chunks import JobLimits

__all__ = ["Estimate", "estimated"]

_QUESTIONS = 2.5
"""About a job, where jobs end in order: `benchmarks/bench_polling`."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What a sweep will take, before anything is sent.

    Points, circuits and shots are exact, sizes those of samples. Jobs and requests are
    about: how many circuits go into a job is learned on the way.
    """

    points: int
    recorded: int
    """Points that the journal has already; nothing is sent for these."""
    jobs: int
    circuits: int
    """To be sent."""
    shots: int
    """Of all of these together; 0 for expectation values."""
    size_bytes: int
    """Of all circuits as they are sent."""
    requests: int
    """Submissions, questions and results."""

    def __str__(self) -> str:
        known = f" ({self.recorded} in the journal)" if self.recorded else ""
        return (
            f"{self.points} points{known}: {self.circuits} circuits in about {self.jobs} "
            f"jobs, {self.shots} shots, {_size(self.size_bytes)} to send, about "
            f"{self.requests} requests"
        )


def estimated(
    *,
    points: int,
    recorded: int,
    shots: int,
    circuit_bytes: float,
    limits: JobLimits,
    most: int,
    fixed: int | None,
    two_phases: bool,
    one_answer: bool,
) -> Estimate:
    """The estimate of a sweep.

    Args:
        points: All of them.
        recorded: Those for which nothing is sent.
        shots: Of each circuit.
        circuit_bytes: Of one circuit, as it is sent.
        limits: Of a job.
        most: Circuits of a job that `max_in_flight` leaves.
        fixed: Circuits of each job; None where that is learned.
        two_phases: Whether a job is opened first and its circuits follow.
        one_answer: Whether one answer brings status and result.
    """
    circuits = points - recorded
    per_job = _fitting(shots, circuit_bytes, limits, most)
    chunks = Chunks(per_job, fixed)
    jobs = 0
    left = circuits
    while left > 0:
        sent = min(chunks.wanted, left)
        if sent == per_job:
            jobs += math.ceil(left / per_job)
            break
        chunks.sent(sent)
        left -= sent
        jobs += 1
    size = math.ceil(circuits * circuit_bytes)
    submissions = jobs
    if two_phases:
        submissions += max(jobs, math.ceil(size / LARGEST_BODY_BYTES))
    results = 0 if one_answer else jobs
    return Estimate(
        points=points,
        recorded=recorded,
        jobs=jobs,
        circuits=circuits,
        shots=circuits * shots,
        size_bytes=size,
        requests=submissions + math.ceil(_QUESTIONS * jobs) + results,
    )


def _fitting(shots: int, circuit_bytes: float, limits: JobLimits, most: int) -> int:
    by_size = limits.size_bytes / max(circuit_bytes, 1.0)
    by_shots = limits.shots / max(shots, 1)
    return max(1, int(min(by_size, by_shots, limits.circuits, most)))


def _size(size: int) -> str:
    if size < 2**10:
        return f"{size} bytes"
    return f"{size / 2**10:.1f} KiB" if size < 2**20 else f"{size / 2**20:.1f} MiB"
