"""What was read in each shot of one circuit, kept at one bit for each bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from qawait.errors import ConfigurationError
from qawait.packing import bytes_for, gather, pack, read_only, unpack

__all__ = ["Levels", "Place", "Shots"]

Levels: TypeAlias = NDArray[np.integer[Any]]
"""What was read in each shot: 0 or 1 for a qubit, larger for a higher level."""
Place: TypeAlias = tuple[str, int] | None
"""A key and one of its columns; None for what is never measured and reads 0."""


class Shots(Mapping[str, Levels]):
    """Measurement keys and what was read under each: an array (shots, locus).

    It reads like the dictionary of these arrays, but holds them packed: an array is
    made when it is first asked for, and then kept. Arrays are read-only; they are uint8
    unless a level needs more. Copies and pickles are packed, whatever was asked for.

    Args:
        rows: How many shots came back.
        widths: Every key in order, and the number of its columns.
        packed: The columns of all keys that are not in `wide`, key after key, as Qiskit's
            BitArray has them: (rows, ceil(bits / 8)), the padding 0.
        wide: The arrays of those keys in which a level is above 1; None for none.
    """

    __slots__ = ("_arrays", "_starts", "packed", "rows", "wide", "widths")

    def __init__(
        self,
        rows: int,
        widths: Mapping[str, int],
        packed: NDArray[np.uint8],
        wide: Mapping[str, Levels] | None = None,
    ) -> None:
        starts: dict[str, int] = {}
        bits = 0
        for key, width in widths.items():
            if wide is None or key not in wide:
                starts[key] = bits
                bits += width
        if packed.shape != (rows, bytes_for(bits)):
            raise ConfigurationError(
                f"{rows} rows of {bits} bits are not packed in an array of shape"
                f" {packed.shape}"
            )
        wide = {key: read_only(levels) for key, levels in (wide or {}).items()}
        self._set(rows, dict(widths), starts, read_only(packed), wide)

    def _set(
        self,
        rows: int,
        widths: dict[str, int],
        starts: dict[str, int],
        packed: NDArray[np.uint8],
        wide: dict[str, Levels],
    ) -> None:
        self.rows = rows
        self.widths = widths
        self.packed = packed
        self.wide = wide
        self._starts = starts
        self._arrays = dict(wide)

    @classmethod
    def of_arrays(cls, keys: Mapping[str, Levels]) -> Shots:
        """Packs the arrays of the keys; all have the same number of rows."""
        rows = max(map(len, keys.values()), default=0)
        wide = {
            key: levels for key, levels in keys.items() if levels.max(initial=0) > 1
        }
        narrow = [levels for key, levels in keys.items() if key not in wide]
        bits = np.concatenate([np.empty((rows, 0), np.uint8), *narrow], axis=1)
        widths = {key: levels.shape[1] for key, levels in keys.items()}
        return cls(rows, widths, pack(bits), wide)

    # --- parts ------------------------------------------------------------------------

    def has_levels(self, places: Iterable[Place]) -> bool:
        """Whether one of these columns is of a key in which a level is above 1."""
        return bool(self.wide) and any(
            p is not None and p[0] in self.wide for p in places
        )

    def gathered(self, places: Sequence[Place]) -> NDArray[np.uint8]:
        """Columns of keys that are packed, as Qiskit's BitArray has them.

        Args:
            places: Key and column of each bit, bit 0 first; None for a bit that reads 0.

        Returns:
            Packed rows (rows, ceil(len(places) / 8)), read-only; not a copy if these are
            all columns of all keys, in order.
        """
        bits = [-1 if place is None else self._bit(*place) for place in places]
        if bits == list(range(sum(self.widths[key] for key in self._starts))):
            return self.packed
        return read_only(gather(self.packed, bits))

    def columns(self, places: Sequence[Place]) -> Levels:
        """Columns of any keys, shape (rows, len(places)), read-only; None reads 0."""
        if places and places[0] is not None:
            key = places[0][0]
            if list(places) == [(key, column) for column in range(self.widths[key])]:
                return self[key]
        if not self.has_levels(places):
            return read_only(unpack(self.gathered(places), len(places)))
        used = {place[0] for place in places if place is not None}
        dtype = np.result_type(np.uint8, *(self[key].dtype for key in used))
        levels = np.zeros((self.rows, len(places)), dtype)
        for to, place in enumerate(places):
            if place is not None:
                levels[:, to] = self[place[0]][:, place[1]]
        return read_only(levels)

    def only(self, columns: Mapping[str, Sequence[int]]) -> Shots:
        """The same shots with some columns of some keys."""
        places = [(key, column) for key, chosen in columns.items() for column in chosen]
        if self.has_levels(places):
            return self.of_arrays(
                {key: self[key][:, chosen] for key, chosen in columns.items()}
            )
        widths = {key: len(chosen) for key, chosen in columns.items()}
        return Shots(self.rows, widths, self.gathered(places))

    def ordered(self, keys: Sequence[str]) -> Shots:
        """The same shots, in the same memory, with the keys in this order."""
        if list(self.widths) == list(keys):
            return self
        widths = {key: self.widths[key] for key in keys}
        return _restored(self.rows, widths, self._starts, self.packed, self.wide)

    def where(self, kept: NDArray[np.bool_]) -> Shots:
        """The shots for which `kept`, shape (rows,), is true."""
        if self.wide:
            return self.of_arrays({key: levels[kept] for key, levels in self.items()})
        packed = self.packed[kept]
        return _restored(len(packed), self.widths, self._starts, packed, {})

    def _bit(self, key: str, column: int) -> int:
        return self._starts[key] + column

    # --- as a mapping -----------------------------------------------------------------

    def __getitem__(self, key: str) -> Levels:
        levels = self._arrays.get(key)
        if levels is None:
            bits = unpack(self.packed, self.widths[key], self._starts[key])
            levels = self._arrays[key] = read_only(bits)
        return levels

    def __iter__(self) -> Iterator[str]:
        return iter(self.widths)

    def __len__(self) -> int:
        return len(self.widths)

    def __contains__(self, key: object) -> bool:
        return key in self.widths

    def __eq__(self, other: object) -> bool:
        """Whether both read the same; a dictionary of arrays is compared by value."""
        if not isinstance(other, Mapping):
            return NotImplemented
        if isinstance(other, Shots) and self._is_laid_out_as(other):
            return np.array_equal(self.packed, other.packed) and all(
                np.array_equal(levels, other.wide[key])
                for key, levels in self.wide.items()
            )
        arrays = cast("Mapping[Any, Any]", other)
        return self.keys() == arrays.keys() and all(
            np.array_equal(levels, arrays[key]) for key, levels in self.items()
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _is_laid_out_as(self, other: Shots) -> bool:
        """Whether the packed bits of both belong to the same columns."""
        return self.widths == other.widths and self._starts == other._starts

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the arrays made so far, which take up to eight times as much.
        kept = (self.rows, self.widths, self._starts, self.packed, self.wide)
        return _restored, kept

    def __repr__(self) -> str:
        shown = [f"{key!r}: {width}" for key, width in list(self.widths.items())[:4]]
        if len(self) > len(shown):
            shown.append(f"{len(self) - len(shown)} more")
        return f"Shots({self.rows} rows, {{{', '.join(shown)}}})"


def _restored(
    rows: int,
    widths: dict[str, int],
    starts: dict[str, int],
    packed: NDArray[np.uint8],
    wide: dict[str, Levels],
) -> Shots:
    """From the very parts that another has, or that its copy or pickle brought."""
    shots = Shots.__new__(Shots)
    for array in (packed, *wide.values()):
        array.flags.writeable = False
    shots._set(rows, widths, starts, packed, wide)  # pyright: ignore[reportPrivateUsage]
    return shots
