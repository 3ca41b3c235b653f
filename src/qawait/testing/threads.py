"""Something asynchronous in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractAsyncContextManager

_T = TypeVar("_T")

__all__ = ["in_own_loop"]


@contextmanager
def in_own_loop(
    make: Callable[[], AbstractAsyncContextManager[_T]], name: str
) -> Generator[_T]:
    """Keep an asynchronous context open in a thread, for as long as the block lasts.

    So it serves tests of every kind: those without an event loop, those whose plugin
    makes one for each test, and those that start other programs.

    Args:
        make: Makes the context; called in the thread.
        name: Of the thread.

    Yields:
        What the context gives.

    Raises:
        Exception: What entering or leaving the context raised.
    """
    told: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()
    ending: list[Callable[[], object]] = []

    async def keep() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(over.set))
        async with make() as made:
            told.put((made, None))
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(keep())
        except BaseException as error:
            told.put((None, error))
        else:
            told.put((None, None))

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    made, error = told.get()
    if made is None:
        thread.join()
        assert error is not None
        raise error
    try:
        yield made
    finally:
        if thread.is_alive():
            ending[0]()
        thread.join()
    _, error = told.get()
    if error is not None:
        raise error
