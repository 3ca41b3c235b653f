"""What became of each circuit, as a row of a table and as a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import (
    Error,
    JobCancelled,
    JobFailed,
    JobMissing,
    JobTimedOut,
    NoLayout,
    ResultError,
    ResultGone,
    SubmissionRejected,
    SubmissionUncertain,
)
from qawait.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait._job import Job
    from qawait.results import CircuitResult, Result

__all__ = ["Outcome", "counts_of", "of_error", "of_result", "state_after"]

CONVENTION = (
    "rightmost character is bit 0 of the first register, the last register is leftmost"
)


_WORDS: Mapping[type[Error], str] = {
    SubmissionRejected: "rejected",
    SubmissionUncertain: "uncertain",
    JobMissing: "missing",
    ResultGone: "gone",
}
"""For what is no state of a job."""


def state_after(error: Error | None) -> str:
    """The state of a point that is over, in the words of `Outcome.state`."""
    match error:
        case None:
            return State.READY.value
        case JobCancelled():
            return State.ABORTED.value
        case JobFailed() | JobTimedOut():
            return State.FAILED.value
        case _:
            return _WORDS.get(type(error), "not sent")


class Outcome(Struct, frozen=True, kw_only=True):
    """One circuit at the end of a command."""

    label: str
    file: str | None = None
    """None for a circuit that was not sent by this command."""
    state: str
    """The job's state; `not sent`, `rejected`, `uncertain`, `missing` or `gone`."""
    job_id: str | None = None
    target: str | None = None
    calibration_set_id: str | None = None
    simulated: bool | None = None
    """None where no result tells."""
    result: CircuitResult | None = None
    reason: str | None = None
    """Why there is no result; None if there is one."""

    @property
    def ready(self) -> bool:
        """Whether there is a result."""
        return self.result is not None

    def to_json(self) -> dict[str, Any]:
        """As `--json` and `--out` write it."""
        about: dict[str, Any] = {
            "label": self.label,
            "file": self.file,
            "state": self.state,
            "job_id": self.job_id,
            "target": self.target,
            "simulated": self.simulated,
            "error": self.reason,
        }
        if self.result is None:
            return about
        circuit = self.result
        about |= {
            "calibration_set_id": self.calibration_set_id,
            "kind": circuit.kind,
            "shots": circuit.shots,
            "requested_shots": circuit.requested_shots,
        }
        if circuit.kind == "expectation":
            return {**about, "expectation": circuit.values}
        try:
            about["registers"] = circuit.registers
            about["order"] = CONVENTION
        except NoLayout:
            about["registers"] = None
            about["order"] = "not known: keys in the order the service gave them"
        return {**about, "counts": counts_of(circuit)}


def counts_of(circuit: CircuitResult) -> dict[str, int] | None:
    """The counts, in IQM's order where no registers are known; None if there are none."""
    for order in ("qiskit", "iqm"):
        try:
            return circuit.counts(order=order)
        except NoLayout:
            continue
        except ResultError:
            return None
    return None


def of_result(result: Result, index: int, *, file: str | None = None) -> Outcome:
    """The outcome of a circuit whose job is ready."""
    circuit = result[index]
    return Outcome(
        label=circuit.label,
        file=file,
        state=result.status.value,
        job_id=result.job_id,
        target=result.target,
        calibration_set_id=result.calibration_set_id,
        simulated=result.simulated,
        result=circuit,
    )


def of_error(
    error: Error, label: str, *, file: str | None = None, job: Job | None = None
) -> Outcome:
    """The outcome of a circuit that has no result."""
    state = job.state.value if job is not None else "not sent"
    # the reason stands beside the job's id already
    reason = getattr(error, "message", None) or str(error)
    return Outcome(
        label=label,
        file=file,
        state=_WORDS.get(type(error), state),
        job_id=job.id if job is not None else getattr(error, "job_id", None),
        target=job.target if job is not None else None,
        reason=reason if not hasattr(error, "evidence") else _uncertain(error),
    )


def _uncertain(error: Error) -> str:
    return f"{getattr(error, 'message', error)} ({getattr(error, 'evidence', '')})"
