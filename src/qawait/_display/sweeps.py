"""How a sweep looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from qawait._clock import utc_now
from qawait._display.card import Bar, Card, Facts, Note, Segment, Tone
from qawait._display.words import expected, with_plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait._job import Job
    from qawait._sweep.settling import Progress
    from qawait.model import Eta

__all__ = ["Standing", "sweep_card"]


class Standing(Struct, kw_only=True):
    """A sweep at one moment."""

    target: str
    simulated: bool
    progress: Progress
    running: Sequence[Job]
    """Jobs under way."""
    begun: bool
    over: bool
    stopped: str | None
    """Why it takes no more points; None while it does."""
    failure: str | None
    """What it raises at its end; None for nothing."""
    untaken: int
    """Points with an outcome that nobody has taken, where that holds up the rest."""
    eta: Eta | None
    requests: int
    """Of its client, since it began."""


def sweep_card(standing: Standing | None) -> Card:
    """A sweep as it stands; None for one that is not open."""
    if standing is None:
        note = (
            "nothing is sent: write `async with client.sweep(...) as sweep`, "
            "or `sweep = await client.start_sweep(...)`"
        )
        return Card(kind="Sweep", state="not open", tone="waiting", parts=(Note(note),))
    word, tone = _state(standing)
    simulated = ", simulated" if standing.simulated else ""
    return Card(
        kind="Sweep",
        about=f"on {standing.target}{simulated}",
        state=word,
        tone=tone,
        parts=(_bar(standing), Facts(tuple(_facts(standing))), _note(standing)),
    )


def _state(standing: Standing) -> tuple[str, Tone]:
    progress = standing.progress
    if not standing.begun:
        return "open, nothing sent yet", "waiting"
    if not standing.over:
        if standing.untaken:
            return "waiting to be taken", "waiting"
        return ("ending", "waiting") if standing.stopped else ("running", "working")
    if standing.failure is not None:
        return "failed", "bad"
    if progress.total is not None and progress.ready < progress.total:
        return "ended, not complete", "bad"
    return "complete", "good"


def _bar(standing: Standing) -> Bar:
    progress = standing.progress
    under_way = _under_way(progress) if not standing.over else 0
    done = progress.ready + progress.failed
    total = max(progress.total or 0, done + under_way)
    return Bar(
        (
            Segment("ready", progress.ready, "good"),
            Segment("failed", progress.failed, "bad"),
            Segment("under way", under_way, "working"),
            Segment("to come", total - done - under_way, "muted"),
        ),
        total,
    )


def _under_way(progress: Progress) -> int:
    # a point that failed and is tried again has failed, and is under way
    return max(progress.taken - progress.ready - progress.failed, 0)


def _facts(standing: Standing) -> list[tuple[str, str]]:
    progress = standing.progress
    of = "" if progress.total is None else f" of {progress.total:,}"
    points = f"{progress.ready:,}{of} ready"
    if progress.failed:
        points += f", {progress.failed:,} failed"
    if progress.uncertain:
        points += f", {progress.uncertain:,} of them uncertain: they may be running"
    if progress.recorded:
        points += f", {progress.recorded:,} known from the journal"
    facts = [("points", points), ("jobs", _jobs(standing))]
    if not standing.over:
        waits = [
            job.queue_position
            for job in standing.running
            if job.queue_position is not None
        ]
        if waits:
            first, last = min(waits), max(waits)
            ahead = f"{first:,}" if first == last else f"{first:,} to {last:,}"
            facts.append(("queue", f"{ahead} ahead of its jobs"))
        if standing.begun and not standing.untaken:
            eta = standing.eta
            told = "not known yet" if eta is None else expected(eta, utc_now())
            facts.append(("expected end", told))
    facts.append(("requests", f"{standing.requests:,}"))
    return facts


def _jobs(standing: Standing) -> str:
    sent = f"{standing.progress.jobs:,} sent"
    if standing.over or not standing.running:
        return sent
    states: dict[str, int] = {}
    for job in standing.running:
        states[job.state.value] = states.get(job.state.value, 0) + 1
    # in the order of a job's life
    order = ("pending compilation", "pending execution")
    told = [f"{states[word]:,} {word}" for word in order if word in states]
    rest = sum(n for word, n in states.items() if word not in order)
    if rest:
        told.append(f"{rest:,} ended")
    return f"{sent}; under way {', '.join(told)}"


def _note(standing: Standing) -> Note:
    if standing.failure is not None:
        return Note(standing.failure, "bad")
    if standing.stopped is not None:
        return Note(f"no more points are taken: {standing.stopped}", "waiting")
    if standing.over:
        return Note("`await sweep.dataset()` has the results as arrays")
    if standing.untaken:
        points = with_plural(standing.untaken, "point")
        return Note(
            f"{points} wait to be taken: `async for point in sweep`, or "
            "`await sweep.finish()`",
            "waiting",
        )
    return Note("`async for point in sweep` gives its points as they end")
