"""Many circuits at once: every unusable one is reported, not only the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from qawait.errors import CircuitError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["for_each", "one_line"]

T = TypeVar("T")
R = TypeVar("R")

_LONGEST_REASON = 300


def for_each(items: Iterable[T], use: Callable[[T], R]) -> list[R]:
    """Calls `use` with every item and gives what it returned, in order.

    Raises:
        CircuitError: Exactly one circuit is unusable.
        ConfigurationError: Several are; its text names each on a line of its own.
    """
    used: list[R] = []
    bad: list[CircuitError] = []
    for item in items:
        try:
            used.append(use(item))
        except CircuitError as error:
            bad.append(error)
    if len(bad) == 1:
        raise bad[0]
    if bad:
        lines = "\n".join(f"  {error}" for error in bad)
        raise ConfigurationError(f"{len(bad)} circuits cannot be used:\n{lines}")
    return used


def one_line(error: Exception) -> str:
    """The message of somebody else's error, on one line and of bounded length."""
    # Qiskit's own errors show the repr of their message.
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
