"""Coroutines that say so when their `await` was forgotten.

What an `async def` returns shows itself as `<coroutine object ...>`, and nothing of it can
be changed. So public coroutines come wrapped: still a coroutine in every respect, for
`await`, tasks, groups and type checkers, and with Python's own RuntimeWarning when it is
dropped, but one that says what to write, also to who uses it as if it were its result.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

__all__ = ["NotAwaited", "tells_if_forgotten", "told_if_forgotten"]

T = TypeVar("T")
P = ParamSpec("P")
C = TypeVar("C", bound=type)

_OF_A_COROUTINE = frozenset(
    {
        *("__name__", "__qualname__", "cr_await", "cr_code", "cr_frame"),
        *("cr_origin", "cr_running", "cr_suspended"),
    }
)
"""What debuggers, and anyio before it cancels a task, ask a coroutine for."""


class NotAwaited(Coroutine[Any, Any, T]):
    """A call that has not begun: `await` begins it and gives its value.

    Args:
        coroutine: What does the work.
        call: How the call is written, without `await`.
    """

    __slots__ = ("__weakref__", "_call", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, T], call: str) -> None:
        self._coroutine = coroutine
        self._call = call

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        """As a coroutine's."""
        return self._coroutine.send(value)

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> Any:
        """As a coroutine's."""
        if value is None and traceback is None:
            return self._coroutine.throw(kind)
        error = kind if value is None else value
        if not isinstance(error, BaseException):
            error = kind(error)
        return self._coroutine.throw(error.with_traceback(traceback))

    def close(self) -> None:
        """As a coroutine's."""
        self._coroutine.close()

    def __getattr__(self, name: str) -> Any:
        if name in _OF_A_COROUTINE:
            return getattr(self._coroutine, name)
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(
            f"{self._missing()}, so it has no {name!r}: write `await {self._call}`"
        )

    def __getitem__(self, key: object) -> Any:
        raise TypeError(f"{self._missing()}: write `(await {self._call})[...]`")

    @property
    def _state(self) -> str:
        return inspect.getcoroutinestate(self._coroutine)  # pyright: ignore[reportArgumentType]

    def _missing(self) -> str:
        if self._state == inspect.CORO_CREATED:
            return f"{self._call} was not awaited, and has done nothing"
        return f"{self._call} is not its own result"

    def __repr__(self) -> str:
        if self._state != inspect.CORO_CREATED:
            return f"<{self._call}, begun>"
        return f"<{self._missing()}: write `await {self._call}`>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self._state != inspect.CORO_CREATED:
            return {"text/plain": repr(self)}
        # loaded when something is shown, as all of it
        from qawait._display.card import Card, Note
        from qawait._display.writing import bundle

        note = Note(f"nothing has been done: write `await {self._call}`", "plain")
        return bundle(
            Card(kind=self._call, state="not awaited", tone="bad", parts=(note,))
        )


def told_if_forgotten(
    call: str,
) -> Callable[
    [Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]
]:
    """Make what an asynchronous function returns say so if nobody awaits it.

    Args:
        call: How a call is written, without `await`.
    """

    def wrapped(
        function: Callable[P, Coroutine[Any, Any, T]],
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return NotAwaited(function(*args, **kwargs), call)

        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(called)
        return called

    return wrapped


def tells_if_forgotten(name: str) -> Callable[[C], C]:
    """A class whose public coroutines say so if nobody awaits them.

    Args:
        name: What users call an object of the class.
    """

    def changed(kind: C) -> C:
        for method, function in vars(kind).copy().items():
            if not method.startswith("_") and inspect.iscoroutinefunction(function):
                given = (
                    "" if len(inspect.signature(function).parameters) == 1 else "..."
                )
                call = f"{name}.{method}({given})"
                setattr(kind, method, told_if_forgotten(call)(function))
        return kind

    return changed
