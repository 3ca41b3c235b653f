"""Who is served next where requests of several kinds wait: pure, nothing waits here."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait._quota import Kind

__all__ = ["WEIGHTS", "Lanes"]

WEIGHTS: Mapping[Kind, float] = {
    "submit": 2.0,
    "read": 2.0,
    "result": 1.0,
    "cancel": 1.0,
}
"""How the limit is shared where every kind has more to send than it allows.

What one kind does not need, the others have. A job of a sweep costs IQM's account 100
units to submit, some 25 to follow and 10 to fetch, so that each share is enough for what
has been submitted to be followed and fetched.
"""


class Waiting(Protocol):
    """What stands in a lane."""

    cost: float
    """Its units."""


W = TypeVar("W", bound=Waiting)


class _Lane(Struct, Generic[W]):
    weight: float
    start: float
    queue: deque[W]
    units: float = 0.0
    """Units of all that wait in it."""


class Lanes(Generic[W]):
    """Queues side by side that share what is admitted by weight, in units.

    Start-time fair queueing: each lane has a clock that goes on by what was served from
    it, divided by its weight, and the lane that is furthest behind is served next. A lane
    that was empty begins where the others are: there is nothing to be saved up. Within a
    lane, first come is first served.
    """

    def __init__(self, weights: Mapping[Kind, float] = WEIGHTS) -> None:
        self._lanes: dict[Kind, _Lane[W]] = {
            kind: _Lane(weight, 0.0, deque()) for kind, weight in weights.items()
        }
        self._virtual = 0.0
        self._count = 0
        self.units = 0.0
        """Units of all that wait."""

    def __len__(self) -> int:
        return self._count

    def units_of(self, kind: Kind) -> float:
        """Units of all of a kind that wait."""
        return self._lanes[kind].units

    def join(self, kind: Kind, waiting: W) -> None:
        """Stand at the end of a lane."""
        lane = self._lanes[kind]
        if not lane.queue:
            lane.start = max(lane.start, self._virtual)
        lane.queue.append(waiting)
        lane.units += waiting.cost
        self._count += 1
        self.units += waiting.cost

    def head(self) -> W | None:
        """Who is served next; nobody is served before, however cheap."""
        lane = self._next()
        return lane.queue[0] if lane else None

    def serve(self) -> W:
        """Take out who is served next."""
        lane = self._next()
        if lane is None:
            raise IndexError("nobody waits")
        waiting = lane.queue.popleft()
        self._virtual = lane.start
        lane.start += waiting.cost / lane.weight
        self._gone(lane, waiting)
        return waiting

    def leave(self, kind: Kind, waiting: W) -> None:
        """Stop waiting."""
        lane = self._lanes[kind]
        lane.queue.remove(waiting)
        self._gone(lane, waiting)

    def _gone(self, lane: _Lane[W], waiting: W) -> None:
        self._count -= 1
        # no rounding is carried on
        lane.units = lane.units - waiting.cost if lane.queue else 0.0
        self.units = self.units - waiting.cost if self._count else 0.0

    def _next(self) -> _Lane[W] | None:
        waiting = [lane for lane in self._lanes.values() if lane.queue]
        return min(waiting, key=lambda lane: lane.start, default=None)
