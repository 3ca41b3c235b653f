"""What a user may say about a sweep, checked before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from msgspec import Struct

from qawait._sweep.budget import Budget
from qawait.errors import (
    AuthenticationError,
    ConfigurationError,
    Error,
    InsufficientCredits,
    PermissionDenied,
)

if TYPE_CHECKING:
    from pathlib import Path

    from qawait._batch import Options
    from qawait._points import Asked
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["OnExit", "Settings", "SweepOptions", "checked_exit"]

OnExit = Literal["cancel", "detach", "drain"]

STOP_ON: tuple[type[Error], ...] = (
    AuthenticationError,
    InsufficientCredits,
    PermissionDenied,
)
"""What no other point of the same account would escape."""


class SweepOptions(TypedDict, total=False):
    """The keyword arguments of `Client.sweep`, which describes them."""

    shots: int
    journal: str | Path | None
    budget: Budget | None
    on_exit: OnExit
    ordered: bool
    max_in_flight: int
    batch: int | None
    stop_on: Sequence[type[Error]]
    observables: Asked | None
    tag: str | None
    measure_all: bool | None
    compile: bool
    seed: int
    optimization_level: int
    options: Options | None
    execution_config: ExecutionConfig | None


class Settings(Struct, frozen=True, kw_only=True):
    """The same, complete and checked."""

    shots: int = 1000
    journal: Any = None
    budget: Budget | None = None
    on_exit: OnExit = "detach"
    ordered: bool = False
    max_in_flight: int = 1000
    batch: int | None = None
    stop_on: tuple[type[Error], ...] = STOP_ON
    observables: Any = None
    tag: str | None = None
    measure_all: bool | None = False
    compile: bool = True
    seed: int = 0
    optimization_level: int = 2
    options: Any = None
    execution_config: Any = None

    @classmethod
    def of(cls, given: SweepOptions) -> Settings:
        """The settings that a user gave.

        Raises:
            ConfigurationError: One is none, or cannot be right.
        """
        values: dict[str, Any] = dict(given)
        for name in values:
            if name not in cls.__struct_fields__:
                raise ConfigurationError(f"a sweep has no setting {name!r}")
        if "stop_on" in values:
            values["stop_on"] = _errors(values["stop_on"])
        settings = cls(**values)
        checked_exit(settings.on_exit)
        _positive("max_in_flight", settings.max_in_flight)
        if settings.batch is not None:
            _positive("batch", settings.batch)
        budget: Any = settings.budget
        if not isinstance(budget, Budget | None):
            raise ConfigurationError(f"budget is a qawait.Budget, not {budget!r}")
        return settings

    @property
    def largest_batch(self) -> int:
        """Circuits of a job at most, so that a few jobs are under way at once."""
        return max(1, self.max_in_flight // 4)


def checked_exit(given: Any) -> OnExit:
    """What is to happen to what is under way when a sweep is left.

    Raises:
        ConfigurationError: There is no such way.
    """
    if given not in ("cancel", "detach", "drain"):
        raise ConfigurationError(
            f'on_exit is "cancel", "detach" or "drain", not {given!r}'
        )
    return given


def _positive(name: str, number: Any) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(f"{name} must be a positive integer, not {number!r}")


def _errors(given: Any) -> tuple[type[Error], ...]:
    many = cast("Sequence[Any]", given) if isinstance(given, Sequence) else (given,)
    for kind in many:
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            raise ConfigurationError(
                f"stop_on is a list of error classes of qawait, not of {kind!r}"
            )
    return tuple(cast("Sequence[type[Error]]", many))
