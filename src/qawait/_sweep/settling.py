"""Where a point gets its outcome."""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from qawait._sweep.point import Point
from qawait.errors import ClientClosed, ConfigurationError, Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qawait._sweep.items import Item
    from qawait._sweep.kept import Kept
    from qawait._sweep.outcomes import Outcomes
    from qawait._sweep.preparing import Given
    from qawait.results import Result

__all__ = ["Progress", "Settling"]

T = TypeVar("T")

log = logging.getLogger("qawait")


class Progress(Struct):
    """How far a sweep has come, in points."""

    total: int | None = None
    """None where nobody knows."""
    taken: int = 0
    """From the source so far."""
    recorded: int = 0
    """That the journal knew already."""
    ready: int = 0
    """With a result, those of the journal included."""
    failed: int = 0
    """With an error, the uncertain ones included; each retry that fails counts."""
    uncertain: int = 0
    """That may be running and billed."""
    jobs: int = 0
    """Submissions that the service accepted in this run."""


class Settling:
    """Makes points of results and errors, and hands them to the user's loop.

    Args:
        outcomes: Where they go.
        kept: Where they are remembered.
        total: Points of the sweep; None if nobody knows.
        stop_on: Errors after which no more points are taken.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        kept: Kept,
        total: int | None,
        stop_on: tuple[type[Error], ...],
    ) -> None:
        self.progress = Progress(total=total)
        self.retries: deque[Item] = deque()
        """Points that are to be sent again."""
        self.open = True
        """Whether a point may still be sent again."""
        self.stop: Callable[[str], None] = log.warning
        """Called with the reason when no more points are to be taken."""
        self._outcomes = outcomes
        self._kept = kept
        self._stop_on = (*stop_on, ClientClosed)
        self._keys: set[str] = set()
        """Of the points that have no outcome yet."""

    def admitted(self, items: Sequence[Item]) -> list[Item]:
        """Those of them that no other point under way is called like."""
        fresh: list[Item] = []
        for item in items:
            if item.key in self._keys:
                twice = ConfigurationError(
                    f"the key {item.key!r} comes twice; each point needs its own"
                )
                self._put(item, {}, error=twice)
                continue
            self._keys.add(item.key)
            fresh.append(item)
        return fresh

    def usable(self, read: Sequence[T | tuple[Item, Error]]) -> list[T]:
        """Those that came through; the others are settled with their error."""
        usable: list[T] = []
        for one in read:
            if isinstance(one, tuple):
                item, error = cast("tuple[Item, Error]", one)
                self.settle(item, {}, error=error)
            else:
                usable.append(one)
        return usable

    def settle_with(
        self,
        outcome: Result | Error,
        points: Sequence[tuple[Given, int]],
        *,
        job_id: str | None,
        submission_id: str | None,
        recorded: bool = False,
    ) -> None:
        """Every point of a job, by its place in the result.

        Args:
            outcome: The job's.
            points: Each with its place.
            job_id: The service's id; None if there is none.
            submission_id: Our own name; None if it was never sent.
            recorded: Whether it comes from the journal.
        """
        about: dict[str, Any] = {
            "job_id": job_id,
            "submission_id": submission_id,
            "recorded": recorded,
        }
        for given, place in points:
            if isinstance(outcome, Error):
                self.settle(given.item, given.parameters, error=outcome, **about)
                continue
            assert submission_id is not None
            self._kept.add(
                given.item.key, given.parameters, submission_id, place, outcome
            )
            self.settle(given.item, given.parameters, result=outcome[place], **about)

    def settle(
        self,
        item: Item,
        parameters: Mapping[str, float],
        *,
        error: Error | None = None,
        **about: Any,
    ) -> None:
        """One point."""
        self._keys.discard(item.key)
        if error is not None:
            self._kept.failed(
                item.key,
                parameters,
                error,
                about.get("job_id"),
                about.get("submission_id"),
            )
            if isinstance(error, self._stop_on) or isinstance(
                error.__cause__, self._stop_on
            ):
                log.warning("the sweep takes no more points: %s: %s", item.key, error)
                self.stop(f"point {item.key}: {error}")
        self._put(item, parameters, error=error, **about)

    def _put(
        self,
        item: Item,
        parameters: Mapping[str, float],
        *,
        error: Error | None = None,
        **about: Any,
    ) -> None:
        again = replace(item, attempt=item.attempt + 1)
        point = Point(
            key=item.key,
            index=item.index,
            params=parameters,
            attempt=item.attempt,
            error=error,
            retry=partial(self._retry, again),
            **about,
        )
        self.progress.ready += error is None
        self.progress.failed += error is not None
        self.progress.uncertain += point.uncertain
        self._outcomes.put(point)

    def _retry(self, item: Item) -> bool:
        if not self.open:
            return False
        if item not in self.retries:
            self.retries.append(item)
            self._outcomes.enter(1)
            self._outcomes.tell()
        return True
