"""The local service as IQM's clients see it: api/v1 and V1."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.running import (
    FLIPPED,
    HEAVY,
    circuit,
    cz,
    ended,
    get,
    measure,
    program,
    prx,
    reached,
    run_request,
    running,
    submit,
    submit_programs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.running import LocalService

QC = "/api/v1/quantum-computers/square20"
CALIBRATION = "/api/v1/calibration-sets/square20"


async def test_each_row_follows_the_order_of_the_locus(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED, shots=3))
        job = await ended(session, f"/api/v1/jobs/{job_id}")
        artifacts = f"/api/v1/jobs/{job_id}/artifacts"
        measurements = await get(session, f"{artifacts}/measurements")
        counts = await get(session, f"{artifacts}/measurement_counts")
    assert job["status"] == "completed"
    assert measurements == [{"m": [[1, 0, 0]] * 3}]
    assert counts == [{"measurement_keys": ["m"], "counts": {"100": 3}}]


async def test_counts_write_the_keys_in_circuit_order(
    local_service: LocalService,
) -> None:
    two = circuit("two", prx("QB7"), measure("z", "QB1"), measure("a", "QB7", "QB2"))
    async with local_service.session() as session:
        job_id = await submit(session, run_request(two, FLIPPED, shots=2))
        await ended(session, f"/api/v1/jobs/{job_id}")
        artifacts = f"/api/v1/jobs/{job_id}/artifacts"
        counts = await get(session, f"{artifacts}/measurement_counts")
    assert counts[0] == {"measurement_keys": ["z", "a"], "counts": {"010": 2}}
    assert counts[1] == {"measurement_keys": ["m"], "counts": {"100": 2}}


async def test_the_timeline_has_every_step_in_order_and_in_utc(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED))
        job = await ended(session, f"/api/v1/jobs/{job_id}")
    assert [entry["status"] for entry in job["timeline"]] == [
        "created",
        "received",
        "compilation_started",
        "compilation_ended",
        "execution_started",
        "execution_ended",
        "completed",
    ]
    times = [datetime.fromisoformat(entry["timestamp"]) for entry in job["timeline"]]
    assert times == sorted(times)
    assert all(time.utcoffset() is not None for time in times)


async def test_turns_and_qubits_mean_the_same_as_radians_and_loci(
    local_service: LocalService,
) -> None:
    body = {
        "circuits": [
            {
                "name": "old",
                "instructions": [
                    {
                        "name": "prx",
                        "qubits": ["alice"],
                        "args": {"angle_t": 0.5, "phase_t": 0.25},
                    },
                    {
                        "name": "measure",
                        "qubits": ["bob", "alice"],
                        "args": {"key": "k"},
                    },
                ],
            }
        ],
        "qubit_mapping": [
            {"logical_name": "alice", "physical_name": "QB9"},
            {"logical_name": "bob", "physical_name": "QB4"},
        ],
        "shots": 2,
    }
    async with local_service.session() as session:
        async with session.post("/cocos/jobs", json=body) as response:
            assert response.status == 201
            job_id = (await response.json())["id"]
        await ended(session, f"/api/v1/jobs/{job_id}")
        everything = await get(session, f"/cocos/jobs/{job_id}")
        counts = await get(session, f"/cocos/jobs/{job_id}/counts")
    assert everything["status"] == "ready"
    assert everything["measurements"] == [{"k": [[0, 1], [0, 1]]}]
    assert everything["metadata"]["request"] == body
    assert list(everything["metadata"]["timestamps"]) == [
        "job_start",
        "compile_start",
        "compile_end",
        "submit_start",
        "submit_end",
        "execution_start",
        "execution_end",
        "job_end",
    ]
    assert counts["counts_batch"] == [{"measurement_keys": ["k"], "counts": {"01": 2}}]


@pytest.mark.parametrize(
    ("faulty", "sentence"),
    [
        (
            cz("QB1", "QB7"),
            "instruction 1 (cz on QB1, QB7): it is not calibrated on QB1, QB7",
        ),
        (cz("QB1", "QB1"), "it names a component twice"),
        (prx("QB21"), "the machine has no QB21"),
        (measure("m", "QB2"), "the key 'm' is taken"),
        (
            {"name": "prx", "locus": ["QB1"], "args": {"angle": 1.0}},
            "'phase' is missing",
        ),
        (
            {"name": "prx", "locus": ["QB1"], "args": {"angle": None, "phase": 0.0}},
            "angle must be a number, not None",
        ),
        (
            {"name": "move", "locus": ["QB1", "QB2"], "args": {}},
            "the machine has no such operation; it has prx, cc_prx, cz, measure",
        ),
        (
            prx("QB1") | {"implementation": "drag"},
            "no implementation 'drag'; there is drag_crf",
        ),
    ],
)
async def test_a_circuit_the_machine_cannot_run_fails_its_job_in_words(
    local_service: LocalService, faulty: dict[str, Any], sentence: str
) -> None:
    bad = circuit("bad", measure("m", "QB1"), faulty)
    async with local_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED, bad))
        job = await ended(session, f"/api/v1/jobs/{job_id}")
        everything = await get(session, f"/cocos/jobs/{job_id}")
    assert job["status"] == "failed"
    assert sentence in job["errors"][0]["message"]
    assert job["errors"][0]["message"].startswith("circuit bad: instruction 1 (")
    assert everything["message"] == job["errors"][0]["message"]
    assert "measurements" not in everything


async def test_artifacts_are_not_there_before_the_job_is(
    paced_service: LocalService,
) -> None:
    async with paced_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED))
        path = f"/api/v1/jobs/{job_id}/artifacts/measurements"
        async with session.get(path) as response:
            assert response.status == 404
            assert (await response.json())["error_code"] == "not_found"
        async with session.post(f"/api/v1/jobs/{job_id}/cancel") as response:
            assert response.status == 200


@pytest.fixture(scope="module")
def paced_service() -> Iterator[LocalService]:
    """Jobs take an hour each, one at a time."""
    with running("--null", "--service-time", "3600s", "--servers", "1") as service:
        yield service


async def test_the_queue_is_first_come_first_served_and_says_where_one_stands(
    paced_service: LocalService,
) -> None:
    async with paced_service.session() as session:
        jobs = [await submit(session, run_request(FLIPPED)) for _ in range(4)]
        await reached(session, jobs[0], "execution_started")
        for job_id in jobs[1:]:
            await reached(session, job_id, "compilation_ended")
        first, *rest = [await get(session, f"/api/v1/jobs/{job_id}") for job_id in jobs]
        queue = await get(session, f"{QC}/queue-availability")
        assert (first["status"], first["queue_position"]) == ("processing", None)
        assert {job["status"] for job in rest} == {"waiting"}
        assert [job["queue_position"] for job in rest] == [0, 1, 2]
        assert queue["queue_length"] == 3
        # A cancelled job leaves the queue; those behind it move up.
        async with session.post(f"/api/v1/jobs/{jobs[1]}/cancel") as response:
            assert response.status == 200
        last = await get(session, f"/api/v1/jobs/{jobs[3]}")
        assert last["queue_position"] == 1
        for job_id in (jobs[0], *jobs[2:]):
            async with session.post(f"/api/v1/jobs/{job_id}/cancel") as response:
                assert response.status == 200


async def test_a_cancelled_job_says_so_and_keeps_saying_so(
    paced_service: LocalService,
) -> None:
    async with paced_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED))
        await reached(session, job_id, "execution_started")
        async with session.post(f"/api/v1/jobs/{job_id}/cancel") as response:
            assert response.status == 200
        job = await get(session, f"/api/v1/jobs/{job_id}")
        assert job["status"] == "cancelled"
        assert (await get(session, f"/cocos/jobs/{job_id}/status"))[
            "status"
        ] == "aborted"
        async with session.post(f"/api/v1/jobs/{job_id}/cancel") as response:
            assert response.status == 403
            assert (await response.json())["error_code"] == "illegal_job_status"
        async with session.post(f"/cocos/jobs/{job_id}/abort") as response:
            assert response.status == 200


async def test_cancelling_a_running_job_frees_its_worker() -> None:
    with running("--workers", "1") as service:
        async with service.session() as session:
            job_id = await submit(session, HEAVY)
            await reached(session, job_id, "execution_started")
            async with session.post(f"/api/v1/jobs/{job_id}/cancel") as response:
                assert response.status == 200
            follower = await submit(session, run_request(FLIPPED))
            job = await ended(session, f"/api/v1/jobs/{follower}")
            assert job["status"] == "completed"
            job = await get(session, f"/api/v1/jobs/{job_id}")
            assert job["status"] == "cancelled"
            ledger = await get(session, "/_ledger")
    assert [entry["job_id"] for entry in ledger["executions"]] == [follower]


async def test_a_deleted_job_is_gone(local_service: LocalService) -> None:
    async with local_service.session() as session:
        job_id = await submit(session, run_request(FLIPPED))
        await ended(session, f"/api/v1/jobs/{job_id}")
        async with session.delete(f"/api/v1/jobs/{job_id}") as response:
            assert response.status == 204
        for path in (f"/api/v1/jobs/{job_id}", f"/cocos/jobs/{job_id}/status"):
            async with session.get(path) as response:
                assert response.status == 404


async def test_the_payload_is_what_was_submitted_byte_for_byte(
    local_service: LocalService,
) -> None:
    body = b'{"circuits":[{"name":"n\\u00e9","instructions":[{"name":"measure",'
    body += b'"locus":["QB5"],"args":{"key":"k"}}]}],  "shots":1}'
    async with local_service.session() as session:
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        async with session.post(
            "/api/v1/jobs/square20/circuit", data=body, headers=headers
        ) as response:
            job_id = (await response.json())["id"]
        async with session.get(f"/api/v1/jobs/{job_id}/payload") as response:
            assert await response.read() == body


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "ends in the middle"),
        (b"[]", "run request"),
        (b'{"circuits":[],"shots":1}', "no circuits"),
        (b"[" * 100_000, "run request"),
        (b'{"circuits":[' + b'"qir",' * 9 + b'"qir"],"shots":1}', "QIR"),
    ],
)
async def test_a_body_that_is_no_run_request_is_refused_in_each_dialects_shape(
    local_service: LocalService, body: bytes, sentence: str
) -> None:
    async with local_service.session(**{"Content-Type": "application/json"}) as session:
        async with session.post("/api/v1/jobs/square20/circuit", data=body) as response:
            assert response.status == 400
            assert sentence in (await response.json())["message"]
        async with session.post("/cocos/jobs", data=body) as response:
            assert response.status == 400
            assert sentence in (await response.json())["detail"]


async def test_more_shots_than_allowed_are_refused_naming_the_limit(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        body = run_request(FLIPPED, shots=10**9)
        async with session.post("/api/v1/jobs/square20/circuit", json=body) as response:
            assert response.status == 400
            assert "the maximum is 1000000" in (await response.json())["message"]


async def test_square20_is_a_lattice_whose_figures_are_realistic_and_differ(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        [computer] = (await get(session, "/api/v1/quantum-computers"))[
            "quantum_computers"
        ]
        [static] = await get(session, f"{QC}/artifacts/static-quantum-architectures")
        dynamic = await get(
            session, f"{CALIBRATION}/default/dynamic-quantum-architecture"
        )
        same = await get(session, "/cocos/api/v1/calibration/default/gates")
        metrics = await get(session, f"{CALIBRATION}/default/metrics")
        old = await get(session, "/cocos/quantum-architecture")
    assert computer["alias"] == "square20"
    assert "simulated" in computer["display_name"]
    assert static["qubits"] == [f"QB{n}" for n in range(1, 21)]
    # Four rows of five: 4 x 4 neighbours in the rows and 3 x 5 between them.
    assert len(static["connectivity"]) == 31
    assert ["QB5", "QB6"] not in static["connectivity"]
    assert ["QB5", "QB10"] in static["connectivity"]
    assert dynamic == same
    assert (
        dynamic["gates"]["cz"]["implementations"]["tgss"]["loci"]
        == static["connectivity"]
    )
    assert all(
        g["override_default_implementation"] == {} for g in dynamic["gates"].values()
    )
    assert old["quantum_architecture"]["qubit_connectivity"] == static["connectivity"]
    values = {o["dut_field"]: o["value"] for o in metrics["observations"]}
    t1 = [values[f"characterization.model.QB{n}.t1_time"] for n in range(1, 21)]
    t2 = [values[f"characterization.model.QB{n}.t2_echo_time"] for n in range(1, 21)]
    assert len(set(t1)) == 20
    assert all(20e-6 < time < 80e-6 for time in t1)
    assert all(two < 2 * one for one, two in zip(t1, t2, strict=True))
    cz_fidelities = [
        v for name, v in values.items() if name.startswith("metrics.irb.cz")
    ]
    assert len(set(cz_fidelities)) == 31
    assert all(0.98 < fidelity < 1 for fidelity in cz_fidelities)


@pytest.mark.parametrize(
    ("agent", "word"),
    [
        ("", "pending execution"),
        ("python, iqm-client 22.16", "pending execution"),
        ("python, iqm-client 28.0.0", "pending_execution"),
        ("python, iqm-client 26.0.0", "execution_pending"),
        ("python, iqm-client 17.8", "pending execution"),
    ],
)
async def test_v1_answers_in_a_word_that_the_asking_client_knows(
    paced_service: LocalService, agent: str, word: str
) -> None:
    async with paced_service.session() as session:
        first = await submit(session, run_request(FLIPPED))
        waiting = await submit(session, run_request(FLIPPED))
        await reached(session, waiting, "compilation_ended")
        headers = {"User-Agent": agent}
        async with session.get(
            f"/cocos/jobs/{waiting}/status", headers=headers
        ) as answer:
            assert (await answer.json())["status"] == word
        for job_id in (first, waiting):
            async with session.post(f"/cocos/jobs/{job_id}/abort") as answer:
                assert answer.status == 200


async def test_null_says_waiting_to_the_post_and_is_done_at_the_first_question(
    null_service: LocalService,
) -> None:
    two = circuit("two", measure("z", "QB1"), measure("a", "QB7", "QB2"))
    async with null_service.session() as session:
        body = run_request(two, FLIPPED, shots=300)
        async with session.post("/api/v1/jobs/square20/circuit", json=body) as response:
            created = await response.json()
        job = await get(session, f"/api/v1/jobs/{created['id']}")
        artifacts = f"/api/v1/jobs/{created['id']}/artifacts"
        one, other = await get(session, f"{artifacts}/measurements")
        again, _ = await get(session, f"{artifacts}/measurements")
        [counts, _] = await get(session, f"{artifacts}/measurement_counts")
    assert created["status"] == "waiting"
    assert job["status"] == "completed"
    assert list(one) == ["z", "a"]
    assert [len(row) for row in one["a"]] == [2] * 300
    assert [len(row) for row in other["m"]] == [3] * 300
    assert {bit for row in one["a"] for bit in row} == {0, 1}
    assert one == again
    assert sum(counts["counts"].values()) == 300
    rows = [z + a for z, a in zip(one["z"], one["a"], strict=True)]
    assert counts["counts"]["011"] == rows.count([0, 1, 1])


async def test_the_ledger_tells_what_was_submitted_run_and_asked(
    local_service: LocalService,
) -> None:
    body = run_request(FLIPPED, circuit("b", prx("QB1", math.pi), measure("k", "QB1")))
    async with local_service.session(**{"User-Agent": "tester/1"}) as session:
        job_id = await submit(session, body)
        await ended(session, f"/api/v1/jobs/{job_id}")
        ledger = await get(session, "/_ledger?bodies=1")
    assert set(ledger) == {"submissions", "executions", "requests"}
    [submission] = [s for s in ledger["submissions"] if s["job_id"] == job_id]
    assert (submission["circuits"], submission["shots"]) == (2, 14)
    assert submission["dialect"] == "iqm-server"
    assert '"QB3"' in submission["body"]
    executions = [e for e in ledger["executions"] if e["job_id"] == job_id]
    assert [e["circuit"] for e in executions] == [0, 1]
    assert all(e["started"] < e["ended"] for e in executions)
    mine = [r for r in ledger["requests"] if r["user_agent"] == "tester/1"]
    assert mine[0]["path"] == "/api/v1/jobs/square20/circuit"
    assert (mine[0]["method"], mine[0]["status"]) == ("POST", 201)
    assert mine[0]["bytes_in"] > 300
    assert not [r for r in ledger["requests"] if "_ledger" in r["path"]]


@pytest.mark.parametrize("root", ["", "/cocos"])
async def test_clients_are_told_at_each_root_that_they_fit(
    local_service: LocalService, root: str
) -> None:
    async with local_service.session() as session:
        libraries = await get(session, f"{root}/info/client-libraries")
    assert {"name", "min", "max"} <= set(libraries["iqm-client"])


async def test_v1_counts_the_observations_of_the_calibration_set(
    local_service: LocalService,
) -> None:
    root = "/cocos/api/v1/calibration/default"
    async with local_service.session() as session:
        calibration = await get(session, root)
        metrics = await get(session, "/cocos/calibration/metrics/default")
    observations = calibration["observations"]
    assert metrics["calibration_set_number_of_observations"] == len(observations)
    assert metrics["calibration_set_id"] == calibration["calibration_set_id"]
    assert "metrics.ssro.measure.constant.QB3.fidelity" in metrics["metrics"]


async def test_time_slots_are_refused(local_service: LocalService) -> None:
    path = "/api/v1/jobs/square20/circuit?use_timeslot=true"
    async with (
        local_service.session() as session,
        session.post(path, json=run_request(FLIPPED)) as response,
    ):
        assert response.status == 400
        assert "use_timeslot" in (await response.json())["message"]


async def _samples(*arguments: str) -> list[Any]:
    """What three equal jobs and two programs give on a new service."""
    odds = circuit("odds", prx("QB1", math.pi / 2), measure("m", "QB1"))
    fair = {f"p{n}": program("h q[0];", "measure q -> c;") for n in range(2)}
    samples: list[Any] = []
    with running("--workers", "1", *arguments) as service:
        async with service.session() as session:
            for _ in range(3):
                job_id = await submit(session, run_request(odds, odds, shots=64))
                await ended(session, f"/api/v1/jobs/{job_id}")
                artifacts = f"/api/v1/jobs/{job_id}/artifacts"
                samples.append(await get(session, f"{artifacts}/measurements"))
            job_id = await submit_programs(session, fair, shots=500)
            await ended(session, f"/api/job/{job_id}/status/")
            page = await get(session, f"/api/job/{job_id}/resultsV2/")
            samples += [row["results"]["payload"] for row in page["results"]]
    return samples


@pytest.mark.parametrize("mode", ["simulated", "--null"])
async def test_with_a_seed_the_same_jobs_give_the_same_samples(mode: str) -> None:
    null = ["--null"] if mode == "--null" else []
    first = await _samples("--seed", "7", *null)
    assert await _samples("--seed", "7", *null) == first
    other = await _samples("--seed", "8", *null)
    assert not [n for n in range(3) if other[n] == first[n]]
    # Equal jobs, and equal circuits of one job, are drawn apart.
    assert first[0] != first[1] != first[2] != first[0]
    assert first[0][0] != first[0][1]
