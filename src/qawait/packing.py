"""Rows of bits: packed as Qiskit packs them, and tallied without looking at each row.

Everywhere here column j of an unpacked array is classical bit j, and packed rows have
exactly the layout of Qiskit's BitArray: shape (rows, ceil(n / 8)), bit 0 is the least
significant bit of the *last* byte, padding in the high bits of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "bytes_for",
    "gather",
    "gather_words",
    "holds",
    "pack",
    "packed_words",
    "parity",
    "read_only",
    "tally",
    "tally_words",
    "unpack",
    "words_of",
]

_WORD_BITS = 64
_WORD_BYTES = 8

A = TypeVar("A", bound="NDArray[Any]")


def read_only(array: A) -> A:
    """The same data behind a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def bytes_for(n_bits: int) -> int:
    """How many bytes one packed row of `n_bits` takes."""
    return -(-n_bits // 8)


def pack(bits: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Packs rows of 0 and 1, shape (rows, n), into bytes."""
    # Plain packbits has bit 0 highest; from the little end, last byte last, it is ours.
    little = np.packbits(bits.astype(bool, copy=False), axis=1, bitorder="little")
    return np.ascontiguousarray(little[:, ::-1])


def unpack(packed: NDArray[np.uint8], n_bits: int, start: int = 0) -> NDArray[np.uint8]:
    """Unpacks `n_bits` bits from bit `start` on to 0 and 1, shape (rows, n_bits)."""
    size = packed.shape[1]
    part = packed[:, size - bytes_for(start + n_bits) : size - start // 8]
    skipped = start % 8
    bits = np.unpackbits(
        part[:, ::-1], axis=1, bitorder="little", count=skipped + n_bits
    )
    return np.ascontiguousarray(bits[:, skipped:])


def words_of(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The number that each packed row of at most eight bytes stands for."""
    rows, size = packed.shape
    little = np.zeros((rows, 8), np.uint8)
    # Column by column: numpy copies short rows one at a time, which takes longer.
    for byte in range(size):
        little[:, byte] = packed[:, size - 1 - byte]
    return little.view("<u8")[:, 0].astype(np.uint64, copy=False)


def packed_words(words: NDArray[np.uint64], n_bits: int) -> NDArray[np.uint8]:
    """Numbers of at most 64 bits as packed rows; the inverse of `words_of`."""
    size = bytes_for(n_bits)
    little = words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    packed = np.empty((len(words), size), np.uint8)
    for byte in range(size):
        packed[:, size - 1 - byte] = little[:, byte]
    return packed


# --- choosing bits --------------------------------------------------------------------

_BITS_OF_BYTE = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.uint64)


def gather(packed: NDArray[np.uint8], bits: Sequence[int]) -> NDArray[np.uint8]:
    """Packed rows whose bit j is bit `bits[j]` of these; -1 is a bit that is 0."""
    if len(bits) <= _WORD_BITS:
        return packed_words(gather_words(packed, bits), len(bits))
    parts = [
        gather(packed, bits[start : start + _WORD_BITS])
        for start in range(0, len(bits), _WORD_BITS)
    ]
    return np.concatenate(parts[::-1], axis=1)


def gather_words(packed: NDArray[np.uint8], bits: Sequence[int]) -> NDArray[np.uint64]:
    """As `gather`, for at most 64 bits, as one number for each row."""
    words = np.zeros(len(packed), np.uint64)
    chosen = np.asarray(bits, np.int64)
    to = np.flatnonzero(chosen >= 0)
    byte, bit = np.divmod(chosen[to], 8)
    byte, which = np.unique(byte, return_inverse=True)
    places = np.zeros((8, len(byte)), np.uint64)
    np.bitwise_or.at(places, (bit, which), np.uint64(1) << to.astype(np.uint64))
    # Where the bits of a byte go is looked up for all eight at once: one step for each
    # byte of a row, in whatever order the bits are wanted.
    tables = np.ascontiguousarray((_BITS_OF_BYTE @ places).T)
    for table, column in zip(tables, packed.shape[1] - 1 - byte, strict=True):
        words |= table.take(packed[:, column])
    return words


def holds(packed: NDArray[np.uint8], row: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which packed rows are equal to this one, shape (rows,)."""
    equal = np.ones(len(packed), bool)
    for column, byte in enumerate(row):
        equal &= packed[:, column] == byte
    return equal


def parity(packed: NDArray[np.uint8], bits: Iterable[int]) -> NDArray[np.bool_]:
    """Which packed rows have an odd number of ones among these bits, shape (rows,)."""
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit // 8] = masks.get(bit // 8, 0) ^ 1 << bit % 8
    folded = np.zeros(len(packed), np.uint8)
    for byte, mask in masks.items():
        folded ^= packed[:, packed.shape[1] - 1 - byte] & np.uint8(mask)
    return (np.bitwise_count(folded) & 1).view(bool)


# --- counting -------------------------------------------------------------------------


def tally(
    packed: NDArray[np.uint8], weights: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Merges equal rows, in ascending order of the numbers they stand for.

    Args:
        packed: Packed rows; equal ones may appear anywhere.
        weights: How often each row counts; None for once.

    Returns:
        The distinct rows and the sum of the weights of each.
    """
    rows, size = packed.shape
    if size <= _WORD_BYTES:
        words, counts = tally_words(words_of(packed), weights)
        return packed_words(words, 8 * size), counts
    # From the top, so that the first word tells most rows apart.
    words = np.zeros((rows, -(-size // _WORD_BYTES)), ">u8")
    words.view(np.uint8)[:, :size] = packed
    native = words.astype(np.uint64)
    order = np.argsort(native[:, 0], kind="stable")
    ranked = native[order]
    differ = ranked[1:] != ranked[:-1]
    if (differ[:, 1:].any(axis=1) & ~differ[:, 0]).any():
        order = np.lexsort(native.T[::-1])
        ranked = native[order]
        differ = ranked[1:] != ranked[:-1]
    starts = _starts(differ.any(axis=1), rows)
    return packed[order[starts]], _sums(starts, rows, weights, order)


def tally_words(
    words: NDArray[np.uint64], weights: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """As `tally`, for rows that are numbers of at most 64 bits."""
    if weights is not None:
        order = np.argsort(words, kind="stable")
        ranked = words[order]
        starts = _starts(ranked[1:] != ranked[:-1], len(words))
        return ranked[starts], _sums(starts, len(words), weights, order)
    top = int(words.max(initial=0))
    if top < len(words):
        counts = np.bincount(words.view(np.int64))
        seen = np.flatnonzero(counts)
        return seen.astype(np.uint64), counts[seen].astype(np.int64, copy=False)
    # Half as wide is sorted in half the time.
    ranked = np.sort(words.astype(np.uint32) if top < 2**32 else words)
    starts = _starts(ranked[1:] != ranked[:-1], len(words))
    return ranked[starts].astype(np.uint64), _sums(starts, len(words))


def _starts(differ: NDArray[np.bool_], rows: int) -> NDArray[np.intp]:
    """Where equal rows begin, from whether each but the first differs from the last."""
    new = np.ones(rows, bool)
    new[1:] = differ
    return np.flatnonzero(new)


def _sums(
    starts: NDArray[np.intp],
    rows: int,
    weights: NDArray[np.int64] | None = None,
    order: NDArray[np.intp] | None = None,
) -> NDArray[np.int64]:
    """The sum of the weights, taken in this order, from each start to the next."""
    if weights is None or not rows:
        return np.diff(starts, append=rows).astype(np.int64, copy=False)
    return np.add.reduceat(weights[order], starts)
