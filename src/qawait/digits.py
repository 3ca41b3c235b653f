"""Outcomes as rows of decimal digits: counted, written as text, and read back.

One digit is what one classical bit read: 0 or 1, or a higher level up to 9.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from qawait.errors import ConfigurationError, LevelError
from qawait.histograms import Histogram
from qawait.packing import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["digits_of", "tallied_digits", "written"]


def tallied_digits(digits: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The distinct rows, ascending by their digits from left to right, and counts."""
    top = digits.max() if digits.size else 0
    if top > 9:
        raise LevelError(f"level {top} has no digit; use bits()")
    if top > 1:
        rows, counts = np.unique(digits, axis=0, return_counts=True)
        return rows, counts.astype(np.int64)
    histogram = Histogram.of_packed(pack(digits[:, ::-1]), digits.shape[1])
    return unpack(histogram.packed(), digits.shape[1])[:, ::-1], histogram.counts


def written(digits: NDArray[Any], widths: Sequence[int], sep: str) -> list[str]:
    """Rows of digits as text, with a separator between groups of these widths."""
    between = np.tile(np.array([ord(c) for c in sep], np.uint32), (len(digits), 1))
    pieces: list[NDArray[Any]] = []
    start = 0
    for width in widths:
        pieces += [between] if pieces else []
        pieces.append(digits[:, start : start + width] + np.uint32(ord("0")))
        start += width
    empty = np.empty((len(digits), 0))
    text = np.concatenate([empty, *pieces], axis=1, dtype=np.uint32, casting="unsafe")
    if not text.shape[1]:
        return [""] * len(text)
    return np.ascontiguousarray(text).view(f"U{text.shape[1]}")[:, 0].tolist()


def digits_of(value: str | int, width: int) -> NDArray[np.uint8]:
    """The digits of a value, lowest bit first, shape (width,)."""
    if isinstance(value, str):
        digits = [int(c) for c in reversed(value) if c in "0123456789"]
        if len(digits) == len(value) == width:
            return np.array(digits, np.uint8)
    elif 0 <= (number := index(value)) < 1 << width:
        return np.array([number >> bit & 1 for bit in range(width)], np.uint8)
    raise ConfigurationError(f"{value!r} is not a value of {width} bits")
