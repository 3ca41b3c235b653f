"""All that a sweep writes into its journal, and asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qawait._delivery import delivery_of
from qawait._sweep.budget import Spent
from qawait._sweep.items import Item
from qawait._sweep.preparing import Given
from qawait.errors import Error, JobMissing, SubmissionRejected, SubmissionUncertain
from qawait.journal.records import Found, Recorded, Standing, point_identity
from qawait.journal.records import Point as JournalPoint
from qawait.model import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.journal.port import Journal
    from qawait.journal.records import Intent
    from qawait.model import Change
    from qawait.results import Result

__all__ = ["OPEN", "Record", "resume_command", "unfinished"]

OPEN = (Standing.SENDING, Standing.ACCEPTED, Standing.UNKNOWN, Standing.MISSING)
"""Standings of submissions that may run, or may have run without a result."""
_SPENT = "sweep spent"


class Record:
    """One sweep's part of a journal.

    Args:
        journal: On the disk, or in memory.
        shots: Of each point; None for expectation values.
        asked: Everything else that makes a point what it is; plain values.
    """

    def __init__(self, journal: Journal, shots: int | None, asked: Any) -> None:
        self.journal = journal
        self._shots = shots
        self._asked = asked
        self._open: dict[str, Recorded] | None = None

    @property
    def lasting(self) -> bool:
        """Whether results stay in the journal and can be read from there."""
        return self.journal.path is not None

    # --- points ----------------------------------------------------------------------

    def point(self, given: Given) -> JournalPoint:
        """A point as the journal knows it."""
        return JournalPoint(
            key=given.item.key,
            identity=point_identity(
                given.source_bytes, given.parameters, self._shots, self._asked
            ),
            label=given.item.key,
            parameters=given.parameters,
        )

    async def find(self, given: Sequence[Given]) -> list[Found | None]:
        """Where each of these points was sent before; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        again = [one.item.key for one in given if one.item.attempt > 1]
        if again:
            await self.journal.retry(again)
        found = await self.journal.find([self.point(one) for one in given])
        free = (Standing.NEW, Standing.REJECTED, Standing.SUPERSEDED)
        return [None if f is None or f.standing in free else f for f in found]

    async def submission(self, submission_id: str) -> Recorded | None:
        """A submission of before that has no end in the journal."""
        if self._open is None:
            found = await self.journal.recorded(*OPEN)
            self._open = {one.intent.submission_id: one for one in found}
        return self._open.get(submission_id)

    # --- submissions -----------------------------------------------------------------

    async def sending(self, intent: Intent) -> None:
        """Write down what is about to be sent; if this raises, nothing may be."""
        await self.journal.intend(intent)
        await self.journal.sending(intent.submission_id)

    async def accepted(self, submission_id: str, job_id: str) -> None:
        """Write down the id of a job, before anyone sees it."""
        await self.journal.outcome(submission_id, Delivery.ACCEPTED, job_id)

    async def not_accepted(self, submission_id: str, error: BaseException) -> None:
        """Write down why there is no id."""
        delivery, evidence, job_id = _delivery(error)
        await self.journal.outcome(submission_id, delivery, job_id, evidence=evidence)

    async def ended(
        self, submission_id: str, outcome: Result | Error, changes: tuple[Change, ...]
    ) -> Result | Error:
        """Write down how a job ended.

        Returns:
            The same; a result on the disk as views of it, so that memory is free again.
        """
        await self.journal.ended(submission_id, outcome, changes)
        if isinstance(outcome, Error) or not self.lasting:
            return outcome
        return await self.journal.result(submission_id)

    async def free(self, keys: Sequence[str]) -> None:
        """Let points that have no result be sent again by another run."""
        await self.journal.retry(keys)

    async def outcome(self, submission_id: str) -> Result | Error:
        """How a submission of before ended."""
        try:
            return await self.journal.result(submission_id)
        except Error as error:
            return error

    def still_open(self, found: Found, recorded: Recorded | None) -> Error:
        """The error of a point that may have run and has no result."""
        if found.standing is Standing.MISSING:
            return JobMissing(
                "the service took it and later did not know it; it may have run",
                job_id=found.job_id,
                resume=resume_command(self.journal),
            )
        return SubmissionUncertain(
            "an earlier run sent it, and it may be running and billed, or may never "
            "have arrived; it is not sent again",
            evidence="" if recorded is None else recorded.evidence,
            submission_id=found.submission_id,
            job_id=found.job_id,
            resume=resume_command(self.journal),
        )

    # --- what was spent --------------------------------------------------------------

    async def spent(self) -> Spent:
        """What earlier runs with this journal spent; nothing of one in memory."""
        if not self.lasting:
            return Spent()
        noted = await self.journal.noted(_SPENT)
        before = Spent() if noted is None else msgspec.convert(noted, Spent)
        tally = await self.journal.tally()
        unknown = sum(tally.shots.get(s, 0) for s in OPEN)
        seconds, charged = (
            spent + unknown * (each or 0.0)
            for spent, each in (
                (before.seconds, before.seconds_per_shot),
                (before.credits, before.credits_per_shot),
            )
        )
        return Spent(
            jobs=tally.spent_jobs,
            shots=tally.spent_shots,
            seconds=seconds,
            credits=charged,
            seconds_per_shot=before.seconds_per_shot,
            credits_per_shot=before.credits_per_shot,
        )

    async def note_spent(self, spent: Spent) -> None:
        """Keep what was spent for the next run; of jobs and shots the journal knows."""
        if self.lasting:
            await self.journal.note(_SPENT, msgspec.to_builtins(spent))


def unfinished(recorded: Sequence[Recorded]) -> list[list[tuple[Given, Found]]]:
    """The points of submissions that have no end, in their order.

    A circuit that was submitted without a key has a name made of its submission's.
    """
    found: list[list[tuple[Given, Found]]] = []
    number = 0
    for one in recorded:
        intent = one.intent
        named = [(point.key, point.parameters) for point in intent.points] or [
            (f"{intent.submission_id}/{circuit.label}", {})
            for circuit in intent.manifest.circuits
        ]
        points: list[tuple[Given, Found]] = []
        for place, (key, parameters) in enumerate(named):
            given = Given(Item(number, key, None), None, parameters, b"")
            known = Found(intent.submission_id, place, one.standing, one.job_id)
            points.append((given, known))
            number += 1
        found.append(points)
    return found


def _delivery(error: BaseException) -> tuple[Delivery, str, str | None]:
    if isinstance(error, SubmissionUncertain):
        return Delivery.UNKNOWN, error.evidence, error.job_id
    if isinstance(error, SubmissionRejected):
        return Delivery.REJECTED, str(error), None
    if isinstance(error, Error):
        return delivery_of(error), str(error), None
    return Delivery.UNKNOWN, "it was left while it was sent", None


def resume_command(journal: Journal) -> str | None:
    """The command that goes on from here; None where nothing is on the disk."""
    return None if journal.path is None else f"qawait resume {journal.path}"
