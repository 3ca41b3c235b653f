"""Points of a template, shots of each circuit, observables: what `submit` makes of them.

A service that takes templates gets one with a row for each point; for any other, every
point is bound here. The circuits that run are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias, cast

from qawait.errors import CircuitError, ConfigurationError
from qawait.qoro.observables import Observables

if TYPE_CHECKING:
    from qawait.circuits import Compiled
    from qawait.model import Dialect
    from qawait.observables import Operator

__all__ = [
    "Asked",
    "Points",
    "Shots",
    "bind_points",
    "checked_shots",
    "observables_for",
]

Points = Sequence[Mapping[str, float]] | Mapping[str, Mapping[str, float]]
"""Values of the parameters for each circuit; a mapping names the circuits."""

Shots = int | Sequence[int]
"""Shots for every circuit, or for each."""

Asked: TypeAlias = "Operator | Sequence[Operator] | Observables"
"""Observables for every circuit; an `Observables` can give each its own."""


def bind_points(
    prepared: list[Compiled], points: Points, *, template: bool
) -> tuple[list[Compiled], Any]:
    """Every point as a circuit; meant for a thread.

    Args:
        prepared: One circuit with free parameters.
        points: What to bind it to.
        template: Whether one template may go in their place.

    Returns:
        The circuits, and the `qawait.qoro.Template` that is sent in their place. Where
        there is one they are not written out; None where there is none.

    Raises:
        ConfigurationError: There is not one circuit, or no point.
        CircuitError: A point lacks a parameter, or gives a circuit no meaning.
    """
    if len(prepared) != 1:
        raise ConfigurationError(
            f"points belong to one circuit with free parameters, not to {len(prepared)}"
        )
    [circuit] = prepared
    if not circuit.parameters:
        raise CircuitError(circuit.label, "has points, but no free parameters")
    labelled = _labelled(points)
    placed = [circuit.with_values(values, label) for label, values in labelled]
    for one in placed:
        one.check_bound()
    made = None
    if template:
        from qawait.circuits.qasm_template import qasm_template

        made = qasm_template(circuit, [(one.label, one.values) for one in placed])
    if made is not None:
        return placed, made
    return [circuit.bind(values, label) for label, values in labelled], None


def _labelled(points: Any) -> list[tuple[str, Mapping[str, float]]]:
    if isinstance(points, Mapping):
        items = list(cast("Mapping[Any, Any]", points).items())
    elif isinstance(points, Sequence) and not isinstance(points, str):
        items = [
            (str(n), values) for n, values in enumerate(cast("Sequence[Any]", points))
        ]
    else:
        raise ConfigurationError(
            "points are a sequence of mappings from parameter to number, or a mapping "
            f"from labels to those, not {type(points).__name__}"
        )
    if not items:
        raise ConfigurationError("there are no points to submit")
    for label, values in items:
        if not isinstance(label, str) or not label:
            raise ConfigurationError(f"the label of a point is a text, not {label!r}")
        if not isinstance(values, Mapping):
            raise ConfigurationError(
                f"point {label}: give a mapping from parameter to number, not "
                f"{type(values).__name__}"
            )
    return items


def checked_shots(shots: Any, dialect: Dialect) -> tuple[int, tuple[int, ...]]:
    """The number of shots, and those of each circuit where they are given so.

    Raises:
        ConfigurationError: A number is not positive, or the service takes only one.
    """
    if isinstance(shots, Sequence) and not isinstance(shots, str):
        each = tuple(_checked(number) for number in cast("Sequence[Any]", shots))
        if not each:
            raise ConfigurationError("shots is an empty sequence")
        if dialect.vendor != "qoro":
            raise ConfigurationError(
                "this service takes one number of shots for all circuits of a job; "
                "submit circuits with other numbers apart"
            )
        return max(each), each
    return _checked(shots), ()


def _checked(shots: Any) -> int:
    # numpy's integers count, too; True is no number of shots
    # a plain one is told at once: to ask for a protocol takes microseconds
    if type(shots) is int or (
        isinstance(shots, SupportsIndex) and not isinstance(shots, bool)
    ):
        number = index(shots)
        if number >= 1:
            return number
    raise ConfigurationError(f"shots must be a positive integer, not {shots!r}")


def observables_for(observables: Any, dialect: Dialect) -> Observables | None:
    """Observables as they are sent; None where shots are asked for.

    Raises:
        ConfigurationError: They are none, or the service only counts.
    """
    if observables is None:
        return None
    if dialect.vendor != "qoro":
        raise ConfigurationError(
            "this service returns shots and no expectation values; submit without "
            "observables and take result[0].expectation(operator)"
        )
    if isinstance(observables, Observables):
        return observables
    return Observables.of(observables)
