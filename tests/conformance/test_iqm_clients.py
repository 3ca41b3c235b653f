"""Unmodified clients of IQM drive `qawait serve`, each in an environment of its own.

The judges (in `judges/`) only do and tell; what is right is decided here.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.conformance.judges import native
from tests.conformance.service import ask, ledger

if TYPE_CHECKING:
    from tests.service.running import LocalService

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

QUBITS = [f"QB{n}" for n in range(1, 21)]
FIVE_SIGMA = 5 * (native.SHOTS / 4) ** 0.5


class Client(NamedTuple):
    """A vendor's client: its environment, and the dialect it speaks there."""

    environment: str
    dialect: str

    def ask(self, act: str, service: LocalService) -> dict[str, Any]:
        """What it sees in one act."""
        if self.dialect == "server":
            return ask(self.environment, "iqm36", act, service)
        return ask(self.environment, "iqm_turns", act, service, self.dialect)

    def __str__(self) -> str:
        return f"{self.environment}-{self.dialect}"


IN_TURNS = [
    Client(environment, dialect)
    for environment in ("iqm22", "iqm28")
    for dialect in ("v1", "resonance", "v2")
] + [Client("iqm29", "station")]
SERVER = Client("iqm36", "server")
CLIENTS = [*IN_TURNS, SERVER]


@pytest.fixture(scope="module", params=CLIENTS, ids=str)
def client(request: pytest.FixtureRequest) -> Client:
    return request.param


@pytest.fixture(scope="module")
def saw(client: Client, service: LocalService) -> dict[str, Any]:
    """What the client saw in the life of some jobs."""
    return client.ask("life", service)


@pytest.fixture(scope="module")
def feedback(client: Client, service: LocalService) -> dict[str, Any]:
    """What the client saw of circuits that go on after a measurement."""
    return client.ask("feedback", service)


@pytest.fixture(scope="module")
def cancelled(client: Client, slow_service: LocalService) -> dict[str, Any]:
    """What the client saw of jobs that it cancelled."""
    return client.ask("abort", slow_service)


def only(*clients: Client) -> pytest.MarkDecorator:
    """Runs a test for these clients, with one life each."""
    return pytest.mark.parametrize("client", clients, ids=str, indirect=True)


def by_name(rows: list[Any]) -> dict[str, Any]:
    """Name the entries of a batch by their circuits."""
    return dict(zip(native.batch("a", "b", "c"), rows, strict=True))


def text(outcome: dict[str, str]) -> str:
    return outcome.get("text") or outcome["answer"]


# --- what every client sees ----------------------------------------------------------


def test_the_chip_has_its_qubits_and_couplers(
    client: Client, saw: dict[str, Any]
) -> None:
    assert saw["dynamic_qubits"] == QUBITS
    if client == ("iqm22", "resonance"):
        assert saw["static"] is None, "that client has no such call"
        return
    assert saw["static"]["qubits"] == QUBITS
    assert saw["static"]["computational_resonators"] == []
    assert len(saw["static"]["connectivity"]) == 31
    assert all(len(pair) == 2 for pair in saw["static"]["connectivity"])


def test_a_native_batch_gives_every_circuit_its_rows(saw: dict[str, Any]) -> None:
    """One row per shot, one column per component of the locus, in locus order."""
    measured = by_name(saw["measurements"])
    for name, keys in native.ALWAYS.items():
        assert measured[name] == {
            key: [list(row)] * native.SHOTS for key, row in keys.items()
        }


def test_superpositions_give_both_outcomes_as_often_as_they_should(
    saw: dict[str, Any],
) -> None:
    measured = by_name(saw["measurements"])
    pairs = Counter(map(tuple, measured["pairs"]["m"]))
    assert pairs.keys() == native.PAIRS
    assert abs(pairs[1, 0, 1] - native.SHOTS / 2) < FIVE_SIGMA
    biased = Counter(map(tuple, measured["biased"]["m"]))
    assert biased.keys() == {(0, 0), (0, 1)}
    assert abs(biased[0, 1] - native.SHOTS * native.BIASED_ONES) < FIVE_SIGMA


def test_counts_are_the_rows_counted(saw: dict[str, Any]) -> None:
    """Bits go by the order of keys that the answer itself names."""
    measured = by_name(saw["measurements"])
    for name, entry in by_name(saw["counts"]).items():
        keys = entry["measurement_keys"]
        assert sorted(keys) == sorted(measured[name])
        rows = zip(*(measured[name][key] for key in keys), strict=True)
        tally = Counter("".join(str(b) for part in row for b in part) for row in rows)
        assert entry["counts"] == tally


def test_a_mapping_names_the_physical_qubits(saw: dict[str, Any]) -> None:
    measured = by_name(saw["pinned"]["measurements"])
    for name, keys in native.ALWAYS.items():
        assert measured[name] == {key: [list(row)] for key, row in keys.items()}


def test_a_job_says_which_calibration_set_it_used(
    client: Client, saw: dict[str, Any]
) -> None:
    """In V2 clients up to 25.1 read it, and then lose it."""
    lost = client == ("iqm22", "v2")
    used = "None" if lost else saw["calibration_set_id"]
    assert saw["used_calibration_set_id"] == used
    assert saw["pinned"]["calibration_set_id"] == used


def test_a_wrong_locus_is_named_by_client_and_service(saw: dict[str, Any]) -> None:
    assert saw["wrong_locus_here"]["error"] == "CircuitValidationError"
    assert "QB99" in text(saw["wrong_locus_here"])
    assert "QB99" in text(saw["wrong_locus_there"])
    assert "nowhere" in text(saw["wrong_locus_there"])


def test_what_follows_a_measurement_has_its_real_meaning(
    feedback: dict[str, Any],
) -> None:
    """Conditional gates, `reset`, `delay`, and a measurement in the middle."""
    measured = zip(native.CONDITIONED.values(), feedback["measurements"], strict=True)
    for keys, rows in measured:
        assert rows == {key: [list(row)] * native.SHOTS for key, row in keys.items()}


def test_a_state_moves_into_a_resonator_and_back(
    client: Client, star_service: LocalService
) -> None:
    """What is in the resonator controls a CZ, and comes back to its qubit."""
    saw = client.ask("moves", star_service)
    assert saw["resonators"] == ["COMPR1"]
    for (name, rows), keys in zip(
        native.MOVED.items(), saw["measurements"], strict=True
    ):
        tally = Counter(map(tuple, keys["m"]))
        assert tally.keys() == rows, name
        assert sum(tally.values()) == native.SHOTS
        for count in tally.values():
            assert abs(count - native.SHOTS / len(rows)) < FIVE_SIGMA


# --- clients up to 30 ----------------------------------------------------------------


@only(*IN_TURNS)
def test_a_run_result_tells_its_request(saw: dict[str, Any]) -> None:
    assert saw["status"] == saw["counts_status"] == "ready"
    assert saw["names"] == list(native.batch("a", "b", "c"))
    assert saw["shots"] == native.SHOTS
    assert saw["heralding_mode"] == "none"


@only(*IN_TURNS)
def test_a_run_result_tells_its_times(client: Client, saw: dict[str, Any]) -> None:
    names = (
        ("received", "compilation_started", "execution_started", "ready")
        if client.dialect in ("v2", "station")
        else ("job_start", "compile_start", "execution_start", "job_end")
    )
    assert set(names) <= saw["timestamps"].keys()
    seen = [datetime.fromisoformat(saw["timestamps"][name]) for name in names]
    assert seen == sorted(seen)


@only(*IN_TURNS)
def test_the_calibration_and_its_figures_are_read(
    client: Client, saw: dict[str, Any]
) -> None:
    calibration, metrics = saw["calibration"], saw["metrics"]
    if client.dialect == "resonance":
        assert calibration is metrics is None, "the variant has no such call"
        return
    assert calibration["calibration_set_id"] == saw["calibration_set_id"]
    assert metrics["calibration_set_id"] == saw["calibration_set_id"]
    assert len(calibration["observations"]) > 0
    assert "characterization.model.QB1.t1_time" in metrics["metrics"]


@only(*IN_TURNS[:-1])
def test_the_old_architecture_is_read(saw: dict[str, Any]) -> None:
    assert saw["old_architecture"]["qubits"] == QUBITS
    assert {"prx", "cz", "measure"} <= saw["old_architecture"]["operations"].keys()


@only(*(client for client in IN_TURNS if client.dialect in ("v2", "station")))
def test_every_qubit_can_feed_every_other(saw: dict[str, Any]) -> None:
    assert "error" not in saw["feedback"]
    for qubit in QUBITS:
        assert f"'{qubit}'" in saw["feedback"]["answer"]


@only(*IN_TURNS)
def test_clients_up_to_30_get_their_own_errors(
    client: Client, saw: dict[str, Any]
) -> None:
    assert saw["unknown_job"]["error"] == "HTTPError"
    assert text(saw["unknown_job"]).endswith("not found.")
    assert saw["unknown_abort"]["error"] == "JobAbortionError"
    station = client.dialect == "station"
    unknown = "NotFoundError" if station else "HTTPError"
    assert saw["unknown_calibration"]["error"] == unknown
    refused = "RuntimeError" if station else "ClientAuthenticationError"
    assert saw["wrong_token"]["error"] == refused


@only(*IN_TURNS)
def test_clients_up_to_30_are_warned_of_nothing_but_the_age_of_v1(
    saw: dict[str, Any],
) -> None:
    """A wrong token cannot ask for versions, so that one client may say so."""
    of_versions = [w for w in saw["warnings"] if "V1 API" not in w[1]]
    assert [w for w in of_versions if "401" not in w[1] and "Auth" not in w[1]] == []


@only(*IN_TURNS)
def test_clients_up_to_30_abort_a_job(cancelled: dict[str, Any]) -> None:
    assert cancelled["before"] not in {"ready", "failed", "aborted"}
    assert cancelled["early"] == [cancelled["early"][0], None]
    assert cancelled["status"] == cancelled["counts_status"] == "aborted"
    assert cancelled["measurements"] is None
    assert cancelled["counts"] is None


# --- clients from 33 on --------------------------------------------------------------


@only(SERVER)
def test_iqm36_lives_through_a_job(saw: dict[str, Any]) -> None:
    assert saw["name"] == "square20"
    assert saw["health"]["healthy"] is True
    assert "about_station" in saw["about"]
    assert saw["status"] == "completed"
    steps = [step[1] for step in saw["timeline"]]
    assert "compilation_ended" in steps
    assert steps.index("compilation_ended") < steps.index("execution_ended")
    times = [datetime.fromisoformat(step[2]) for step in saw["timeline"]]
    assert times == sorted(times)


@only(SERVER)
def test_iqm36_reads_the_calibration_and_its_figures(saw: dict[str, Any]) -> None:
    calibration, metrics = saw["calibration"], saw["metrics"]
    assert calibration["observation_set_type"] == "calibration-set"
    assert calibration["observation_set_id"] == saw["calibration_set_id"]
    assert metrics["observation_set_type"] == "quality-metric-set"
    assert "characterization.model.QB1.t1_time" in saw["figures"]
    assert any(f.startswith("metrics.ssro.measure.") for f in saw["figures"])


@only(SERVER)
def test_iqm36_finds_a_job_again_with_its_payload(saw: dict[str, Any]) -> None:
    a, b, c = saw["corner"]
    assert saw["pinned"]["payload_shots"] == 1
    assert saw["pinned"]["payload_mapping"] == {"alice": a, "bob": b, "carol": c}
    assert saw["pinned"]["payload_names"] == list(native.batch(a, b, c))


@only(SERVER)
def test_iqm36_gets_its_own_errors(saw: dict[str, Any]) -> None:
    for unknown in ("unknown_job", "unknown_cancel", "unknown_calibration"):
        assert saw[unknown]["error"] == "NotFoundError", unknown
    assert saw["late_cancel"]["error"] == "ForbiddenError"
    assert saw["deleted"] == {"answer": "None"}
    assert saw["after_delete"]["error"] == "NotFoundError"
    assert "square20" in text(saw["wrong_name"])
    assert saw["wrong_token"]["error"] == "AuthenticationError"


@only(SERVER)
def test_iqm36_cancels_a_waiting_and_a_running_job(cancelled: dict[str, Any]) -> None:
    assert cancelled["before"][0] == "processing"
    assert set(cancelled["before"]) <= {"waiting", "processing"}
    assert cancelled["position"] == 1
    assert cancelled["status"] == ["cancelled"] * 3
    assert cancelled["measurements"] == [None] * 3
    assert cancelled["again"]["error"] == "ForbiddenError"


# --- the oracle ----------------------------------------------------------------------


@pytest.mark.usefixtures("saw")
def test_the_ledger_knows_a_client_as_it_introduces_itself(
    client: Client, service: LocalService
) -> None:
    agents = {request["user_agent"] for request in ledger(service)["requests"]}
    versions = {"iqm22": "22.16", "iqm28": "28.0.0", "iqm29": "29.14.0"}
    name = f"iqm-client {versions.get(client.environment, '36.0.0')}"
    assert any(name in agent for agent in agents)


@pytest.mark.usefixtures("saw")
def test_no_circuit_ran_twice(service: LocalService) -> None:
    ran = Counter((e["job_id"], e["circuit"]) for e in ledger(service)["executions"])
    assert max(ran.values()) == 1
