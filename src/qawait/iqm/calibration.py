"""What a quantum computer is set to, and how well it does: values with their times."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from datetime import datetime  # noqa: TC003
from typing import Any

from msgspec import Struct

__all__ = ["CalibrationSet", "Observation", "QualityMetrics", "finite"]


class Observation(Struct, frozen=True, kw_only=True):
    """One figure under the service's own name for it."""

    name: str
    """The service's `dut_field`, for example `characterization.model.QB1.t1_time`."""
    value: Any
    """As the service gives it: a number, a text, or a list of them."""
    unit: str = ""
    """Empty for a plain number."""
    uncertainty: float | None = None
    """In the same unit; None if the service gives none."""
    invalid: bool = False
    """Whether the service has taken it back."""
    created_at: datetime | None = None
    """When it was measured (aware, UTC); None if the service does not say."""
    modified_at: datetime | None = None
    """When it was last changed (aware, UTC); None if the service does not say."""

    @property
    def number(self) -> float | None:
        """The value where it is one finite number; None if it is not, or is invalid."""
        return None if self.invalid else finite(self.value)


def finite(value: Any) -> float | None:
    """A finite number as float; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class CalibrationSet(Struct, frozen=True, kw_only=True):
    """The settings with which circuits run; one with this id never changes."""

    id: str
    observations: Mapping[str, Observation]
    """By name, in the service's order."""
    dut_label: str | None = None
    """The chip."""
    invalid: bool = False
    created_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was complete (aware, UTC); None while it is not."""


_SECONDS = {
    "": 1.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,  # micro sign
    "μs": 1e-6,  # Greek mu, which some write instead
    "ns": 1e-9,
}
_FIDELITY = re.compile(
    r"metrics\.[^.]+\.(?P<gate>[^.]+)\.(?P<implementation>[^.]+)\.(?P<locus>[^.]+)"
    r"\.fidelity(?::.*)?",
    re.DOTALL,
)


class QualityMetrics(Struct, frozen=True, kw_only=True):
    """How well a quantum computer does under one calibration set.

    Names of figures: wire reference, IQM, §6.3. What is asked for and not there, taken
    back by the service, or not a number is None.
    """

    observations: Mapping[str, Observation]
    """By name, in the service's order."""
    id: str | None = None
    """None if nothing was measured."""
    calibration_set_id: str | None = None
    """The calibration set that was measured."""
    dut_label: str | None = None
    """The chip."""
    invalid: bool = False
    created_at: datetime | None = None
    ended_at: datetime | None = None
    """When it was complete (aware, UTC); None while it is not."""

    def number(self, name: str) -> float | None:
        """The figure of this name."""
        observation = self.observations.get(name)
        return observation.number if observation is not None else None

    def t1(self, qubit: str) -> float | None:
        """Energy relaxation time of a qubit, in seconds."""
        return self._seconds(f"characterization.model.{qubit}.t1_time")

    def t2(self, qubit: str) -> float | None:
        """Dephasing time of a qubit without echo, in seconds."""
        return self._seconds(f"characterization.model.{qubit}.t2_time")

    def t2_echo(self, qubit: str) -> float | None:
        """Dephasing time of a qubit with an echo, in seconds."""
        return self._seconds(f"characterization.model.{qubit}.t2_echo_time")

    def fidelity(
        self, gate: str, *components: str, implementation: str | None = None
    ) -> float | None:
        """Fidelity of a gate on its locus, or of the readout of a qubit; 1 is perfect.

        Args:
            gate: `prx`, `cz`, `measure`, and so on.
            components: The locus; CZ is the same in either order, MOVE is not.
            implementation: Which one, where several were measured; None is the first
                that the service lists.
        """
        loci = ["__".join(components)]
        if gate == "cz":
            loci.append("__".join(reversed(components)))
        for name, observation in self.observations.items():
            found = _FIDELITY.fullmatch(name)
            if (
                found is not None
                and found["gate"] == gate
                and found["locus"] in loci
                and implementation in (None, found["implementation"])
                and observation.number is not None
            ):
                return observation.number
        return None

    def readout_errors(
        self, qubit: str, *, implementation: str = "constant"
    ) -> tuple[float, float] | None:
        """How often a qubit in 0 is read as 1, and one in 1 is read as 0."""
        readout = f"metrics.ssro.measure.{implementation}.{qubit}"
        wrong_zero = self.number(f"{readout}.error_0_to_1")
        wrong_one = self.number(f"{readout}.error_1_to_0")
        if wrong_zero is None or wrong_one is None:
            return None
        return wrong_zero, wrong_one

    def _seconds(self, name: str) -> float | None:
        observation = self.observations.get(name)
        if observation is None or observation.number is None:
            return None
        scale = _SECONDS.get(observation.unit)
        return None if scale is None else observation.number * scale
