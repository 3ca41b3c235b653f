# pyright: reportUnknownMemberType=false
"""Outcomes and how often they came."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import ConfigurationError, Error
from qawait.plot.canvas import PALETTE, axes_for, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from qawait.circuit_result import CircuitResult
    from qawait.results import Result

__all__ = ["counts"]

_LONG = 12
"""Digits from which on outcomes are written beside bars that lie, not below them."""
_LONG_NUMBER = re.compile(r"\d+\.\d{4,}")
_BINARY = 64
"""Digits from which on they are hexadecimal."""


def counts(
    results: CircuitResult | Result | Iterable[CircuitResult],
    ax: Axes | None = None,
    *,
    reg: str | None = None,
    most: int = 32,
    probabilities: bool = False,
) -> Axes:
    """Draw how often each outcome came, in ascending order of the outcomes.

    Args:
        results: One circuit's result, or up to seven side by side: a `Result`, or any
            sequence of circuits' results.
        ax: Where to draw; None makes a figure.
        reg: One register; None for all joined.
        most: How many outcomes are shown; of more, those that came most often, and a
            line says what is left out.
        probabilities: Shares of the shots, with the standard error of each, instead of
            counts.

    Raises:
        ConfigurationError: There is nothing to draw, or too much.
        NoCounts: The service returned expectation values.
        MissingExtra: matplotlib is not installed.
    """
    given = _given(results)
    tallies = [
        _Tally(_short(one.label), one.counts(reg), one.shots or 0) for one in given
    ]
    if most < 1:
        raise ConfigurationError(f"plot.counts: most is at least 1, not {most}")
    shown, left = _chosen(tallies, most)
    if not shown:
        raise ConfigurationError("plot.counts: not one shot came back, nothing to draw")
    # the last register leftmost, as Qiskit writes it; as numbers they are in this order
    shown.sort()
    lying = len(shown[0]) > _LONG
    height = max(2.4, 0.9 + 0.2 * len(shown) * _thickness(len(tallies)))
    drawn = axes_for("plot.counts", ax, height=min(height, 40) if lying else 4.8)
    _draw(drawn, tallies, shown, lying=lying, probabilities=probabilities)
    simulated = " (simulated)" if all(one.simulated for one in given) else ""
    if len(tallies) == 1:
        [only] = tallies
        plural = "" if only.shots == 1 else "s"
        drawn.set_title(f"{only.label}: {only.shots:,} shot{plural}{simulated}")
    else:
        # beside the bars: inside, it would hide some
        drawn.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
        drawn.set_title(f"{len(tallies)} circuits{simulated}")
    _say_what_is_left(drawn, left, lying=lying)
    return drawn


class _Tally(Struct, frozen=True):
    label: str
    counts: dict[str, int]
    shots: int


class _Left(Struct, frozen=True):
    """What is not shown."""

    outcomes: int
    of: int
    share: float


def _given(results: Any) -> list[CircuitResult]:
    from qawait.circuit_result import CircuitResult

    if isinstance(results, CircuitResult):
        return [results]
    found = listed(results)
    if not found or not all(isinstance(one, CircuitResult) for one in found):
        hint = "; await the job first" if hasattr(results, "__await__") else ""
        raise ConfigurationError(
            "plot.counts draws the result of a circuit, as result[0], or several, not"
            f" {_named(results)}{hint}"
        )
    if len(found) > len(PALETTE):
        raise ConfigurationError(
            f"plot.counts draws at most {len(PALETTE)} circuits side by side, not"
            f" {len(found)}: give one, as result[0], or a slice"
        )
    return found


def _named(thing: Any) -> str:
    if isinstance(thing, Error):
        return f"an error ({type(thing).__name__})"
    return "nothing" if thing is None else type(thing).__name__


def _short(label: str) -> str:
    """A label with its numbers to four digits, as for a point of a sweep."""
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.4g}", label)


def _chosen(tallies: list[_Tally], most: int) -> tuple[list[str], _Left | None]:
    """The outcomes that are shown: the most frequent ones of any circuit."""
    largest: dict[str, float] = {}
    for tally in tallies:
        for outcome, count in tally.counts.items():
            share = count / tally.shots
            largest[outcome] = max(share, largest.get(outcome, 0.0))
    if len({len(outcome) for outcome in largest}) > 1:
        raise ConfigurationError(
            "plot.counts: these circuits have outcomes of different lengths; draw them"
            " apart, or name a register that all have"
        )
    order = sorted(largest, key=lambda outcome: (-largest[outcome], outcome))
    shown = order[:most]
    if len(shown) == len(order):
        return shown, None
    shots = sum(tally.shots for tally in tallies)
    there = sum(tally.counts.get(one, 0) for tally in tallies for one in shown)
    return shown, _Left(len(order) - len(shown), len(order), 1 - there / shots)


def _thickness(circuits: int) -> float:
    return 1.0 if circuits == 1 else 0.6 * circuits


def _draw(
    ax: Axes,
    tallies: list[_Tally],
    shown: list[str],
    *,
    lying: bool,
    probabilities: bool,
) -> None:
    wide = 0.8 / len(tallies)
    for number, tally in enumerate(tallies):
        values: list[float] = [tally.counts.get(one, 0) for one in shown]
        errors = None
        if probabilities:
            values = [count / (tally.shots or 1) for count in values]
            errors = [(p * (1 - p) / (tally.shots or 1)) ** 0.5 for p in values]
        shift = (number - (len(tallies) - 1) / 2) * wide
        places = [place + shift for place in range(len(shown))]
        style: dict[str, Any] = {"color": PALETTE[number], "label": tally.label}
        if errors is not None:
            style["ecolor"] = ax.xaxis.label.get_color()
            style["error_kw"] = {"elinewidth": 1, "capsize": 2}
        if lying:
            ax.barh(places, values, wide, xerr=errors, **style)
        else:
            ax.bar(places, values, wide, yerr=errors, **style)
    what = "share of the shots" if probabilities else "shots"
    labels = [_written(outcome) for outcome in shown]
    places_of_labels = range(len(shown))
    if lying:
        ax.set_yticks(places_of_labels, labels, family="monospace", fontsize="small")
        ax.set_xlabel(what)
        ax.set_ylabel("outcome")
        ax.set_ylim(max(len(shown), 4) - 0.4, -0.6)
    else:
        crowded = len(shown) * (len(shown[0]) + 2) > 70
        ax.set_xticks(places_of_labels, labels, family="monospace", fontsize="small")
        ax.tick_params("x", labelrotation=90 if crowded else 0)
        ax.set_ylabel(what)
        ax.set_xlabel("outcome")
        spare = max(4 - len(shown), 0) / 2
        ax.set_xlim(-0.6 - spare, len(shown) - 0.4 + spare)


def _written(outcome: str) -> str:
    if len(outcome) <= _BINARY:
        return outcome
    if set(outcome) <= {"0", "1"}:
        return f"0x{int(outcome, 2):0{(len(outcome) + 3) // 4}x}"
    return f"{outcome[: _BINARY // 2]}\N{HORIZONTAL ELLIPSIS}{outcome[-8:]}"


def _say_what_is_left(ax: Axes, left: _Left | None, *, lying: bool) -> None:
    if left is None:
        return
    shown = f"the {left.of - left.outcomes} most frequent of {left.of:,}"
    rest = f"the others have {left.share:.0%} of the shots"
    if lying:
        # long strings leave little room below the bars
        ax.set_xlabel(f"{ax.get_xlabel()}\n{shown};\n{rest}", loc="right")
    else:
        ax.set_xlabel(f"outcome ({shown}; {rest})")
