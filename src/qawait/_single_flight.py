"""One question on behalf of all who want its answer at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

import anyio

from qawait.errors import Error, fresh

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs one question at a time; who comes while it runs shares its outcome.

    An outcome is not kept: who comes after it has landed asks anew. Where the task that
    asks is cancelled, the next one that waits asks in its place.
    """

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._landed = 0
        self._outcome: T | Error | None = None

    async def join(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of the question under way, or of `ask` if there is none.

        Raises:
            Error: What the question met, for each who waited a copy of its own.
        """
        before = self._landed
        async with self._turn:
            if self._landed == before:
                try:
                    self._outcome = await ask()
                except Error as error:
                    self._outcome = error
                self._landed += 1
            outcome = self._outcome
        if isinstance(outcome, Error):
            raise fresh(outcome)
        return cast("T", outcome)
