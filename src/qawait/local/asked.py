"""How a Qoro job is to be simulated, read from either era's configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from typing import Any

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.qoro.execution_config import ExecutionConfig, SimulationMethod, Simulator

__all__ = ["Asked", "asked_by_execution_config", "asked_by_maestro_config"]

# The numbering of the wire; newer codes than the enumerations have are listed here.
_SIMULATORS = {
    **{int(member): member.name for member in Simulator},
    5: "QuestSim",
    6: "DistributedGpu",
    7: "DistributedMpiGpu",
}
_METHODS = {
    **{int(member): member.name for member in SimulationMethod},
    6: "PathIntegral",
    7: "DensityMatrix",
    8: "MatrixProductOperator",
}
_NOISE = ("noisy_device", "noise_realizations", "noise_scaling_factor")
_NEWER_NOISE = ("noise_model", "noise_seed", "noise_realizations")


class Asked(Struct, frozen=True, kw_only=True):
    """What a configuration asks for; every None leaves the choice to the service."""

    simulator: str | None = None
    """By its name on the wire, for codes are not the same in all releases."""
    method: str | None = None
    bond_dimension: int | None = None
    truncation_threshold: float | None = None
    seed: int | None = None
    others: Mapping[str, Any] = {}
    """Further options of the vendor's simulator, by its own names."""


def asked_by_execution_config(config: ExecutionConfig | None) -> Asked:
    """What clients up to 0.14 ask for.

    What `api_meta` says about the compiler of a quantum computer has nothing to act on
    here: there is no layout and no route.

    Raises:
        ConfigurationError: It asks for what has no meaning here.
    """
    if config is None:
        return Asked()
    for name in _NOISE:
        if getattr(config, name) is not None:
            raise ConfigurationError(
                f"{name}: this service simulates without noise, and what the option "
                "means exactly is documented nowhere; leave it out"
            )
    if (config.api_meta or {}).get("approximation_degree", 1) != 1:
        raise ConfigurationError(
            "approximation_degree has no documented meaning on a simulator"
        )
    simulator, method = config.simulator, config.simulation_method
    return Asked(
        simulator=None if simulator is None else _name(_SIMULATORS, simulator),
        method=None if method is None else _name(_METHODS, method),
        bond_dimension=config.bond_dimension,
        truncation_threshold=config.truncation_threshold,
    )


def asked_by_maestro_config(config: Mapping[str, Any]) -> Asked:
    """What clients from 0.15 on ask for. Wire reference, Qoro, §6.

    Raises:
        ConfigurationError: A value cannot be right, or asks for noise.
    """
    others = {name: value for name, value in config.items() if value is not None}
    for name in _NEWER_NOISE:
        if name in others:
            raise ConfigurationError(
                f"{name}: this service simulates without noise; leave it out"
            )
    simulator = _integer(others, "simulator_type", 0)
    method = _integer(others, "simulation_type", 0)
    return Asked(
        simulator=None if simulator is None else _name(_SIMULATORS, simulator),
        method=None if method is None else _name(_METHODS, method),
        bond_dimension=_integer(others, "max_bond_dimension", 1),
        truncation_threshold=_threshold(others),
        seed=_integer(others, "seed", 0),
        others=others,
    )


def _name(names: Mapping[int, str], code: int) -> str:
    return names.get(int(code), f"Unknown{int(code)}")


def _integer(options: dict[str, Any], name: str, least: int) -> int | None:
    value = options.pop(name, None)
    if value is None:
        return None
    if type(value) is not int or not least <= value < 2**63:
        raise ConfigurationError(
            f"{name} must be an integer from {least} on, not {value!r}"
        )
    return value


def _threshold(options: dict[str, Any]) -> float | None:
    value = options.pop("singular_value_threshold", None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(
            f"singular_value_threshold must be a number, not {value!r}"
        )
    if not math.isfinite(value) or value < 0:
        raise ConfigurationError(
            f"singular_value_threshold must be 0 or more, not {value}"
        )
    return float(value)
