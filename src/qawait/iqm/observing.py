"""How chips, calibration sets and quality metrics are read, in each dialect.

Source: wire reference, IQM, §2, §3 and §6; the vendor's own models for the names of
fields that the reference has no sample of.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from msgspec import Struct
from msgspec.json import Decoder

from qawait.errors import ConfigurationError, ProtocolError
from qawait.iqm.architecture import StaticQuantumArchitecture
from qawait.iqm.calibration import (
    CalibrationSet,
    Observation,
    QualityMetrics,
    finite,
)
from qawait.iqm.calls import read
from qawait.wire import checked_id, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qawait.model import Exchange

__all__ = [
    "cocos_calibration_set",
    "cocos_quality_metrics",
    "listed_static_architecture",
    "observed_calibration_set",
    "observed_quality_metrics",
    "static_architecture",
    "station_calibration_set",
]


class _Observation(Struct, frozen=True):
    """One figure in station and api/v1."""

    dut_field: str
    value: Any = None
    unit: str | None = None
    uncertainty: Any = None
    invalid: bool = False
    created_timestamp: str | None = None
    modified_timestamp: str | None = None


class _ObservationSet(Struct, frozen=True, kw_only=True):
    """A calibration or quality-metric set in station and api/v1."""

    observation_set_id: str
    observations: tuple[_Observation, ...] = ()
    describes_id: str | None = None
    calibration_set: _ObservationSet | None = None
    dut_label: str | None = None
    invalid: bool = False
    created_timestamp: str | None = None
    end_timestamp: str | None = None


class _FlatCalibrationSet(Struct, frozen=True, kw_only=True):
    """A calibration set in V1 and V2, whose figures have no fixed form."""

    calibration_set_id: str
    observations: dict[str, Any]
    calibration_set_dut_label: str | None = None
    calibration_set_is_invalid: bool = False
    calibration_set_created_timestamp: str | None = None
    calibration_set_end_timestamp: str | None = None


class _FlatQualityMetrics(Struct, frozen=True, kw_only=True):
    """Quality metrics in V1 and V2, where numbers are texts."""

    metrics: dict[str, Any] | None
    calibration_set_id: str | None = None
    quality_metric_set_id: str | None = None
    quality_metric_set_dut_label: str | None = None
    quality_metric_set_is_invalid: bool = False
    quality_metric_set_created_timestamp: str | None = None
    quality_metric_set_end_timestamp: str | None = None


_STATIC = Decoder(StaticQuantumArchitecture)
_STATICS = Decoder(list[StaticQuantumArchitecture])
_SET = Decoder(_ObservationSet)
_OBSERVATIONS = Decoder(tuple[_Observation, ...])
_CALIBRATION = Decoder(_FlatCalibrationSet)
_METRICS = Decoder(_FlatQualityMetrics)


def _path(path: str, target: str, calibration_set_id: str | None = None) -> str:
    """The path with its names filled in.

    Raises:
        ConfigurationError: The id cannot be one.
    """
    try:
        calibration = checked_id(calibration_set_id or "default")
    except ProtocolError:
        raise ConfigurationError(
            f"{calibration_set_id!r} cannot be the id of a calibration set"
        ) from None
    return path.format(target=quote(target, safe=""), calibration=calibration)


# --- chips ----------------------------------------------------------------------------


def static_architecture(path: str, target: str) -> Exchange[StaticQuantumArchitecture]:
    """The chip, where the service gives it alone."""
    [answer] = yield [read(_path(path, target))]
    return decode(_STATIC, answer.body, "static architecture")


def listed_static_architecture(
    path: str, target: str
) -> Exchange[StaticQuantumArchitecture]:
    """The chip, where the service gives a list with one in it."""
    [answer] = yield [read(_path(path, target))]
    chips = decode(_STATICS, answer.body, "static architecture")
    if len(chips) != 1:
        raise ProtocolError(f"static architecture: {len(chips)} chips instead of one")
    return chips[0]


# --- V1 and V2 ------------------------------------------------------------------------


def cocos_calibration_set(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[CalibrationSet]:
    """A calibration set; None is the current one."""
    [answer] = yield [read(_path(path, target, calibration_set_id))]
    flat = decode(_CALIBRATION, answer.body, "calibration set")
    return CalibrationSet(
        id=flat.calibration_set_id,
        observations=_by_name(map(_flat, flat.observations.items())),
        dut_label=flat.calibration_set_dut_label,
        invalid=flat.calibration_set_is_invalid,
        created_at=_instant(flat.calibration_set_created_timestamp),
        ended_at=_instant(flat.calibration_set_end_timestamp),
    )


def cocos_quality_metrics(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[QualityMetrics]:
    """The quality metrics of a calibration set; None is the current one."""
    [answer] = yield [read(_path(path, target, calibration_set_id))]
    flat = decode(_METRICS, answer.body, "quality metrics")
    return QualityMetrics(
        observations=_by_name(map(_flat, (flat.metrics or {}).items())),
        id=flat.quality_metric_set_id,
        calibration_set_id=flat.calibration_set_id,
        dut_label=flat.quality_metric_set_dut_label,
        invalid=flat.quality_metric_set_is_invalid,
        created_at=_instant(flat.quality_metric_set_created_timestamp),
        ended_at=_instant(flat.quality_metric_set_end_timestamp),
    )


def _flat(entry: tuple[str, Any]) -> Observation:
    """A figure that is an object with a value in it, or is the value itself."""
    name, figure = entry
    if not isinstance(figure, dict) or "value" not in figure:
        return Observation(name=name, value=_parsed(figure))
    fields = cast("dict[str, Any]", figure)
    unit, time = fields.get("unit"), fields.get("timestamp")
    return Observation(
        name=name,
        value=_parsed(fields["value"]),
        unit=unit if isinstance(unit, str) else "",
        uncertainty=_number(fields.get("uncertainty")),
        invalid=fields.get("invalid") is True,
        created_at=_instant(time),
        modified_at=_instant(time),
    )


# --- station and api/v1 ---------------------------------------------------------------


def observed_calibration_set(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[CalibrationSet]:
    """A calibration set with all it holds in one answer; None is the current one."""
    [answer] = yield [read(_path(path, target, calibration_set_id))]
    found = decode(_SET, answer.body, "calibration set")
    return _calibration_set(found, found.observations)


def station_calibration_set(
    target: str, calibration_set_id: str | None
) -> Exchange[CalibrationSet]:
    """A calibration set, whose observations station gives apart."""
    if calibration_set_id is None:
        [answer] = yield [read("calibration-sets/default")]
        found = decode(_SET, answer.body, "calibration set")
        path = f"observation-sets/{checked_id(found.observation_set_id)}"
        [held] = yield [read(f"{path}/observations")]
    else:
        path = _path("observation-sets/{calibration}", target, calibration_set_id)
        answer, held = yield [read(path), read(f"{path}/observations")]
        found = decode(_SET, answer.body, "calibration set")
    observations = decode(_OBSERVATIONS, held.body, "observations")
    return _calibration_set(found, observations)


def _calibration_set(
    found: _ObservationSet, observations: Iterable[_Observation]
) -> CalibrationSet:
    return CalibrationSet(
        id=found.observation_set_id,
        observations=_by_name(map(_observed, observations)),
        dut_label=found.dut_label,
        invalid=found.invalid,
        created_at=_instant(found.created_timestamp),
        ended_at=_instant(found.end_timestamp),
    )


def observed_quality_metrics(
    path: str, target: str, calibration_set_id: str | None
) -> Exchange[QualityMetrics]:
    """The quality metrics of a calibration set; None is the current one."""
    [answer] = yield [read(_path(path, target, calibration_set_id))]
    found = decode(_SET, answer.body, "quality metrics")
    described = found.calibration_set
    return QualityMetrics(
        observations=_by_name(map(_observed, found.observations)),
        id=found.observation_set_id,
        calibration_set_id=(
            found.describes_id if described is None else described.observation_set_id
        ),
        dut_label=found.dut_label,
        invalid=found.invalid,
        created_at=_instant(found.created_timestamp),
        ended_at=_instant(found.end_timestamp),
    )


def _observed(figure: _Observation) -> Observation:
    return Observation(
        name=figure.dut_field,
        value=figure.value,
        unit=figure.unit or "",
        uncertainty=_number(figure.uncertainty),
        invalid=figure.invalid,
        created_at=_instant(figure.created_timestamp),
        modified_at=_instant(figure.modified_timestamp),
    )


# --- what all share -------------------------------------------------------------------

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER = 64


def _by_name(observations: Iterable[Observation]) -> Mapping[str, Observation]:
    return {observation.name: observation for observation in observations}


def _parsed(value: Any) -> Any:
    """A number that is written as a text, as a number; all else as it is."""
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return value
    return float(value) if _DECIMAL.fullmatch(value) else value


def _number(value: Any) -> float | None:
    """A finite number, also one written as a text; None for all else."""
    return finite(_parsed(value))


def _instant(timestamp: Any) -> datetime | None:
    """A timestamp as aware UTC, naive ones taken as UTC; None if it is none."""
    if not isinstance(timestamp, str):
        return None
    try:
        at = datetime.fromisoformat(timestamp)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
