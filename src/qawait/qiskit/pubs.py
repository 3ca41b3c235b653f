# pyright: basic
"""PUBs as their user gave them: taken in, checked, and each binding as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.primitives import DataBin
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qawait.errors import ConfigurationError

__all__ = ["Bindings", "coerced", "field_names"]


def coerced(kind: Any, pubs: Any, default: Any) -> list[Any]:
    """Every PUB as Qiskit's own class has it.

    Args:
        kind: `SamplerPub` or `EstimatorPub`.
        pubs: As `run` was given them.
        default: Shots, or the precision, of PUBs that say nothing.

    Raises:
        ConfigurationError: One is not a PUB; it is named by its number.
    """
    if isinstance(pubs, QuantumCircuit) or not isinstance(pubs, Iterable):
        raise ConfigurationError(
            "run takes a list of PUBs: write run([circuit]) or run([(circuit, values)])"
        )
    taken: list[Any] = []
    for number, given in enumerate(pubs):
        _check_form(number, given, values_at=1 if kind is SamplerPub else 2)
        try:
            pub = kind.coerce(given, default)
        except (QiskitError, TypeError, ValueError, AttributeError, KeyError) as error:
            said = " ".join(str(error).split())
            raise ConfigurationError(f"pub {number}: {said}") from error
        _check_values(number, pub)
        taken.append(pub)
    if not taken:
        raise ConfigurationError("there are no PUBs to run")
    return taken


def _check_form(number: int, given: Any, *, values_at: int) -> None:
    """What Qiskit would not say in words of its user's."""
    if isinstance(given, QuantumCircuit):
        given = (given,)
    if not isinstance(given, tuple | list):
        return
    if not given or not isinstance(given[0], QuantumCircuit):
        found = type(given[0]).__name__ if given else "nothing"
        raise ConfigurationError(
            f"pub {number}: it begins with a QuantumCircuit, not with {found}"
        )
    parameters = [parameter.name for parameter in given[0].parameters]
    values = given[values_at] if len(given) > values_at else None
    if isinstance(values, Mapping | BindingsArray):
        return
    many = len(parameters)
    noun = "parameter" if many == 1 else "parameters"
    said = f"pub {number}: its circuit has {many} {noun} ({', '.join(parameters)})"
    if values is None:
        if parameters:
            raise ConfigurationError(f"{said} and no values: write [(circuit, values)]")
        return
    try:
        shape = np.shape(values)
    except ValueError:
        shape = None
    # values of a single parameter may do without an axis of their own
    if shape is None or (many != 1 and shape[-1:] != (many,)):
        raise ConfigurationError(
            f"{said}, so the last axis of its values is to have length {many}; their "
            f"shape is {'uneven' if shape is None else shape}"
        )


def _check_values(number: int, pub: Any) -> None:
    wanted = {parameter.name for parameter in pub.circuit.parameters}
    for names, values in pub.parameter_values.data.items():
        for name in names:
            if name not in wanted:
                known = ", ".join(sorted(wanted)) or "none"
                raise ConfigurationError(
                    f"pub {number}: its circuit has no parameter {name!r}; it has {known}"
                )
        finite = np.isfinite(values)
        if not finite.all():
            *place, column = np.argwhere(~finite)[0].tolist()
            raise ConfigurationError(
                f"pub {number}: the value of {names[column]!r} at {tuple(place)} is "
                f"{values[tuple(place)][column]}, which is no angle"
            )
    if 0 in pub.shape:
        raise ConfigurationError(f"pub {number}: its shape {pub.shape} holds no point")


def field_names(number: int, circuit: QuantumCircuit) -> tuple[str, ...]:
    """The registers of a circuit, which its result has as attributes.

    Raises:
        ConfigurationError: The result of a PUB cannot have an attribute of this name.
    """
    names = tuple(register.name for register in circuit.cregs)
    for name in names:
        if hasattr(DataBin, name):
            raise ConfigurationError(
                f"pub {number}: rename the classical register {name!r}; in a result of "
                "Qiskit this name means something else"
            )
    return names


class Bindings:
    """The bindings of one PUB in C order: a sized iterable of parameters by name.

    Args:
        values: Their array.
    """

    def __init__(self, values: BindingsArray) -> None:
        self._names = tuple(name for names in values.data for name in names)
        self._numbers = values.ravel().as_array() if values.num_parameters else None
        self._size = values.size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[dict[str, float]]:
        if self._numbers is None:
            for _ in range(self._size):
                yield {}
            return
        for row in self._numbers:
            yield dict(zip(self._names, row.tolist(), strict=True))
