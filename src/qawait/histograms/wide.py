"""Numbers of any width: rows of digits that are added and carried all at once.

A digit has 28 bits, half a word, the lowest digit first. The rest of the 64 bits that it
is held in leaves room to add up a column before anything is carried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qawait.histograms.varints import Numbers

__all__ = [
    "carry",
    "differences",
    "from_packed",
    "reach",
    "read",
    "to_packed",
    "words_for",
    "write",
]

_DIGIT = np.uint64(28)
_HIGHEST = np.uint64(2**28 - 1)
_GAPS = tuple(
    (np.uint64(gap), np.uint64(7 * gap), np.uint64(low))
    for gap, low in (
        (1, 0x007F007F007F007F),
        (2, 0x00003FFF00003FFF),
        (4, 0x000000000FFFFFFF),
    )
)
"""Between the bytes of a word, then its pairs, then its halves: the unused bits, the used
ones, and those of the lower neighbour."""


def words_for(bits: int) -> int:
    """How many words of 56 bits, eight groups, a number of so many bits takes."""
    return max(1, -(-bits // 56))


def read(numbers: Numbers, words: int) -> NDArray[np.uint64]:
    """The digits of numbers that fit into so many words, shape (numbers, 2 words)."""
    groups = np.zeros((len(numbers), 8 * words), np.uint8)
    groups[_first(numbers.lengths, 8 * words)] = numbers.groups
    joined = groups.view("<u8").astype(np.uint64, copy=False)
    for gap, used, low in _GAPS:
        joined = joined & low | joined >> gap & low << used
    return _digits(joined)


def write(digits: NDArray[np.uint64]) -> bytes:
    """Writes each row as one number of groups of seven bits, in its shortest form."""
    split = _words(digits)
    for gap, used, low in reversed(_GAPS):
        split = split & low | (split & low << used) << gap
    groups = split.astype("<u8", copy=False).view(np.uint8)
    needed = groups != 0
    needed[:, 0] = True
    lengths = groups.shape[1] - needed[:, ::-1].argmax(axis=1)
    kept = _first(lengths, groups.shape[1])
    groups[:, :-1] |= kept[:, 1:].view(np.uint8) << 7
    return groups[kept].tobytes()


def _first(lengths: NDArray[np.intp], places: int) -> NDArray[np.bool_]:
    """Which places belong to rows of these lengths, shape (rows, places)."""
    every: NDArray[np.intp] = np.arange(places)
    return every < lengths[:, None]


def _digits(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The digits of words of 56 bits: shape (rows, n) to (rows, 2n)."""
    digits = np.empty((len(words), 2 * words.shape[1]), np.uint64)
    digits[:, 0::2] = words & _HIGHEST
    digits[:, 1::2] = words >> _DIGIT
    return digits


def _words(digits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Words of 56 bits from their digits: shape (rows, 2n) to (rows, n)."""
    return digits[:, 0::2] | digits[:, 1::2] << _DIGIT


def from_packed(packed: NDArray[np.uint8], words: int) -> NDArray[np.uint64]:
    """The digits of rows packed as Qiskit does; each row makes so many words."""
    padded = np.zeros((len(packed), words, 8), np.uint8)
    filled = np.zeros((len(packed), words * 7), np.uint8)
    filled[:, words * 7 - packed.shape[1] :] = packed
    padded[:, :, 1:] = filled.reshape(-1, words, 7)
    big = padded.view(">u8")[:, ::-1, 0]
    return _digits(big.astype(np.uint64))


def to_packed(digits: NDArray[np.uint64], size: int) -> NDArray[np.uint8]:
    """Rows packed as Qiskit does, the lowest `size` bytes of each."""
    big = _words(digits)[:, ::-1].astype(">u8")
    packed = big.view(np.uint8).reshape(*big.shape, 8)[:, :, 1:].reshape(len(big), -1)
    return packed[:, packed.shape[1] - size :]


def reach(digits: NDArray[np.uint64], bit: int) -> NDArray[np.bool_]:
    """Which rows have this bit, or a higher one of the same digit."""
    place, shift = divmod(bit, int(_DIGIT))
    return digits[:, place] >> np.uint64(shift) != 0


def carry(digits: NDArray[np.uint64]) -> None:
    """Brings digits that have grown, to below 2**56, back to 28 bits, in place.

    What the last digit carries is lost.
    """
    carried = digits >> _DIGIT
    digits &= _HIGHEST
    digits[:, 1:] += carried[:, :-1]
    # Carries are ones by now, and rare; but one may run through any number of digits.
    places = digits.shape[1]
    rows = np.unique(np.flatnonzero(digits > _HIGHEST) // places)
    if not len(rows):
        return
    some = digits[rows]
    carried = some >> _DIGIT
    some &= _HIGHEST
    # The next lower digit that does not pass a carry on tells whether one arrives.
    stops = np.where(some == _HIGHEST, 0, np.arange(places, dtype=np.intp))
    np.maximum.accumulate(stops, axis=1, out=stops)
    some[:, 1:] += np.take_along_axis(carried, stops, axis=1)[:, :-1]
    digits[rows] = some & _HIGHEST


def differences(
    digits: NDArray[np.uint64], before: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """What each row is above the one before it, the first above `before`."""
    lower = np.vstack((before[None], digits[:-1]))
    # Subtracting is adding what is missing to the highest number, and one.
    found = digits + (_HIGHEST - lower)
    found[:, 0] += np.uint64(1)
    carry(found)
    return found
