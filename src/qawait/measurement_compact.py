"""Few shots, written without spaces, read at once.

Most answers are small, and what a `MeasurementDecoder` needs for text that comes in any
form and in any pieces costs more than their rows. It reads whatever is not read here.
"""

from __future__ import annotations

import re

import numpy as np

from qawait.packing import pack
from qawait.shots import Shots

__all__ = ["MOST_BYTES", "read_compact"]

MOST_BYTES = 1 << 16
"""Larger texts are read faster by the block."""

_FIRST_KEY = re.compile(rb'\{"([ !#-\[\]-~]*+)":\[(?=(\[[01](?:,[01])*+\]))')
"""A key of plain characters, and the first of its rows."""
_NEXT_KEY = re.compile(rb',"([ !#-\[\]-~]*+)":\[(?=(\[[01](?:,[01])*+\]))')
_END_OF_ROWS = b"]]"
_ONE_BIT = bytes.maketrans(b"1", b"0")
_DIGIT_TO_BIT = bytes.maketrans(b"01", b"\0\1")


def read_compact(text: bytes) -> list[Shots] | None:
    """Reads `[{"key":[[0,1],...],...},...]` with at least one row under each key.

    Returns:
        For each circuit its keys in the order of the text; None if the text is another
        one, right or wrong: spaces, levels above 1, escapes, no rows, more bytes than
        `MOST_BYTES`.
    """
    if len(text) > MOST_BYTES or not text.startswith(b"["):
        return None
    circuits: list[Shots] = []
    at = 1
    while True:
        read = _circuit(text, at)
        if read is None:
            return None
        shots, at = read
        circuits.append(shots)
        if text.startswith(b"]", at):
            return circuits if at + 1 == len(text) else None
        if not text.startswith(b",", at):
            return None
        at += 1


def _circuit(text: bytes, at: int) -> tuple[Shots, int] | None:
    """One circuit, and where the text goes on behind it."""
    widths: dict[str, int] = {}
    keys: list[bytes] = []
    rows, pattern = 0, _FIRST_KEY
    while (found := pattern.match(text, at)) is not None:
        row = found[2] + b","
        end = text.find(_END_OF_ROWS, found.end()) + 1
        # with a comma behind the last row as behind the others
        written = text[found.end() : end] + b","
        count = len(written) // len(row)
        if written.translate(_ONE_BIT) != row.translate(_ONE_BIT) * count:
            return None
        key = found[1].decode("ascii")
        if key in widths or (keys and count != rows):
            return None
        rows, widths[key] = count, len(row) // 2 - 1
        keys.append(written.translate(_DIGIT_TO_BIT, b"[],"))
        at, pattern = end + 1, _NEXT_KEY
    if not keys or not text.startswith(b"}", at):
        return None
    bits = [np.frombuffer(key, np.uint8).reshape(rows, -1) for key in keys]
    joined = bits[0] if len(bits) == 1 else np.concatenate(bits, axis=1)
    return Shots(rows, widths, pack(joined)), at + 1
