"""The same client for code without an event loop: every coroutine becomes a call."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Unpack

from anyio.from_thread import BlockingPortal, start_blocking_portal

from qawait._job import Job, as_completed
from qawait._sweep.sweep import Sweep
from qawait.client import Client
from qawait.connecting import ConnectOptions, connect
from qawait.errors import ClientClosed, ConfigurationError
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterable, Iterator

__all__ = ["Blocking", "blocking_client", "connect_sync"]


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
            return self._wrapped(self._run(_called, value, args, kwargs))

        call.__name__ = name
        call.__doc__ = value.__doc__
        return call

    def as_completed(self, jobs: Iterable[Blocking]) -> Iterator[Blocking]:
        """Yield each job as soon as it has ended, whichever way."""
        return self._iterate(as_completed([_plain(job) for job in jobs]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blocking) and other._subject is self._subject

    def __hash__(self) -> int:
        return hash(self._subject)

    def __dir__(self) -> list[str]:
        return [*dir(self._subject), "as_completed"]

    def __repr__(self) -> str:
        shown = repr(self._subject).replace("`await job`", "`job.result()`")
        return f"<blocking {shown}>"

    def _run(self, function: Any, *args: Any) -> Any:
        try:
            return self._portal.call(function, *args)
        except RuntimeError as error:
            if "portal is not running" not in str(error):
                raise
            raise ClientClosed("this client is closed; connect again") from None

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, Sweep):
            return BlockingSweep(value, self._portal)
        if isinstance(value, Client | Job | IQMService | QoroService):
            return Blocking(value, self._portal)
        if hasattr(value, "__anext__"):
            return self._iterate(value)
        return value

    def _iterate(self, source: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    item = self._run(_next, source)
                except StopAsyncIteration:
                    return
                yield self._wrapped(item)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                self._run(close)


class BlockingSweep(Blocking):
    """A sweep in a plain `with`, iterated over in a plain `for`."""

    def __enter__(self) -> BlockingSweep:
        self._run(self._subject.__aenter__)
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._subject.__aexit__, *error)

    def __iter__(self) -> Iterator[Any]:
        # left early it is closed with its block, and not with the loop
        while True:
            try:
                yield self._run(self._subject.__anext__)
            except StopAsyncIteration:
                return


def _plain(value: Any) -> Any:
    return value._subject if isinstance(value, Blocking) else value  # pyright: ignore[reportPrivateUsage]


async def _called(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = function(
        *(_plain(a) for a in args), **{k: _plain(v) for k, v in kwargs.items()}
    )
    return await value if asyncio.iscoroutine(value) else value


async def _next(source: AsyncIterator[Any]) -> Any:
    return await anext(source)


@contextmanager
def connect_sync(
    service: IQMService | QoroService | None = None,
    **options: Unpack[ConnectOptions],
) -> Generator[Any, None, None]:
    """Connect without an event loop; takes what `connect` takes.

    Yields:
        The client, each of whose coroutines is an ordinary call that blocks; beside
        them `client.as_completed(jobs)`.

    Raises:
        ConfigurationError: There is an event loop, as in a notebook; this would block
            it. Use `await qawait.open(...)` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise ConfigurationError(
            "connect_sync would block the running event loop (a notebook has one, too); "
            "write `client = await qawait.open(...)`"
        )
    with blocking_client(service, **options) as client:
        yield client


@contextmanager
def blocking_client(
    service: IQMService | QoroService | None = None,
    **options: Unpack[ConnectOptions],
) -> Generator[Any, None, None]:
    """What `connect_sync` does, wherever it is called."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(connect(service, **options)) as client,
    ):
        yield Blocking(client, portal)
