"""How Qoro is to run a batch."""

from __future__ import annotations

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["Options"]


class Options(Struct, frozen=True, kw_only=True):
    """Options of one batch. Source: wire reference, Qoro, §1b."""

    execution_config: ExecutionConfig | None = None
    """How the simulator is to run; it travels with the opening of the job, so that it
    is there before the job can start. None leaves the choice to the service."""
    use_packing: bool = False
    """Whether the service may run several circuits side by side on one machine."""

    def __post_init__(self) -> None:
        # A wrong type would surface as a refusal far away, after the job is open.
        if self.execution_config is not None:
            _require("execution_config", self.execution_config, ExecutionConfig)
        _require("use_packing", self.use_packing, bool)


def _require(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ConfigurationError(
            f"{name} must be of type {kind.__name__}, not {type(value).__name__}"
        )
