"""A circuit ready for one service, or a template that becomes one when bound."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from qawait.errors import CircuitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.layout import Layout

__all__ = ["Compiled", "Template", "compiled"]


class Template(Protocol):
    """What turns numbers for its parameters into a circuit that can be sent."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in Qiskit's order; empty for a fixed circuit."""
        ...

    def measured(self) -> dict[str, tuple[str, ...]]:
        """Measurement keys in circuit order, each with the components it measures."""
        ...

    def bound(self, label: str, values: Mapping[str, float]) -> Any:
        """The `qawait.iqm.Circuit` or `qawait.qoro.Circuit` of this name.

        Raises:
            CircuitError: The values give an angle that is not a finite real number.
        """
        ...


class Compiled(Struct, frozen=True, kw_only=True):
    """One circuit in the form a service takes, with what is needed to read its result.

    A circuit with free parameters is a template: compiled once, then bound point by
    point, so that all points share placement, seed and calibration set.
    """

    label: str
    layout: Layout
    """Where each classical bit is found in the result."""
    parameters: tuple[str, ...] = ()
    """The names still free; empty for a circuit that can be sent."""
    calibration_set_id: str | None = None
    """The calibration set it was compiled against; None where that means nothing."""
    template: Template
    values: Mapping[str, float] = {}
    """What was bound so far."""
    runs_on: str | None = None
    """The calibration set against which a native circuit is known to be right in its own
    names, whatever the options; None leaves it to be found out."""
    body: Any = None

    def __repr__(self) -> str:
        registers = ", ".join(f"{name}[{size}]" for name, size in self.layout.registers)
        free = f", free: {', '.join(self.parameters)}" if self.parameters else ""
        return f"<Compiled {self.label!r}: {registers}{free}>"

    @property
    def circuit(self) -> Any:
        """The `qawait.iqm.Circuit` or `qawait.qoro.Circuit` that is sent.

        Raises:
            CircuitError: Parameters are still free.
        """
        self.check_bound()
        return self.body

    @property
    def qubits(self) -> dict[str, tuple[str, ...]]:
        """IQM: the components that each measurement key reads; empty for Qoro."""
        return self.template.measured()

    def check_bound(self) -> None:
        """Raises CircuitError, naming them, if parameters are still free."""
        if self.parameters:
            raise CircuitError(self.label, free_parameters(self.parameters))

    def bind(self, values: Mapping[str, float], label: str | None = None) -> Compiled:
        """The same circuit with numbers for some or all of its free parameters.

        Args:
            values: Parameter names and finite numbers; angles in radians.
            label: Names the new circuit; None keeps the name.

        Raises:
            CircuitError: A name is unknown or already bound, or a value is not a finite
                real number.
        """
        return _settled(self.with_values(values, label))

    def with_values(
        self, values: Mapping[str, float], label: str | None = None
    ) -> Compiled:
        """What `bind` does, but for writing the circuit, which a template spares.

        Raises:
            CircuitError: As `bind` does, but for values that give no circuit.
        """
        label = self.label if label is None else label
        if not label:
            raise CircuitError(self.label, "the label of a bound circuit is empty")
        free = self.parameters
        # Qiskit's own Parameter objects are keys as good as their names
        values = {getattr(key, "name", key): value for key, value in values.items()}
        if unknown := [name for name in values if name not in free]:
            known = ", ".join(free) or "none"
            raise CircuitError(
                label, f"has no free parameter {unknown[0]!r}; free: {known}"
            )
        bound = {**self.values}
        bound.update((name, _number(label, name, values[name])) for name in values)
        return Compiled(
            label=label,
            layout=self.layout,
            parameters=tuple(name for name in free if name not in values),
            calibration_set_id=self.calibration_set_id,
            template=self.template,
            values=bound,
        )


def compiled(
    label: str,
    template: Template,
    layout: Layout,
    *,
    calibration_set_id: str | None = None,
    runs_on: str | None = None,
) -> Compiled:
    """A template under a name, at once in its final form if nothing is free in it."""
    return _settled(
        Compiled(
            label=label,
            layout=layout,
            parameters=template.parameters,
            calibration_set_id=calibration_set_id,
            template=template,
            runs_on=runs_on,
        )
    )


def free_parameters(names: tuple[str, ...]) -> str:
    """The sentence that names parameters without a value."""
    return f"has free parameters, give them values: {', '.join(names)}"


def _settled(circuit: Compiled) -> Compiled:
    if circuit.parameters:
        return circuit
    body = circuit.template.bound(circuit.label, circuit.values)
    return Compiled(
        label=circuit.label,
        layout=circuit.layout,
        calibration_set_id=circuit.calibration_set_id,
        template=circuit.template,
        values=circuit.values,
        runs_on=circuit.runs_on,
        body=body,
    )


def _number(label: str, name: str, value: object) -> float:
    # numpy's scalars are registered as Real, its zero-dimensional arrays are not.
    if not isinstance(value, Real) or not math.isfinite(value):
        raise CircuitError(label, f"parameter {name}: {value!r} is not a finite number")
    return float(value)
