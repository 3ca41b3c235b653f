"""The points of a sweep by the names of its parameters: pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Axes", "axes_of", "key_of", "named_numbers"]


class Axes(Struct, frozen=True):
    """A grid: every combination of the values of its parameters, the last one fastest."""

    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return math.prod(map(len, self.values))

    def __iter__(self) -> Iterator[tuple[str, dict[str, float]]]:
        """The key and the parameters of every point."""
        for numbers in itertools.product(*self.values):
            parameters = dict(zip(self.names, numbers, strict=True))
            yield key_of(parameters), parameters


def key_of(parameters: Mapping[str, float]) -> str:
    """The name of a point that has no other: the same in a grid that has grown."""
    return ",".join(f"{name}={value!r}" for name, value in parameters.items())


def axes_of(grid: Mapping[Any, Any]) -> Axes:
    """The axes of a grid.

    Args:
        grid: For each parameter its values: any iterable of numbers, or one number. The
            keys are names, or Qiskit's own Parameter objects.

    Raises:
        ConfigurationError: There is no parameter or no value, one comes twice, or is no
            finite number.
    """
    if not grid:
        raise ConfigurationError("the grid of the sweep has no parameter")
    names: list[str] = []
    values: list[tuple[float, ...]] = []
    for given, column in grid.items():
        name = str(getattr(given, "name", given))
        many = cast(
            "Iterable[Any]", column if isinstance(column, Iterable) else (column,)
        )
        numbers = tuple(_number(name, one) for one in many)
        if not numbers:
            raise ConfigurationError(f"the grid has no values for {name!r}")
        twice = (
            [one for one in numbers if numbers.count(one) > 1]
            if (len(set(numbers)) != len(numbers))
            else []
        )
        if twice:
            raise ConfigurationError(f"the grid has {name}={twice[0]!r} twice")
        if name in names:
            raise ConfigurationError(f"the grid has the parameter {name!r} twice")
        names.append(name)
        values.append(numbers)
    return Axes(tuple(names), tuple(values))


def named_numbers(parameters: Any) -> dict[str, float]:
    """The parameters of one point, by name.

    Raises:
        ConfigurationError: They are no mapping from names to finite numbers.
    """
    if not isinstance(parameters, Mapping):
        raise ConfigurationError(
            "a point of a template is a mapping from parameter to number, or a key and "
            f"such a mapping; not {type(parameters).__name__}"
        )
    return {
        (name := str(getattr(given, "name", given))): _number(name, value)
        for given, value in cast("Mapping[Any, Any]", parameters).items()
    }


def _number(name: str, value: Any) -> float:
    # 0.0 and -0.0 are equal and must have one key
    if value is not True and value is not False and isinstance(value, Real):
        number = float(value) + 0.0
        if math.isfinite(number):
            return number
    raise ConfigurationError(f"{name}: {value!r} is not a finite number")
