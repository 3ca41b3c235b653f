"""Numbers in groups of seven bits (ULEB128), read and written many at a time.

Seven bits to a byte, the lowest first; the high bit says that another byte follows.
Numbers are looked at in blocks that stay in the processor's cache, which also bounds
the memory this takes beside what it reads and gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from qawait.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Numbers", "Reader", "refused", "write"]

_BLOCK_BYTES = 2**17
"""Bytes looked at together, unless a single number may take more."""

_MORE = 0x80
_GROUP = 0x7F


def refused(reason: str) -> ProtocolError:
    """The error for a histogram that breaks a rule of its format."""
    return ProtocolError(f"histogram: {reason}")


class Numbers(Struct, frozen=True, eq=False):
    """Numbers as they stand in a payload, each in its shortest form."""

    groups: NDArray[np.uint8]
    """Their groups of seven bits, all numbers one after the other."""
    ends: NDArray[np.intp]
    """Where the last group of each number is."""
    lengths: NDArray[np.intp]
    """How many groups each number has."""

    def __len__(self) -> int:
        return len(self.ends)

    def zeros(self) -> NDArray[np.bool_]:
        """Which of the numbers are 0."""
        # In its shortest form, no other number ends with an empty group.
        return self.groups[self.ends] == 0

    def values(self) -> NDArray[np.uint64]:
        """The numbers, none of which may have more than 64 bits."""
        if len(self.groups) == len(self):
            return self.groups.astype(np.uint64)
        longest, shortest = int(self.lengths.max()), int(self.lengths.min())
        values = np.zeros(len(self), np.uint64)
        at = self.ends - self.lengths
        for place in range(longest):
            at += 1
            group = np.take(self.groups, at, mode="clip")
            if place >= shortest:
                group *= self.lengths > place
            values |= group.astype(np.uint64) << np.uint64(7 * place)
        return values


class Reader:
    """Reads a payload from front to back."""

    __slots__ = ("_bytes", "at", "data")

    def __init__(self, data: NDArray[np.uint8], at: int) -> None:
        self.data = data
        self.at = at
        # A single byte is read from it ten times as fast as from the array.
        self._bytes = data.data

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self.data) - self.at

    def byte(self, what: str) -> int:
        """The next byte.

        Raises:
            ProtocolError: There is none.
        """
        if not self.left:
            raise refused(f"it ends before the {what}")
        self.at += 1
        return self._bytes[self.at - 1]

    def number(self, bits: int, what: str) -> int:
        """The next number, at most `bits` wide and in its shortest form.

        Raises:
            ProtocolError: It is not; says what is wrong with it.
        """
        groups = self._groups(bits)
        fault = _fault(groups, bits, what)
        if fault:
            raise refused(fault)
        self.at += len(groups)
        return sum((byte & _GROUP) << 7 * place for place, byte in enumerate(groups))

    def size(self, what: str) -> int:
        """The number of elements that follow; each takes at least one byte.

        Raises:
            ProtocolError: So many bytes are not there.
        """
        size = self.number(63, f"number of {what}")
        if size > self.left:
            raise refused(f"{size} {what} announced, {self.left} bytes left")
        return size

    def numbers(
        self, count: int, bits: int, what: str, *, at_once: int = _BLOCK_BYTES
    ) -> Iterator[Numbers]:
        """The next `count` numbers, all under the rules of `number`.

        Yields:
            Blocks of 1 to `at_once` numbers. What precedes a number that breaks a rule
            comes first, so that errors appear in the order of the payload.

        Raises:
            ProtocolError: A number breaks a rule.
        """
        while count:
            block = self._block(min(count, at_once), bits)
            if not len(block):
                raise refused(_fault(self._groups(bits), bits, what))
            self.at += len(block.groups)
            count -= len(block)
            yield block

    def _block(self, count: int, bits: int) -> Numbers:
        """The next `count` numbers, or as many as are sound and fit into one block."""
        most = -(-bits // 7)
        data = self.data[self.at : self.at + min(max(_BLOCK_BYTES, most), count * most)]
        singles = data[:count]
        if most > 1 and len(singles) and int(singles.max()) < _MORE:
            # Frequent, and a tenth of the work.
            ends = np.arange(len(singles))
            return Numbers(singles, ends, np.broadcast_to(np.intp(1), ends.shape))
        ends = np.flatnonzero(data < _MORE)[:count]
        lengths = ends.copy()
        lengths[:1] += 1
        lengths[1:] -= ends[:-1]
        last = data[ends]
        broken = (lengths > most) | ((lengths > 1) & (last == 0))
        spare = bits - 7 * (most - 1)
        if spare < 7:
            broken |= (lengths == most) & (last >> spare != 0)
        sound = int(broken.argmax()) if broken.any() else len(ends)
        size = int(ends[sound - 1]) + 1 if sound else 0
        return Numbers(data[:size] & np.uint8(_GROUP), ends[:sound], lengths[:sound])

    def _groups(self, bits: int) -> bytes:
        """The next number as it is, or what there is of it up to the widest allowed."""
        groups = bytes(self._bytes[self.at : self.at + -(-bits // 7)])
        for size, byte in enumerate(groups, 1):
            if byte < _MORE:
                return groups[:size]
        return groups


def _fault(groups: bytes, bits: int, what: str) -> str:
    """What is wrong with a number; nothing if it is as it should be."""
    most = -(-bits // 7)
    if not groups or groups[-1] >= _MORE:
        if len(groups) < most:
            return f"it ends inside a {what}"
        return f"a {what} is wider than {bits} bits"
    if len(groups) > 1 and not groups[-1]:
        return f"a {what} is longer than it need be"
    if len(groups) == most and groups[-1] >> bits - 7 * (most - 1):
        return f"a {what} is wider than {bits} bits"
    return ""


def write(values: NDArray[np.uint64]) -> bytes:
    """Writes numbers one after the other, each in its shortest form."""
    lengths = np.ones(len(values), np.intp)
    for place in range(1, 10):
        longer = values >= np.uint64(1 << 7 * place)
        if not longer.any():
            break
        lengths += longer
    longest = int(lengths.max(initial=0))
    ends = np.cumsum(lengths)
    size = int(ends[-1]) if len(ends) else 0
    # Every number is given the longest form, the last group first: what is too much of it
    # stands where a lower group of a later number comes to stand, or beyond the end.
    written = np.empty(size + longest, np.uint8)
    at = ends - lengths + longest
    for place in reversed(range(longest)):
        at -= 1
        group = (values >> np.uint64(7 * place)).astype(np.uint8) & _GROUP
        written[at] = group | (lengths > place + 1) * np.uint8(_MORE)
    return written[:size].tobytes()
