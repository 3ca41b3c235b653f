"""Unmodified releases of qoro-divi (but for one constant) drive `qawait serve`.

The judges (in `judges/`) only do and tell; what is right is decided here.
"""

from __future__ import annotations

from collections import Counter
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.judges.native import SHOTS
from tests.conformance.service import ask, ledger

if TYPE_CHECKING:
    from tests.service.running import LocalService

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

FIVE_SIGMA = 5 * (SHOTS / 4) ** 0.5
NUMBERS = 130
LATEST = "divi15"

TILTED = {
    "ZII": -1.0,
    "IXI": 1.0,
    "IIZ": cos(pi / 3),
    "ZIX": -sin(pi / 3),
    "XIX": 0.0,
    "YIY": 0.0,
    "III": 1.0,
}
PAIRED = {
    "ZII": 0.0,
    "IXI": 0.0,
    "IIZ": 0.0,
    "ZIX": 0.0,
    "XIX": 1.0,
    "YIY": -1.0,
    "III": 1.0,
}


@pytest.fixture(scope="module", params=["divi14", "divi15"])
def client(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def saw(client: str, service: LocalService) -> dict[str, Any]:
    """What the client saw in the life of some jobs."""
    return ask(client, client, "life", service)


@pytest.fixture(scope="module")
def expected(client: str, service: LocalService) -> dict[str, Any]:
    """The expectation values that the client read."""
    return ask(client, client, "expectation", service)


@pytest.fixture(scope="module")
def swept(client: str, service: LocalService) -> dict[str, Any]:
    """What the client read of templates and shot groups."""
    return ask(client, client, "sweep", service)


@pytest.fixture(scope="module")
def cancelled(client: str, slow_service: LocalService) -> dict[str, Any]:
    return ask(client, client, "abort", slow_service)


def only(client: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [client], indirect=True)


def text(outcome: dict[str, str]) -> str:
    return outcome.get("text") or outcome["answer"]


def near(values: dict[str, float]) -> Any:
    return pytest.approx(values, abs=1e-9)


def test_divi_lives_through_a_job(saw: dict[str, Any]) -> None:
    assert saw["connection"] == 200
    assert saw["clusters"] == ["qoro_maestro"]
    assert saw["status"] == "COMPLETED"
    assert float(saw["credits"]["balance"]) >= 0
    assert len(saw["transactions"]["results"]) == saw["transactions"]["count"]


@pytest.mark.parametrize("run", ["results", "configured"])
def test_divi_reads_bit_strings_with_bit_0_last(saw: dict[str, Any], run: str) -> None:
    """A partly measured register keeps its width; unmeasured bits are 0."""
    counts = saw[run]
    assert counts["flip"] == {"001": SHOTS}
    assert counts["crossed"] == {"100": SHOTS}
    assert counts["partial"] == {"01000": SHOTS}
    assert counts["pairs"].keys() == {"0010", "0111"}
    assert sum(counts["pairs"].values()) == SHOTS
    assert abs(counts["pairs"]["0111"] - SHOTS / 2) < FIVE_SIGMA
    assert counts["biased"].keys() == {"00", "10"}
    assert abs(counts["biased"]["10"] - SHOTS * 0.75) < FIVE_SIGMA


def test_divi_reads_every_page_of_results(saw: dict[str, Any]) -> None:
    assert saw["numbers"] == {f"n{n}": {f"{n:08b}": SHOTS} for n in range(NUMBERS)}


def test_divi_reads_exact_expectation_values(expected: dict[str, Any]) -> None:
    """The letter on the left is qubit 0, other than in the bit strings."""
    assert expected["together"]["tilted"] == near(TILTED)
    assert expected["together"]["paired"] == near(PAIRED)


def test_divi_measures_a_group_of_terms_for_each_circuit(
    expected: dict[str, Any],
) -> None:
    assert expected["apart"]["tilted"] == near({"IIX": sin(pi / 3), "ZII": -1.0})
    assert expected["apart"]["paired"] == near({"YIY": -1.0, "IZI": -1.0})


@only(LATEST)
def test_divi_15_gets_short_terms_back_padded(expected: dict[str, Any]) -> None:
    assert expected["short"]["tilted"] == near({"ZII": -1.0, "IXI": 1.0})
    assert expected["short"]["paired"] == near({"ZII": 0.0, "IXI": 0.0})


def test_divi_sweeps_a_template(swept: dict[str, Any]) -> None:
    """`theta_1` is not the beginning of `theta_10`."""
    assert swept["points"] == {
        "first": {"001": SHOTS},
        "second": {"010": SHOTS},
        "third": {"100": SHOTS},
    }
    assert swept["expected"] == {
        "first": near({"ZII": -1.0, "IZI": 1.0}),
        "second": near({"ZII": 1.0, "IZI": -1.0}),
        "third": near({"ZII": 1.0, "IZI": 1.0}),
    }


def test_divi_shares_shots_out_over_the_circuits(swept: dict[str, Any]) -> None:
    came = {label: sum(counts.values()) for label, counts in swept["grouped"].items()}
    assert came == {
        "flip": 100,
        "crossed": 100,
        "partial": 37,
        "pairs": 37,
        "biased": 37,
    }


@only("divi14")
def test_divi_14_reads_back_the_configuration_it_sent(saw: dict[str, Any]) -> None:
    assert saw["configuration"] == {
        "bond_dimension": 8,
        "truncation_threshold": 1e-9,
        "simulator_type": 0,
        "simulation_type": 1,
    }
    assert saw["no_configuration"]["text"].startswith("404")
    assert saw["late_configuration"]["text"].startswith("409")


@only(LATEST)
def test_divi_15_reads_back_the_configuration_it_sent(saw: dict[str, Any]) -> None:
    assert saw["configuration_kept"] is True
    assert saw["no_configuration"] == saw["device"] == {"answer": "None"}
    assert isinstance(saw["blueprints"], dict)


def test_divi_reads_the_time_a_job_ran(client: str, saw: dict[str, Any]) -> None:
    run_time = saw["run_time"] if client == LATEST else saw["final"][0]["run_time"]
    assert 0 < float(run_time) < 60


def test_divi_gets_its_own_errors(saw: dict[str, Any]) -> None:
    starts = {
        "late_cancel": "409",
        "unknown_job": "404",
        "unknown_cancel": "404",
        "after_delete": "404",
        "wrong_token": "401",
    }
    for name, status in starts.items():
        assert saw[name]["error"] == "HTTPError", name
        assert saw[name]["text"].startswith(status), name
    assert "torn" in text(saw["bad_circuit"])
    assert saw["deleted"] == 204


@only("divi14")
def test_a_configuration_that_is_not_there_fails_the_job(saw: dict[str, Any]) -> None:
    assert saw["unavailable"]["error"] == "JobFailedError"
    assert saw["unavailable_results"]["text"].startswith("400")
    assert saw["warnings"] == []


def test_divi_cancels_a_running_job(cancelled: dict[str, Any]) -> None:
    assert cancelled["early"]["text"].startswith("400")
    assert cancelled["cancelled"] == {
        "status": "cancelled",
        "job_id": cancelled["job_id"],
        "circuits_cancelled": 5,
    }
    assert cancelled["waited"]["error"] == "JobCancelledError"
    assert cancelled["status"] == "CANCELLED"
    assert cancelled["again"]["text"].startswith("409")
    assert cancelled["results"]["text"].startswith("400")


@only("divi14")
def test_divi_14_configures_an_open_job(cancelled: dict[str, Any]) -> None:
    assert cancelled["before"] == "PENDING"
    wanted = {"bond_dimension": 4, "api_meta": {"optimization_level": 1}}
    assert cancelled["posted"] == cancelled["read"] == wanted
    assert cancelled["refused"]["text"].startswith("400")
    assert "colour" in text(cancelled["refused"])
    assert cancelled["opened"] == "cancelled"


@pytest.mark.usefixtures("saw", "swept", "expected")
def test_the_ledger_knows_divi_and_ran_no_circuit_twice(
    client: str, service: LocalService
) -> None:
    seen = ledger(service)
    agents = {request["user_agent"] for request in seen["requests"]}
    name = "divi/0.15.1" if client == LATEST else "python-requests/"
    assert any(agent.startswith(name) for agent in agents)
    ran = Counter((e["job_id"], e["circuit"]) for e in seen["executions"])
    assert max(ran.values()) == 1
