"""Where a sweep's circuits come from: anything that can be iterated over, lazily."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, cast

import anyio
import anyio.lowlevel
from msgspec import Struct

from qawait.errors import ConfigurationError

__all__ = ["Item", "Items", "items_of"]

_TURN = 0.002
"""Seconds of taking circuits before others get their turn."""


class Item(Struct):
    """One circuit of a sweep, as its user gave it."""

    index: int
    key: str
    given: Any
    """A circuit; where the sweep has a template, the parameters of one point."""
    attempt: int = 1


class Items:
    """Takes circuits from an iterable when they are wanted and not before.

    Args:
        given: A circuit each, or a key and a circuit.
        total: How many there are; None if nobody knows.
    """

    def __init__(
        self, given: Iterable[Any] | AsyncIterable[Any], total: int | None
    ) -> None:
        self.total = total
        self.given = given
        self.taken = 0
        """How many were taken."""
        self._sync: Iterator[Any] | None = None
        self._failed: Exception | None = None
        self._pump: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._arrived = asyncio.Event()
        self._got: deque[Any] = deque()

    async def take(self, most: int, patience: float) -> list[Item]:
        """The next circuits; none at the end.

        Args:
            most: How many at most.
            patience: Seconds to wait for further ones when the first is there. An
                asynchronous source may need the results of the first to go on.
        """
        if isinstance(self.given, AsyncIterable):
            return await self._take_async(self.given, most, patience)
        if self._sync is None:
            self._sync = iter(self.given)
        if self._failed is not None:
            raise self._failed
        taken: list[Item] = []
        until = anyio.current_time() + _TURN
        while len(taken) < most:
            try:
                taken.append(self._item(next(self._sync)))
            except StopIteration:
                break
            except Exception as error:
                # what it gave before is good
                if not taken:
                    raise
                self._failed = error
                break
            if anyio.current_time() > until:
                await anyio.lowlevel.checkpoint()
                until = anyio.current_time() + _TURN
        return taken

    async def _take_async(
        self, given: AsyncIterable[Any], most: int, patience: float
    ) -> list[Item]:
        if self._pump is None:
            # one task of its own for the whole source: a generator may hold scopes, and
            # to give up waiting for it must not cancel it
            self._pump = asyncio.create_task(self._pumping(given), name="qawait source")
        taken: list[Item] = []
        while len(taken) < most:
            if self._got:
                taken.append(self._item(self._got.popleft()))
                continue
            if self._pump.done():
                if not taken:
                    self._pump.result()
                break
            self._arrived.clear()
            self._wanted.set()
            with anyio.move_on_after(patience if taken else None) as waiting:
                await self._arrived.wait()
            if waiting.cancelled_caught:
                break
            await anyio.lowlevel.checkpoint()
        return taken

    async def _pumping(self, given: AsyncIterable[Any]) -> None:
        """One circuit for each time that one is wanted."""
        source = aiter(given)
        try:
            while True:
                await self._wanted.wait()
                self._got.append(await anext(source))
                self._wanted.clear()
                self._arrived.set()
        except StopAsyncIteration:
            pass
        finally:
            self._arrived.set()
            if isinstance(source, AsyncGenerator):
                await cast("AsyncGenerator[Any]", source).aclose()

    def _item(self, given: Any) -> Item:
        key, given = _with_key(given)
        item = Item(self.taken, str(self.taken) if key is None else key, given)
        self.taken += 1
        return item

    async def close(self) -> None:
        """Let go of the source; a generator that was begun is closed."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        sync: Any = self._sync
        if isinstance(sync, Generator):
            sync.close()


def _with_key(given: Any) -> tuple[str | None, Any]:
    if not isinstance(given, tuple):
        return None, given
    pair = cast("tuple[Any, ...]", given)
    if len(pair) != 2 or not isinstance(pair[0], str):
        return None, pair
    if not pair[0]:
        raise ConfigurationError("the key of a point is empty")
    return pair[0], pair[1]


def items_of(given: Any) -> Items:
    """What a sweep takes its circuits, or the points of its template, from.

    Args:
        given: A mapping from keys, or any iterable or asynchronous iterable of circuits
            (or points), or of pairs of a key and one.

    Raises:
        ConfigurationError: It is none of these.
    """
    if isinstance(given, Mapping):
        named = cast("Mapping[Any, Any]", given)
        for key in named:
            if not isinstance(key, str) or not key:
                raise ConfigurationError(f"the key of a point is a text, not {key!r}")
        return Items(list(named.items()), len(named))
    if isinstance(given, AsyncIterable | Iterable) and not isinstance(
        given, str | bytes
    ):
        many = cast("Iterable[Any] | AsyncIterable[Any]", given)
        total = len(many) if hasattr(many, "__len__") else None  # type: ignore[arg-type]
        return Items(many, total)
    raise ConfigurationError(
        f"a sweep goes over circuits, or over points; {type(given).__name__} is neither"
    )
