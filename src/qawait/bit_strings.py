"""Outcomes written as text, without a step for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qawait.histograms import Histogram

__all__ = ["bit_strings", "written_counts"]

_BLOCK_BYTES = 2**16
"""Text that is made at a time. The C library takes larger pieces of memory from the
system and gives them back at once, which takes as long as all the rest."""
_CHARACTERS = (np.arange(256)[:, None] >> np.arange(8)[::-1] & 1) + ord("0")
_EIGHT_CHARACTERS = _CHARACTERS.astype(np.uint8).view(np.uint64)[:, 0]
"""The text of each byte, highest bit first, as one word that is copied at once."""


def written_counts(
    histogram: Histogram, widths: Sequence[int], sep: str
) -> dict[str, int]:
    """The counts of outcomes by their text, ascending; see `bit_strings`."""
    outcomes = bit_strings(histogram.packed(), widths, sep)
    return dict(zip(outcomes, histogram.counts.tolist(), strict=True))


def bit_strings(
    packed: NDArray[np.uint8], widths: Sequence[int], sep: str = ""
) -> list[str]:
    """Packed rows as text, bit 0 rightmost.

    Args:
        packed: The rows, as Qiskit's BitArray has them.
        widths: The numbers of bits of the groups, leftmost first; together all bits.
        sep: What to put between groups.
    """
    rows = 1 + _BLOCK_BYTES // (8 * packed.shape[1] + len(widths) + 1)
    written: list[str] = []
    for start in range(0, len(packed), rows):
        written += _lines(
            packed[start : start + rows], widths if sep else [sum(widths)]
        )
    if sep in ("", " "):
        return written
    return [outcome.replace(" ", sep) for outcome in written]


def _lines(packed: NDArray[np.uint8], widths: Sequence[int]) -> list[str]:
    """The text of rows, a space between groups; made as one text and cut at once."""
    rows, size = packed.shape
    bits = sum(widths)
    characters = _EIGHT_CHARACTERS.take(packed).view(np.uint8)
    characters = characters.reshape(rows, 8 * size)[:, 8 * size - bits :]
    text = np.full((rows, bits + max(1, len(widths))), ord(" "), np.uint8)
    start = end = 0
    for width in widths:
        text[:, end : end + width] = characters[:, start : start + width]
        start += width
        end += width + 1
    text[:, -1] = ord("\n")
    return str(text.data, "ascii").split("\n")[:-1]
