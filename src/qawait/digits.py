"""Outcomes as rows of decimal digits: counted, written as text, and read back.

One digit is what one classical bit read: 0 or 1, or a higher level up to 9. Outcomes
without higher levels are counted and written packed, which is many times faster.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from qawait.errors import ConfigurationError, LevelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["counted_digits", "digits_of"]


def counted_digits(
    digits: NDArray[Any], widths: Sequence[int], sep: str
) -> dict[str, int]:
    """How often each row occurs by its text, ascending.

    Args:
        digits: Rows of digits, leftmost first; at least one row and one digit.
        widths: The numbers of digits of the groups, leftmost first.
        sep: What to put between groups.

    Raises:
        LevelError: A level is above 9.
    """
    if (top := digits.max()) > 9:
        raise LevelError(f"level {top} has no digit; use bits()")
    rows, counts = np.unique(digits, axis=0, return_counts=True)
    characters = rows.astype(np.uint32) + ord("0")
    text = np.ascontiguousarray(characters).view(f"U{rows.shape[1]}")[:, 0].tolist()
    if sep:
        starts = [sum(widths[:n]) for n in range(len(widths))]
        groups = list(zip(starts, widths, strict=True))
        text = [
            sep.join(outcome[start : start + width] for start, width in groups)
            for outcome in text
        ]
    return dict(zip(text, counts.tolist(), strict=True))


def digits_of(value: str | int, width: int) -> NDArray[np.uint8]:
    """The digits of a value, lowest bit first, shape (width,)."""
    if isinstance(value, str):
        digits = [int(c) for c in reversed(value) if c in "0123456789"]
        if len(digits) == len(value) == width:
            return np.array(digits, np.uint8)
    elif 0 <= (number := index(value)) < 1 << width:
        return np.array([number >> bit & 1 for bit in range(width)], np.uint8)
    raise ConfigurationError(f"{value!r} is not a value of {width} bits")
