"""Unmodified vendor clients drive `qawait serve`, each in an environment of its own.

The judges (in `judges/`) only do and tell; what is right is decided here.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.running import LocalService, running
from tests.vendor.environments import vendor_python
from tests.vendor.judges import native
from tests.vendor.service import clean_environment, ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

JUDGES = Path(__file__).with_name("judges")
QUBITS = [f"QB{n}" for n in range(1, 21)]
FIVE_SIGMA = 5 * (native.SHOTS / 4) ** 0.5
NUMBERS = 130


def ask(judge: str, act: str, service: LocalService) -> dict[str, Any]:
    """Run one judge against the service and return what it saw."""
    finished = subprocess.run(
        [str(vendor_python(judge)), str(JUDGES / f"{judge}.py"), act, service.url],
        env=clean_environment(
            JUDGE_TOKEN=service.token, IQM_CLIENT_SECONDS_BETWEEN_CALLS="0.1"
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    with running() as service:
        yield service


@pytest.fixture(scope="module")
def slow_service() -> Iterator[LocalService]:
    """A service whose first job keeps it busy longer than any test waits."""
    with running("--service-time", "600s", "--servers", "1") as service:
        yield service


@pytest.fixture(scope="module")
def iqm28(service: LocalService) -> dict[str, Any]:
    return ask("iqm28", "life", service)


@pytest.fixture(scope="module")
def iqm36(service: LocalService) -> dict[str, Any]:
    return ask("iqm36", "life", service)


@pytest.fixture(scope="module")
def divi14(service: LocalService) -> dict[str, Any]:
    return ask("divi14", "life", service)


@pytest.fixture(params=["iqm28", "iqm36"])
def iqm(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What either IQM client saw, where both must have seen the same."""
    return request.getfixturevalue(request.param)


def by_name(rows: list[Any]) -> dict[str, Any]:
    """Name the entries of a batch by their circuits."""
    return dict(zip(native.batch("a", "b", "c"), rows, strict=True))


def text(outcome: dict[str, str]) -> str:
    return outcome.get("text") or outcome["answer"]


# --- IQM -----------------------------------------------------------------------------


def test_both_iqm_clients_see_the_square(iqm: dict[str, Any]) -> None:
    assert iqm["static_qubits"] == iqm["dynamic_qubits"] == QUBITS
    assert len(iqm["static_connectivity"]) == 31
    assert all(len(pair) == 2 for pair in iqm["static_connectivity"])


def test_a_native_batch_gives_every_circuit_its_rows(iqm: dict[str, Any]) -> None:
    """One row per shot, one column per component of the locus, in locus order."""
    measured = by_name(iqm["measurements"])
    for name, keys in native.ALWAYS.items():
        assert measured[name] == {
            key: [list(row)] * native.SHOTS for key, row in keys.items()
        }


def test_superpositions_give_both_outcomes_as_often_as_they_should(
    iqm: dict[str, Any],
) -> None:
    measured = by_name(iqm["measurements"])
    pairs = Counter(map(tuple, measured["pairs"]["m"]))
    assert pairs.keys() == native.PAIRS
    assert abs(pairs[1, 0, 1] - native.SHOTS / 2) < FIVE_SIGMA
    biased = Counter(map(tuple, measured["biased"]["m"]))
    assert biased.keys() == {(0, 0), (0, 1)}
    assert abs(biased[0, 1] - native.SHOTS * native.BIASED_ONES) < FIVE_SIGMA


def test_counts_are_the_rows_counted(iqm: dict[str, Any]) -> None:
    """Bits go by the order of keys that the answer itself names."""
    measured = by_name(iqm["measurements"])
    for name, entry in by_name(iqm["counts"]).items():
        keys = entry["measurement_keys"]
        assert sorted(keys) == sorted(measured[name])
        rows = zip(*(measured[name][key] for key in keys), strict=True)
        tally = Counter("".join(str(b) for part in row for b in part) for row in rows)
        assert entry["counts"] == tally


def test_a_mapping_names_the_physical_qubits(iqm: dict[str, Any]) -> None:
    measured = by_name(iqm["pinned"]["measurements"])
    for name, keys in native.ALWAYS.items():
        assert measured[name] == {key: [list(row)] for key, row in keys.items()}


def test_a_job_says_which_calibration_set_it_used(iqm: dict[str, Any]) -> None:
    assert iqm["used_calibration_set_id"] == iqm["calibration_set_id"]
    assert iqm["pinned"]["calibration_set_id"] == iqm["calibration_set_id"]


def test_a_wrong_locus_is_named_by_client_and_service(iqm: dict[str, Any]) -> None:
    assert "QB99" in text(iqm["wrong_locus_here"])
    assert "QB99" in text(iqm["wrong_locus_there"])
    assert "nowhere" in text(iqm["wrong_locus_there"])


def test_iqm28_lives_through_a_job(iqm28: dict[str, Any]) -> None:
    assert iqm28["status"] == iqm28["counts_status"] == "ready"
    assert iqm28["names"] == list(native.batch("a", "b", "c"))
    assert iqm28["shots"] == native.SHOTS
    times = iqm28["timestamps"]
    order = ["job_start", "compile_start", "compile_end"]
    order += ["execution_start", "execution_end", "job_end"]
    seen = [datetime.fromisoformat(times[name]) for name in order if name in times]
    assert {"job_start", "execution_start", "execution_end", "job_end"} <= times.keys()
    assert seen == sorted(seen)


def test_iqm28_reads_the_old_architecture_and_the_calibration(
    iqm28: dict[str, Any],
) -> None:
    assert iqm28["old_architecture"]["qubits"] == QUBITS
    assert {"prx", "cz", "measure"} <= iqm28["old_architecture"]["operations"].keys()
    calibration, metrics = iqm28["calibration"], iqm28["metrics"]
    assert calibration["calibration_set_id"] == iqm28["calibration_set_id"]
    assert metrics["calibration_set_id"] == iqm28["calibration_set_id"]
    assert len(calibration["observations"]) > 0
    assert "characterization.model.QB1.t1_time" in metrics["metrics"]


def test_iqm28_gets_its_own_errors(iqm28: dict[str, Any]) -> None:
    assert iqm28["wrong_locus_here"]["error"] == "CircuitValidationError"
    assert iqm28["unknown_job"]["error"] == "HTTPError"
    assert text(iqm28["unknown_job"]).endswith("not found.")
    assert iqm28["unknown_abort"]["error"] == "JobAbortionError"
    assert iqm28["unknown_calibration"]["error"] == "HTTPError"
    assert iqm28["wrong_token"]["error"] == "ClientAuthenticationError"


def test_iqm28_is_warned_of_nothing_but_the_age_of_v1(iqm28: dict[str, Any]) -> None:
    """A wrong token cannot ask for versions, so that one client may say so."""
    of_versions = [w for w in iqm28["warnings"] if "V1 API" not in w[1]]
    assert [w for w in of_versions if "401" not in w[1] and "Auth" not in w[1]] == []


def test_iqm28_aborts_a_job(slow_service: LocalService) -> None:
    saw = ask("iqm28", "abort", slow_service)
    assert saw["before"] not in {"ready", "failed", "aborted"}
    assert saw["status"] == saw["counts_status"] == "aborted"
    assert saw["measurements"] is None
    assert saw["counts"] is None


def test_iqm36_lives_through_a_job(iqm36: dict[str, Any]) -> None:
    assert iqm36["name"] == "square20"
    assert iqm36["health"]["healthy"] is True
    assert "about_station" in iqm36["about"]
    assert iqm36["status"] == "completed"
    steps = [step[1] for step in iqm36["timeline"]]
    assert "compilation_ended" in steps
    assert steps.index("compilation_ended") < steps.index("execution_ended")
    times = [datetime.fromisoformat(step[2]) for step in iqm36["timeline"]]
    assert times == sorted(times)


def test_iqm36_reads_the_calibration_and_its_figures(iqm36: dict[str, Any]) -> None:
    calibration, metrics = iqm36["calibration"], iqm36["metrics"]
    assert calibration["observation_set_type"] == "calibration-set"
    assert calibration["observation_set_id"] == iqm36["calibration_set_id"]
    assert metrics["observation_set_type"] == "quality-metric-set"
    assert "characterization.model.QB1.t1_time" in iqm36["figures"]
    assert any(f.startswith("metrics.ssro.measure.") for f in iqm36["figures"])


def test_iqm36_finds_a_job_again_with_its_payload(iqm36: dict[str, Any]) -> None:
    a, b, c = iqm36["corner"]
    assert iqm36["pinned"]["payload_shots"] == 1
    assert iqm36["pinned"]["payload_mapping"] == {"alice": a, "bob": b, "carol": c}
    assert iqm36["pinned"]["payload_names"] == list(native.batch(a, b, c))


def test_iqm36_gets_its_own_errors(iqm36: dict[str, Any]) -> None:
    assert iqm36["wrong_locus_here"]["error"] == "CircuitValidationError"
    for unknown in ("unknown_job", "unknown_cancel", "unknown_calibration"):
        assert iqm36[unknown]["error"] == "NotFoundError", unknown
    assert iqm36["late_cancel"]["error"] == "ForbiddenError"
    assert iqm36["deleted"] == {"answer": "None"}
    assert iqm36["after_delete"]["error"] == "NotFoundError"
    assert "square20" in text(iqm36["wrong_name"])
    assert iqm36["wrong_token"]["error"] == "AuthenticationError"


def test_iqm36_cancels_a_waiting_and_a_running_job(slow_service: LocalService) -> None:
    saw = ask("iqm36", "abort", slow_service)
    assert saw["before"][0] == "processing"
    assert set(saw["before"]) <= {"waiting", "processing"}
    assert saw["position"] == 1
    assert saw["status"] == ["cancelled"] * 3
    assert saw["measurements"] == [None] * 3
    assert saw["again"]["error"] == "ForbiddenError"


# --- Qoro ----------------------------------------------------------------------------


def test_divi_lives_through_a_job(divi14: dict[str, Any]) -> None:
    assert divi14["connection"] == 200
    assert divi14["clusters"] == ["qoro_maestro"]
    assert divi14["status"] == "COMPLETED"
    assert float(divi14["final"][0]["run_time"]) >= 0


@pytest.mark.parametrize("run", ["results", "configured"])
def test_divi_reads_bit_strings_with_bit_0_last(
    divi14: dict[str, Any], run: str
) -> None:
    """A partly measured register keeps its width; unmeasured bits are 0."""
    counts = divi14[run]
    assert counts["flip"] == {"001": native.SHOTS}
    assert counts["crossed"] == {"100": native.SHOTS}
    assert counts["partial"] == {"01000": native.SHOTS}
    assert counts["pairs"].keys() == {"0010", "0111"}
    assert sum(counts["pairs"].values()) == native.SHOTS
    assert abs(counts["pairs"]["0111"] - native.SHOTS / 2) < FIVE_SIGMA
    assert counts["biased"].keys() == {"00", "10"}
    assert abs(counts["biased"]["10"] - native.SHOTS * 0.75) < FIVE_SIGMA


def test_divi_reads_every_page_of_results(divi14: dict[str, Any]) -> None:
    assert divi14["numbers"] == {
        f"n{n}": {f"{n:08b}": native.SHOTS} for n in range(NUMBERS)
    }


def test_divi_reads_back_the_configuration_it_sent(divi14: dict[str, Any]) -> None:
    assert divi14["configuration"] == {
        "bond_dimension": 8,
        "truncation_threshold": 1e-9,
        "simulator_type": 0,
        "simulation_type": 1,
    }


def test_divi_gets_its_own_errors(divi14: dict[str, Any]) -> None:
    starts = {
        "no_configuration": "404",
        "late_configuration": "409",
        "late_cancel": "409",
        "unknown_job": "404",
        "unknown_cancel": "404",
        "after_delete": "404",
        "wrong_token": "401",
        "unavailable_results": "400",
    }
    for name, status in starts.items():
        assert divi14[name]["error"] == "HTTPError", name
        assert divi14[name]["text"].startswith(status), name
    assert divi14["unavailable"]["error"] == "JobFailedError"
    assert "torn" in text(divi14["bad_circuit"])
    assert divi14["deleted"] == 204
    assert divi14["warnings"] == []


def test_divi_configures_an_open_job_and_cancels_a_running_one(
    slow_service: LocalService,
) -> None:
    saw = ask("divi14", "abort", slow_service)
    assert saw["before"] == "PENDING"
    wanted = {"bond_dimension": 4, "api_meta": {"optimization_level": 1}}
    assert saw["posted"] == saw["read"] == wanted
    assert saw["refused"]["text"].startswith("400")
    assert "colour" in text(saw["refused"])
    assert saw["early"]["text"].startswith("400")
    assert saw["cancelled"] == {
        "status": "cancelled",
        "job_id": saw["job_id"],
        "circuits_cancelled": 5,
    }
    assert saw["waited"]["error"] == "JobCancelledError"
    assert saw["status"] == "CANCELLED"
    assert saw["again"]["text"].startswith("409")
    assert saw["results"]["text"].startswith("400")
    assert saw["opened"] == "cancelled"


# --- the oracle ----------------------------------------------------------------------


@pytest.mark.usefixtures("iqm28", "iqm36", "divi14")
def test_the_ledger_knows_the_clients_as_they_introduce_themselves(
    service: LocalService,
) -> None:
    agents = {request["user_agent"] for request in ledger(service)["requests"]}
    for name in ("iqm-client 28.0.0", "iqm-client 36.0.0", "python-requests/"):
        assert any(name in agent for agent in agents), name


@pytest.mark.usefixtures("iqm28", "iqm36", "divi14")
def test_no_circuit_ran_twice(service: LocalService) -> None:
    ran = Counter((e["job_id"], e["circuit"]) for e in ledger(service)["executions"])
    assert max(ran.values()) == 1
