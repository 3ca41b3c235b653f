"""ExecutionConfig keeps what the vendor's class promised, and refuses what it let pass."""

from __future__ import annotations

import copy
import json
import math
import pickle
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from qawait.errors import ConfigurationError
from qawait.qoro import ExecutionConfig, SimulationMethod, Simulator
from qawait.qoro.execution_config import config_of_request

RECORDED = json.loads(
    (Path(__file__).parents[1] / "data/qoro/execution_config.json").read_text()
)

FULL = {
    "bond_dimension": 16,
    "truncation_threshold": 1e-8,
    "simulator": Simulator.QCSim,
    "simulation_method": SimulationMethod.MatrixProductState,
    "noisy_device": "ibm_fake_fez",
    "noise_realizations": 4,
    "noise_scaling_factor": 0.5,
    "api_meta": {"optimization_level": 1},
}
META = {
    "optimization_level": 3,
    "resilience_level": 0,
    "max_execution_time": 600,
    "transpilation_seed": 7,
    "layout_method": "sabre",
    "routing_method": "basic",
    "approximation_degree": 0.75,
}


# --- the model -----------------------------------------------------------------------


def test_every_field_is_optional_and_none_by_default():
    config = ExecutionConfig()
    assert {n: getattr(config, n) for n in FULL} == dict.fromkeys(FULL)


def test_fields_have_the_order_of_the_vendors_last_release_with_the_class():
    """qoro-divi 0.14.0: positional use means the same."""
    assert ExecutionConfig.__struct_fields__ == tuple(FULL)
    assert ExecutionConfig(*FULL.values()) == ExecutionConfig(**FULL)


@pytest.mark.parametrize(("name", "value"), FULL.items())
def test_a_field_keeps_its_value(name: str, value: Any):
    assert getattr(ExecutionConfig(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("QiskitAer", 0),
        ("QCSim", 1),
        ("CompositeQiskitAer", 2),
        ("CompositeQCSim", 3),
        ("GpuSim", 4),
    ],
)
def test_simulators_have_the_services_codes(name: str, code: int):
    assert Simulator[name] == code
    assert len(Simulator) == 5


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Statevector", 0),
        ("MatrixProductState", 1),
        ("Stabilizer", 2),
        ("TensorNetwork", 3),
        ("PauliPropagator", 4),
        ("ExtendedStabilizer", 5),
    ],
)
def test_simulation_methods_have_the_services_codes(name: str, code: int):
    assert SimulationMethod[name] == code
    assert len(SimulationMethod) == 6


def test_an_integer_given_for_an_enumeration_becomes_its_member():
    config = ExecutionConfig(simulator=3, simulation_method=5)  # type: ignore[arg-type]
    assert config.simulator is Simulator.CompositeQCSim
    assert config.simulation_method is SimulationMethod.ExtendedStabilizer


def test_it_cannot_be_changed():
    meta = dict(META)
    config = ExecutionConfig(api_meta=meta)
    with pytest.raises(AttributeError):
        config.bond_dimension = 4  # type: ignore[misc]
    meta["optimization_level"] = 0
    assert config.api_meta == META
    with pytest.raises(TypeError):
        config.api_meta["optimization_level"] = 0  # type: ignore[index]


def test_equal_values_make_equal_configs_with_equal_hashes():
    assert ExecutionConfig(**FULL) == ExecutionConfig(**FULL)
    assert len({ExecutionConfig(**FULL), ExecutionConfig(**FULL)}) == 1


@pytest.mark.parametrize("name", FULL)
def test_one_other_value_makes_it_another_config(name: str):
    assert ExecutionConfig(**FULL) != ExecutionConfig(**(FULL | {name: None}))


def test_a_config_from_a_service_can_be_hashed_whatever_its_api_meta_holds():
    sent = {"api_meta": {"new": [1, {"deep": 2}]}}
    config = ExecutionConfig.from_response(sent)
    assert hash(config) == hash(ExecutionConfig.from_response(sent))


@pytest.mark.parametrize("same", [copy.copy, copy.deepcopy])
def test_copies_are_equal(same: Any):
    config = ExecutionConfig(**FULL)
    assert same(config) == config


@pytest.mark.parametrize(
    "config",
    [
        ExecutionConfig(**FULL),
        ExecutionConfig.from_response(
            {"simulator_type": 99, "simulation_type": 7, "api_meta": {"new": 1}}
        ),
    ],
    ids=["ours", "a newer service's"],
)
def test_it_survives_pickling(config: ExecutionConfig):
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301


def test_the_repr_shows_only_what_is_set():
    assert (
        repr(ExecutionConfig(bond_dimension=3)) == "ExecutionConfig(bond_dimension=3)"
    )


def test_numbers_of_numpy_become_plain_ones():
    config = ExecutionConfig(
        bond_dimension=np.int64(16),  # type: ignore[arg-type]
        truncation_threshold=np.float32(0.5),  # type: ignore[arg-type]
        simulator=np.int8(4),  # type: ignore[arg-type]
    )
    assert type(config.bond_dimension) is int
    assert type(config.truncation_threshold) is float
    assert config.simulator is Simulator.GpuSim


# --- the wire ------------------------------------------------------------------------


def test_the_payload_has_the_wire_names_and_integers():
    config = ExecutionConfig(**FULL)
    assert config.to_payload() == RECORDED["request"]
    assert list(config.to_payload()) == list(RECORDED["request"])
    assert type(config.to_payload()["simulator_type"]) is int
    assert json.loads(json.dumps(config.to_payload())) == RECORDED["request"]


def test_the_payload_of_an_empty_config_is_empty():
    assert ExecutionConfig().to_payload() == {}


@pytest.mark.parametrize(
    ("name", "wire_name", "value", "sent"),
    [
        ("bond_dimension", "bond_dimension", 5, 5),
        ("truncation_threshold", "truncation_threshold", 0.25, 0.25),
        ("simulator", "simulator_type", Simulator.QiskitAer, 0),
        ("simulation_method", "simulation_type", SimulationMethod.Stabilizer, 2),
        ("noisy_device", "noisy_device", "fez", "fez"),
        ("noise_realizations", "noise_realizations", 9, 9),
        ("noise_scaling_factor", "noise_scaling_factor", 0.0, 0.0),
        ("api_meta", "api_meta", {}, {}),
    ],
)
def test_a_field_that_is_set_goes_out_and_only_that(
    name: str, wire_name: str, value: Any, sent: Any
):
    """Zero and empty are values; only None is left out."""
    assert ExecutionConfig(**{name: value}).to_payload() == {wire_name: sent}


def test_the_payload_belongs_to_the_caller():
    config = ExecutionConfig(api_meta={"optimization_level": 1})
    config.to_payload()["api_meta"]["optimization_level"] = 2
    assert config.to_payload() == {"api_meta": {"optimization_level": 1}}


def test_a_response_gives_back_what_was_posted():
    answer = RECORDED["answer"]["execution_configuration"]
    config = ExecutionConfig.from_response(answer)
    assert config == ExecutionConfig(**FULL)
    assert config.simulator is Simulator.QCSim


def test_unknown_codes_of_a_newer_service_go_back_as_they_came():
    sent = {"simulator_type": 5, "simulation_type": 8}
    config = ExecutionConfig.from_response(sent)
    assert isinstance(config.simulator, Simulator)
    assert isinstance(config.simulation_method, SimulationMethod)
    assert (config.simulator, config.simulation_method) == (5, 8)
    assert "5" in repr(config.simulator)
    assert config.to_payload() == sent
    assert config == ExecutionConfig.from_response(sent)


def test_an_unknown_code_does_not_become_a_member_for_everyone():
    ExecutionConfig.from_response({"simulator_type": 5})
    with pytest.raises(ValueError, match="5"):
        Simulator(5)
    assert len(Simulator) == 5


@pytest.mark.parametrize(
    "sent",
    [
        {"bond_dimension": 0, "truncation_threshold": -1, "noise_realizations": 0},
        {"bond_dimension": 2.5, "noisy_device": "", "noise_scaling_factor": 3},
        {"simulator_type": "QCSim", "simulation_type": None, "api_meta": [1]},
        {"bond_dimension": 8, "simulation_type": 0},
        {"noisy_device": "fez", "noise_scaling_factor": 0},
        {"api_meta": {"unknown": {"deep": [1]}}},
    ],
)
def test_nothing_a_service_sent_is_refused_or_warned_about(sent: dict[str, Any]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        payload = ExecutionConfig.from_response(sent).to_payload()
    assert payload == {name: value for name, value in sent.items() if value is not None}


def test_other_keys_of_a_response_are_ignored():
    config = ExecutionConfig.from_response({"bond_dimension": 3, "seed": 1})
    assert config == ExecutionConfig(bond_dimension=3)


@pytest.mark.parametrize("where", ["top", "api_meta"])
def test_what_is_not_a_number_never_reaches_the_wire(where: str):
    nan = {"approximation_degree": math.nan}
    sent = {"truncation_threshold": math.nan} if where == "top" else {"api_meta": nan}
    config = ExecutionConfig.from_response(sent)
    with pytest.raises(ConfigurationError, match=r"truncation|approximation"):
        config.to_payload()


# --- override ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("bond_dimension", 3),
        ("truncation_threshold", 0.0),
        ("simulator", Simulator.QiskitAer),
        ("simulation_method", SimulationMethod.MatrixProductState),
        ("noisy_device", "other"),
        ("noise_realizations", 9),
        ("noise_scaling_factor", 1.0),
        ("api_meta", {"layout_method": "x"}),
    ],
)
def test_override_takes_what_is_set_in_the_other_and_only_that(name: str, other: Any):
    before = ExecutionConfig(**FULL)
    merged = before.override(ExecutionConfig(**{name: other}))
    assert merged == ExecutionConfig(**(FULL | {name: other}))
    assert before == ExecutionConfig(**FULL)


def test_override_replaces_api_meta_as_a_whole():
    one = ExecutionConfig(api_meta={"optimization_level": 1, "resilience_level": 2})
    other = ExecutionConfig(api_meta={"resilience_level": 0})
    assert one.override(other).api_meta == {"resilience_level": 0}


def test_override_with_nothing_changes_nothing():
    assert ExecutionConfig(**FULL).override(ExecutionConfig()) == ExecutionConfig(
        **FULL
    )


def test_override_refuses_what_cannot_be_right():
    bad = ExecutionConfig.from_response({"bond_dimension": 0})
    with pytest.raises(ConfigurationError, match="bond_dimension"):
        ExecutionConfig(truncation_threshold=0.1).override(bad)
    with pytest.raises(ConfigurationError, match="dict"):
        ExecutionConfig().override({"bond_dimension": 1})  # type: ignore[arg-type]


def test_override_warns_of_what_has_no_effect_together():
    compressed = ExecutionConfig(bond_dimension=4)
    exact = ExecutionConfig(simulation_method=SimulationMethod.Statevector)
    with pytest.warns(UserWarning, match="bond_dimension"):
        compressed.override(exact)


# --- what cannot be right ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bond_dimension", [0, -1, True, 2.5, "16", math.nan, [16], 2**63]),
        (
            "truncation_threshold",
            [-1e-9, math.nan, math.inf, -math.inf, True, "0", 10**400, Decimal(1), 1j],
        ),
        ("simulator", [-1, 5, 99, True, 1.0, "QCSim", SimulationMethod.Stabilizer]),
        ("simulation_method", [-1, 6, True, 1.0, "Statevector", Simulator.QCSim]),
        ("noisy_device", ["", 1, b"fez", {"optimization_level": 1}, "\ud800"]),
        ("noise_realizations", [0, -4, True, 2.5, "4", math.inf]),
        ("noise_scaling_factor", [-0.01, 1.01, math.nan, True, "0.5"]),
        ("api_meta", [[], "x", 1, [("optimization_level", 1)]]),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_by_name(name: str, values: list[Any]):
    for value in values:
        with pytest.raises(ConfigurationError, match=rf"^{name} "):
            ExecutionConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bond_dimension", 1),
        ("bond_dimension", 2**63 - 1),
        ("truncation_threshold", 0),
        ("noise_realizations", 1),
        ("noise_scaling_factor", 1),
        ("noise_scaling_factor", 0),
    ],
)
def test_values_at_the_edge_are_taken(name: str, value: Any):
    assert getattr(ExecutionConfig(**{name: value}), name) == value


@pytest.mark.parametrize("name", META)
def test_api_meta_takes_each_of_its_keys(name: str):
    meta = {name: META[name]}
    assert ExecutionConfig(api_meta=meta).to_payload() == {"api_meta": meta}


@pytest.mark.parametrize("degree", [1, 0.5])
def test_the_approximation_degree_stays_an_integer_or_a_float(degree: float):
    payload = ExecutionConfig(api_meta={"approximation_degree": degree}).to_payload()
    assert type(payload["api_meta"]["approximation_degree"]) is type(degree)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimization_level", 1.0),
        ("optimization_level", True),
        ("resilience_level", "1"),
        ("max_execution_time", 1.5),
        ("transpilation_seed", None),
        ("layout_method", 1),
        ("routing_method", ""),
        ("approximation_degree", "1"),
        ("approximation_degree", True),
        ("approximation_degree", math.nan),
        ("optimisation_level", 1),
        (3, 1),
    ],
)
def test_api_meta_refuses_other_keys_and_types_by_name(key: Any, value: Any):
    with pytest.raises(ConfigurationError, match=f"api_meta.*{key}"):
        ExecutionConfig(api_meta={key: value})


# --- what has no effect --------------------------------------------------------------


@pytest.mark.parametrize("name", ["bond_dimension", "truncation_threshold"])
@pytest.mark.parametrize("method", [SimulationMethod.Statevector, 2])
def test_an_option_of_matrix_product_states_warns_with_another_method(
    name: str, method: Any
):
    """Also where the method is given as a plain integer."""
    with pytest.warns(UserWarning, match=f"{name}.*{SimulationMethod(method).name}"):
        ExecutionConfig(**{name: 3}, simulation_method=method)


@pytest.mark.parametrize(
    "method",
    [None, SimulationMethod.MatrixProductState, 1],
    ids=["none", "member", "integer"],
)
def test_an_option_of_matrix_product_states_is_quiet_where_it_has_effect(method: Any):
    """Warnings are errors in this test run."""
    ExecutionConfig(
        bond_dimension=3, truncation_threshold=0.1, simulation_method=method
    )


def test_a_scaling_factor_of_zero_warns_that_there_will_be_no_noise():
    with pytest.warns(UserWarning, match="fez"):
        ExecutionConfig(noisy_device="fez", noise_scaling_factor=0)
    ExecutionConfig(noise_scaling_factor=0)


# --- the service's side --------------------------------------------------------------


def test_the_services_side_reads_what_the_client_posts():
    config = ExecutionConfig(**FULL)
    assert config_of_request(config.to_payload()) == config


def test_the_services_side_does_not_warn():
    config_of_request({"bond_dimension": 8, "simulation_type": 0})


def test_the_services_side_lets_newer_codes_pass_to_the_job():
    assert config_of_request({"simulator_type": 5}).simulator == 5


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"bond_dim": 8}, "bond_dim"),
        ({"simulator": 1}, "simulator"),
        ({"bond_dimension": 0}, "bond_dimension"),
        ({"simulator_type": "QCSim"}, "simulator"),
        ({"api_meta": {"foo": 1}}, "foo"),
    ],
)
def test_the_services_side_refuses_what_it_cannot_mean(data: Any, named: str):
    with pytest.raises(ConfigurationError, match=named):
        config_of_request(data)


def test_replace_validates_like_the_constructor():
    config = ExecutionConfig(**FULL)
    assert msgspec.structs.replace(config, bond_dimension=3).bond_dimension == 3
    with pytest.raises(ConfigurationError, match="bond_dimension"):
        msgspec.structs.replace(config, bond_dimension=0)
