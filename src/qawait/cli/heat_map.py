"""A landscape as a heat map: blocks in a terminal, and a PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.color import Color
from rich.style import Style
from rich.text import Text

from qawait.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from qawait.cli.landscape import Landscape

__all__ = ["check_png", "draw", "save_png"]

_STOPS = ((28, 22, 72), (36, 92, 142), (46, 156, 134), (154, 210, 74), (252, 232, 64))
"""Red, green and blue from the smallest to the largest value; lightness only grows."""
_SHADES = (
    " ",
    "\N{LIGHT SHADE}",
    "\N{MEDIUM SHADE}",
    "\N{DARK SHADE}",
    "\N{FULL BLOCK}",
)
_PLAIN_SHADES = (" ", ".", ":", "*", "#")
_MARK = "><"
_MARGIN = 10
"""Columns to the left of the map, for the labels of its rows."""


def draw(landscape: Landscape, console: Console) -> Text:
    """The map, beta upwards and gamma to the right, with a legend below.

    Colours where the console has any, else five shades. A cell is two columns wide, one
    where the console is too narrow for that.
    """
    rows, columns = landscape.cuts.shape
    wide = 2 if _MARGIN + 2 * columns <= console.width else 1
    palette = _Palette(landscape, console)
    mark = _MARK if wide == 2 else "X"
    best = landscape.best
    drawn = Text("  beta\n")
    for row in reversed(range(rows)):
        labelled = row in (0, rows // 2, rows - 1)
        label = f"{landscape.betas[row]:.2f} rad" if labelled else ""
        drawn.append(f"{label:>{_MARGIN - 1}} ")
        for column in range(columns):
            value = landscape.cuts[row, column]
            palette.paint(drawn, value, wide, mark if (row, column) == best else None)
        drawn.append("\n")
    # a label under the middle of the first, the middle and the last column
    under = " " * _MARGIN
    for column in (0, columns // 2, columns - 1):
        label = f"{landscape.gammas[column]:.2f}"
        place = max(_MARGIN + wide * column - 1, len(under) + (1 if column else 0))
        under = under.ljust(place) + label
    drawn.append(f"{under} rad  gamma\n\n")
    low, high = float(landscape.cuts.min()), float(landscape.cuts.max())
    drawn.append(f"{' ' * _MARGIN}expected cut  {low:.2f} [")
    for value in np.linspace(low, high, 10 if palette.coloured else len(_SHADES)):
        palette.paint(drawn, value, 2, None)
    drawn.append(f"] {high:.2f} edges   {mark} best\n")
    return drawn


class _Palette:
    """How a value looks on this console."""

    def __init__(self, landscape: Landscape, console: Console) -> None:
        self.coloured = not console.no_color and console.color_system in (
            "256",
            "truecolor",
            "windows",
        )
        self._low = float(landscape.cuts.min())
        self._span = float(landscape.cuts.max()) - self._low or 1.0
        unicode = (console.encoding or "").lower().startswith("utf")
        self._shades = _SHADES if unicode else _PLAIN_SHADES

    def paint(self, text: Text, value: float, wide: int, mark: str | None) -> None:
        """Append one cell."""
        share = (float(value) - self._low) / self._span
        if self.coloured:
            back = Color.from_rgb(*_colour(share))
            text.append(
                mark or " " * wide, Style(bgcolor=back, color="black", bold=True)
            )
            return
        level = min(int(share * len(self._shades)), len(self._shades) - 1)
        text.append(mark or self._shades[level] * wide)


def _colour(share: float) -> tuple[float, float, float]:
    place = np.linspace(0, 1, len(_STOPS))
    red, green, blue = (
        round(float(np.interp(share, place, [stop[part] for stop in _STOPS])))
        for part in range(3)
    )
    return red, green, blue


def check_png() -> None:
    """Refuse at the start what would fail at the end.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib.figure as _figure  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtra("the picture (or choose --no-png)", "plot") from None


def save_png(landscape: Landscape, path: Path, *, caption: str) -> None:
    """Draw the landscape into a PNG of 1200 x 900 pixels."""
    # the classes themselves: pyplot would look for a screen and keep global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(
        landscape.gammas, landscape.betas, landscape.cuts, shading="nearest"
    )
    row, column = landscape.best
    axes.plot(
        landscape.gammas[column],
        landscape.betas[row],
        marker="*",
        markersize=18,
        color="white",
        markeredgecolor="black",
        linestyle="none",
        label=f"best: {landscape.cuts[row, column]:.2f} edges",
    )
    axes.set_xlabel("gamma (rad)")
    axes.set_ylabel("beta (rad)")
    axes.set_title(caption, fontsize=11)
    axes.legend(loc="upper right")
    figure.colorbar(mesh, ax=axes, label="expected cut (edges)")
    figure.savefig(path, format="png")
