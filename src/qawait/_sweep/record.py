"""All that a sweep writes into its journal, and asks of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from qawait import _resuming
from qawait._sweep.budget import Spent
from qawait._sweep.items import Item
from qawait._sweep.preparing import Given
from qawait.errors import Error, JobMissing, JournalError, SubmissionUncertain
from qawait.journal.records import Found, Recorded, Standing, point_identity
from qawait.journal.records import Point as JournalPoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qawait.journal.port import Journal
    from qawait.model import Change, Following
    from qawait.results import Result

__all__ = ["OPEN", "Record", "resume_command", "unfinished"]

OPEN = (Standing.SENDING, Standing.ACCEPTED, Standing.UNKNOWN, Standing.MISSING)
"""Standings of submissions that may run, or may have run without a result."""
_SPENT = "sweep spent"
_VIEW = 2048
"""Bytes of memory that the objects around the view of one circuit take, about."""
_HELD = 8
"""Results of earlier runs that are held while their points come."""


class Record:
    """One sweep's part of a journal.

    Args:
        journal: On the disk, or in memory.
        shots: Of each point; None for expectation values.
        asked: Everything else that makes a point what it is; plain values.
        prefix: What keys begin with in the journal.
    """

    def __init__(
        self, journal: Journal, shots: int | None, asked: Any, prefix: str = ""
    ) -> None:
        self.journal = journal
        self._prefix = prefix
        self._shots = shots
        self._asked = asked
        self._open: dict[str, Recorded] | None = None
        self._outcomes: OrderedDict[str, Result | Error] = OrderedDict()

    @property
    def lasting(self) -> bool:
        """Whether results stay in the journal and can be read from there."""
        return self.journal.path is not None

    def has(self, key: str) -> bool:
        """Whether a key of the journal is that of a point of this sweep."""
        return key.startswith(self._prefix)

    # --- points ----------------------------------------------------------------------

    def point(
        self, key: str, source: bytes, parameters: Mapping[str, float]
    ) -> JournalPoint:
        """A point as the journal knows it."""
        return JournalPoint(
            key=self._prefix + key,
            identity=point_identity(source, parameters, self._shots, self._asked),
            label=key,
            parameters=parameters,
        )

    async def find(self, given: Sequence[Given]) -> list[Found | None]:
        """Where each of these points was sent before; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        again = [one.item.key for one in given if one.item.attempt > 1]
        if again:
            await self.free(again)
        found = await self.journal.find([one.point for one in given])
        free = (Standing.NEW, Standing.REJECTED, Standing.SUPERSEDED)
        return [None if f is None or f.standing in free else f for f in found]

    async def submission(self, submission_id: str) -> Recorded | None:
        """A submission of before that has no end in the journal."""
        if self._open is None:
            found = await self.journal.recorded(*OPEN)
            self._open = {one.intent.submission_id: one for one in found}
        return self._open.get(submission_id)

    # --- submissions -----------------------------------------------------------------

    async def ended(
        self,
        submission_id: str,
        outcome: Result | Error,
        changes: tuple[Change, ...],
        following: Following | None = None,
    ) -> Result | Error:
        """Write down how a job ended.

        Returns:
            The same; a large result on the disk as views of it, so that memory is free
            again.
        """
        await self.journal.ended(submission_id, outcome, changes, following)
        if isinstance(outcome, Error) or not self.lasting or not _is_large(outcome):
            return outcome
        return await self.journal.result(submission_id)

    async def free(self, keys: Sequence[str]) -> None:
        """Let points that have no result be sent again by another run."""
        await self.journal.retry([self._prefix + key for key in keys])

    async def outcome(self, submission_id: str) -> Result | Error:
        """How a submission of before ended."""
        outcome = self._outcomes.get(submission_id)
        if outcome is None:
            try:
                outcome = await self.journal.result(submission_id)
            except JournalError:
                raise
            except Error as error:
                outcome = error
            # its points mostly come one after the other
            self._outcomes[submission_id] = outcome
            while len(self._outcomes) > _HELD:
                self._outcomes.popitem(last=False)
        return outcome

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
            point = JournalPoint(
                key=key, identity=b"", label=key, parameters=parameters
            )
            given = Given(Item(number, key, None), None, point)
            known = Found(intent.submission_id, place, one.standing, one.job_id)
            points.append((given, known))
            number += 1
        found.append(points)
    return found


def _is_large(result: Result) -> bool:
    """Whether its arrays take more memory than the views that would replace them."""
    held = 0
    for circuit in result:
        shots, tallied = circuit.measured, circuit.tallied
        held += shots.packed.nbytes
        held += sum(levels.nbytes for levels in shots.wide.values())
        if tallied is not None:
            held += tallied.outcomes.nbytes + tallied.counts.nbytes
    return held > _VIEW * len(result)


def resume_command(journal: Journal) -> str | None:
    """The command that goes on from here; None where nothing is on the disk."""
    return None if journal.path is None else _resuming.resume_command(journal.path)
