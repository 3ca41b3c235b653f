"""How often each outcome was seen: the value that everything else here makes or reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

from qawait.packing import (
    bytes_for,
    pack,
    read_only,
    tally,
    tally_words,
    unpack,
    words_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WORD_BITS", "Histogram"]

WORD_BITS = 64
"""The widest outcome that is a number; wider ones are packed bytes."""


class Histogram(Struct, frozen=True, eq=False):
    """How often each outcome was seen, in ascending order of the outcomes.

    `outcomes` has the shape (k,) and is uint64 up to 64 bits; beyond, it is the bytes
    of Qiskit's BitArray, uint8 of shape (k, ceil(n_bits / 8)). Bit j of an outcome is
    classical bit j. `counts` is int64 of shape (k,). Both are read-only.
    """

    n_bits: int
    outcomes: NDArray[Any]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("outcomes", "counts"):
            msgspec.structs.force_setattr(self, name, read_only(getattr(self, name)))

    @classmethod
    def of_packed(
        cls,
        packed: NDArray[np.uint8],
        n_bits: int,
        weights: NDArray[np.int64] | None = None,
    ) -> Histogram:
        """Counts packed rows; with `weights`, each row counts that often."""
        if n_bits <= WORD_BITS:
            return cls(n_bits, *tally_words(words_of(packed), weights))
        return cls(n_bits, *tally(packed, weights))

    @classmethod
    def of_bits(cls, bits: NDArray[np.integer[Any]]) -> Histogram:
        """Counts rows of 0 and 1, shape (shots, n), column j = classical bit j."""
        return cls.of_packed(pack(bits), bits.shape[1])

    @property
    def shots(self) -> int:
        """The sum of all counts."""
        return int(self.counts.sum())

    def packed(self) -> NDArray[np.uint8]:
        """The outcomes as bytes of Qiskit's BitArray, (k, ceil(n_bits / 8))."""
        if self.n_bits > WORD_BITS:
            return self.outcomes
        words = self.outcomes.astype(">u8").view(np.uint8).reshape(-1, 8)
        return words[:, 8 - bytes_for(self.n_bits) :]

    def bits(self) -> NDArray[np.uint8]:
        """The outcomes as 0 and 1, (k, n_bits), column j = classical bit j."""
        return unpack(self.packed(), self.n_bits)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same number of bits."""
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            self.n_bits == other.n_bits
            and np.array_equal(self.outcomes, other.outcomes)
            and np.array_equal(self.counts, other.counts)
        )

    def __ne__(self, other: object) -> bool:
        # A Struct brings its own, which would compare identities.
        return not self == other

    def __repr__(self) -> str:
        return (
            f"Histogram({self.n_bits} bits, {len(self.counts)} outcomes,"
            f" {self.shots} shots)"
        )
