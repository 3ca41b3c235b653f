# pyright: reportUnknownMemberType=false
"""Jobs as bars over time: what each was waiting for."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from qawait.errors import ConfigurationError
from qawait.plot.canvas import (
    BLUE,
    FAILED,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    axes_for,
    unit_of_time,
)
from qawait.plot.phases import Ending, Phase, courses_of

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.axes import Axes

    from qawait.plot.phases import Course, Span

__all__ = ["timeline"]

_COLOURS = {
    Phase.SENDING: PINK,
    Phase.COMPILING: SKY,
    Phase.QUEUE: ORANGE,
    Phase.RUNNING: GREEN,
    Phase.WAITING: ORANGE,
    Phase.FETCHING: BLUE,
}
_MARKS = {
    Ending.FAILED: ("x", FAILED),
    Ending.ABORTED: ("s", GREY),
    Ending.UNKNOWN: ("$?$", FAILED),
    Ending.NOT_SENT: ("x", GREY),
    Ending.OPEN: (">", GREY),
}
_NAMED = 24
"""Jobs from which on they are numbered, and their names not written."""


def timeline(jobs: Any, ax: Axes | None = None) -> Axes:
    """Draw what each job was waiting for, one line for each, in order of submission.

    Times are the service's where it gives any, put on this machine's clock: shifted by
    the least that makes sense, if the two disagree, and the label says by how much.
    Where a service gives none, a phase is as it was seen here, and hatched.

    Args:
        jobs: A `Job`, what `qawait.read(path)` gives, an open client, or jobs in a
            sequence.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigurationError: It is something else, or there is nothing to draw.
        MissingExtra: matplotlib is not installed.
    """
    courses, shift = courses_of(jobs, "plot.timeline")
    spans = [span for course in courses for span in course.spans]
    if not spans:
        raise ConfigurationError(
            "plot.timeline: nothing is known of these jobs yet; try again later"
        )
    begins = min(span.begins for span in spans)
    ends = max(span.ends for span in spans)
    unit, name = unit_of_time((ends - begins).total_seconds())

    def place(at: datetime) -> float:
        return (at - begins).total_seconds() / unit

    few = len(courses) <= _NAMED
    height = max(2.4, 1.4 + 0.25 * len(courses)) if few else 4.8
    # room for the legend beside it
    drawn = axes_for("plot.timeline", ax, width=9.0, height=height)
    for seen in (False, True):
        for phase in Phase:
            rows = [
                (row, span)
                for row, course in enumerate(courses)
                for span in course.spans
                if span.phase is phase and span.seen is seen
            ]
            if rows:
                _bars(drawn, rows, place, thick=0.7 if few else 1.0)
    _endings(drawn, courses, place, few=few)
    _label(drawn, courses, few=few)
    shifted = ""
    if shift:
        shifted = f"; the service's clock shifted by {shift.total_seconds():+.3g} s"
    when = begins.strftime("%Y-%m-%d %H:%M:%S")
    drawn.set_xlabel(f"time since {when} UTC ({name}){shifted}")
    return drawn


def _bars(ax: Axes, rows: list[tuple[int, Span]], place: Any, *, thick: float) -> None:
    from matplotlib.collections import PolyCollection

    span = rows[0][1]
    corners: list[list[tuple[float, float]]] = []
    for row, one in rows:
        left, right = place(one.begins), place(one.ends)
        low, high = row - thick / 2, row + thick / 2
        corners.append([(left, low), (left, high), (right, high), (right, low)])
    lasted = statistics.median((o.ends - o.begins).total_seconds() for _, o in rows)
    size, name = unit_of_time(lasted)
    about = f"{lasted / size:.3g} {name}" + (" (median)" if len(rows) > 1 else "")
    label = f"{span.phase}{', as seen here' if span.seen else ''}: {about}"
    bars = PolyCollection(
        corners,
        facecolors=_COLOURS[span.phase],
        linewidths=0,
        label=label,
        alpha=0.6 if span.seen else 1.0,
        hatch="///" if span.seen else None,
    )
    ax.add_collection(bars)


def _endings(ax: Axes, courses: list[Course], place: Any, *, few: bool) -> None:
    for ending, (marker, colour) in _MARKS.items():
        at = [
            (place(course.spans[-1].ends), row)
            for row, course in enumerate(courses)
            if course.ending is ending and course.spans
        ]
        if at:
            ax.scatter(
                *zip(*at, strict=True),
                marker=marker,
                color=colour,
                s=36 if few else 12,
                zorder=3,
                label=str(ending),
                clip_on=False,
            )


def _label(ax: Axes, courses: list[Course], *, few: bool) -> None:
    ax.autoscale_view()
    ax.set_ylim(len(courses) - 0.4, -0.6)
    if few:
        ax.set_yticks(range(len(courses)), [course.name[:13] for course in courses])
        ax.tick_params("y", labelsize="small")
    else:
        ax.set_ylabel("jobs in order of submission")
    counted: dict[str, int] = {}
    for course in courses:
        counted[course.ending] = counted.get(course.ending, 0) + 1
    told = ", ".join(f"{number:,} {ending}" for ending, number in counted.items())
    jobs = "1 job" if len(courses) == 1 else f"{len(courses):,} jobs"
    ax.set_title(f"{jobs}: {told}")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    ax.grid(axis="x", color=GREY, alpha=0.3)
