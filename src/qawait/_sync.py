"""The same client for code without an event loop: every coroutine becomes a call."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from qawait._job import Job
from qawait.client import Client, connect
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

__all__ = ["Blocking", "connect_sync"]


class Blocking:
    """Stands for a client or a job and runs its coroutines to their end.

    Attributes are those of the object it stands for; asynchronous iterators become
    plain ones. There is no second implementation.
    """

    def __init__(self, subject: Any, portal: BlockingPortal) -> None:
        self._subject = subject
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._subject, name)
        if not callable(value):
            return self._wrapped(value)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._wrapped(self._portal.call(_run, value, args, kwargs))

        call.__name__ = name
        call.__doc__ = value.__doc__
        return call

    def __dir__(self) -> list[str]:
        return dir(self._subject)

    def __repr__(self) -> str:
        return f"<blocking {self._subject!r}>"

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, Client | Job | IQMService | QoroService):
            return Blocking(value, self._portal)
        if hasattr(value, "__anext__"):
            return self._iterate(value)
        return value

    def _iterate(self, source: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._portal.call(_next, source)
                except StopAsyncIteration:
                    return
                yield self._wrapped(item)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                self._portal.call(close)


def _plain(value: Any) -> Any:
    return value._subject if isinstance(value, Blocking) else value  # pyright: ignore[reportPrivateUsage]


async def _run(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = function(
        *(_plain(a) for a in args), **{k: _plain(v) for k, v in kwargs.items()}
    )
    return await value if inspect.iscoroutine(value) else value


async def _next(source: AsyncIterator[Any]) -> Any:
    return await anext(source)


@contextmanager
def connect_sync(
    service: IQMService | QoroService | None = None, **options: Any
) -> Generator[Any, None, None]:
    """Connect without an event loop; takes what `connect` takes.

    Yields:
        The client, each of whose coroutines is an ordinary call that blocks.
    """
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(connect(service, **options)) as client,
    ):
        yield Blocking(client, portal)
