"""One submission of a journal, and one point of it, as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qawait.errors import Error, JournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from qawait.circuit_result import CircuitResult
    from qawait.journal.figures import Figure, Figures
    from qawait.journal.records import Point, Standing
    from qawait.journal.rows import Row
    from qawait.journal.segments import Slot
    from qawait.model import Change, Following
    from qawait.results import Result

__all__ = ["ReadJob", "ReadPoint"]


class ReadJob:
    """One submission as a journal has it.

    Attributes:
        submission_id: Our own name for it.
        job_id: The service's id; None if none is known.
        standing: How far it came, as far as its journal knows.
    """

    def __init__(
        self,
        row: Row,
        slot: Slot | None,
        read: Callable[[Slot], Result],
        figures: Figures | None,
    ) -> None:
        self._row = row
        self._read = read
        self._figures = figures
        self._slot = slot
        self.submission_id = row.sent.submission_id
        self.job_id = row.job_id
        self.standing = row.standing

    @property
    def target(self) -> str:
        """The machine or cluster it was sent to."""
        return self._row.sent.target

    @property
    def tag(self) -> str | None:
        """Its user's name for it, if it has one."""
        return self._row.sent.tag

    @property
    def circuits(self) -> int:
        """How many circuits it carries."""
        return self._row.sent.circuits

    @property
    def shots(self) -> int:
        """Shots asked for, of all circuits together."""
        return self._row.sent.shots

    @property
    def settings(self) -> Mapping[str, Any]:
        """Every setting it was sent with."""
        return self._row.sent.settings

    @property
    def calibration_set_id(self) -> str | None:
        """The calibration set it was sent to run on; None where a service has none."""
        return self._row.sent.calibration_set_id

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Quality figures of the target when it was sent, by the service's own names.

        Empty where the service publishes none, or could not be asked.
        """
        return {} if self._figures is None else self._figures.figures

    @property
    def points(self) -> tuple[Point, ...]:
        """Its points, in the order of its circuits; none for a job without keys."""
        return self._row.sent.points

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every state of its job, oldest first."""
        return self._row.progress.changes

    @property
    def following(self) -> Following | None:
        """How its job was followed; None while it is under way."""
        return self._row.progress.following

    @property
    def raw(self) -> str:
        """The service's own word for where its job stands; empty before the first."""
        return self._row.progress.raw

    @property
    def evidence(self) -> str:
        """What is known of its delivery, where that is not certain."""
        return self._row.progress.evidence

    @property
    def opened(self) -> tuple[str, ...]:
        """Ids of jobs that were opened for it; without a last upload they never run."""
        return self._row.progress.opened

    @property
    def written_at(self) -> datetime:
        """When it was first written down (aware, UTC)."""
        return self._row.written_at

    @property
    def updated_at(self) -> datetime:
        """When something was last written of it (aware, UTC)."""
        return self._row.updated_at

    @property
    def error(self) -> Error | None:
        """The error with which its job ended; None if it has not, or has a result."""
        ended_by = self._row.progress.ended_by
        return None if ended_by is None else ended_by.error(self.job_id)

    @property
    def has_result(self) -> bool:
        """Whether `result` gives one."""
        return self._slot is not None and self._row.progress.ended_by is None

    @property
    def has_ended(self) -> bool:
        """Whether its job has ended, with a result or an error of its own."""
        return self._slot is not None

    def result(self) -> Result:
        """Its result; the arrays are views of the file.

        Raises:
            JobError: It ended with this error.
            JournalError: It has not ended.
            JournalCorrupt: The file is damaged.
        """
        if (error := self.error) is not None:
            raise error
        if self._slot is None:
            raise JournalError(
                f"submission {self.submission_id} has no result: it is {self.standing}"
            )
        return self._read(self._slot)

    def __repr__(self) -> str:
        job = self.job_id or f"submission {self.submission_id}"
        return f"<{job} on {self.target}: {self.standing}, {self.circuits} circuits>"


class ReadPoint:
    """One circuit with one set of parameters, by the name its user gave it."""

    def __init__(self, job: ReadJob, place: int) -> None:
        self.job = job
        self._place = place

    @property
    def key(self) -> str:
        """Its name."""
        return self.job.points[self._place].key

    @property
    def parameters(self) -> Mapping[str, float]:
        """Its parameters by name."""
        return self.job.points[self._place].parameters

    @property
    def label(self) -> str:
        """The label of its circuit in the job."""
        return self.job.points[self._place].label

    @property
    def standing(self) -> Standing:
        """How far its submission came."""
        return self.job.standing

    @property
    def job_id(self) -> str | None:
        """The service's id of its job."""
        return self.job.job_id

    @property
    def error(self) -> Error | None:
        """The error with which its job ended; None if there is none."""
        return self.job.error

    @property
    def has_result(self) -> bool:
        """Whether `result` gives one."""
        return self.job.has_result

    def result(self) -> CircuitResult:
        """What came back for it.

        Raises:
            JobError: Its job ended with this error.
            JournalError: It has not ended.
        """
        return self.job.result()[self._place]

    def __repr__(self) -> str:
        return f"<point {self.key!r}: {self.standing}>"
