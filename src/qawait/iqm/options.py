"""How an IQM service is to compile and run a batch."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from qawait.errors import ConfigurationError
from qawait.iqm.validation import check_mapping

__all__ = ["DynamicalDecoupling", "Options"]


class DynamicalDecoupling(Struct, frozen=True, kw_only=True):
    """A dynamical-decoupling strategy. Wire reference §5.3.

    A gate sequence is `(ratio, pulses, align)`: pulses are letters of X and Y or
    `(theta, phi)` pairs in radians, align is "asap", "center" or "alap".
    """

    merge_contiguous_waits: bool = True
    target_qubits: tuple[str, ...] | None = None
    """None decouples every qubit."""
    skip_leading_wait: bool = True
    skip_trailing_wait: bool = True
    gate_sequences: tuple[
        tuple[int, str | tuple[tuple[float, float], ...], str], ...
    ] = (
        (9, "XYXYYXYX", "asap"),
        (5, "YXYX", "asap"),
        (2, "XX", "center"),
    )


class Options(Struct, frozen=True, kw_only=True):
    """Options of one batch; every None leaves the choice to the service.

    Source: wire reference §2 (request body) and §5.3.
    """

    calibration_set_id: str | None = None
    qubit_mapping: dict[str, str] | None = None
    """Logical name to physical name; None uses the circuits' names as they are."""
    heralding_mode: Literal["none", "zeros"] = "none"
    """With "zeros" fewer rows than shots may come back."""
    max_circuit_duration_over_t2: float | None = None
    """0.0 switches the check off."""
    move_validation_mode: Literal["strict", "allow_prx", "none"] = "strict"
    move_gate_frame_tracking_mode: Literal["full", "no_detuning_correction", "none"] = (
        "full"
    )
    active_reset_cycles: int | None = None
    """None relaxes by waiting; otherwise the number of reset cycles before a shot."""
    dd_mode: Literal["disabled", "enabled"] = "disabled"
    dd_strategy: DynamicalDecoupling | None = None
    use_timeslot: bool = False
    custom_settings: dict[str, Any] | None = field(default=None)

    def __post_init__(self) -> None:
        if (
            self.move_gate_frame_tracking_mode == "full"
            and self.move_validation_mode == "none"
        ):
            raise ConfigurationError(
                "move_gate_frame_tracking_mode 'full' needs move_validation_mode "
                "'strict' or 'allow_prx'"
            )
        if self.qubit_mapping is not None:
            check_mapping(self.qubit_mapping)
