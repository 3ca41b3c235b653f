"""IQM's measurements as Python values, and what a level is. Wire reference, IQM, §5.2.

One circuit is a mapping of its measurement keys to arrays of the shape (shots, locus):
a row per shot, a column per position in that measurement's locus.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import msgspec
import numpy as np
from msgspec import Meta

from qawait.errors import ProtocolError
from qawait.packing import read_only
from qawait.shots import Levels, Shots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "MAX_LEVEL",
    "Levels",
    "RowRefused",
    "Rows",
    "as_measurements",
    "levels_of",
]

MAX_LEVEL = 2**32 - 1
"""The highest level that is taken for one."""

Rows: TypeAlias = list[list[Annotated[int, Meta(ge=0, le=MAX_LEVEL)] | float]]
"""What msgspec makes of the rows of one key; floats are looked at by `levels_of`."""


class RowRefused(Exception):
    """Rows that are none of levels; the text says why, and not where."""


def as_measurements(
    circuits: Sequence[Mapping[str, Levels | Sequence[Sequence[int]]]],
) -> list[Shots]:
    """Measurements from Python values, by the same rules as from JSON.

    Arrays and nested lists are read and packed; `Shots` are taken as they are.

    Raises:
        ProtocolError: A level is not an integer from 0 to `MAX_LEVEL` (1.0 is one), rows
            have different lengths, or the keys of a circuit different numbers of rows.
    """
    return [
        circuit
        if isinstance(circuit, Shots)
        else _circuit({key: _taken(rows, n, key) for key, rows in circuit.items()}, n)
        for n, circuit in enumerate(circuits)
    ]


def levels_of(rows: Sequence[Sequence[float]]) -> Levels:
    """Rows of numbers as an array (rows, columns): uint8, or wider if a level needs it.

    Raises:
        RowRefused: Rows have different lengths, or a number is no level.
    """
    width = len(rows[0]) if rows else 0
    if set(map(len, rows)) - {width}:
        raise RowRefused("rows of different lengths")
    # float64 holds every level up to the limit exactly, and floats that are none.
    flat = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width)
    top = flat.max(initial=0)
    if flat.min(initial=0) < 0 or top > MAX_LEVEL or (flat != np.floor(flat)).any():
        raise RowRefused(f"a level is not an integer from 0 to {MAX_LEVEL}")
    return flat.astype(np.min_scalar_type(int(top))).reshape(len(rows), width)


def _taken(rows: Any, n: int, key: str) -> Levels:
    if not isinstance(rows, np.ndarray):
        try:
            return levels_of(msgspec.convert(rows, Rows))
        except (msgspec.ValidationError, RowRefused) as error:
            raise _refused(n, key, str(error)) from error
    levels = cast("NDArray[Any]", rows)
    if levels.dtype == bool:
        levels = levels.view(np.uint8)
    if levels.ndim != 2 or levels.dtype.kind not in "iu":
        found = f"{levels.dtype} of shape {levels.shape}"
        raise _refused(n, key, f"{found}, not integers (shots, locus)")
    if levels.dtype.kind == "i" and levels.size and levels.min() < 0:
        raise _refused(n, key, "a level is negative")
    return read_only(levels)


def _circuit(keys: dict[str, Levels], n: int) -> Shots:
    shots = {key: len(rows) for key, rows in keys.items()}
    if len(set(shots.values())) > 1:
        raise ProtocolError(
            f"measurements of circuit {n}: keys with different numbers of shots: {shots}"
        )
    return Shots.of_arrays(keys)


def _refused(n: int, key: str, reason: str) -> ProtocolError:
    return ProtocolError(f"measurements of circuit {n}, key {key!r}: {reason}")
