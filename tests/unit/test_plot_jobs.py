"""Timelines and polling: from jobs, from a journal, and from what is still open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from tests.journals import intent, opened, result
from tests.plotted import FLIP, a_job, a_journal, at

import qawait
from qawait import errors, plot
from qawait._clock import utc_now
from qawait.model import (
    Change,
    Delivery,
    Following,
    State,
    Status,
    Step,
)
from qawait.testing import run_virtual, service


@pytest.fixture
def ax() -> Any:
    return Figure().add_subplot()


@pytest.fixture(autouse=True)
def _settings_stay_as_they_are() -> Iterator[None]:
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


# --- timelines ------------------------------------------------------------------------


def done(*times: float, shift: float = 0.0, **about: Any) -> Status:
    """Taken, compiled, started, finished, ended: by the service's clock."""
    taken, compiled, started, finished, ended = (at(t + shift) for t in times)
    return Status(
        raw="ready",
        state=State.READY,
        steps=(
            Step(State.PENDING_COMPILATION, "accepted", taken),
            Step(State.PENDING_EXECUTION, "compiled", compiled),
            Step(State.READY, "ready", ended),
        ),
        started_at=started,
        finished_at=finished,
        **about,
    )


def bars(ax: Any) -> dict[str, list[tuple[float, float]]]:
    """From when to when each phase lasted, by its label without the numbers."""
    found: dict[str, list[tuple[float, float]]] = {}
    for collection in ax.collections:
        if collection.__class__.__name__ == "PolyCollection":
            spans = [
                (path.vertices[0][0], path.vertices[2][0])
                for path in collection.get_paths()
            ]
            found[collection.get_label().split(":")[0]] = spans
    return found


def test_a_timeline_says_what_a_job_waited_for(ax: Any):
    job = a_job("j-1", (30.0, done(0, 2, 10, 25, 26)))
    plot.timeline(job, ax)
    assert bars(ax) == {
        "compiling": [(0.0, 2.0)],
        "in the queue": [(2.0, 10.0)],
        "running": [(10.0, 25.0)],
        "ended, not yet known here": [(25.0, 30.0)],
    }
    assert ax.get_xlabel() == "time since 2026-03-01 12:00:00 UTC (s)"
    labels = [collection.get_label() for collection in ax.collections]
    assert "in the queue: 8 s" in labels


def test_phases_without_times_of_the_service_are_those_seen(ax: Any):
    def seen(state: State) -> Status:
        return Status(raw=state.value, state=state)

    job = a_job(
        "j-1",
        (1.0, seen(State.PENDING_COMPILATION)),
        (4.0, seen(State.PENDING_EXECUTION)),
        (9.0, seen(State.READY)),
    )
    plot.timeline([job], ax)
    assert bars(ax) == {
        "compiling, as seen here": [(0.0, 3.0)],
        "in the queue or running, as seen here": [(3.0, 8.0)],
    }


def test_a_service_whose_clock_is_ahead_is_put_on_ours(ax: Any):
    """Nothing can have been seen before it was: the least shift that will do."""
    job = a_job("j-1", (30.0, done(0, 2, 10, 25, 26, shift=100.0)))
    plot.timeline(job, ax)
    assert bars(ax)["in the queue"] == [(2.0, 10.0)]
    assert "the service's clock shifted by -96 s" in ax.get_xlabel()


def test_jobs_stand_in_their_order_with_their_ends_marked(ax: Any):
    failed = Status(raw="failed", state=State.FAILED)
    first = a_job("aaaa", (3.0, done(0, 0.5, 1, 2, 2.5)))
    second = a_job("bbbb", (4.0, failed))
    plot.timeline([first, second, first], ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["aaaa", "bbbb", "aaaa"]
    bottom, top = ax.get_ylim()
    assert bottom > top, "the first job is at the top"
    assert ax.get_title() == "3 jobs: 2 ready, 1 failed"


@pytest.mark.parametrize("draw", [plot.timeline, plot.polling])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "there are no jobs yet"),
        ("night.qawait", r"qawait\.read\(path\)"),
        ([1, 2], "not list"),
        ([a_job("j-1")], "nothing is known of"),
    ],
)
def test_what_has_no_jobs_is_said_in_one_sentence(draw: Any, wrong: Any, said: str):
    with pytest.raises(errors.ConfigurationError, match=said):
        draw(wrong)


# --- polling --------------------------------------------------------------------------


def test_every_question_is_a_dot_and_late_news_a_bar(ax: Any):
    quick = a_job("j-1", (3.0, Status(raw="x", state=None)), (9.0, done(0, 1, 2, 7, 7)))
    slow = a_job("j-2", (30.0, done(0, 1, 2, 8, 8)))
    plot.polling([quick, slow], ax)
    [dots] = ax.lines
    # the first question came at 2.5 s
    assert list(dots.get_xdata()) == [0.0, 6.0, 27.0]
    assert list(dots.get_ydata()) == [0, 0, 1]
    [late] = ax.collections
    assert [s.tolist() for s in late.get_segments()] == [
        [[4.5, 0], [6.5, 0]],
        [[5.5, 1], [27.5, 1]],
    ]
    assert ax.get_title() == "2 jobs, 1.5 questions each, news 12 s late (median)"


def test_only_the_last_questions_are_kept():
    following = Following()
    for second in range(50):
        following = following.asked(at(second))
    assert following.questions == 50
    assert following.asked_at == tuple(at(second) for second in range(18, 50))


# --- journals -------------------------------------------------------------------------


async def test_a_journal_keeps_how_its_jobs_were_followed(tmp_path: Path):
    await a_journal(tmp_path / "j")
    first, *_ = (await read(tmp_path / "j")).jobs
    assert first.following == Following(questions=3, asked_at=(at(1), at(5)))


async def test_a_service_whose_clock_is_behind_is_put_on_ours(tmp_path: Path, ax: Any):
    """Nothing can have been taken before it was sent."""
    async with opened(tmp_path / "j") as journal:
        await journal.intend(intent("s-1", "a"))
        await journal.sending("s-1")
        await journal.outcome("s-1", Delivery.ACCEPTED, "job-s-1")
        here = utc_now()
        taken, ended = here - timedelta(seconds=100), here - timedelta(seconds=99)
        seen = here + timedelta(seconds=3)
        changes = (
            Change(State.PENDING_EXECUTION, "taken", taken, seen),
            Change(State.READY, "ready", ended, seen),
        )
        await journal.ended("s-1", result("job-s-1", "a"), changes)
    drawn = await anyio.to_thread.run_sync(
        lambda: plot.timeline(qawait.read(tmp_path / "j"), ax)
    )
    [(begins, ends)] = bars(ax)["in the queue or running"]
    assert begins == pytest.approx(0.0, abs=0.01)
    assert ends - begins == pytest.approx(1.0)
    shifted = re.search(r"shifted by \+([\d.]+) s", drawn.get_xlabel())
    assert shifted
    assert float(shifted[1]) == pytest.approx(100.0, abs=1.0)


async def test_a_journal_is_drawn_in_all_ways(tmp_path: Path, ax: Any):
    await a_journal(tmp_path / "j")
    reading = await read(tmp_path / "j")

    def draw() -> list[str]:
        plot.sweep(reading, "gamma", value="III", ax=ax)
        timeline = plot.timeline(reading, Figure().add_subplot())
        polled = plot.polling(reading, Figure().add_subplot())
        return [timeline.get_title(), polled.get_title()]

    assert await anyio.to_thread.run_sync(draw) == [
        "3 jobs: 1 ready, 1 failed, 1 unknown",
        "1 job, 3.0 questions each",
    ]
    assert list(ax.lines[0].get_xdata()) == [0.0, 1.0]
    assert list(ax.lines[0].get_ydata()) == [1.0, 1.0]


def test_jobs_of_a_virtual_night_are_drawn_from_their_journal(tmp_path: Path, ax: Any):
    """On one clock: the journal's is that of the world its jobs are in."""

    async def night() -> None:
        async with (
            service(service_time=3600.0, seed=1) as there,
            qawait.connect(there.iqm, journal=tmp_path / "j") as client,
        ):
            jobs = [await client.submit(FLIP, shots=5) for _ in range(2)]
            for job in jobs:
                await job

    run_virtual(night)
    plot.timeline(qawait.read(tmp_path / "j"), ax)
    running, waiting = bars(ax)["running"], bars(ax)["in the queue"]
    assert [round(ends - begins, 2) for begins, ends in running] == [60.0, 60.0]
    assert waiting[-1][1] == pytest.approx(60.0, rel=0.01)
    assert ax.get_xlabel().endswith("UTC (min)")


@pytest.mark.parametrize("journal", [False, True])
def test_a_sweep_and_a_client_are_drawn_while_they_are_open(
    journal: bool, tmp_path: Path, ax: Any
):
    """Where the points are in memory, and where they are in a journal."""
    gamma = Parameter("gamma")
    turn = QuantumCircuit(1, 1)
    turn.rx(gamma, 0)
    turn.measure(0, 0)
    where: dict[str, Any] = {"journal": tmp_path / "j"} if journal else {}
    expected: list[float] = []
    titles: list[str] = []

    async def world() -> None:
        async with (
            service(service_time=60.0) as there,
            qawait.connect(there.iqm) as client,
            client.sweep(turn, {"gamma": [0.5, 1.5]}, shots=50, **where) as sweep,
        ):
            with pytest.raises(errors.ConfigurationError, match="no points yet"):
                await anyio.to_thread.run_sync(plot.sweep, sweep)
            points = sorted([p async for p in sweep], key=lambda p: p.params["gamma"])
            expected.extend(p.result.expectation("Z")[0] for p in points if p.result)
            draw = partial(plot.sweep, sweep, value="Z", ax=ax)
            await anyio.to_thread.run_sync(draw)
            job = await client.submit(FLIP, shots=3)
            await job
            drawn = plot.timeline(client, Figure().add_subplot())
            titles.append(drawn.get_title())
            with pytest.raises(errors.ConfigurationError, match=r"journal=path\)"):
                plot.timeline(sweep)

    run_virtual(world)
    assert list(ax.lines[0].get_xdata()) == [0.5, 1.5]
    assert list(ax.lines[0].get_ydata()) == expected
    assert titles[0].endswith(" ready")


async def read(path: Path) -> Any:
    return await anyio.to_thread.run_sync(qawait.read, path)
