"""Which shard has which point, and the points of one shard on their way to its worker."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from qawait._sweep.axes import Axes, key_of
from qawait._sweep.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qawait._sweep.items import Items

__all__ = ["Part", "shard_of", "shared_budget", "split"]

_AT_ONCE = 10_000
"""Points taken from their source before others get their turn."""


def shard_of(key: str, shards: int) -> int:
    """The shard of a point, from its key alone: the same in a grid that has grown."""
    return zlib.crc32(key.encode()) % shards


def shared_budget(budget: Budget, before: int, points: int, total: int) -> Budget:
    """The part of a budget for a shard; those of all shards are together all of it.

    Args:
        budget: Of the sweep; without credits.
        before: Points of the shards before this one.
        points: Of this one.
        total: Of all.
    """

    def part(number: int | None) -> int | None:
        if number is None:
            return None
        return number * (before + points) // total - number * before // total

    return Budget(
        jobs=part(budget.jobs),
        shots=part(budget.shots),
        seconds=None if budget.seconds is None else budget.seconds * points / total,
    )


class Part(Struct, frozen=True):
    """The points of one shard."""

    indexes: NDArray[Any]
    """Their places in the sweep."""
    names: tuple[str, ...] = ()
    """The parameters of a grid."""
    numbers: NDArray[Any] | None = None
    """Of a grid, shape (points, parameters); None where `given` has them."""
    given: tuple[tuple[str, Any], ...] = ()
    """The key of each point, and a circuit or the parameters of one."""

    def __len__(self) -> int:
        return len(self.indexes)

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Each key, and a circuit or the parameters of one."""
        if self.numbers is None:
            yield from self.given
            return
        for row in self.numbers.tolist():
            parameters = dict(zip(self.names, row, strict=True))
            yield key_of(parameters), parameters


async def split(items: Items, shards: int) -> list[Part]:
    """All points of a sweep by their shard; the source is read to its end."""
    indexes: list[list[int]] = [[] for _ in range(shards)]
    given: list[list[tuple[str, Any]]] = [[] for _ in range(shards)]
    axes = items.given if isinstance(items.given, Axes) else None
    while taken := await items.take(_AT_ONCE, 0):
        for item in taken:
            shard = shard_of(item.key, shards)
            indexes[shard].append(item.index)
            pair = item.key, item.given
            # numbers of a grid are kept as numbers: a million dictionaries are not
            given[shard].append(pair if axes is None else tuple(item.given.values()))
    return [
        _part(where, some, axes) for where, some in zip(indexes, given, strict=True)
    ]


def _part(indexes: list[int], given: list[Any], axes: Axes | None) -> Part:
    where = np.array(indexes, np.int64)
    if axes is None:
        return Part(where, given=tuple(given))
    numbers = np.array(given, np.float64).reshape(len(given), len(axes.names))
    return Part(where, axes.names, numbers)
