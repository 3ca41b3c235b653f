"""How a job looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait._clock import utc_now
from qawait._display.card import Card, Facts, Note, Row, Table, Tone
from qawait._display.words import (
    clock_time,
    expected,
    seconds,
    tone_of,
    with_plural,
    zone,
)
from qawait.errors import ClientClosed
from qawait.model import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from qawait._job import Job
    from qawait.errors import Error
    from qawait.model import CircuitRecord, Eta

__all__ = ["job_card"]

_WAY = (State.PENDING_COMPILATION, State.PENDING_EXECUTION, State.READY)


def job_card(job: Job, error: Error | None, eta: Eta | None) -> Card:
    """A job as it stands.

    Args:
        job: Which one.
        error: What awaiting it raises; None if it is ready or has not ended.
        eta: When it is expected to end; None if nothing tells.
    """
    word, tone = job.state.value, tone_of(job.state)
    if error is not None and not job.state.is_terminal:
        closed = isinstance(error, ClientClosed)
        word += ", client closed" if closed else f", {type(error).__name__}"
        tone: Tone = "muted" if closed else "bad"
    simulated = ", simulated" if job.manifest.simulated else ""
    return Card(
        kind="Job",
        name=job.id,
        about=f"on {job.target}{simulated}" if job.target else "",
        state=word,
        tone=tone,
        parts=(_way(job), Facts(tuple(_facts(job, eta))), _note(job, error)),
    )


def _way(job: Job) -> Table:
    """The states it has been in, and those that it is still to reach."""
    rows: list[Row] = []
    before: datetime | None = None
    for change in job.changes:
        at = change.at or change.seen_at
        took = "" if before is None else f"+{seconds((at - before).total_seconds())}"
        before = at
        # the service's word is worth a place where it says more than ours
        known = "" if change.raw in ("", change.state.value) else change.raw
        about = "(inferred)" if change.inferred else known
        told = (change.state.value, clock_time(at), took, about)
        rows.append(Row(told, tone_of(change.state)))
    if not job.done() and not job.state.is_terminal:
        reached = _WAY.index(job.state) + 1 if job.changes else 0
        rows += [Row((state.value, "", "", ""), "muted") for state in _WAY[reached:]]
    when = f"time ({zone(before)})" if before is not None else "time"
    return Table(("state", when, "took", "service's word"), tuple(rows), right=(2,))


def _facts(job: Job, eta: Eta | None) -> list[tuple[str, str]]:
    facts = [("circuits", _circuits(job.manifest.circuits))]
    if job.tag is not None:
        facts.insert(0, ("tag", job.tag))
    if not job.done():
        if job.queue_position is not None:
            ahead = with_plural(job.queue_position, "job")
            facts.append(("queue", f"{ahead} ahead"))
        told = "not known yet" if eta is None else expected(eta, utc_now())
        facts.append(("expected end", told))
    if job.run_time is not None:
        facts.append(("on the machine", seconds(job.run_time)))
    facts.append(("questions", f"{job.following.questions:,} to the service so far"))
    return facts


def _circuits(records: Sequence[CircuitRecord]) -> str:
    if not records:
        return "not known: it was submitted elsewhere"
    number = with_plural(len(records), "circuit")
    shots = {record.shots for record in records}
    if len(shots) > 1:
        total = sum(record.shots or 0 for record in records)
        return f"{number}, {total:,} shots in all"
    [each] = shots
    if each is None:
        return f"{number}, expectation values"
    return f"{number}, {each:,} shots{' each' if len(records) > 1 else ''}"


def _note(job: Job, error: Error | None) -> Note:
    if error is None:
        return Note(
            "`await job` gives its result"
            if job.done()
            else "`await job` waits for its result; this view goes on by itself"
        )
    resume = getattr(error, "resume", None)
    how = f"; to come back: `{resume}`" if resume else ""
    tone: Tone = "muted" if isinstance(error, ClientClosed) else "bad"
    return Note(f"{type(error).__name__}: {error}{how}", tone)
