"""The jobs that are believed to run."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qawait._queue_line import Place

__all__ = ["Front"]


class Front:
    """Jobs believed to run, and until when all of them were known to.

    What is known of a job only grows while it is in here, so that the least of all is
    found without a look at each of them.
    """

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}
        # by index what was known of each when it was last looked at: not more than now
        self._least_known: list[tuple[float, int]] = []
        self._tidy_at = 64

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def add(self, place: Place) -> None:
        """Take a job to be running."""
        self._places[place.index] = place
        heapq.heappush(self._least_known, (_known(place), place.index))
        if len(self._least_known) > self._tidy_at:
            self._least_known = [(_known(p), p.index) for p in self]
            heapq.heapify(self._least_known)
            self._tidy_at = 64 + 2 * len(self._least_known)

    def remove(self, place: Place) -> None:
        """Take a job not to be running any more."""
        del self._places[place.index]

    def alive(self) -> float:
        """Until when all of them were known to hold a server; minus infinity: none."""
        least = self._least_known
        while least:
            before, index = least[0]
            place = self._places.get(index)
            if place is None:
                heapq.heappop(least)
                continue
            known = _known(place)
            if known <= before:
                return known
            heapq.heapreplace(least, (known, index))
        return -math.inf


def _known(place: Place) -> float:
    return max(place.alive, place.blocked_until)
