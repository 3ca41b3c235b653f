"""How a Qoro service is to simulate a job: a value of its own, with its wire form.

Source: wire reference, Qoro, §5 (qoro-divi 0.8 to 0.14).
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import force_setattr

from qawait.errors import ConfigurationError

__all__ = ["ExecutionConfig", "SimulationMethod", "Simulator", "config_of_request"]


class Simulator(IntEnum):
    """The program that simulates; the value is the service's code for it."""

    QiskitAer = 0
    QCSim = 1
    CompositeQiskitAer = 2
    CompositeQCSim = 3
    GpuSim = 4


class SimulationMethod(IntEnum):
    """How the state is represented; the value is the service's code for it."""

    Statevector = 0
    MatrixProductState = 1
    Stabilizer = 2
    TensorNetwork = 3
    PauliPropagator = 4
    ExtendedStabilizer = 5


class ExecutionConfig(Struct, frozen=True, repr_omit_defaults=True):
    """The simulation settings of a Qoro job; every None leaves the choice to the service.

    It cannot be changed, is compared by value and can be a dictionary key. Integers
    given for `simulator` and `simulation_method` become members.

    Raises:
        ConfigurationError: A value cannot be right; the text names the field.

    Warns:
        UserWarning: A bond dimension or threshold is set with a method that has none,
            or a noise scaling factor of 0 switches off the noise that was asked for.
    """

    bond_dimension: int | None = None
    """The largest bond dimension of a matrix product state, 1 or more."""
    truncation_threshold: float | None = None
    """Singular values of a matrix product state below this are dropped, 0 or more."""
    simulator: Simulator | None = None
    simulation_method: SimulationMethod | None = None
    noisy_device: str | None = None
    """The machine whose noise is emulated, for example "ibm_fake_fez"."""
    noise_realizations: int | None = None
    """How many realizations of the noise are averaged over, 1 or more."""
    noise_scaling_factor: float | None = None
    """What the noise is multiplied with, from 0 (none) to 1 (the device's own)."""
    api_meta: Mapping[str, Any] | None = None
    """Passed on to the runtime: `optimization_level`, `resilience_level`,
    `transpilation_seed` and `max_execution_time` (seconds) are integers,
    `layout_method` and `routing_method` strings, `approximation_degree` a number.
    Kept as a read-only copy."""

    def __post_init__(self) -> None:
        _settle(self)
        _warn_of_what_has_no_effect(self)

    def override(self, other: ExecutionConfig) -> ExecutionConfig:
        """A new config in which the values of `other` that are not None win.

        `api_meta` is replaced as a whole. Neither original changes.

        Raises:
            ConfigurationError: The values cannot be right together or by themselves.
        """
        if not isinstance(other, ExecutionConfig):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"override takes an ExecutionConfig, not {type(other).__name__}"
            )
        return ExecutionConfig(**(_values(self) | _values(other)))

    def to_payload(self) -> dict[str, Any]:
        """The JSON object that the service takes; fields that are None are left out.

        It is the body of `POST job/<job_id>/execution_config/` and goes inline into
        `job/init/`. Enumerations become their integers.

        Raises:
            ConfigurationError: A number is not finite, for which JSON has no form.
        """
        payload = {
            _WIRE_NAMES.get(name, name): int(value)
            if isinstance(value, IntEnum)
            else value
            for name, value in _values(self).items()
        }
        if isinstance(payload.get("api_meta"), Mapping):
            payload["api_meta"] = dict(cast("Mapping[str, Any]", self.api_meta))
            _refuse_non_finite(payload["api_meta"])
        _refuse_non_finite(payload)
        return payload

    @staticmethod
    def from_response(data: Mapping[str, Any]) -> ExecutionConfig:
        """The config that a service sent as `execution_configuration`.

        Nothing that a service sent is refused or warned about: a code that this version
        does not know becomes a member of its own that goes back as the same integer,
        keys of `api_meta` that are not known are kept. Other keys are ignored.
        """
        return _unchecked(_from_wire(data))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._display.configs import config_card
        from qawait._display.writing import bundle

        return bundle(config_card(self))

    def __hash__(self) -> int:
        # The values of api_meta may be lists, its keys are always strings.
        meta = None if self.api_meta is None else frozenset(self.api_meta)
        return hash((meta, *(getattr(self, n) for n in _FIELDS if n != "api_meta")))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # By the road that accepts what a service sent.
        return ExecutionConfig.from_response, (self.to_payload(),)


_WIRE_NAMES = {"simulator": "simulator_type", "simulation_method": "simulation_type"}
_FIELDS = ExecutionConfig.__struct_fields__
_LARGEST_INTEGER = 2**63 - 1
_INTEGERS = frozenset(
    {
        "optimization_level",
        "resilience_level",
        "max_execution_time",
        "transpilation_seed",
    }
)
_STRINGS = frozenset({"layout_method", "routing_method"})
_NUMBERS = frozenset({"approximation_degree"})

_Codes = TypeVar("_Codes", bound=IntEnum)


def config_of_request(data: Mapping[str, Any]) -> ExecutionConfig:
    """The config that a client posted: the service's side, strict and without warnings.

    Codes of newer clients pass, so that the job itself can say that nothing here runs
    them.

    Raises:
        ConfigurationError: A key is not known or a value cannot be right.
    """
    known = [_WIRE_NAMES.get(name, name) for name in _FIELDS]
    for key in data:
        if key not in known:
            raise ConfigurationError(
                f"{key!r} is not a key of an execution configuration; "
                f"it has {', '.join(known)}"
            )
    config = _unchecked(_from_wire(data))
    _settle(config)
    return config


def _values(config: ExecutionConfig) -> dict[str, Any]:
    """The fields that are set."""
    values = {name: getattr(config, name) for name in _FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def _from_wire(data: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: data.get(_WIRE_NAMES.get(name, name)) for name in _FIELDS}
    values["simulator"] = _code(Simulator, values["simulator"])
    values["simulation_method"] = _code(SimulationMethod, values["simulation_method"])
    if isinstance(values["api_meta"], Mapping):
        meta = cast("Mapping[str, Any]", values["api_meta"])
        values["api_meta"] = MappingProxyType(dict(meta))
    return values


def _code(codes: type[_Codes], sent: Any) -> Any:
    """The member with this code; one of its own for a code that is not known."""
    if isinstance(sent, bool) or not isinstance(sent, int):
        return sent
    try:
        return codes(sent)
    except ValueError:
        member = int.__new__(codes, sent)
        member._name_ = f"Unknown{sent}"
        member._value_ = sent
        return member


def _unchecked(values: Mapping[str, Any]) -> ExecutionConfig:
    config = ExecutionConfig()
    for name, value in values.items():
        force_setattr(config, name, value)
    return config


def _settle(config: ExecutionConfig) -> None:
    """Refuse values that cannot be right; bring the others into their one form."""
    for name, value in _values(config).items():
        force_setattr(config, name, _RULES[name](name, value))


def _warn_of_what_has_no_effect(config: ExecutionConfig) -> None:
    method = config.simulation_method
    if method not in (None, SimulationMethod.MatrixProductState):
        for name in ("bond_dimension", "truncation_threshold"):
            if getattr(config, name) is not None:
                warnings.warn(
                    f"{name} is only for MatrixProductState; "
                    f"it has no effect with {method.name}",
                    stacklevel=3,
                )
    if config.noisy_device is not None and config.noise_scaling_factor == 0:
        warnings.warn(
            f"noise_scaling_factor 0 switches off the noise of {config.noisy_device}",
            stacklevel=3,
        )


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ConfigurationError(f"{name} must be an integer, not {value!r}")
    if abs(int(value)) > _LARGEST_INTEGER:
        raise ConfigurationError(f"{name} does not fit into 64 bits: {value}")
    return int(value)


def _positive(name: str, value: Any) -> int:
    number = _integer(name, value)
    if number < 1:
        raise ConfigurationError(f"{name} must be 1 or more, not {number}")
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigurationError(f"{name} must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ConfigurationError(f"{name} must be a finite number, not {number}")
    return number


def _not_negative(name: str, value: Any) -> float:
    number = _number(name, value)
    if number < 0:
        raise ConfigurationError(f"{name} must be 0 or more, not {number}")
    return number


def _fraction(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0 <= number <= 1:
        raise ConfigurationError(f"{name} must be from 0 to 1, not {number}")
    return number


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, not {value!r}")
    if not value:
        raise ConfigurationError(f"{name} must not be empty; None leaves it out")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} is not valid text: {value!r}") from None
    return value


def _member_of(codes: type[_Codes]) -> Callable[[str, Any], _Codes]:
    def rule(name: str, value: Any) -> _Codes:
        if isinstance(value, codes):
            return value
        is_code = isinstance(value, numbers.Integral) and not isinstance(
            value, bool | IntEnum
        )
        if is_code and int(value) in set(codes):
            return codes(int(value))
        known = ", ".join(f"{codes.__name__}.{m.name} ({m.value})" for m in codes)
        raise ConfigurationError(f"{name} must be one of {known}, not {value!r}")

    return rule


def _meta(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {value!r}")
    return MappingProxyType(
        {
            key: _meta_value(name, key, item)
            for key, item in cast("Mapping[Any, Any]", value).items()
        }
    )


def _meta_value(name: str, key: Any, value: Any) -> Any:
    where = f"{name}[{key!r}]"
    if key in _INTEGERS:
        return _integer(where, value)
    if key in _STRINGS:
        return _text(where, value)
    if key in _NUMBERS:
        # An integer stays one: the service tells the two apart.
        return (
            _integer(where, value)
            if isinstance(value, numbers.Integral)
            else _number(where, value)
        )
    known = ", ".join(sorted(_INTEGERS | _STRINGS | _NUMBERS))
    raise ConfigurationError(f"{name} has no key {key!r}; it has {known}")


def _refuse_non_finite(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigurationError(f"{name} must be a finite number, not {value}")


_RULES: Mapping[str, Callable[[str, Any], Any]] = {
    "bond_dimension": _positive,
    "truncation_threshold": _not_negative,
    "simulator": _member_of(Simulator),
    "simulation_method": _member_of(SimulationMethod),
    "noisy_device": _text,
    "noise_realizations": _positive,
    "noise_scaling_factor": _fraction,
    "api_meta": _meta,
}
