"""Runs of rows that are written alike, read as one strided block of bytes.

A service writes every row of a measurement key in the same way: the same brackets,
commas and spaces, and one digit in the same places. What one row tells of the places is
its `Template`; as long as the text keeps to it, numpy compares whole blocks with it and
takes the digits out. Whatever does not keep to it is left to who reads row by row.

Rows of 0 and 1 come out as *planes*, shape (ceil(columns / 8), rows): bit j % 8 of byte
j // 8 is column j. That is Qiskit's layout, transposed and from the last byte to the
first.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BlockReader", "Template", "planes_of", "template_of", "unpack_planes"]

_DIGIT = rb"\d(?:\.0{1,4})?"
_WS = rb"[ \t\n\r]*"
_ROW = re.compile(
    rb"\[W(?:DW(?:,WDW)*)?\]W,W".replace(b"W", _WS).replace(b"D", _DIGIT), re.ASCII
)
_ONE_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_BLOCK_BYTES = 1 << 20
"""Text read at once: with its scratch it stays within the processor's cache."""
_BLOCK_ROWS = 1 << 14
_FEW_BYTES = 1 << 12
"""Text that is read faster in one piece than by columns."""
_ONE_BIT = bytes.maketrans(b"1", b"0")
_DIGIT_TO_BIT = bytes.maketrans(b"01", b"\0\1")

# Of a compact row, eight bytes are four digits, each behind its bracket or comma. With
# those taken off, what is left is 0 or 1 in every other byte, from the second.
_FOUR_DIGITS = np.uint64(0x0100_0100_0100_0100)
_THREE_DIGITS = np.uint64(0x0000_0100_0100_0100)
_GATHER = np.uint64(1 << 48 | 1 << 33 | 1 << 18 | 1 << 3)
"""Multiplied by this, bits 8, 24, 40 and 56 of a word become its bits 56 to 59. No two
of the products meet in one bit, and none is among the four bits on either side."""
_TO_LOW, _TO_HIGH = np.uint64(56), np.uint64(52)


class Template(Struct, frozen=True):
    """How one row and what follows it up to the next are written."""

    text: bytes
    """The bytes, with 0 for each digit that is a level."""
    columns: tuple[int, ...]
    """Where the levels stand."""
    compact: bool
    """Whether there are only digits, commas and brackets."""

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return len(self.text)

    @property
    def most_rows(self) -> int:
        """How many rows make one block."""
        return max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // self.stride))


def template_of(text: bytes) -> Template | None:
    """The template of a row with its comma and the spaces behind that.

    Returns:
        None if a level has several digits, a sign or an exponent.
    """
    return _compiled(text.translate(_ONE_DIGIT)) if len(text) <= _BLOCK_BYTES else None


@lru_cache(maxsize=64)
def _compiled(text: bytes) -> Template | None:
    if not _ROW.fullmatch(text):
        return None
    # A digit behind a point is no level of its own, and stays what it is.
    columns = tuple(found.start() for found in re.finditer(rb"(?<![.0])0", text))
    compact = text == b"[" + b",".join([b"0"] * len(columns)) + b"],"
    return Template(text, columns, compact and bool(columns))


def planes_of(bits: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Planes of rows of 0 and 1, shape (rows, columns)."""
    packed = np.packbits(bits.astype(bool, copy=False), axis=1, bitorder="little")
    return np.ascontiguousarray(packed.T)


def unpack_planes(planes: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """The rows of 0 and 1, shape (rows, columns), that planes hold."""
    return np.unpackbits(planes.T, axis=1, bitorder="little", count=columns)


class BlockReader:
    """Reads rows that keep to a template; its scratch serves block after block."""

    def __init__(self) -> None:
        self._scratch: NDArray[np.uint64] | None = None

    def read(
        self,
        data: bytes | memoryview,
        at: int,
        rows: int,
        template: Template,
        *,
        wide: bool,
    ) -> tuple[int, NDArray[np.uint8]]:
        """Reads rows up to the first that does not keep to the template.

        Args:
            data: The text.
            at: Where the first row begins.
            rows: How many rows to look at, at most `template.most_rows`; all lie within
                `data`.
            template: How they are written.
            wide: Whether levels above 1 are expected; else they end the block.

        Returns:
            How many rows were read, and their planes; the levels themselves, shape
            (rows, columns), if they are `wide`.
        """
        if wide or not template.compact:
            good, levels = _read_levels(data, at, rows, template)
            if wide:
                return good, levels
            above = levels.max(axis=1, initial=0) > 1
            good = int(above.argmax()) if above.any() else good
            return good, planes_of(levels[:good])
        width = len(template.columns)
        if rows * template.stride <= _FEW_BYTES:
            bits = _read_few(bytes(data[at : at + rows * template.stride]), template)
            if bits is not None:
                return len(bits), planes_of(bits)
        if self._scratch is None:
            self._scratch = np.empty((3, _BLOCK_ROWS), np.uint64)
        read = _read_narrow if width < 3 else _read_words
        planes, wrong = read(data, at, width, self._scratch[:, :rows])
        if np.bitwise_or.reduce(wrong):
            good = int((wrong != 0).argmax())
            return good, planes[:, :good]
        return rows, planes


def _read_few(text: bytes, template: Template) -> NDArray[np.uint8] | None:
    """Compact rows of 0 and 1, shape (rows, columns), from little text.

    Returns:
        None if one of them does not keep to the template.
    """
    stride = template.stride
    # What the last row of a key is followed by is no comma.
    if (end := text.find(b"]]")) >= 0:
        text = text[: end // stride * stride]
    rows = len(text) // stride
    if text.translate(_ONE_BIT) != template.text * rows:
        return None
    bits = text.translate(_DIGIT_TO_BIT, b"[],")
    return np.frombuffer(bits, np.uint8).reshape(rows, len(template.columns))


def _read_levels(
    data: bytes | memoryview, at: int, rows: int, template: Template
) -> tuple[int, NDArray[np.uint8]]:
    """The clear way, for every template: subtract it and see what is left."""
    stride = template.stride
    text = np.frombuffer(data, np.uint8, rows * stride, at).reshape(rows, stride)
    rest = text ^ np.frombuffer(template.text, np.uint8)
    columns = _as_slice(template.columns)
    levels = rest[:, columns].copy()
    rest[:, columns] = levels > 9
    wrong = rest.any(axis=1)
    good = int(wrong.argmax()) if wrong.any() else rows
    return good, levels[:good]


def _as_slice(columns: tuple[int, ...]) -> slice | list[int]:
    """Columns at equal distances as a slice, which numpy reads without a list."""
    steps = set(np.diff(columns).tolist())
    if len(steps) > 1 or not columns:
        return list(columns)
    return slice(columns[0], columns[-1] + 1, steps.pop() if steps else 1)


def _read_narrow(
    data: bytes | memoryview, at: int, width: int, scratch: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Compact rows of one or two columns, which are shorter than a word."""
    stride = 2 * width + 2
    rows = scratch.shape[1]
    start, digits, end = (part.view(np.uint32)[:rows] for part in scratch)
    _column(data, at, stride, b"[0]," if width == 1 else b"[0,0", start)
    planes = np.empty((1, rows), np.uint8)
    if width == 1:
        np.right_shift(start, 8, out=planes[0], casting="unsafe")
        np.bitwise_and(start, ~np.uint32(0x0100), out=start)
        return planes, start
    np.right_shift(start, 8, out=digits)
    np.right_shift(start, 23, out=end)
    np.bitwise_or(digits, end, out=digits)
    np.bitwise_and(digits, 3, out=planes[0], casting="unsafe")
    np.bitwise_and(start, ~np.uint32(0x0100_0100), out=start)
    last = end.view(np.uint16)[:rows]
    _column(data, at + 4, stride, b"],", last)
    np.bitwise_or(start, last, out=start)
    return planes, start


def _read_words(
    data: bytes | memoryview, at: int, width: int, scratch: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Compact rows of three columns or more, four digits at a time.

    A word for each four digits, and one for the last eight bytes: the last three
    digits, whether or not they were in a word before, and the end of the row.

    Args:
        data: The text.
        at: Where the first row begins.
        width: Columns of each row.
        scratch: Shape (3, rows): making it anew would cost as much as reading.
    """
    stride = 2 * width + 2
    word, digits, wrong = scratch
    planes = np.zeros((-(-width // 8), len(word)), np.uint8)
    wrong.fill(0)
    for group in range(width // 4):
        text = b",0,0,0,0" if group else b"[0,0,0,0"
        _column(data, at + 8 * group, stride, text, word)
        np.bitwise_or(wrong, word, out=wrong)
        np.multiply(word, _GATHER, out=word)
        if group % 2:
            np.right_shift(word, _TO_HIGH, out=word)
            np.bitwise_or(digits, word, out=planes[group // 2], casting="unsafe")
        else:
            np.right_shift(word, _TO_LOW, out=digits)
    if width // 4 % 2:
        planes[width // 8] = digits
    np.bitwise_and(wrong, ~_FOUR_DIGITS, out=wrong)
    last = b"[0,0,0]," if width == 3 else b",0,0,0],"
    _column(data, at + stride - 8, stride, last, word)
    np.bitwise_and(word, ~_THREE_DIGITS, out=digits)
    np.bitwise_or(wrong, digits, out=wrong)
    if left := width % 4:
        np.multiply(word, _GATHER, out=word)
        np.right_shift(word, _TO_LOW + np.uint64(3 - left), out=word)
        np.left_shift(word, np.uint64(width // 4 % 2 * 4), out=word)
        np.bitwise_or(planes[-1], word, out=planes[-1], casting="unsafe")
    return planes, wrong


def _column(
    data: bytes | memoryview, at: int, stride: int, text: bytes, out: NDArray[Any]
) -> None:
    """The same few bytes of every row as one number, without what `text` has there."""
    expected = out.dtype.type(int.from_bytes(text, "little"))
    kind = out.dtype.newbyteorder("<")
    rows = np.ndarray((len(out),), kind, data, at, (stride,))
    np.bitwise_xor(rows, expected, out=out)
