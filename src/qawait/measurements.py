"""IQM's measurements: JSON to numpy and back. Wire reference, IQM, §5.2.

One circuit is a mapping of its measurement keys to arrays of the shape (shots, locus):
a row per shot, a column per position in that measurement's locus.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import msgspec
import numpy as np
from msgspec import Meta, Raw
from numpy.typing import NDArray

from qawait.errors import ProtocolError
from qawait.packing import read_only
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Levels",
    "as_measurements",
    "decode_measurements",
    "encode_measurements",
]

Levels: TypeAlias = NDArray[np.integer[Any]]
"""What was read in each shot: 0 or 1 for a qubit, larger for a higher level."""

_MAX_LEVEL = 2**32 - 1
_Rows: TypeAlias = list[list[Annotated[int, Meta(ge=0, le=_MAX_LEVEL)] | float]]
_DECODER = msgspec.json.Decoder(list[dict[str, _Rows]])


def decode_measurements(raw: bytes | Raw) -> list[dict[str, Levels]]:
    """Reads `[{key: [[level, ...], ...]}, ...]`, one mapping for each circuit.

    Returns:
        For each circuit its keys in the order of the wire, each with a read-only array
        (shots, locus): uint8, or wider where a level needs it. A key without a single
        row gives (0, 0), since its locus is not in these data.

    Raises:
        ProtocolError: A value is not a non-negative integer (1.0 is one), rows have
            different lengths, or the keys of a circuit different numbers of rows.
    """
    return [
        _circuit({key: _read(rows, n, key) for key, rows in circuit.items()}, n)
        for n, circuit in enumerate(decode(_DECODER, bytes(raw), "measurements"))
    ]


def as_measurements(
    circuits: Sequence[Mapping[str, Levels | Sequence[Sequence[int]]]],
) -> list[dict[str, Levels]]:
    """Measurements from Python values, by the same rules as from JSON.

    Arrays are not copied, but put behind read-only views; nested lists are read.

    Raises:
        ProtocolError: As for `decode_measurements`.
    """
    return [
        _circuit({key: _taken(rows, n, key) for key, rows in circuit.items()}, n)
        for n, circuit in enumerate(circuits)
    ]


def encode_measurements(circuits: Sequence[Mapping[str, Levels]]) -> bytes:
    """Writes measurements as compact JSON, exactly what `decode_measurements` reads."""
    return msgspec.json.encode(
        [{key: rows.tolist() for key, rows in c.items()} for c in circuits]
    )


def _read(rows: Sequence[Sequence[float]], n: int, key: str) -> Levels:
    width = len(rows[0]) if rows else 0
    if set(map(len, rows)) - {width}:
        raise _refused(n, key, "rows of different lengths")
    # float64 holds every level up to the limit exactly, and floats that are none.
    flat = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width)
    if not flat.size:
        return read_only(flat.astype(np.uint8).reshape(len(rows), width))
    top = flat.max()
    if flat.min() < 0 or top > _MAX_LEVEL or (flat != np.floor(flat)).any():
        raise _refused(n, key, f"a level is not an integer from 0 to {_MAX_LEVEL}")
    levels = flat.astype(np.min_scalar_type(int(top)))
    return read_only(levels.reshape(len(rows), width))


def _taken(rows: Any, n: int, key: str) -> Levels:
    if not isinstance(rows, np.ndarray):
        try:
            return _read(msgspec.convert(rows, _Rows), n, key)
        except msgspec.ValidationError as error:
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


def _circuit(keys: dict[str, Levels], n: int) -> dict[str, Levels]:
    shots = {key: len(rows) for key, rows in keys.items()}
    if len(set(shots.values())) > 1:
        raise ProtocolError(
            f"measurements of circuit {n}: keys with different numbers of shots: {shots}"
        )
    return keys


def _refused(n: int, key: str, reason: str) -> ProtocolError:
    return ProtocolError(f"measurements of circuit {n}, key {key!r}: {reason}")
