"""Rows of bits: packed as Qiskit packs them, and tallied without looking at each row.

Everywhere here column j of an unpacked array is classical bit j, and packed rows have
exactly the layout of Qiskit's BitArray: shape (rows, ceil(n / 8)), bit 0 is the least
significant bit of the *last* byte, padding in the high bits of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bytes_for", "pack", "read_only", "tally", "unpack"]

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


def unpack(packed: NDArray[np.uint8], n_bits: int) -> NDArray[np.uint8]:
    """Unpacks bytes into rows of 0 and 1, shape (rows, n_bits)."""
    return np.unpackbits(packed[:, ::-1], axis=1, bitorder="little", count=n_bits)


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
    if weights is None:
        weights = np.ones(len(packed), np.int64)
    if not len(packed):
        return packed, weights
    # Sorting machine words is several times faster than sorting rows of bytes.
    words = np.zeros((len(packed), max(1, -(-packed.shape[1] // 8))), ">u8")
    words.view(np.uint8)[:, words.shape[1] * 8 - packed.shape[1] :] = packed
    native = words.astype(np.uint64)
    order = np.lexsort(native.T[::-1])
    native = native[order]
    new = np.ones(len(native), bool)
    new[1:] = (native[1:] != native[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    return packed[order[starts]], np.add.reduceat(weights[order], starts)
