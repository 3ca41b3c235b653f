"""What the service's ledger and the journals say about the kills."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.journal.records import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qawait.chaos.address import Ledger
    from qawait.journal.reading import Reading, ReadJob

__all__ = ["MOST_UNKNOWN", "Account", "Swept", "Verdict", "judge"]

MOST_UNKNOWN = 4
"""Submissions under way at once: as many at most are uncertain after a kill."""

_SETTLED = (Standing.UNKNOWN, Standing.MISSING)
"""What is uncertain, and said to be."""


class Swept(Struct, frozen=True):
    """A sweep that has come to its end, after some kills."""

    name: str
    keys: list[str]
    reading: Reading
    """Its journal."""
    said: set[str]
    """The ids of jobs that its user has seen."""


class Account(Struct):
    """What one process has found while it killed."""

    kills: int = 0
    most_unknown: int = 0
    """The most submissions that one kill left uncertain."""
    refused: int = 0
    """Second processes that the lock of a journal has kept out."""
    not_refused: int = 0
    """Second processes that it has not."""
    damaged: list[str] = []
    """What was wrong with a journal after a kill."""
    crashed: list[str] = []
    """Programs that ended by themselves with an error, or did not end."""
    said: dict[str, set[str]] = {}
    """The ids of jobs that the user of each sweep has seen, by its name."""


class Verdict(Struct, kw_only=True):
    """What was found. Everything that must not happen is counted, not raised."""

    protocol: str
    seed: int
    faults: str
    """The script."""
    kills: int = 0
    sweeps: int = 0
    points: int = 0
    """Circuits of all sweeps."""
    submitted: int = 0
    """Batches that the service accepted."""
    duplicated: int = 0
    """Circuits that it accepted more than once."""
    lost: int = 0
    """Points, jobs and circuits that ran or were seen, and are in no journal."""
    unknown: int = 0
    """Submissions that the journals call uncertain at the end."""
    failed: int = 0
    """Points that ended with an error and certainly did not run twice."""
    most_unknown: int = 0
    """The most submissions that one kill left uncertain."""
    refused: int = 0
    """Second processes that the lock of a journal has kept out."""
    not_refused: int = 0
    """Second processes that it has not."""
    damaged: list[str] = []
    """What was wrong with a journal after a kill."""
    crashed: list[str] = []
    """Programs that ended by themselves with an error, or did not end."""
    played: dict[str, int] = {}
    """Faults that were played, by name."""

    def add(self, account: Account) -> None:
        """Count what one process has found."""
        self.kills += account.kills
        self.most_unknown = max(self.most_unknown, account.most_unknown)
        self.refused += account.refused
        self.not_refused += account.not_refused
        self.damaged += account.damaged
        self.crashed += account.crashed

    @property
    def bound(self) -> float | None:
        """The rate of violations per kill below which it is with 95 % certainty.

        The rule of three, for none seen; None without a kill.
        """
        return 3 / self.kills if self.kills else None

    @property
    def sound(self) -> bool:
        """Whether every promise was kept."""
        return (
            self.duplicated == self.lost == self.not_refused == 0
            and not (self.damaged or self.crashed)
            and self.most_unknown <= MOST_UNKNOWN
        )


def judge(verdict: Verdict, ledger: Ledger, swept: Sequence[Swept]) -> None:
    """Count what a service's ledger and the journals of its clients say.

    Args:
        verdict: Where it is counted.
        ledger: Of the service that all these sweeps used.
        swept: The sweeps, all at their end.
    """
    accepted: dict[str, list[str]] = defaultdict(list)
    batches: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for submission in ledger.submissions:
        labels = submission.labels()
        batches[_sweep_of(labels[0])].append((submission.job_id, labels))
        for label in labels:
            accepted[label].append(submission.job_id)
    for one in swept:
        own = batches[one.name]
        verdict.sweeps += 1
        verdict.points += len(one.keys)
        verdict.submitted += len(own)
        verdict.duplicated += sum(
            len(accepted[label]) > 1 for label in {s for _, ls in own for s in ls}
        )
        verdict.lost += len(_lost(one, own))
        jobs = one.reading.jobs
        verdict.unknown += sum(job.standing in _SETTLED for job in jobs)
        verdict.failed += sum(
            point.error is not None or point.standing is Standing.REJECTED
            for point in one.reading
        )
    played = Counter(fault.fault for fault in ledger.faults)
    verdict.played = dict(sorted((Counter(verdict.played) + played).items()))


def _sweep_of(label: str) -> str:
    return label.partition("-")[0]


def _lost(swept: Swept, batches: Iterable[tuple[str, list[str]]]) -> set[str]:
    """What ran, was shown or was to run, and nobody can find again."""
    jobs = swept.reading.jobs
    known = {name for job in jobs for name in (job.job_id, *job.opened) if name}
    uncertain = {
        label for job in jobs if job.standing in _SETTLED for label in _labels(job)
    }
    ran: dict[str, set[str]] = {job_id: set(labels) for job_id, labels in batches}
    lost = {job_id for job_id in swept.said if job_id not in known}
    for job_id, labels in ran.items():
        if job_id not in known:
            lost |= labels - uncertain
    for key in swept.keys:
        point = swept.reading.points.get(key)
        if point is None:
            lost.add(key)
        elif point.has_result:
            # its result is that of a job in which it ran
            if key not in ran.get(point.job_id or "", ()):
                lost.add(key)
        elif point.standing not in (*_SETTLED, Standing.TERMINAL, Standing.REJECTED):
            lost.add(key)
    for job in jobs:
        if job.standing is Standing.REJECTED and job.job_id in ran:
            lost.update(_labels(job))
    return lost


def _labels(job: ReadJob) -> list[str]:
    return [point.key for point in job.points] or ([job.tag] if job.tag else [])
