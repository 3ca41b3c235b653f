"""How Qoro is to run a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode
from msgspec.structs import force_setattr

from qawait.errors import ConfigurationError
from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["Options"]

_KEPT_BY_THE_SERVICE = frozenset({"IBM_DEVICE", "IQM_DEVICE_URL"})


class Options(Struct, frozen=True, kw_only=True):
    """Options of one batch. Source: wire reference, Qoro, §1b and §6.

    Services take either an execution configuration (what clients up to 0.14 send) or
    one of the two that came after it; the three are never mixed.

    Raises:
        ConfigurationError: A value cannot be right, or two eras are mixed.
    """

    execution_config: ExecutionConfig | None = None
    """How the simulator is to run; it travels with the opening of the job, so that it
    is there before the job can start. None leaves the choice to the service."""
    maestro_config: Mapping[str, Any] | None = None
    """The same for services of 0.15 on: options of the service's simulator by their own
    names, such as `max_bond_dimension`, `singular_value_threshold` and `seed`. For
    simulator clusters only. Kept as a copy."""
    device_config: Mapping[str, Any] | None = None
    """For quantum computers of services of 0.15 on: keys of the vendor's blueprint, such
    as `TRANSPILE_LEVEL`; they are sent in capitals, true and false as words."""
    use_packing: bool = False
    """Whether the service may run several circuits side by side on one machine."""
    job_type: Literal["EXECUTE", "SIMULATE"] = "EXECUTE"
    """What a job that counts is called; services of 0.8 and before say SIMULATE. With
    observables it is EXPECTATION."""

    def __post_init__(self) -> None:
        # A wrong type would surface as a refusal far away, after the job is open.
        if self.execution_config is not None:
            _require("execution_config", self.execution_config, ExecutionConfig)
        _require("use_packing", self.use_packing, bool)
        if self.job_type not in ("EXECUTE", "SIMULATE"):
            raise ConfigurationError(
                f"job_type must be EXECUTE or SIMULATE, not {self.job_type!r}; "
                "observables make an expectation job"
            )
        for name in ("maestro_config", "device_config"):
            value = getattr(self, name)
            if value is not None:
                force_setattr(self, name, _plain(name, value))
        if self.device_config is not None:
            force_setattr(self, "device_config", _device(self.device_config))
        given = [name for name in _CONFIGS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigurationError(
                f"{' and '.join(given)} cannot go together: a job has one configuration"
            )

    @property
    def is_configured(self) -> bool:
        """Whether any of the three configurations is given."""
        return any(getattr(self, name) is not None for name in _CONFIGS)


_CONFIGS = ("execution_config", "maestro_config", "device_config")


def _require(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ConfigurationError(
            f"{name} must be of type {kind.__name__}, not {type(value).__name__}"
        )


def _plain(name: str, value: object) -> dict[str, Any]:
    """A copy in plain values of JSON; enumerations become their integers."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {value!r}")
    given: dict[str, Any] = {}
    for key, item in cast("Mapping[object, Any]", value).items():
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f"{name} has the key {key!r}, which is no name")
        given[key] = item
    try:
        copy: dict[str, Any] = decode(encode(given))
    except (MsgspecError, TypeError, UnicodeEncodeError, RecursionError) as error:
        raise ConfigurationError(f"{name} has no form in JSON: {error}") from error
    # NaN and the infinities are written as null.
    for key, item in given.items():
        if item is not None and copy[key] is None:
            raise ConfigurationError(f"{name}[{key!r}] must be finite, not {item!r}")
    return copy


def _device(config: Mapping[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for key, value in config.items():
        name = key.upper()
        if name in _KEPT_BY_THE_SERVICE:
            raise ConfigurationError(
                f"device_config: {name} belongs to the service; choose a target instead"
            )
        if name in sent:
            raise ConfigurationError(f"device_config has {name} twice")
        sent[name] = str(value).lower() if isinstance(value, bool) else value
    return sent
