"""The local service as Qoro's clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qawait.histograms import decode_histogram
from tests.service.running import (
    ended,
    get,
    packed,
    program,
    running,
    submit_programs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.service.running import LocalService

OPENING = {
    "tag": "default",
    "job_type": "EXECUTE",
    "use_packing": False,
    "simulator_cluster": "qoro_maestro",
}


async def _counts(
    session: aiohttp.ClientSession, job_id: str
) -> dict[str, dict[int, int]]:
    status = await ended(session, f"/api/job/{job_id}/status/")
    assert status["status"] == "COMPLETED", status
    page = await get(session, f"/api/job/{job_id}/resultsV2/?limit=100&offset=0")
    return {row["label"]: _decoded(row["results"]) for row in page["results"]}


def _decoded(results: dict[str, Any]) -> dict[int, int]:
    histogram = decode_histogram(
        results["encoding"], results["n_bits"], results["payload"]
    )
    return {
        int(outcome): int(count)
        for outcome, count in zip(histogram.outcomes, histogram.counts, strict=True)
    }


async def _init(session: aiohttp.ClientSession, **further: Any) -> str:
    async with session.post("/api/job/init/", json=OPENING | further) as response:
        assert response.status == 201, await response.text()
        return (await response.json())["job_id"]


async def test_bit_zero_is_classical_bit_zero(local_service: LocalService) -> None:
    programs = {
        "first": program("x q[0];", "measure q -> c;"),
        "crossed": program("x q[0];", "measure q[0] -> c[2];"),
    }
    async with local_service.session() as session:
        job_id = await submit_programs(session, programs, shots=10)
        counts = await _counts(session, job_id)
    assert counts == {"first": {0b001: 10}, "crossed": {0b100: 10}}


async def test_without_measurement_every_qubit_counts(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await submit_programs(session, {"bare": program("x q[1];", bits=2)})
        await ended(session, f"/api/job/{job_id}/status/")
        page = await get(session, f"/api/job/{job_id}/resultsV2/")
    assert page["results"][0]["results"]["n_bits"] == 3
    assert _decoded(page["results"][0]["results"]) == {0b010: 10}


async def test_targets_are_one_cluster_and_no_quantum_computer(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        clusters = await get(session, "/api/simulatorcluster/")
        assert [cluster["name"] for cluster in clusters] == ["qoro_maestro"]
        assert await get(session, "/api/qpusystem/") == []
        assert isinstance((await get(session, "/api/credits/"))["balance"], str)
        async with session.get("/api/") as response:
            assert response.status == 200


async def test_a_job_runs_only_when_it_is_finalized(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await _init(session)
        upload = {"mode": "append", "finalized": "false", "shots": 4}
        first = upload | {"circuits": {"a": packed(program("measure q -> c;"))}}
        async with session.post(
            f"/api/job/{job_id}/add_circuits/", json=first
        ) as response:
            assert response.status == 200
        status = await get(session, f"/api/job/{job_id}/status/")
        assert status["status"] == "PENDING"
        async with session.get(f"/api/job/{job_id}/resultsV2/") as response:
            assert response.status == 400
            assert "error" in await response.json()
        last = {
            **upload,
            "finalized": "true",
            "circuits": {"b": packed(program("x q[2];", "measure q -> c;"))},
        }
        async with session.post(
            f"/api/job/{job_id}/add_circuits/", json=last
        ) as answer:
            assert answer.status == 200
        assert await _counts(session, job_id) == {"a": {0: 4}, "b": {0b100: 4}}
        async with session.post(
            f"/api/job/{job_id}/add_circuits/", json=last
        ) as answer:
            assert answer.status == 409
        ledger = await get(session, "/_ledger")
    [submission] = [s for s in ledger["submissions"] if s["job_id"] == job_id]
    assert (submission["circuits"], submission["shots"]) == (2, 8)


async def test_results_come_in_pages(local_service: LocalService) -> None:
    programs = {
        f"c{n}": program(*(["x q[0];"] * n), "measure q -> c;") for n in range(5)
    }
    async with local_service.session() as session:
        job_id = await submit_programs(session, programs, shots=1)
        await ended(session, f"/api/job/{job_id}/status/")
        path = f"/api/job/{job_id}/resultsV2/"
        first = await get(session, f"{path}?limit=2&offset=0")
        last = await get(session, f"{path}?limit=2&offset=4")
        for query in ("limit=0", "limit=x", "offset=-1"):
            async with session.get(f"{path}?{query}") as response:
                assert response.status == 400
    assert first["count"] == last["count"] == 5
    assert [row["label"] for row in first["results"]] == ["c0", "c1"]
    assert first["next"].endswith("?limit=2&offset=2")
    assert first["previous"] is None
    assert [row["label"] for row in last["results"]] == ["c4"]
    assert last["next"] is None


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"simulator_type": 1}, "simulator QCSim is not installed here"),
        ({"simulator_type": 99}, "extra 'maestro'"),
        ({"simulation_type": 3}, "TensorNetwork is not installed here"),
        ({"noisy_device": "ibm_fake_fez"}, "simulates without noise"),
        ({"simulation_type": 2}, "stabilizer runs Clifford gates only"),
    ],
)
async def test_what_cannot_be_simulated_as_asked_fails_the_job_in_words(
    local_service: LocalService, config: dict[str, Any], sentence: str
) -> None:
    programs = {"magic": program("t q[0];", "measure q -> c;")}
    async with local_service.session() as session:
        job_id = await submit_programs(session, programs, config=config)
        status = await ended(session, f"/api/job/{job_id}/status/")
        assert status["status"] == "FAILED"
        assert sentence in status["error"]
        async with session.get(f"/api/job/{job_id}/resultsV2/") as response:
            assert response.status == 400
            assert sentence in (await response.json())["error"]


async def test_a_posted_configuration_is_the_one_that_runs(
    local_service: LocalService,
) -> None:
    """Bond dimension 1 cannot hold an entangled pair, so a Bell pair breaks."""
    config = {"bond_dimension": 1, "simulation_type": 1}
    bell = program("h q[0];", "cx q[0],q[1];", "measure q -> c;")
    async with local_service.session() as session:
        job_id = await _init(session, execution_configuration={"simulation_type": 0})
        path = f"/api/job/{job_id}/execution_config/"
        async with session.post(path, json=config) as response:
            assert response.status == 200
            posted = await response.json()
        assert posted["status"] == "ok"
        assert (await get(session, path))["execution_configuration"] == config
        upload = {"circuits": {"bell": packed(bell)}, "finalized": "true", "shots": 200}
        async with session.post(
            f"/api/job/{job_id}/add_circuits/", json=upload
        ) as response:
            assert response.status == 200
        counts = await _counts(session, job_id)
        assert len(counts["bell"]) == 1
        async with session.post(path, json=config) as response:
            assert response.status == 409


async def test_a_configuration_that_cannot_be_right_is_refused(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await _init(session)
        path = f"/api/job/{job_id}/execution_config/"
        async with session.post(path, json={"bond_dimension": 0}) as response:
            assert response.status == 400
            assert "bond_dimension" in (await response.json())["error"]
        async with session.get(path) as response:
            assert response.status == 404
        headers = {"User-Agent": "divi/0.15.1 (python=3.11.7)"}
        async with session.get(path, headers=headers) as response:
            assert (await response.json())["maestro_config"] is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not a program", "circuit bad: not OpenQASM 2"),
        (program('include "/etc/passwd";', "x q[0];"), "circuit bad: not OpenQASM 2"),
        (program("x q[0];", qubits=27), "27 qubits, and statevector takes 26 at most"),
    ],
)
async def test_a_program_that_cannot_run_fails_its_job_by_name(
    local_service: LocalService, text: str, sentence: str
) -> None:
    good = program("x q[0];", "measure q -> c;")
    async with local_service.session() as session:
        job_id = await submit_programs(session, {"good": good, "bad": text})
        status = await ended(session, f"/api/job/{job_id}/status/")
    assert status["status"] == "FAILED"
    assert sentence in status["error"]


@pytest.fixture(scope="module")
def paced_service() -> Iterator[LocalService]:
    """Jobs take an hour each."""
    with running("--null", "--service-time", "3600s") as service:
        yield service


async def test_cancelling_works_once_and_deleting_takes_no_slash(
    paced_service: LocalService,
) -> None:
    async with paced_service.session() as session:
        job_id = await submit_programs(session, {"a": program(), "b": program()})
        path = f"/api/job/{job_id}"
        async with session.post(f"{path}/cancel/") as response:
            assert response.status == 200
            cancelled = await response.json()
        assert cancelled == {
            "status": "cancelled",
            "job_id": job_id,
            "circuits_cancelled": 2,
        }
        assert (await get(session, f"{path}/status/"))["status"] == "CANCELLED"
        async with session.post(f"{path}/cancel/") as response:
            assert response.status == 409
            assert "error" in await response.json()
        async with session.get(f"{path}/resultsV2/") as response:
            assert response.status == 400
        async with session.delete(path) as response:
            assert response.status == 204
        async with session.get(f"{path}/status/") as response:
            assert response.status == 404
            assert "detail" in await response.json()


@pytest.mark.parametrize(
    "change",
    [
        {"simulator_cluster": "elsewhere"},
        {"job_type": "ESTIMATE"},
        {"execution_configuration": {}, "maestro_config": {"seed": 7}},
        {"device_config": {"TRANSPILE_LEVEL": 3}},
        {"use_packing": "yes"},
    ],
)
async def test_an_opening_that_is_not_served_is_refused(
    local_service: LocalService, change: dict[str, Any]
) -> None:
    async with (
        local_service.session() as session,
        session.post("/api/job/init/", json=OPENING | change) as response,
    ):
        assert response.status == 400
        assert "error" in await response.json()


async def test_a_time_limit_in_the_configuration_ends_the_job(
    local_service: LocalService,
) -> None:
    gates = [f"u3(0.{n},0.2,0.3) q[{n % 24}];" for n in range(10, 99)]
    slow = program(*(gates * 20), "measure q -> c;", qubits=24, bits=24)
    config = {"api_meta": {"max_execution_time": 1}}
    async with local_service.session() as session:
        job_id = await submit_programs(session, {"slow": slow}, config=config)
        status = await ended(session, f"/api/job/{job_id}/status/")
    assert status["status"] == "FAILED"
    assert status["error"] == "it took longer than 1 s, which is its limit"


async def test_null_gives_histograms_of_the_right_width(
    null_service: LocalService,
) -> None:
    wide = program("measure q -> c;", qubits=70, bits=70)
    bare = program("x q[1];", bits=2)
    async with null_service.session() as session:
        job_id = await submit_programs(session, {"wide": wide, "bare": bare}, shots=50)
        status = await get(session, f"/api/job/{job_id}/status/")
        page = await get(session, f"/api/job/{job_id}/resultsV2/")
    assert status["status"] == "COMPLETED"
    results = {row["label"]: row["results"] for row in page["results"]}
    assert (results["wide"]["n_bits"], results["bare"]["n_bits"]) == (70, 3)
    for one in results.values():
        histogram = decode_histogram(one["encoding"], one["n_bits"], one["payload"])
        assert histogram.counts.sum() == 50
