"""When each job is to be asked about."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qawait._queue_line import Place

__all__ = ["Agenda"]


class Agenda:
    """Jobs by the time of their next question, of which each has one at most.

    An entry counts if its number is the `turn` of its place; others are passed over.
    """

    def __init__(self) -> None:
        self._turns = itertools.count()
        self._entries: list[tuple[float, int, Place]] = []
        self._tidy_at = 64

    def put(self, place: Place, when: float) -> None:
        """Set the time of a job's next question; infinity: none."""
        place.turn = -1
        if when == math.inf:
            return
        place.turn = next(self._turns)
        heapq.heappush(self._entries, (when, place.turn, place))
        if len(self._entries) > self._tidy_at:
            self._entries = [e for e in self._entries if e[1] == e[2].turn]
            heapq.heapify(self._entries)
            self._tidy_at = 64 + 2 * len(self._entries)

    def earliest(self) -> float:
        """The time of the next question; infinity if there is none."""
        while self._entries and self._entries[0][1] != self._entries[0][2].turn:
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else math.inf

    def take(self, now: float) -> Place | None:
        """Take out the job whose question is due first; None if none is due."""
        if self.earliest() > now or not self._entries:
            return None
        place = heapq.heappop(self._entries)[2]
        place.turn = -1
        return place
