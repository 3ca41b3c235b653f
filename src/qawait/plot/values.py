"""One number, with its error, from the result of a circuit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.circuit_result import CircuitResult
    from qawait.observables import Operator

__all__ = ["Measure", "Value", "measure_of"]

Value: TypeAlias = "Operator | Callable[[CircuitResult], Any] | str | None"
"""What is drawn of each point; see `qawait.plot.sweep`."""


class Measure(Struct, frozen=True):
    """What is drawn, and what it is called."""

    name: str
    of: Callable[[CircuitResult], tuple[float, float]]
    """The value and its standard error, NaN where there is none."""


def measure_of(value: Value) -> Measure:
    """What to draw of each result.

    Raises:
        ConfigurationError: It is none of those that `qawait.plot.sweep` takes.
    """
    if value is None or value == "parity":
        return Measure("parity" if value else "", _parity)
    if isinstance(value, str) and value and set(value) <= set("0123456789"):
        return Measure(f"share of {value}", _share(value))
    if isinstance(value, str) or hasattr(value, "to_list"):
        return Measure(
            f"\N{MATHEMATICAL LEFT ANGLE BRACKET}{_named(value)}\N{MATHEMATICAL RIGHT ANGLE BRACKET}",
            _mean(value),
        )
    if callable(value):
        return Measure(_called(value), _of(value))
    raise ConfigurationError(
        "plot.sweep: value is a Pauli label or operator, an outcome such as '01',"
        f" 'parity' or a function of a circuit's result, not {type(value).__name__}"
    )


def _called(function: Any) -> str:
    name = getattr(function, "__name__", "value")
    return "value" if name == "<lambda>" else name


def _named(operator: Any) -> str:
    if isinstance(operator, str):
        return operator
    terms: list[Any] = list(operator.to_list())
    return str(terms[0][0]) if len(terms) == 1 else f"operator of {len(terms)} terms"


def _parity(result: CircuitResult) -> tuple[float, float]:
    """The mean of Z on all that was measured; of one submitted observable its value."""
    if result.kind == "expectation":
        if len(result.values) != 1:
            labels = ", ".join(list(result.values)[:5])
            raise ConfigurationError(
                f"plot.sweep: circuit {result.label!r} has {len(result.values)} expectation"
                f" values; choose one by value=, among {labels}"
            )
        return next(iter(result.values.values())), math.nan
    histogram = result.histogram()
    unmeasured = result.layout.unmeasured() if result.layout else ()
    letters = ("I" if bit in unmeasured else "Z" for bit in range(histogram.n_bits))
    return _mean("".join(letters)[::-1])(result)


def _mean(operator: Any) -> Callable[[CircuitResult], tuple[float, float]]:
    def mean(result: CircuitResult) -> tuple[float, float]:
        value, error = result.expectation(operator)
        return value, math.nan if error is None else error

    return mean


def _share(outcome: str) -> Callable[[CircuitResult], tuple[float, float]]:
    def share(result: CircuitResult) -> tuple[float, float]:
        found = result.probabilities()
        width = len(next(iter(found)))
        if width != len(outcome):
            raise ConfigurationError(
                f"plot.sweep: {outcome!r} has {len(outcome)} digits, the outcomes of"
                f" {result.label!r} have {width}"
            )
        p, shots = found.get(outcome, 0.0), result.shots or 1
        return p, math.sqrt(p * (1 - p) / shots)

    return share


def _of(
    function: Callable[[CircuitResult], Any],
) -> Callable[[CircuitResult], tuple[float, float]]:
    def called(result: CircuitResult) -> tuple[float, float]:
        made = function(result)
        pair = cast(
            "tuple[Any, ...]", made if isinstance(made, tuple) else (made, None)
        )
        try:
            value, error = pair
            return float(value), math.nan if error is None else float(error)
        except (TypeError, ValueError):
            raise ConfigurationError(
                "plot.sweep: value(result) is to give a number, or a number and its"
                f" standard error, not {made!r}"
            ) from None

    return called
