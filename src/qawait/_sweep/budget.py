"""What a sweep may spend, and how much of it is gone: pure."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Budget", "Room", "Spending", "Spent"]


class Budget(Struct, frozen=True, kw_only=True):
    """What a sweep may spend; None sets no limit.

    Nothing is sent that would go beyond it, and what may have been spent counts as
    spent: an uncertain submission, too. What the sweep's journal holds from earlier runs
    counts as well, so that a restart does not begin anew.
    """

    jobs: int | None = None
    """Submissions."""
    shots: int | None = None
    """Shots of all circuits together."""
    seconds: float | None = None
    """On the machine, as the service tells; where it does not, from the moment it took a
    job to its end. What a job will take is learned from the largest share of a shot so
    far: until one has ended, there is one at a time."""
    credits: Decimal | float | None = None
    """Of the account, where the service prices jobs (Qoro); learned like seconds. What
    other programs spend on the same account meanwhile counts too."""

    def __post_init__(self) -> None:
        for name in ("jobs", "shots", "seconds", "credits"):
            value: Any = getattr(self, name)
            whole = name in ("jobs", "shots")
            if value is None:
                continue
            kinds = (int,) if whole else (int, float, Decimal)
            if (
                isinstance(value, bool)
                or not isinstance(value, kinds)
                or not math.isfinite(value)
                or value < 0
            ):
                kind = "an integer from 0 on" if whole else "a number from 0 on"
                raise ConfigurationError(f"Budget({name}=...) is {kind}, not {value!r}")


class Spent(Struct, frozen=True, kw_only=True):
    """What is gone already; what is not known counts."""

    jobs: int = 0
    shots: int = 0
    seconds: float = 0.0
    credits: float = 0.0
    seconds_per_shot: float | None = None
    """The most that was ever seen; None before the first job has ended."""
    credits_per_shot: float | None = None


class Room(Struct, frozen=True):
    """How many of the next circuits may go, as one job."""

    circuits: int
    used_up: str | None = None
    """Why not even one may go, ever; None while one may, or later may."""


class _Metered:
    """A quantity whose price is only known afterwards."""

    def __init__(
        self, name: str, limit: float | None, spent: float, per_shot: float | None
    ) -> None:
        self.name = name
        self.limit = limit
        self.spent = spent
        self.per_shot = per_shot

    def learn(self, amount: float, shots: int) -> None:
        self.per_shot = max(self.per_shot or 0.0, amount / max(shots, 1))

    def fits(self, reserved_shots: int, shots: int) -> bool | None:
        """Whether so many shots more fit in; None if that cannot be said yet."""
        if self.limit is None:
            return True
        if self.spent >= self.limit:
            return False
        if self.per_shot is None:
            return None
        expected = self.per_shot * (reserved_shots + shots)
        return self.spent + expected <= self.limit


class Spending:
    """What a sweep has spent of its budget, and what is under way.

    Args:
        budget: The limits.
        spent: What earlier runs spent.
    """

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self.budget = budget
        self._jobs, self._shots = spent.jobs, spent.shots
        self._seconds = _Metered(
            "seconds",
            None if budget.seconds is None else float(budget.seconds),
            spent.seconds,
            spent.seconds_per_shot,
        )
        self._credits = _Metered(
            "credits",
            None if budget.credits is None else float(budget.credits),
            spent.credits,
            spent.credits_per_shot,
        )
        self._under_way: dict[str, int] = {}
        self._unanswered: set[str] = set()
        self._ended_shots = 0

    @property
    def spent(self) -> Spent:
        """What is gone by now; jobs and shots of what is under way included."""
        return Spent(
            jobs=self._jobs,
            shots=self._shots,
            seconds=self._seconds.spent,
            credits=self._credits.spent,
            seconds_per_shot=self._seconds.per_shot,
            credits_per_shot=self._credits.per_shot,
        )

    def room(self, shots: Sequence[int]) -> Room:
        """How many of these circuits, from the first one on, may go as one job.

        Args:
            shots: Of each of the next circuits.
        """
        if self.budget.jobs is not None and self._jobs >= self.budget.jobs:
            return self._none(f"the budget of {self.budget.jobs} jobs is used up")
        circuits = len(shots)
        if self.budget.shots is not None:
            left = self.budget.shots - self._shots
            circuits = _fitting(shots, left)
            if circuits == 0:
                return self._none(
                    f"the budget of {self.budget.shots} shots has {max(left, 0)} left, "
                    f"and the next circuit takes {shots[0]}"
                )
        for metered in (self._seconds, self._credits):
            while circuits:
                fits = metered.fits(
                    sum(self._under_way.values()), sum(shots[:circuits])
                )
                if fits is True:
                    break
                if fits is None:
                    # the first job tells what a shot costs, so it goes alone
                    circuits = 0 if self._under_way else circuits
                    break
                circuits -= 1
            if circuits == 0:
                if self._under_way:
                    return Room(0)
                return Room(
                    0,
                    f"the budget of {metered.limit:g} {metered.name} is used up: "
                    f"{metered.spent:g} are spent, and a shot has taken up to "
                    f"{metered.per_shot or 0.0:g}",
                )
        return Room(circuits)

    def _none(self, why: str) -> Room:
        """No room; for now, as long as a job may still be refused and taken back."""
        return Room(0, None if self._unanswered else why)

    def reserve(self, submission_id: str, shots: int) -> None:
        """Count a job that is about to be sent."""
        self._jobs += 1
        self._shots += shots
        self._under_way[submission_id] = shots
        self._unanswered.add(submission_id)

    def accepted(self, submission_id: str) -> None:
        """The service has taken a job: whatever becomes of it, it is spent."""
        self._unanswered.discard(submission_id)

    def release(self, submission_id: str) -> None:
        """Take a job back: it certainly did not run."""
        self._unanswered.discard(submission_id)
        shots = self._under_way.pop(submission_id, None)
        if shots is not None:
            self._jobs -= 1
            self._shots -= shots

    def settle(self, submission_id: str, seconds: float | None) -> None:
        """A job has ended, or nothing more will be known of it.

        Args:
            submission_id: The job's.
            seconds: On the machine; None if that is not known, which counts as the most
                that so many shots have taken.
        """
        self._unanswered.discard(submission_id)
        shots = self._under_way.pop(submission_id, None)
        if shots is None:
            return
        self._ended_shots += shots
        if seconds is None:
            self._seconds.spent += (self._seconds.per_shot or 0.0) * shots
            return
        self._seconds.spent += seconds
        self._seconds.learn(seconds, shots)

    def charged(self, total: float) -> None:
        """What the account has paid since this run began, by the service's word."""
        if self._ended_shots:
            self._credits.learn(total - self._paid, self._ended_shots)
        self._credits.spent += total - self._paid
        self._paid = total
        self._ended_shots = 0

    _paid = 0.0


def _fitting(shots: Sequence[int], left: int) -> int:
    """How many circuits, from the first one on, take no more shots than are left."""
    taken = 0
    for number, one in enumerate(shots):
        taken += one
        if taken > left:
            return number
    return len(shots)
