# pyright: reportUnknownMemberType=false
"""Questions over time, and how late the news was."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from qawait.errors import ConfigurationError
from qawait.plot.canvas import BLUE, GREY, ORANGE, axes_for, unit_of_time
from qawait.plot.phases import Phase, courses_of

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.axes import Axes

    from qawait.plot.phases import Course

__all__ = ["polling"]


def polling(jobs: Any, ax: Axes | None = None) -> Axes:
    """Draw when each job was asked about, and how late its end was known here.

    One line for each job, in order of submission: a dot for each question, of the last
    32, and a bar from the end of the job at the service until its outcome was here. Without
    times of the service there is no bar.

    Args:
        jobs: A `Job`, what `qawait.read(path)` gives, an open client, or jobs in a
            sequence; of a journal, those that have ended.
        ax: Where to draw; None makes a figure.

    Raises:
        ConfigurationError: It is something else, or nobody has asked yet.
        MissingExtra: matplotlib is not installed.
    """
    courses, _ = courses_of(jobs, "plot.polling")
    asked = [
        (at, row)
        for row, course in enumerate(courses)
        if course.following is not None
        for at in course.following.asked_at
    ]
    if not asked:
        raise ConfigurationError(
            "plot.polling: nothing is known of questions about these jobs; a journal"
            " has them of every job that has ended"
        )
    bars = [bar for row, course in enumerate(courses) if (bar := _late(course, row))]
    moments = [at for at, _ in asked] + [at for _, *both in bars for at in both]
    begins, ends = min(moments), max(moments)
    unit, name = unit_of_time((ends - begins).total_seconds())

    def place(at: datetime) -> float:
        return (at - begins).total_seconds() / unit

    drawn = axes_for("plot.polling", ax)
    from matplotlib.ticker import MaxNLocator

    if bars:
        drawn.hlines(
            [row for row, *_ in bars],
            [place(left) for _, left, _ in bars],
            [place(right) for *_, right in bars],
            color=ORANGE,
            linewidth=4 if len(courses) <= 60 else 1.5,
            label="from the end of a job until its outcome was here",
        )
    drawn.plot(
        [place(at) for at, _ in asked],
        [row for _, row in asked],
        "o",
        color=BLUE,
        markersize=4 if len(courses) <= 60 else 1.5,
        label="question",
    )
    drawn.yaxis.set_major_locator(MaxNLocator(integer=True))
    drawn.set_ylim(len(courses) - 0.4, -0.6)
    drawn.set_ylabel("jobs in order of submission")
    drawn.set_xlabel(f"time since {begins:%Y-%m-%d %H:%M:%S} UTC ({name})")
    late = [(right - left).total_seconds() for _, left, right in bars]
    drawn.set_title(_told(courses, late))
    drawn.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    drawn.grid(axis="x", color=GREY, alpha=0.3)
    return drawn


def _late(course: Course, row: int) -> tuple[int, datetime, datetime] | None:
    """The bar of one job."""
    last = course.spans[-1] if course.spans else None
    if last is None or last.phase is not Phase.FETCHING or last.seen:
        return None
    return row, last.begins, last.ends


def _told(courses: list[Course], late: list[float]) -> str:
    followed = [one.following for one in courses if one.following is not None]
    each = sum(one.questions for one in followed) / len(followed)
    plural = "" if len(followed) == 1 else "s"
    told = f"{len(followed):,} job{plural}, {each:.1f} questions each"
    if late:
        middle = statistics.median(late)
        unit, name = unit_of_time(middle)
        told += f", news {middle / unit:.3g} {name} late (median)"
    return told
