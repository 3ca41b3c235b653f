"""The jobs in progress, in order of submission."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["Line", "Place"]


class Place(Struct):
    """One job and its place in the queue. Times in seconds on the caller's clock."""

    job: Any
    index: int
    """How many jobs were added before it."""
    submitted: float
    alive: float
    """When it was last known not to have ended."""
    size: float = 1.0
    """Its work, relative to other jobs."""
    waiting_at: float = -math.inf
    """When it was last told how many jobs were ahead."""
    ahead: int = 0
    """Jobs ahead of it then."""
    running_at: float = math.inf
    """When it was first told to run."""
    started: float | None = None
    """When it started, where the service says."""
    blocked_until: float = -math.inf
    """When those ahead of it were last known to hold all servers, where staleness is to
    be kept: it started later."""
    misses: int = 0
    """Answers without its end since it was taken to run."""
    failures: int = 0
    """Questions without an answer in a row."""
    slot: int = 0
    """Where it stands in the list of jobs in progress."""
    turn: int = -1
    """Which entry of the schedule's heap counts; -1 for none."""
    urgent: bool = False
    """Whether it is asked about at once, for nothing is known of it."""
    asked: bool = False
    """Whether a question about it is under way."""
    asked_at: float = -math.inf
    """When it was asked about last."""
    in_front: bool = False
    """Whether it is among those taken to run."""
    eager: bool = False
    """Whether the job behind it was let into the front before its answer was there."""
    ended: bool = False
    previous: Place | None = None
    next: Place | None = None

    @property
    def is_free(self) -> bool:
        """Whether the schedule may choose when to ask about it."""
        return not (self.asked or self.failures)


class Line:
    """Jobs in order of submission, from which any can leave."""

    def __init__(self) -> None:
        self.head: Place | None = None
        """The oldest."""
        self.tail: Place | None = None
        """The newest."""
        self.added = 0
        """How many there ever were."""
        self._any_order: list[Place] = []

    def __len__(self) -> int:
        return len(self._any_order)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._any_order)

    @property
    def left(self) -> int:
        """How many have left."""
        return self.added - len(self._any_order)

    @property
    def head_alive(self) -> float:
        """When the oldest was last known not to have ended."""
        return -math.inf if self.head is None else self.head.alive

    def append(self, job: Any, now: float, size: float) -> Place:
        """Let a job in at the end."""
        place = Place(job, self.added, now, now, size, slot=len(self._any_order))
        self.added += 1
        self._any_order.append(place)
        place.previous = self.tail
        if self.tail is None:
            self.head = place
        else:
            self.tail.next = place
        self.tail = place
        return place

    def remove(self, place: Place) -> None:
        """Let a job out, wherever it stands."""
        if place.previous is None:
            self.head = place.next
        else:
            place.previous.next = place.next
        if place.next is None:
            self.tail = place.previous
        else:
            place.next.previous = place.previous
        place.previous = place.next = None
        last = self._any_order.pop()
        if last is not place:
            self._any_order[place.slot] = last
            last.slot = place.slot

    def draw(self, random: Random) -> Place:
        """Any of them, each as likely."""
        return random.choice(self._any_order)
