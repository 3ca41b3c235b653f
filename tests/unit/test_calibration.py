"""Calibration sets and quality metrics, read from answers in the forms on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from qawait import errors
from qawait.iqm import CalibrationSet, Observation, QualityMetrics
from qawait.iqm.dialects import DIALECTS
from qawait.model import Answer, Call, Exchange
from qawait.qoro.dialect import DIALECT as QORO

CALIBRATION = "cd4dd889-b88b-4370-ba01-eb8262ad9c53"
METRICS = "0e5d9a3b-2f6c-4a57-8a44-3a1c0f6d7e21"
AT = datetime(2026, 11, 2, 5, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 7, 0, 0, 250000, tzinfo=UTC)

FLAT_CALIBRATION = {
    "calibration_set_id": CALIBRATION,
    "calibration_set_dut_label": "M001_W0_TEST",
    "calibration_set_is_invalid": False,
    "calibration_set_created_timestamp": "2026-11-02T05:30:00+00:00",
    "calibration_set_end_timestamp": "2026-11-02T09:00:00.25+02:00",
    "observations": {
        "QB1.flux.voltage": {
            "value": "-0.125",
            "unit": "V",
            "uncertainty": "None",
            "timestamp": "2026-11-02T05:30:00",
        },
        "gates.measure.constant.QB2.key_qubit": "QB2",
        "controllers.QB1.awg.delays": [1e-9, 2e-9],
    },
}
FLAT_METRICS = {
    "calibration_set_id": CALIBRATION,
    "calibration_set_dut_label": "M001_W0_TEST",
    "calibration_set_number_of_observations": 3,
    "calibration_set_created_timestamp": "2026-11-02T05:30:00+00:00",
    "calibration_set_end_timestamp": "2026-11-02T05:30:00+00:00",
    "calibration_set_is_invalid": False,
    "quality_metric_set_id": METRICS,
    "quality_metric_set_dut_label": "M001_W0_TEST",
    "quality_metric_set_created_timestamp": "2026-11-02T05:30:00+00:00",
    "quality_metric_set_end_timestamp": None,
    "quality_metric_set_is_invalid": False,
    "metrics": {
        "characterization.model.QB2.t1_time": {
            "value": "4.25e-05",
            "unit": "s",
            "uncertainty": "1.5e-06",
            "timestamp": "2026-11-02T05:30:00+00:00",
        },
        "metrics.irb.cz.tgss.QB1__QB2.fidelity:par=d2": {
            "value": "0.9931",
            "unit": "",
            "uncertainty": "0.0004",
            "timestamp": "2026-11-02T05:30:00+00:00",
        },
    },
}


def observation(number: int, name: str, value: Any, unit: str = "") -> dict[str, Any]:
    return {
        "observation_id": number,
        "dut_label": "M001_W0_TEST",
        "dut_field": name,
        "value": value,
        "unit": unit,
        "uncertainty": 0.5,
        "invalid": name.endswith("broken"),
        "source": {"type": "configuration_source"},
        "tags": [],
        "created_timestamp": "2026-11-02T05:30:00Z",
        "modified_timestamp": "2026-11-02T09:00:00.250000+02:00",
    }


SET = {
    "observation_set_id": CALIBRATION,
    "observation_set_type": "calibration-set",
    "observation_ids": [1, 2],
    "describes_id": None,
    "invalid": True,
    "dut_label": "M001_W0_TEST",
    "created_timestamp": "2026-11-02T05:30:00Z",
    "end_timestamp": None,
}
OBSERVATIONS = [
    observation(1, "QB1.flux.voltage", -0.125, "V"),
    observation(2, "QB1.flux.broken", 7, "V"),
]
METRIC_SET = {
    **SET,
    "observation_set_id": METRICS,
    "observation_set_type": "quality-metric-set",
    "describes_id": CALIBRATION,
    "invalid": False,
    "observations": [
        observation(1, "characterization.model.QB2.t1_time", 42.5, "us"),
        observation(2, "metrics.irb.cz.tgss.QB1__QB2.fidelity:par=d2", 0.9931),
    ],
}


def answered(exchange: Exchange[Any], **bodies: Any) -> tuple[Any, list[str]]:
    """The value of an exchange, and the paths asked for; answers go by the path."""
    asked: list[str] = []
    answers: list[Answer] | None = None
    while True:
        try:
            calls: list[Call] = (
                next(exchange) if answers is None else exchange.send(answers)
            )
        except StopIteration as stop:
            return stop.value, asked
        asked += [call.path for call in calls]
        answers = []
        for call in calls:
            name = call.path.rpartition("/")[2].replace("-", "_")
            body = bodies.get(name, bodies.get("any"))
            answers.append(Answer(200, {}, json.dumps(body).encode()))


def calibration_of(dialect: str, set_id: str | None, **bodies: Any) -> Any:
    ask = DIALECTS[dialect].calibration_set
    assert ask is not None
    return answered(ask("chip 7", set_id), **bodies)


def metrics_of(dialect: str, set_id: str | None, **bodies: Any) -> Any:
    ask = DIALECTS[dialect].quality_metrics
    assert ask is not None
    return answered(ask("chip 7", set_id), **bodies)


# --- reading -------------------------------------------------------------------------


def test_v1_tells_a_calibration_set_in_flat_names():
    found, asked = calibration_of("v1", None, any=FLAT_CALIBRATION)
    assert asked == ["api/v1/calibration/default"]
    assert isinstance(found, CalibrationSet)
    assert (found.id, found.dut_label, found.invalid) == (
        CALIBRATION,
        "M001_W0_TEST",
        False,
    )
    assert (found.created_at, found.ended_at) == (AT, LATER)
    assert found.ended_at.tzinfo is UTC
    assert found.observations == {
        "QB1.flux.voltage": Observation(
            name="QB1.flux.voltage",
            value=-0.125,
            unit="V",
            uncertainty=None,
            created_at=AT,
            modified_at=AT,
        ),
        "gates.measure.constant.QB2.key_qubit": Observation(
            name="gates.measure.constant.QB2.key_qubit", value="QB2"
        ),
        "controllers.QB1.awg.delays": Observation(
            name="controllers.QB1.awg.delays", value=[1e-9, 2e-9]
        ),
    }


@pytest.mark.parametrize("dialect", ["v2", "v2-24"])
def test_v2_asks_the_same_below_cocos(dialect: str):
    found, asked = calibration_of(dialect, CALIBRATION, any=FLAT_CALIBRATION)
    assert asked == [f"cocos/api/v1/calibration/{CALIBRATION}"]
    assert found.id == CALIBRATION
    found, asked = metrics_of(dialect, CALIBRATION, any=FLAT_METRICS)
    assert asked == [f"cocos/calibration/metrics/{CALIBRATION}"]
    assert found.id == METRICS


def test_v1_tells_quality_metrics_as_texts():
    found, asked = metrics_of("v1", None, any=FLAT_METRICS)
    assert asked == ["calibration/metrics/default"]
    assert isinstance(found, QualityMetrics)
    assert (found.id, found.calibration_set_id) == (METRICS, CALIBRATION)
    assert (found.created_at, found.ended_at) == (AT, None)
    figure = found.observations["characterization.model.QB2.t1_time"]
    assert (figure.value, figure.unit, figure.uncertainty) == (4.25e-5, "s", 1.5e-6)
    assert found.t1("QB2") == pytest.approx(42.5e-6)
    assert found.fidelity("cz", "QB2", "QB1") == 0.9931


def test_v1_may_have_measured_nothing():
    nothing = dict.fromkeys(FLAT_METRICS) | {
        "quality_metric_set_is_invalid": False,
        "calibration_set_is_invalid": False,
        "calibration_set_number_of_observations": 0,
    }
    found, _ = metrics_of("v1", None, any=nothing)
    assert (found.id, found.calibration_set_id) == (None, None)
    assert found.observations == {}


def test_server_tells_a_calibration_set_in_one_answer():
    found, asked = calibration_of(
        "server", None, any=SET | {"observations": OBSERVATIONS}
    )
    assert asked == ["api/v1/calibration-sets/chip%207/default"]
    assert (found.id, found.invalid, found.ended_at) == (CALIBRATION, True, None)
    voltage, broken = found.observations.values()
    assert voltage == Observation(
        name="QB1.flux.voltage",
        value=-0.125,
        unit="V",
        uncertainty=0.5,
        created_at=AT,
        modified_at=LATER,
    )
    assert broken.invalid
    assert broken.number is None


def test_server_and_station_tell_quality_metrics():
    found, asked = metrics_of("server", CALIBRATION, any=METRIC_SET)
    assert asked == [f"api/v1/calibration-sets/chip%207/{CALIBRATION}/metrics"]
    assert (found.id, found.calibration_set_id) == (METRICS, CALIBRATION)
    assert found.t1("QB2") == pytest.approx(42.5e-6)
    described = METRIC_SET | {"describes_id": None, "calibration_set": SET}
    for dialect in ("station", "station-30"):
        found, asked = metrics_of(dialect, None, any=described)
        assert asked == ["calibration-sets/default/metrics"]
        assert (found.id, found.calibration_set_id) == (METRICS, CALIBRATION)


def test_station_tells_what_a_set_holds_apart():
    answers = {"default": SET, CALIBRATION.replace("-", "_"): SET}
    answers["observations"] = OBSERVATIONS  # type: ignore[assignment]
    current, asked = calibration_of("station", None, **answers)
    named = f"observation-sets/{CALIBRATION}"
    assert asked == ["calibration-sets/default", f"{named}/observations"]
    by_id, asked = calibration_of("station", CALIBRATION, **answers)
    assert asked == [named, f"{named}/observations"]
    assert current == by_id
    assert list(by_id.observations) == ["QB1.flux.voltage", "QB1.flux.broken"]


@pytest.mark.parametrize(
    ("dialect", "path", "listed"),
    [
        ("v1", "api/v1/quantum-architecture", False),
        ("v2", "cocos/api/v1/quantum-architecture", False),
        ("v2-24", "cocos/api/v1/quantum-architecture", False),
        ("station", "static-quantum-architectures/chip%207", False),
        ("station-30", "static-quantum-architectures/chip%207", False),
        (
            "server",
            "api/v1/quantum-computers/chip%207/artifacts/static-quantum-architectures",
            True,
        ),
    ],
)
def test_every_dialect_tells_its_chip(dialect: str, path: str, listed: bool):
    body = {
        "dut_label": "M000",
        "qubits": ["QB1", "QB2", "QB3"],
        "computational_resonators": ["COMPR1"],
        "connectivity": [["QB1", "COMPR1"], ["QB3", "COMPR1"]],
    }
    ask = DIALECTS[dialect].static_architecture
    assert ask is not None
    chip, asked = answered(ask("chip 7"), any=[body] if listed else body)
    assert asked == [path]
    assert chip.qubits == ("QB1", "QB2", "QB3")
    assert chip.connectivity == (("QB1", "COMPR1"), ("QB3", "COMPR1"))
    if listed:
        with pytest.raises(errors.ProtocolError, match="0 chips"):
            answered(ask("chip 7"), any=[])


def test_qoro_has_nothing_of_it():
    assert QORO.static_architecture is None
    assert QORO.calibration_set is None
    assert QORO.quality_metrics is None


BAD = {
    "null": None,
    "a list": [],
    "no id": {"observations": []},
    "an id that is a number": {"observation_set_id": 7, "calibration_set_id": 7},
    "observations that are none": SET | {"observations": "many"},
    "an observation without name": SET | {"observations": [{"value": 1}]},
}


@pytest.mark.parametrize("dialect", ["server", "v1", "station"])
@pytest.mark.parametrize("bad", BAD)
def test_an_answer_of_another_form_is_a_protocol_error(dialect: str, bad: str):
    body = BAD[bad]
    with pytest.raises(errors.ProtocolError):
        calibration_of(dialect, None, any=body)
    if dialect == "v1":
        with pytest.raises(errors.ProtocolError):
            metrics_of(dialect, None, any={"metrics": [], "m": body})


def test_an_id_that_is_none_is_refused_before_anything_is_asked():
    for dialect in DIALECTS:
        for set_id in ("../admin", "a/b", "."):
            for ask in (calibration_of, metrics_of):
                with pytest.raises(errors.ConfigurationError, match="cannot be the id"):
                    ask(dialect, set_id, any={})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-2.5e-05", -2.5e-5),
        (".5", 0.5),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("１", "１"),  # noqa: RUF001 (a digit, but none of ours)
        ("", ""),
        ("0x10", "0x10"),
        (True, True),
        (None, None),
        ("9" * 65, "9" * 65),
    ],
)
def test_only_what_is_written_as_a_number_becomes_one(text: Any, value: Any):
    body = FLAT_METRICS | {"metrics": {"x": {"value": text, "timestamp": "today"}}}
    found, _ = metrics_of("v1", None, any=body)
    figure = found.observations["x"]
    assert figure.value == value
    assert type(figure.value) is type(value)
    assert figure.created_at is None


# --- looking up ----------------------------------------------------------------------


def metrics(*figures: tuple[str, Any, str]) -> QualityMetrics:
    return QualityMetrics(
        observations={
            name: Observation(name=name, value=value, unit=unit)
            for name, value, unit in figures
        }
    )


def test_times_are_in_seconds_whatever_the_unit():
    model = "characterization.model"
    found = metrics(
        (f"{model}.QB1.t1_time", 4e-5, "s"),
        (f"{model}.QB2.t1_time", 41.0, "us"),
        (f"{model}.QB3.t1_time", 42.0, "µs"),
        (f"{model}.QB4.t1_time", 43000, "ns"),
        (f"{model}.QB5.t1_time", 44.0, "furlong"),
        (f"{model}.QB1.t2_time", 2e-5, ""),
        (f"{model}.QB1.t2_echo_time", 0.03, "ms"),
    )
    times = [found.t1(f"QB{n}") for n in range(1, 7)]
    assert times[:4] == pytest.approx([4e-5, 4.1e-5, 4.2e-5, 4.3e-5])
    assert times[4:] == [None, None]
    assert found.t2("QB1") == pytest.approx(2e-5)
    assert found.t2_echo("QB1") == pytest.approx(3e-5)
    assert found.t2("QB2") is None


def test_a_fidelity_is_found_by_gate_locus_and_implementation():
    found = metrics(
        ("metrics.rb.prx.drag_crf.QB1.fidelity:par=d2", 0.999, ""),
        ("metrics.rb.prx.drag_gaussian.QB1.fidelity:par=d2", 0.998, ""),
        ("metrics.irb.cz.tgss.QB1__QB2.fidelity:par=d2", 0.991, ""),
        ("metrics.irb.cz.tgss.QB1__QB12.fidelity:par=d2", 0.981, ""),
        ("metrics.irb.move.tgss_crf.QB3__COMPR1.fidelity", 0.97, ""),
        ("metrics.ssro.measure.constant.QB2.fidelity", 0.96, ""),
        ("metrics.ssro.measure.constant.QB2.error_0_to_1", 0.01, ""),
        ("metrics.ssro.measure.constant.QB2.error_1_to_0", 0.03, ""),
        ("metrics.ssro.measure.constant.QB3.error_0_to_1", 0.02, ""),
    )
    assert found.fidelity("prx", "QB1") == 0.999
    assert found.fidelity("prx", "QB1", implementation="drag_gaussian") == 0.998
    assert found.fidelity("prx", "QB1", implementation="other") is None
    assert found.fidelity("prx", "QB2") is None
    assert found.fidelity("cz", "QB1", "QB2") == 0.991
    assert found.fidelity("cz", "QB2", "QB1") == 0.991
    assert found.fidelity("cz", "QB12", "QB1") == 0.981
    assert found.fidelity("cz", "QB1") is None
    assert found.fidelity("move", "QB3", "COMPR1") == 0.97
    assert found.fidelity("move", "COMPR1", "QB3") is None
    assert found.fidelity("measure", "QB2") == 0.96
    assert found.readout_errors("QB2") == (0.01, 0.03)
    assert found.readout_errors("QB3") is None


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), True, "0.9", [0.9], None]
)
def test_what_is_no_finite_number_is_none(value: Any):
    name = "metrics.rb.prx.drag_crf.QB1.fidelity"
    assert metrics((name, value, "")).fidelity("prx", "QB1") is None
    assert metrics((name, 10**400, "")).number(name) is None


def test_a_figure_that_was_taken_back_is_none():
    name = "metrics.rb.prx.drag_crf.QB1.fidelity"
    taken_back = Observation(name=name, value=0.9, invalid=True)
    assert (
        QualityMetrics(observations={name: taken_back}).fidelity("prx", "QB1") is None
    )
