"""Operators as weighted Pauli labels, and their means over measured outcomes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from qawait.errors import ConfigurationError, NoShots, NotMeasured
from qawait.packing import parity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qiskit.quantum_info import (  # pyright: ignore[reportMissingTypeStubs]
        SparsePauliOp,
    )

    from qawait.histograms import Histogram

__all__ = ["Operator", "mean_of", "submitted_value", "terms_of"]

Operator: TypeAlias = "SparsePauliOp | str"
"""A SparsePauliOp, or one Pauli label in Qiskit's order: "IIZ" is Z on qubit 0."""


def terms_of(operator: Operator) -> list[tuple[str, float]]:
    """The labels of an operator, in Qiskit's order, with their coefficients.

    Raises:
        ConfigurationError: It is no operator, has free parameters or is not Hermitian.
    """
    if isinstance(operator, str):
        pairs: list[tuple[str, Any]] = [(operator, 1.0)]
    elif hasattr(operator, "to_list"):
        pairs = list(operator.to_list())
    else:
        raise ConfigurationError(
            "an operator is a SparsePauliOp or a label such as 'IIZ', not"
            f" {type(operator).__name__}"
        )
    return [(_checked(label), _real(value, label)) for label, value in pairs]


def _checked(label: str) -> str:
    if not label or set(label) - set("IXYZ"):
        raise ConfigurationError(f"not a Pauli label of I, X, Y, Z: {label!r}")
    return label


def _real(coefficient: Any, label: str) -> float:
    try:
        number = complex(coefficient)
    except TypeError as error:
        raise ConfigurationError(
            f"the coefficient of {label} is not a number"
        ) from error
    if number.imag or not math.isfinite(number.real):
        raise ConfigurationError(f"the coefficient of {label} is {number}, not real")
    return number.real


def mean_of(
    terms: Sequence[tuple[str, float]],
    histogram: Histogram,
    unmeasured: Collection[int] = (),
) -> tuple[float, float | None]:
    """The mean of a diagonal operator, letter i from the right acting on bit i.

    Args:
        terms: Labels and coefficients; only I and Z can be had from outcomes.
        histogram: The outcomes.
        unmeasured: Bits that hold no outcome.

    Returns:
        The mean and its standard error; the error is None for a single shot.
    """
    shots = histogram.shots
    if not shots:
        raise NoShots("no shot survived, so there is no mean")
    packed = histogram.packed()
    weights = histogram.counts.astype(np.float64)
    values = np.zeros(len(packed))
    for label, coefficient in terms:
        if len(label) != histogram.n_bits:
            raise NotMeasured(
                f"{label} is for {len(label)} qubits, the circuit has"
                f" {histogram.n_bits} bits"
            )
        if set(label) - set("IZ"):
            raise NotMeasured(f"{label} is not diagonal; outcomes give only I and Z")
        on = [bit for bit, letter in enumerate(reversed(label)) if letter == "Z"]
        if missing := sorted(set(on) & set(unmeasured)):
            raise NotMeasured(f"{label} acts on bit {missing[0]}, never measured")
        values += np.where(parity(packed, on), -coefficient, coefficient)
    mean = float(values @ weights) / shots
    if shots == 1:
        return mean, None
    variance = float((values - mean) ** 2 @ weights) / (shots - 1)
    return mean, math.sqrt(variance / shots)


def submitted_value(
    terms: Sequence[tuple[str, float]], values: Mapping[str, float]
) -> float:
    """The value of an operator by the values of the terms that a service computed.

    Identities on the highest qubits may be left out or added: a service pads labels
    that are shorter than the circuit.

    Raises:
        NotMeasured: A term is not among those that were submitted; lists these.
    """
    known = {label.lstrip("I"): value for label, value in values.items()}
    total = 0.0
    for label, coefficient in terms:
        try:
            total += coefficient * known[label.lstrip("I")]
        except KeyError:
            submitted = ", ".join(list(values)[:10]) or "nothing"
            more = f" and {len(values) - 10} more" if len(values) > 10 else ""
            raise NotMeasured(
                f"{label} was not submitted; there are: {submitted}{more}"
            ) from None
    return total
