"""Between a sweep and its user: points on their way, and those that are to be taken."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qawait._sweep.point import Point

__all__ = ["Outcomes"]


class Outcomes:
    """Bounds how many points are between their source and the user's loop.

    A point counts from before it is taken from its source until the loop comes back for
    the one after it. So a slow loop holds back a fast service, and an endless source
    needs no more memory than a short one.

    Args:
        most: Points under way at once.
        ordered: Whether they come out by index; else as they end.
    """

    def __init__(self, most: int, *, ordered: bool) -> None:
        self.most = most
        self.under_way = 0
        """Points that count."""
        self._ordered = ordered
        self._ready: deque[Point] = deque()
        self._early: dict[int, Point] = {}
        self._next = 0
        self._taken = 0
        """Points that the loop has in its hands."""
        self._news = asyncio.Event()
        self._closed = False

    @property
    def room(self) -> int:
        """How many more may be taken from the source."""
        return self.most - self.under_way

    @property
    def untaken(self) -> int:
        """Points that the loop could have at once."""
        return len(self._ready)

    async def changed(self) -> None:
        """Wait for the next change of anything."""
        await self._news.wait()

    def tell(self) -> None:
        """Wake everybody who waits for a change."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def enter(self, points: int) -> None:
        """So many points were taken from the source."""
        self.under_way += points

    def put(self, point: Point) -> None:
        """A point has an outcome."""
        if self._ordered and point.index >= self._next:
            self._early[point.index] = point
            while self._next in self._early:
                self._ready.append(self._early.pop(self._next))
                self._next += 1
        else:
            self._ready.append(point)
        self.tell()

    def close(self) -> None:
        """Nothing more comes; what is there can still be taken."""
        self._closed = True
        # what waits for an earlier point that never comes
        self._ready.extend(self._early.pop(index) for index in sorted(self._early))
        self.tell()

    def came_back(self) -> None:
        """The loop is through with what it was given."""
        if self._taken:
            self.under_way -= self._taken
            self._taken = 0
            self.tell()

    async def take(self) -> Point | None:
        """The next point; None when nothing more comes."""
        self.came_back()
        while not self._ready:
            if self._closed:
                return None
            await self._news.wait()
        self._taken += 1
        return self._ready.popleft()
