"""The points of a sweep, wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.plot.canvas import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qawait._sweep.sweep import Sweep
    from qawait.circuit_result import CircuitResult
    from qawait.journal.reading import ReadPoint

__all__ = ["PlainPoint", "points_of"]


class PlainPoint(Struct, frozen=True):
    """A point of a sweep, as it is drawn."""

    parameters: Mapping[str, float]
    result: Callable[[], CircuitResult] | None
    """Gives its result; None where there is none."""


def points_of(source: Any) -> list[PlainPoint]:
    """The points of a reading, of a sweep, or given one by one.

    Raises:
        ConfigurationError: It is something else, or there are no points.
    """
    from qawait._sweep.sweep import Sweep
    from qawait.journal.reading import Reading

    if isinstance(source, Sweep):
        found = _of_sweep(source)
    elif isinstance(source, Reading):
        found = _of_reading(source)
    elif (given := listed(source)) is not None:
        found = [_plain(one) for one in given]
    else:
        raise _wrong(source)
    if not found:
        raise ConfigurationError("plot.sweep: there are no points yet")
    return found


def _of_reading(points: Iterable[ReadPoint]) -> list[PlainPoint]:
    return [
        PlainPoint(point.parameters, point.result if point.has_result else None)
        for point in points
    ]


def _of_sweep(sweep: Sweep) -> list[PlainPoint]:
    parts = sweep._parts  # pyright: ignore[reportPrivateUsage]
    if parts is None:
        raise ConfigurationError("plot.sweep: this sweep is not open; it has no points")
    path = parts.record.journal.path
    if path is None:
        return [_kept(*one) for one in parts.kept.held()]
    from qawait.journal.reading import read

    # a client's own journal may have the points of several sweeps
    own = parts.record.has
    return _of_reading(p for key, p in read(path).points.items() if own(key))


def _plain(point: Any) -> PlainPoint:
    from qawait._sweep.point import Point

    if not isinstance(point, Point):
        raise _wrong(point)
    return _kept(point.params, point.result)


def _kept(parameters: Mapping[str, float], result: CircuitResult | None) -> PlainPoint:
    return PlainPoint(parameters, None if result is None else lambda: result)


def _wrong(source: Any) -> ConfigurationError:
    hint = "; read a journal with qawait.read(path)" if isinstance(source, str) else ""
    return ConfigurationError(
        "plot.sweep draws a sweep, the points that came out of one, or what"
        f" qawait.read(path) gives, not {type(source).__name__}{hint}"
    )
