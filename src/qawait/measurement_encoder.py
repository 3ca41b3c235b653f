"""Measurement arrays to JSON: every row has the same text but for its digits.

What comes out is byte for byte what msgspec writes for the same data as nested lists,
but no list is made. Wire reference, IQM, §5.2.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from msgspec.json import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from qawait.shots import Levels

__all__ = ["encode_measurements"]

_BLOCK_BYTES = 64 * 1024
"""How much text is made at a time: so much stays in the processor's cache."""


def encode_measurements(circuits: Sequence[Mapping[str, Levels]]) -> bytes:
    """Writes measurements as compact JSON, `[{key: [[level, ...], ...]}, ...]`.

    Beside the JSON itself it needs no memory that grows with the number of shots.

    Args:
        circuits: For each circuit its keys, in order, with arrays (shots, locus).
    """
    # Unlike a list of pieces or a bytearray, it gives its buffer away without a copy.
    text = BytesIO()
    rows = _Rows()
    text.write(b"[")
    for number, keys in enumerate(circuits):
        text.write(b",{" if number else b"{")
        for place, (key, levels) in enumerate(keys.items()):
            text.write(b"," if place else b"")
            text.write(encode(key))
            text.write(b":")
            rows.write(text, levels)
        text.write(b"}")
    text.write(b"]")
    return text.getvalue()


class _Rows:
    """Writes arrays, with the text of a block of rows kept from one to the next."""

    def __init__(self) -> None:
        self._block = np.empty((0, 1, 2), np.uint8)
        """(rows, width + 1, 2): each row shifted by its opening bracket, `d,` `d,` ...
        `d]` `,[`, so that the digits stand at even places."""

    def write(self, text: BytesIO, levels: Levels) -> None:
        rows, width = levels.shape
        most = max(1, _BLOCK_BYTES // (2 * width + 2))
        text.write(b"[")
        for first in range(0, rows, most):
            some = levels[first : first + most]
            text.write(b",[" if first else b"[")
            if width and _are_digits(some):
                text.write(self._pattern(len(some), some))
            else:
                text.write(encode(some.tolist())[2:-1])
        text.write(b"]")

    def _pattern(self, rows: int, levels: Levels) -> memoryview:
        """The text of rows of single digits but for the bracket that opens it."""
        width = levels.shape[1]
        if self._block.shape[1] != width + 1 or len(self._block) < rows:
            self._block = np.empty((rows, width + 1, 2), np.uint8)
            self._block[:, :, 1] = ord(",")
            self._block[:, width - 1, 1] = ord("]")
            self._block[:, width] = ord(","), ord("[")
        block = self._block[:rows]
        np.add(levels, ord("0"), out=block[:, :width, 0], casting="unsafe")
        return block.reshape(-1)[:-2].data


def _are_digits(levels: NDArray[np.generic]) -> bool:
    kind = levels.dtype.kind
    if kind not in "iu" or levels.max() > 9:
        return False
    return kind == "u" or levels.min() >= 0
