"""The local service as iqm-client 18 to 32 sees it below `/station`."""

from __future__ import annotations

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
    run_request,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

    from tests.service.running import LocalService

NOBODYS = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"
BOTH = pytest.mark.parametrize(
    ("root", "key"), [("/station/circuits", "stage"), ("/station/jobs", "status")]
)
IN_TURNS = {
    "circuits": [
        {
            "name": "old",
            "instructions": [
                {
                    "name": "prx",
                    "qubits": ["alice"],
                    "args": {"angle_t": 0.5, "phase_t": 0.25},
                },
                {"name": "measure", "qubits": ["bob", "alice"], "args": {"key": "k"}},
            ],
        }
    ],
    "qubit_mapping": [
        {"logical_name": "alice", "physical_name": "QB9"},
        {"logical_name": "bob", "physical_name": "QB4"},
    ],
    "shots": 2,
}


@pytest.fixture(scope="module")
def busy_service() -> Iterator[LocalService]:
    """Jobs take an hour each, one at a time."""
    with running("--null", "--service-time", "3600s", "--servers", "1") as service:
        yield service


async def submitted(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    async with session.post("/station/circuits", json=body) as response:
        assert response.status == 200
        return (await response.json())["id"]


async def status(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(path) as response:
        return response.status


async def finished(session: aiohttp.ClientSession, job_id: str) -> dict[str, Any]:
    return await ended(session, f"/api/v1/jobs/{job_id}")


@BOTH
async def test_every_part_of_a_job_has_its_path(
    local_service: LocalService, root: str, key: str
) -> None:
    async with local_service.session() as session:
        job_id = await submitted(session, IN_TURNS)
        await finished(session, job_id)
        job = f"{root}/{job_id}"
        assert await get(session, f"{job}/status") == {"status": "ready"}
        assert await get(session, f"{job}/measurements") == [{"k": [[0, 1], [0, 1]]}]
        assert await get(session, f"{job}/circuits_batch") == IN_TURNS["circuits"]
        parameters = await get(session, f"{job}/request_parameters")
        assert (parameters["shots"], parameters["heralding_mode"]) == (2, "none")
        architecture = await get(session, "/cocos/api/v1/calibration/default/gates")
        used = await get(session, f"{job}/calibration_set_id")
        assert used == architecture["calibration_set_id"]
        timeline = await get(session, f"{job}/timeline")
        assert [entry[key] for entry in timeline] == [
            "received",
            "compilation_started",
            "compilation_ended",
            "pending_execution",
            "execution_started",
            "execution_ended",
            "ready",
        ]
        times = [datetime.fromisoformat(entry["timestamp"]) for entry in timeline]
        assert times == sorted(times)
        assert all(time.utcoffset() is not None for time in times)
        assert await status(session, f"{job}/error_log") == 404
        assert await get(session, f"/station/circuits/{job_id}/counts") == {
            "status": "ready",
            "counts_batch": [{"measurement_keys": ["k"], "counts": {"01": 2}}],
        }
        async with session.post(f"{job}/abort") as response:
            assert response.status == 200
        assert await get(session, f"{job}/status") == {"status": "ready"}


async def test_radians_on_loci_go_to_the_same_address(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        job_id = await submitted(session, run_request(FLIPPED, shots=1))
        await finished(session, job_id)
        measured = await get(session, f"/station/jobs/{job_id}/measurements")
    assert measured == [{"m": [[1, 0, 0]]}]


@BOTH
async def test_a_job_under_way_has_no_results_and_can_be_aborted(
    busy_service: LocalService, root: str, key: str
) -> None:
    async with busy_service.session() as session:
        job_id = await submitted(session, HEAVY)
        job = f"{root}/{job_id}"
        assert await status(session, f"{job}/measurements") == 404
        assert await status(session, f"{job}/error_log") == 404
        counts = await get(session, f"/station/circuits/{job_id}/counts")
        assert counts["counts_batch"] is None
        async with session.post(f"{job}/abort") as response:
            assert response.status == 200
        assert await get(session, f"{job}/status") == {"status": "aborted"}
        assert (await get(session, f"{job}/timeline"))[-1][key] == "aborted"


@pytest.mark.parametrize(
    ("agent", "log"),
    [
        ("x, python 3.11.7, iqm-client 22.16.1", "text"),
        ("x, python 3.11.7, iqm-client 25.2.0", "text"),
        ("x, python 3.11.7, iqm-client 25.3.0", "json"),
        ("x, python 3.11.7, iqm-client 32.1.1", "json"),
        ("curl/8", "json"),
    ],
)
async def test_a_failed_job_explains_itself_in_the_form_of_the_release(
    local_service: LocalService, agent: str, log: str
) -> None:
    bad = circuit("bad", cz("QB1", "QB7"), measure("m", "QB1"))
    headers = {"User-Agent": agent}
    async with local_service.session() as session:
        job_id = await submitted(session, run_request(bad))
        [error] = (await finished(session, job_id))["errors"]
        path = f"/station/jobs/{job_id}/error_log"
        async with session.get(path, headers=headers) as response:
            assert response.status == 200
            if log == "text":
                assert await response.text() == error["message"]
            else:
                told = await response.json()
                assert told["user_error_message"] == error["message"]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("python, iqm-client 24.3", {"pending execution"}),
        ("python, iqm-client 26.0", {"execution_pending", "execution_started"}),
        ("python, iqm-client 28.0", {"pending_execution"}),
        ("StationControlClient iqm-station-control-client 9.8", {"execution_started"}),
    ],
)
async def test_a_running_job_is_told_in_a_word_that_the_asking_client_knows(
    busy_service: LocalService, agent: str, words: set[str]
) -> None:
    early = {"received", "processing", "compilation_started", "pending_execution"}
    async with busy_service.session() as session:
        job_id = await submitted(session, run_request(FLIPPED))
        path = f"/station/jobs/{job_id}/status"
        async with session.get(path, headers={"User-Agent": agent}) as response:
            assert (await response.json())["status"] in words | early
        async with session.post(f"/station/jobs/{job_id}/abort"):
            pass


async def test_a_station_tells_each_library_the_version_it_insists_on(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        for agent, version in (
            ("x, StationControlClient iqm-station-control-client 9.8.0", "9.8.0"),
            ("python-requests/2.32", "11.3.1"),
        ):
            async with session.get(
                "/station/about", headers={"User-Agent": agent}
            ) as response:
                about = await response.json()
            assert about["software_versions"]["iqm-station-control-client"] == version
            assert "iqm_server" not in about


async def test_the_machine_is_the_same_as_in_every_other_dialect(
    local_service: LocalService,
) -> None:
    async with local_service.session() as session:
        [dut] = await get(session, "/station/duts")
        assert dut["dut_type"] == "chip"
        static = await get(
            session, f"/station/static-quantum-architectures/{dut['label']}"
        )
        assert static == await get(session, "/cocos/api/v1/quantum-architecture")
        current = await get(session, "/station/calibration-sets/default")
        set_id = current["observation_set_id"]
        assert current["observation_set_type"] == "calibration-set"
        assert "observations" not in current
        path = f"/station/calibration-sets/{set_id}"
        dynamic = await get(session, f"{path}/dynamic-quantum-architecture")
        assert dynamic == await get(session, "/cocos/api/v1/calibration/default/gates")
        metrics = await get(session, f"{path}/metrics")
        assert metrics["calibration_set"] == current
        assert metrics["describes_id"] == set_id
        observations = f"/station/observation-sets/{metrics['observation_set_id']}"
        assert await get(session, observations) == {
            name: value
            for name, value in metrics.items()
            if name not in ("observations", "calibration_set")
        }
        assert (
            await get(session, f"{observations}/observations")
            == metrics["observations"]
        )
        assert await get(session, f"/station/observation-sets/{set_id}") == current


async def test_every_qubit_may_be_controlled_by_every_measurement(
    local_service: LocalService,
) -> None:
    path = "/station/channel-properties"
    async with local_service.session() as session:
        channels = await get(session, path)
        async with session.get(
            path, headers={"Accept": "application/octet-stream"}
        ) as response:
            packed = await response.read()
    sources = {tuple(channel["fast_feedback_sources"]) for channel in channels.values()}
    assert len(channels) == 20
    assert len(sources) == 1
    assert [name.partition("__")[0] for name in channels][6] == "QB7"
    assert packed.count(b"__drive") == 20


@pytest.mark.parametrize(
    "path",
    [
        f"/station/jobs/{NOBODYS}/status",
        f"/station/circuits/{NOBODYS}/timeline",
        "/station/jobs/7/status",
        "/station/static-quantum-architectures/other",
        f"/station/calibration-sets/{NOBODYS}",
        f"/station/calibration-sets/{NOBODYS}/metrics",
        f"/station/calibration-sets/{NOBODYS}/dynamic-quantum-architecture",
        f"/station/observation-sets/{NOBODYS}",
        f"/station/observation-sets/{NOBODYS}/observations",
        "/station/sweeps",
    ],
)
async def test_what_is_not_there_is_404_under_both_names_of_the_message(
    local_service: LocalService, path: str
) -> None:
    """Libraries up to iqm-client 30 read `detail`, later ones `message`."""
    async with local_service.session() as session, session.get(path) as response:
        assert response.status == 404
        body = await response.json()
    assert body["detail"] == body["message"] != ""


async def test_a_deleted_job_is_gone(local_service: LocalService) -> None:
    async with local_service.session() as session:
        job_id = await submitted(session, run_request(FLIPPED))
        await finished(session, job_id)
        async with session.delete(f"/station/jobs/{job_id}") as response:
            assert response.status == 204
        assert await status(session, f"/station/jobs/{job_id}/status") == 404


async def test_cuda_q_learns_all_from_the_counts(local_service: LocalService) -> None:
    """Its requests carry one circuit, no options and nothing else is asked."""
    bad = circuit("bad", cz("QB1", "QB7"), measure("m", "QB1"))
    headers = {"User-Agent": "cudaq/IQMServerHelper"}
    async with local_service.session(**headers) as session:
        architecture = await get(
            session, "/station/calibration-sets/default/dynamic-quantum-architecture"
        )
        assert "prx" in architecture["gates"]
        job_id = await submitted(session, IN_TURNS)
        await finished(session, job_id)
        counts = await get(session, f"/station/circuits/{job_id}/counts")
        assert counts["status"] == "ready"
        assert counts["counts_batch"][0]["counts"] == {"01": 2}
        assert counts["metadata"]["request"] == IN_TURNS
        assert counts == await get(session, f"/cocos/jobs/{job_id}/counts")
        failed = await submitted(session, run_request(bad))
        await finished(session, failed)
        counts = await get(session, f"/station/circuits/{failed}/counts")
        assert (counts["status"], counts["counts_batch"]) == ("failed", None)
        assert "QB7" in counts["message"]
