"""The rows of one measurement key, from JSON to planes of bits or to levels.

Most rows are taken by the block (`measurement_blocks`). Whatever is not written as the
row before it goes through msgspec: the first row of a key and its last, levels of more
than one digit, spaces that vary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

from qawait.measurement_blocks import (
    BlockReader,
    Template,
    planes_of,
    template_of,
    unpack_planes,
)
from qawait.measurements import RowRefused, Rows, levels_of
from qawait.packing import bytes_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qawait.shots import Levels

__all__ = ["KeyRows", "RowReader", "RowRefused", "packed_rows"]

_MANY, _MANY_BYTES = 512, 1 << 18
"""Rows, and their text, that msgspec gets at once, so that its lists stay small."""
_FEW = 300
"""Blocks of fewer rows cost as much as msgspec takes for them."""
_TRIES = 4
"""Blocks of few rows in succession, until rows go to msgspec by the many."""
_FIRST = 64
"""Rows of the first block, where nothing tells how many there will be."""

_ROWS_WITH_COMMA = re.compile(
    rb'(?:_\[[^][{}"]*+\]_,){1,%d}+_'.replace(b"_", rb"[ \t\n\r]*+") % _MANY
)
_DECODER = msgspec.json.Decoder(Rows)
_PLACE = re.compile(r" - at `\$(?:\[(\d+)\])?(?:\[\d+\])?`$| \(byte \d+\)$")


class KeyRows(Struct, frozen=True):
    """All rows of a key; one of `planes` and `levels` is None."""

    rows: int
    width: int
    planes: NDArray[np.uint8] | None
    """Rows of 0 and 1, shape (ceil(width / 8), rows), as `measurement_blocks` has it."""
    levels: Levels | None
    """Rows in which a level is above 1, shape (rows, width)."""


class RowReader:
    """Reads the rows of one key after the other."""

    def __init__(self) -> None:
        self._blocks = BlockReader()
        self._usual = 0
        """Rows of the key before: those of one job tend to have as many."""
        self.begin()

    def begin(self) -> None:
        """Forgets the rows of the last key."""
        self._rows = 0
        self._width: int | None = None
        self._template: Template | None = None
        self._in_vain = 0
        self._singly = False
        self._wide = False
        """Whether a level above 1 was among them."""
        self._planes: list[NDArray[Any]] = []
        self._levels: list[NDArray[Any]] = []

    def read_many(self, data: bytes | memoryview, at: int) -> int:
        """Reads rows that other rows follow, as many as go easily.

        Returns:
            Where the next row begins.
        """
        before = self._rows
        if self._template is not None:
            at = self._read_blocks(data, at, self._template)
        self._in_vain = 0 if self._rows - before >= _FEW else self._in_vain + 1
        if self._in_vain > _TRIES and not self._singly:
            found = _ROWS_WITH_COMMA.match(data, at, at + _MANY_BYTES)
            if found is not None:
                try:
                    self._read_text(found[0].rstrip(b" \t\n\r,"))
                except RowRefused:
                    # Row by row, it will be said which one is wrong.
                    self._singly = True
                else:
                    at = found.end()
        return at

    def read_one(self, row: bytes, following: bytes | None) -> None:
        """Reads a row; `following` is what is up to the next one, None at the last."""
        if not self._read_bits(row):
            self._read_text(row)
        self._template = None if following is None else template_of(row + following)

    def end(self) -> KeyRows:
        """All rows since `begin`."""
        self._usual = self._rows
        width = self._width or 0
        if self._wide:
            # Each block has the smallest type for its levels, so the whole has too.
            return KeyRows(self._rows, width, None, np.concatenate(self._levels))
        nothing = np.empty((bytes_for(width), 0), np.uint8)
        planes = np.concatenate([nothing, *self._planes], axis=1)
        return KeyRows(self._rows, width, planes, None)

    def _read_blocks(
        self, data: bytes | memoryview, at: int, template: Template
    ) -> int:
        rows = _FIRST
        while True:
            there = (len(data) - at) // template.stride
            # All rows but the last, which nothing follows: it is no row of a block.
            left = self._usual - 1 - self._rows
            rows = min(there, template.most_rows, left if left > 0 else 2 * rows)
            if rows < 1:
                return at
            good, block = self._blocks.read(data, at, rows, template, wide=self._wide)
            self._add(good, block)
            at += good * template.stride
            if good < rows or left == rows:
                return at

    def _read_bits(self, row: bytes) -> bool:
        """Reads a compact row of 0 and 1; False if it is another."""
        digits = row[1::2]
        width = len(digits)
        if digits.strip(b"01") or row[::2] != b"[" + b"," * (width - 1) + b"]":
            return False
        self._check_width(width)
        number = int(digits[::-1], 2).to_bytes(bytes_for(width), "little")
        planes = np.frombuffer(number, np.uint8)[:, None]
        self._add(1, unpack_planes(planes, width) if self._wide else planes)
        return True

    def _read_text(self, rows: bytes) -> None:
        """Reads rows with commas between them, whatever they look like."""
        try:
            read = _DECODER.decode(b"[" + rows + b"]")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._refused(str(error)) from None
        width = len(read[0])
        self._check_width(width)
        levels = levels_of(read)
        if not self._wide and levels.max(initial=0) > 1:
            self._wide = True
            self._levels = [unpack_planes(planes, width) for planes in self._planes]
            self._planes.clear()
        self._add(len(levels), levels if self._wide else planes_of(levels))

    def _refused(self, reason: str) -> RowRefused:
        """What msgspec found, with the row of this key instead of its own counting."""
        if (place := _PLACE.search(reason)) is not None:
            row = self._rows + int(place[1] or 0)
            reason = f"row {row}: {reason[: place.start()]}"
        return RowRefused(reason)

    def _check_width(self, width: int) -> None:
        if self._width is None:
            self._width = width
        elif width != self._width:
            raise RowRefused("rows of different lengths")

    def _add(self, rows: int, block: Levels) -> None:
        """Keeps rows: planes, or levels once one was above 1."""
        self._rows += rows
        (self._levels if self._wide else self._planes).append(block)


def packed_rows(
    rows: int, keys: Sequence[tuple[NDArray[np.uint8], int]]
) -> NDArray[np.uint8]:
    """The planes of several keys as packed rows, key after key.

    Args:
        rows: How many rows each key has.
        keys: The planes of each and the number of its columns.

    Returns:
        Shape (rows, ceil(columns / 8)), as Qiskit's BitArray has it.
    """
    if len(keys) == 1:
        return _as_rows(keys[0][0])
    joined = np.zeros((bytes_for(sum(width for _, width in keys)), rows), np.uint8)
    start = 0
    for planes, width in keys:
        place, shift = divmod(start, 8)
        for plane in planes:
            joined[place] |= plane << shift
            place += 1
            if shift and place < len(joined):
                joined[place] |= plane >> 8 - shift
        start += width
    return _as_rows(joined)


def _as_rows(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes, the last one first, as rows of bytes."""
    # Plane by plane: several times as fast as a copy of the transposed array.
    rows = np.empty(planes.shape[::-1], np.uint8)
    for place, plane in enumerate(planes[::-1]):
        rows[:, place] = plane
    return rows
