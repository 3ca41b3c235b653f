# pyright: reportUnknownMemberType=false
"""A number over one parameter of a sweep, or over two."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.plot.canvas import BLUE, FAILED, GREY, axes_for
from qawait.plot.points import points_of
from qawait.plot.values import Value, measure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from qawait.plot.points import PlainPoint
    from qawait.plot.values import Measure

__all__ = ["sweep"]

_MARKED = 200
"""Points of a line from which on they are too many for a marker each."""


def sweep(
    points: Any,
    *parameters: str,
    value: Value = None,
    ax: Axes | None = None,
    unit: str = "rad",
) -> Axes:
    """Draw a number over the parameters of a sweep.

    Over one parameter it is a line with error bars of one standard error, over two a
    heat map; points without a result are crosses. Where several points are equal in
    these parameters, their mean is drawn.

    Args:
        points: What `qawait.read(path)` gives, a sweep, or its points in a sequence.
        parameters: Names of one parameter, or of two: to the right and upwards. None
            takes those whose values differ.
        value: What is drawn of each point. A Pauli label in Qiskit's order ("IZZ") or a
            SparsePauliOp gives its mean, digits ("011") the share of this outcome,
            "parity" the mean of Z on all measured bits; a function of the
            `CircuitResult` gives a number, or a pair of a number and its standard
            error. None is the parity, or the only expectation value.
        ax: Where to draw; None makes a figure.
        unit: Of the parameters, for the labels; "" for none.

    Raises:
        ConfigurationError: No point, no such parameter, more than two that differ, or
            nothing that can be drawn.
        NotMeasured: The operator cannot be had from what was measured.
        MissingExtra: matplotlib is not installed.
    """
    found = points_of(points)
    names = _names(found, parameters)
    measure = measure_of(value)
    grid = _grid(found, names, measure)
    drawn = axes_for("plot.sweep", ax)
    if len(names) == 1:
        _line(drawn, grid)
    else:
        _map(drawn, grid)
    suffix = f" ({unit})" if unit else ""
    drawn.set_xlabel(f"{names[0]}{suffix}")
    if len(names) == 2:
        drawn.set_ylabel(f"{names[1]}{suffix}")
    else:
        drawn.set_ylabel(grid.name)
    drawn.set_title(grid.title)
    return drawn


class _Grid(Struct, frozen=True):
    """What is drawn, one entry for each place."""

    places: NDArray[np.float64]
    """(n, 1 or 2), ascending."""
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    """NaN where there is none."""
    missing: NDArray[np.float64]
    """(m, 1 or 2): places without a value."""
    name: str
    title: str


def _names(found: list[PlainPoint], wanted: tuple[str, ...]) -> tuple[str, ...]:
    known: dict[str, set[float]] = {}
    for point in found:
        for name, number in point.parameters.items():
            known.setdefault(name, set()).add(number)
    if not known:
        raise ConfigurationError(
            "plot.sweep: these points have no parameters; draw one with plot.counts"
        )
    there = ", ".join(known)
    for name in wanted:
        if name not in known:
            raise ConfigurationError(
                f"plot.sweep: no point has a parameter {name!r}; there are: {there}"
            )
    if wanted:
        names = wanted
    else:
        differing = tuple(name for name, numbers in known.items() if len(numbers) > 1)
        names = differing or tuple(known)[:2]
    if len(names) > 2 or len(set(names)) < len(names):
        raise ConfigurationError(
            f"plot.sweep draws over one parameter or two different ones: name them,"
            f" among {there}"
        )
    return names


def _grid(found: list[PlainPoint], names: tuple[str, ...], measure: Measure) -> _Grid:
    totals: dict[tuple[float, ...], list[tuple[float, float]]] = {}
    missing: dict[tuple[float, ...], None] = {}
    shots: set[int] = set()
    name, simulated = measure.name, True
    for point in found:
        if not all(n in point.parameters for n in names):
            continue
        place = tuple(float(point.parameters[n]) for n in names)
        if point.result is None:
            missing[place] = None
            continue
        result = point.result()
        if result.shots == 0:
            missing[place] = None
            continue
        totals.setdefault(place, []).append(measure.of(result))
        simulated = simulated and result.simulated
        if result.shots is not None:
            shots.add(result.shots)
        elif not name:
            name = next(iter(result.values), "")
    if not totals:
        raise ConfigurationError(
            f"plot.sweep: none of the {len(found)} points has a result yet"
        )
    order = sorted(totals)
    pairs = [_mean(totals[place]) for place in order]
    left = [place for place in missing if place not in totals]
    title = f"{len(order):,} point{'' if len(order) == 1 else 's'}"
    if len(shots) == 1:
        title += f", {min(shots):,} shots each"
    if left:
        title += f", {len(left):,} without a result"
    return _Grid(
        places=np.array(order).reshape(len(order), len(names)),
        values=np.array([value for value, _ in pairs]),
        errors=np.array([error for _, error in pairs]),
        missing=np.array(left).reshape(len(left), len(names)),
        name=name or "parity",
        title=title + (" (simulated)" if simulated else ""),
    )


def _mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    values, errors = zip(*pairs, strict=True)
    number = len(pairs)
    return sum(values) / number, math.hypot(*errors) / number


def _line(ax: Axes, grid: _Grid) -> None:
    x = grid.places[:, 0]
    style: dict[str, Any] = {"color": BLUE}
    crowded = len(x) > _MARKED
    known = np.isfinite(grid.errors)
    if crowded and known.any():
        # so many bars would be one block: a band says the same
        ax.plot(x, grid.values, linewidth=1, label=grid.name, **style)
        ax.fill_between(
            x,
            grid.values - grid.errors,
            grid.values + grid.errors,
            alpha=0.35,
            linewidth=0,
            label="one standard error",
            **style,
        )
    elif known.any():
        ax.errorbar(
            x, grid.values, grid.errors, marker="o", markersize=4, capsize=2,
            linewidth=1, label=f"{grid.name}, one standard error", **style,
        )  # fmt: skip
    else:
        ax.plot(x, grid.values, marker="" if crowded else "o", markersize=4, **style)
    if len(grid.missing):
        at_the_bottom = ax.get_xaxis_transform()
        ax.plot(
            grid.missing[:, 0], np.full(len(grid.missing), 0.02), "x",
            color=FAILED, transform=at_the_bottom, label="without a result",
            clip_on=False,
        )  # fmt: skip
        ax.legend()
    ax.grid(color=GREY, alpha=0.3)


def _map(ax: Axes, grid: _Grid) -> None:
    every = np.concatenate([grid.places, grid.missing])
    x, y = np.unique(every[:, 0]), np.unique(every[:, 1])
    figure: Any = ax.figure
    if len(x) * len(y) <= 4 * len(every):
        table = np.full((len(y), len(x)), np.nan)
        columns = np.searchsorted(x, grid.places[:, 0])
        rows = np.searchsorted(y, grid.places[:, 1])
        table[rows, columns] = grid.values
        drawn = ax.pcolormesh(_edges(x), _edges(y), table, cmap="viridis")
    else:
        # scattered over the plane, and not a grid
        drawn = ax.scatter(*grid.places.T, c=grid.values, cmap="viridis", s=16)
    if len(grid.missing):
        size = 30 if len(every) <= 2500 else 4
        ax.scatter(*grid.missing.T, marker="x", s=size, color=FAILED, linewidths=1)
    figure.colorbar(drawn, ax=ax, label=grid.name)


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The borders of cells around these centres."""
    if len(centres) == 1:
        half = abs(centres[0]) / 20 or 0.05
        return np.array([centres[0] - half, centres[0] + half])
    middles = (centres[1:] + centres[:-1]) / 2
    first, last = 2 * centres[0] - middles[0], 2 * centres[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]])
