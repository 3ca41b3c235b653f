"""Where pictures are drawn, and in which colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from qawait.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "FAILED",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "PINK",
    "SKY",
    "axes_for",
    "listed",
    "require_matplotlib",
    "unit_of_time",
]

BLUE, ORANGE, GREEN, SKY, RED, PINK = (
    "#0077BB",
    "#E69F00",
    "#009E73",
    "#56B4E9",
    "#D55E00",
    "#CC79A7",
)
GREY = "#8C8C8C"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY)
"""Told apart with every kind of colour vision, on white and on black (Okabe and Ito's,
the blue a little lighter)."""
FAILED = RED


def require_matplotlib(what: str) -> None:
    """Raise unless matplotlib is there.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtra(what, "plot") from None


def axes_for(what: str, ax: Any, *, width: float = 6.4, height: float = 4.8) -> Axes:
    """The Axes to draw into: those given, or those of a new figure of pyplot's.

    Args:
        what: Who asks, for the error.
        ax: The user's; None makes a figure.
        width: Of a new figure, in inches.
        height: Likewise.

    Raises:
        MissingExtra: matplotlib is not installed.
        ConfigurationError: `ax` is something else.
    """
    require_matplotlib(what)
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise ConfigurationError(
            f"{what}: ax must be the Axes of a figure of matplotlib's, not"
            f" {type(ax).__name__}"
        )
    # a notebook shows what pyplot knows, and plt.show() as well
    from matplotlib import pyplot

    made: Any = pyplot.subplots(figsize=(width, height), layout="constrained")
    return made[1]


def listed(given: object) -> list[Any] | None:
    """What stands in a sequence or comes out of an iterator; None for anything else."""
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        return list(cast("Iterable[Any]", given))
    return None


def unit_of_time(seconds: float) -> tuple[float, str]:
    """A unit in which so long a time is a handy number: how many seconds, and its name."""
    if seconds < 1:
        return 1e-3, "ms"
    if seconds < 300:
        return 1.0, "s"
    if seconds < 3 * 3600:
        return 60.0, "min"
    if seconds < 3 * 86400:
        return 3600.0, "h"
    return 86400.0, "days"
