"""Numbers, times and sizes in the words of a card."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from qawait.model import State

if TYPE_CHECKING:
    from qawait._display.card import Tone
    from qawait.model import Eta

__all__ = [
    "clock_time",
    "expected",
    "in_the_middle",
    "one_line",
    "seconds",
    "size",
    "tone_of",
    "with_plural",
    "zone",
]

_DAY = timedelta(hours=20)
"""What is further away than this is shown with its date."""
_UNITS = ("bytes", "KiB", "MiB", "GiB")

_TONES: dict[State, Tone] = {
    State.PENDING_COMPILATION: "waiting",
    State.PENDING_EXECUTION: "working",
    State.READY: "good",
    State.FAILED: "bad",
    State.ABORTED: "bad",
}


def tone_of(state: State) -> Tone:
    """What a state of a job is coloured for."""
    return _TONES[state]


def with_plural(count: int, noun: str) -> str:
    """A count with its noun: `1 job`, `2,000 jobs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def one_line(text: str, longest: int = 300) -> str:
    """The text on one line, what does not print as a question mark, and cut at its end.

    Services, labels and messages are written by others.
    """
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return (
        line
        if len(line) <= longest
        else f"{line[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"
    )


def in_the_middle(text: str, longest: int = 40) -> str:
    """The text with its middle cut out, where it is long: both ends tell most."""
    text = one_line(text, 10_000)
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}"


def zone(at: datetime) -> str:
    """The name of the time zone in which this machine shows a time."""
    return at.astimezone().tzname() or "local time"


def clock_time(at: datetime, now: datetime | None = None) -> str:
    """A time of day on this machine's clock; with its date, where that is not near now.

    Args:
        at: Aware.
        now: Likewise; None shows no date.
    """
    far = now is not None and abs(at - now) > _DAY
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S" if far else "%H:%M:%S")


def expected(eta: Eta, now: datetime) -> str:
    """When something will end."""
    low, high = clock_time(eta.earliest, now), clock_time(eta.latest, now)
    if low == high:
        return f"{low} {zone(eta.likely)}"
    return f"about {clock_time(eta.likely, now)} {zone(eta.likely)}, likely from {low} to {high}"


def seconds(value: float) -> str:
    """A length of time: `12.3 ms`, `4.5 s`, `2 h 05 min`."""
    if value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 120:
        return f"{value:.3g} s"
    minutes = round(value / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(number: int) -> str:
    """A number of bytes: `4.3 MiB`."""
    value, unit = float(number), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{number:,} bytes" if not unit else f"{value:.1f} {_UNITS[unit]}"
