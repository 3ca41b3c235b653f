"""Base64, as strict as binascii's, many characters at a time.

Unlike binascii, which holds every other thread up until the last character, it is done in
small steps.
"""

from __future__ import annotations

import binascii
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode"]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_INVALID = 1 << 12
_SHORTEST = 2**12
"""Characters; below, making arrays costs more than it saves."""
_PAIRS_AT_ONCE = 2**15
"""Pairs of characters; what is made of them stays in the processor's cache."""


def decode(text: str) -> NDArray[np.uint8]:
    """The bytes that `text` stands for: standard alphabet, with padding.

    Raises:
        ValueError: It has other characters, or is cut off; the text is binascii's.
    """
    if len(text) >= _SHORTEST and len(text) % 4 == 0 and text.isascii():
        decoded = _decode(text.encode("ascii"))
        if decoded is not None:
            return decoded
    # Whatever is wrong, binascii says it.
    return np.frombuffer(binascii.a2b_base64(text, strict_mode=True), np.uint8)


def _decode(text: bytes) -> NDArray[np.uint8] | None:
    """The bytes, or None where any character does not belong."""
    # The last four characters may have padding, which the table does not know.
    try:
        end = binascii.a2b_base64(text[-4:], strict_mode=True)
    except ValueError:
        return None
    table = _table()
    pairs = np.frombuffer(text, "<u2")[:-2]
    size = len(pairs) // 2 * 3
    decoded = np.empty(size + len(end), np.uint8)
    decoded[size:] = list(end)
    triples = decoded[:size].reshape(-1, 3)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        high = np.take(table, some[0::2], mode="clip")
        low = np.take(table, some[1::2], mode="clip")
        if int((high | low).max()) >= _INVALID:
            return None
        # Two twelves of bits make three bytes.
        bits = high.astype(np.uint32)
        bits <<= np.uint32(12)
        bits |= low
        rows = triples[start // 2 : start // 2 + len(bits)]
        rows[:, 0] = bits >> np.uint32(16)
        rows[:, 1] = bits >> np.uint32(8)
        rows[:, 2] = bits
    return decoded


@cache
def _table() -> NDArray[np.uint16]:
    """The twelve bits of each pair of characters, the first one in the low byte."""
    values = np.full(256, _INVALID, np.uint16)
    values[list(_ALPHABET)] = range(64)
    first, second = values[None, :], values[:, None]
    together = first << np.uint16(6) | second
    together[(first | second) >= _INVALID] = _INVALID
    return together.ravel()
