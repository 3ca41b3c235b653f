"""From what a user gave to what a service takes, one circuit at a time; for a thread.

A circuit that cannot be used is an outcome of its point and leaves its neighbours alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, json

from qawait._batch import (
    calibration_of,
    check_native,
    is_unchecked,
    left_to_check,
    prepare,
    prepare_as_is,
    settings_of,
)
from qawait._sweep.axes import named_numbers
from qawait.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qawait._batch import Options
    from qawait._sweep.items import Item
    from qawait.circuits import Compiled, Source
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.journal.records import Point
    from qawait.model import Dialect, Target

__all__ = [
    "Given",
    "Making",
    "Ready",
    "compiled_source",
    "is_single",
    "named",
    "prepared",
    "read_all",
]


class Given(Struct, frozen=True):
    """A point that was read and can be told apart from others."""

    item: Item
    source: Any
    """A `qawait.circuits.Source`; where there is a template, None."""
    point: Point
    """As the journal knows it."""

    @property
    def parameters(self) -> Mapping[str, float]:
        """By name; empty where there is no template."""
        return self.point.parameters


class Ready(Struct, frozen=True):
    """A point that can be sent."""

    given: Given
    circuit: Compiled
    size: int
    """Bytes of it in a request, about."""
    calibration: str | None
    """IQM: the calibration set it was compiled for, or held against."""


class Making(Struct, frozen=True, kw_only=True):
    """How the circuits of a sweep are read and compiled."""

    dialect: Dialect
    target: Target
    options: Options
    measure_all: bool | None
    compile: bool
    seed: int
    optimization_level: int

    @property
    def settings(self) -> dict[str, Any]:
        """All of it in plain values, for the record."""
        return settings_of(
            self.dialect,
            self.options,
            self.measure_all,
            self.compile,
            self.seed,
            self.optimization_level,
        )


def is_single(given: object) -> bool:
    """Whether this is one circuit and not many."""
    from qawait.circuits.source import is_single as single

    return single(given)


def named(given: object, making: Making, label: str | None) -> Source:
    """One circuit, read and checked; this reads files.

    Raises:
        ConfigurationError: It cannot be used.
    """
    from qawait.circuits import read

    [source] = read(
        given,
        label=label,
        measure_all=making.measure_all,
        allow_parameters=True,
        outlined=making.dialect.architecture is None,
    )
    return source


def read_all(
    items: Sequence[Item],
    making: Making,
    template: bytes | None,
    point: Callable[[str, bytes, Mapping[str, float]], Point],
) -> list[Given | tuple[Item, Error]]:
    """Read circuits, or the points of a template, each of them or its error.

    Args:
        items: As they were taken.
        making: How.
        template: The bytes of the template; None where each item is a circuit.
        point: Makes of a key, the bytes of a circuit and parameters what the journal
            knows it by.
    """
    from qawait.circuits.identity import source_bytes

    found: list[Given | tuple[Item, Error]] = []
    for item in items:
        try:
            if template is not None:
                numbers = named_numbers(item.given)
                found.append(Given(item, None, point(item.key, template, numbers)))
            else:
                source = named(item.given, making, item.key)
                known = point(item.key, source_bytes(source), {})
                found.append(Given(item, source, known))
        except Error as error:
            found.append((item, error))
    return found


def prepared(
    given: Sequence[Given],
    making: Making,
    architecture: DynamicQuantumArchitecture | None,
    template: Compiled | None,
) -> list[Ready | tuple[Item, Error]]:
    """Compile circuits, or bind the template to points, each of them or its error."""
    found: list[Ready | tuple[Item, Error]] = []
    for one in given:
        try:
            circuit = _made(one, making, architecture, template)
            pinned = calibration_of([circuit], making.options)
            if is_unchecked([circuit], making.options, pinned):
                left = left_to_check([circuit], architecture, making.options)
                check_native(left, architecture, making.options)
                if architecture is not None:
                    pinned = architecture.calibration_set_id
            found.append(Ready(one, circuit, _size(circuit), pinned))
        except Error as error:
            found.append((one.item, error))
    return found


def compiled_source(
    source: Source, making: Making, architecture: DynamicQuantumArchitecture | None
) -> Compiled:
    """One circuit in the form the service takes.

    Raises:
        ConfigurationError: It cannot be used there.
    """
    if making.compile:
        [circuit] = prepare(
            source,
            architecture,
            making.target,
            making.measure_all,
            making.seed,
            making.optimization_level,
        )
    else:
        [circuit] = prepare_as_is(source, making.dialect, making.measure_all)
    return circuit


def _made(
    one: Given,
    making: Making,
    architecture: DynamicQuantumArchitecture | None,
    template: Compiled | None,
) -> Compiled:
    if template is not None:
        circuit = template.with_values(one.parameters, one.item.key)
        circuit.check_bound()
        # Qoro gets the program once, with the numbers of all points beside it
        if making.dialect.vendor == "qoro":
            return circuit
        return template.bind(one.parameters, one.item.key)
    circuit = compiled_source(one.source, making, architecture)
    circuit.check_bound()
    return circuit


def _size(circuit: Compiled) -> int:
    """Bytes of a circuit in a request, about; of its numbers where those are sent."""
    if circuit.body is None:
        return 24 * len(circuit.values) + len(circuit.label)
    return len(json.encode(circuit.body))
