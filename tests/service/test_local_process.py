"""The local service as a process: how it starts, ends, and comes back."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest

from tests.service.running import (
    FLIPPED,
    HEAVY,
    ended,
    get,
    packed,
    program,
    reached,
    run_request,
    running,
    submit,
    submit_programs,
)

if TYPE_CHECKING:
    from tests.service.running import LocalService

COMMAND = [sys.executable, "-m", "qawait.local", "--json"]


def test_it_ends_with_its_standard_input() -> None:
    with running("--null") as service:
        assert urlsplit(service.url).hostname == "127.0.0.1"
        assert len(service.token) >= 32
        assert service.process.stdin is not None
        service.process.stdin.close()
        assert service.process.wait(timeout=20) == 0


def test_it_ends_with_its_parent_however_that_ends() -> None:
    parent = (
        "import subprocess, sys\n"
        f"command = {[*COMMAND, '--null', '--private-store', '--follow-stdin']!r}\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"url" in process.stdout.readline()
        process.kill()
        # The service holds the other end of this pipe, so it ends when the service does.
        assert process.stdout.read() == b""


def test_a_signal_ends_it_cleanly() -> None:
    with running("--null") as service:
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=20) == 0


async def test_the_token_comes_from_the_environment() -> None:
    with running("--null", env=os.environ | {"QAWAIT_TOKEN": "mine"}) as service:
        assert service.token == "mine"
        async with service.session() as session:
            await get(session, "/api/v1/quantum-computers")


def _refused(*arguments: str) -> str:
    ended = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    return ended.stderr


def test_what_cannot_be_served_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    nowhere = tmp_path / "file" / "store.sqlite"
    (tmp_path / "file").write_text("not a directory")
    foreign = tmp_path / "foreign.sqlite"
    foreign.write_text("not a database, and long enough to be looked at as one " * 20)
    with running("--null", store=str(tmp_path / "used.sqlite")) as service:
        port = str(urlsplit(service.url).port)
        for arguments, sentence in (
            (["--port", port, "--private-store"], f"port {port} cannot be used"),
            (["--host", "0.0.0.0", "--private-store"], "loopback"),
            (["--store", str(nowhere)], "cannot be used"),
            (["--store", str(foreign)], "cannot be used"),
            (["--store", str(tmp_path / "used.sqlite")], "another service uses"),
        ):
            said = _refused("--null", *arguments)
            assert sentence in said
            assert said.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_store_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with running("--null", store=str(tmp_path / "state" / "jobs.sqlite")):
            files = list((tmp_path / "state").iterdir())
            assert files
            for path in files:
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    finally:
        os.umask(before)


async def test_jobs_survive_even_a_killed_service(tmp_path: Path) -> None:
    store = str(tmp_path / "jobs.sqlite")
    with running("--workers", "1", store=store) as service:
        async with service.session() as session:
            done = await submit(session, run_request(FLIPPED))
            before = await ended(session, f"/api/v1/jobs/{done}")
            measured = await get(session, f"/api/v1/jobs/{done}/artifacts/measurements")
    with running("--null", "--service-time", "3600s", store=store) as service:
        async with service.session() as session:
            cut = await submit(session, run_request(FLIPPED))
            await reached(session, cut, "execution_started")
            waiting = await submit_programs(
                session, {"a": program("x q[0];", "measure q -> c;")}
            )
            async with session.post(
                "/api/job/init/",
                json={"job_type": "EXECUTE", "simulator_cluster": "qoro_maestro"},
            ) as response:
                unfinished = (await response.json())["job_id"]
        service.process.kill()
    with running("--workers", "1", store=store) as service:
        async with service.session() as session:
            after = await get(session, f"/api/v1/jobs/{done}")
            again = await get(session, f"/api/v1/jobs/{done}/artifacts/measurements")
            assert (after, again) == (before, measured)
            repeated = await ended(session, f"/api/v1/jobs/{cut}")
            assert repeated["status"] == "completed"
            words = [entry["status"] for entry in repeated["timeline"]]
            assert words.count("execution_started") == 1
            status = await ended(session, f"/api/job/{waiting}/status/")
            assert status["status"] == "COMPLETED"
            last = {"circuits": {"z": packed(program())}, "finalized": "true"}
            async with session.post(
                f"/api/job/{unfinished}/add_circuits/", json=last
            ) as response:
                assert response.status == 200
            status = await ended(session, f"/api/job/{unfinished}/status/")
            assert status["status"] == "COMPLETED"


async def test_a_killed_worker_fails_one_job_only() -> None:
    with running("--workers", "1") as service:
        async with service.session() as session:
            first = await submit(session, run_request(FLIPPED))
            await ended(session, f"/api/v1/jobs/{first}")
            [execution] = (await get(session, "/_ledger"))["executions"]
            victim = await submit(session, HEAVY)
            await reached(session, victim, "execution_started")
            os.kill(execution["worker"], signal.SIGKILL)
            job = await ended(session, f"/api/v1/jobs/{victim}")
            assert job["status"] == "failed"
            assert "process ended unexpectedly" in job["errors"][0]["message"]
            last = await submit(session, run_request(FLIPPED))
            job = await ended(session, f"/api/v1/jobs/{last}")
            assert job["status"] == "completed"


def _is_running(process_id: int) -> bool:
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    # One that has ended but was not waited for is a zombie.
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's own")
async def test_a_killed_service_leaves_no_simulation_behind() -> None:
    with running("--workers", "1") as service:
        async with service.session() as session:
            first = await submit(session, run_request(FLIPPED))
            await ended(session, f"/api/v1/jobs/{first}")
            [execution] = (await get(session, "/_ledger"))["executions"]
            last = await submit(session, HEAVY)
            await reached(session, last, "execution_started")
        assert _is_running(execution["worker"])
        service.process.kill()
        with anyio.fail_after(5):
            while True:
                if not _is_running(execution["worker"]):
                    break
                await anyio.sleep(0.01)


def _address_space_of(process_id: int) -> str:
    """How much the kernel lets a process have, in bytes."""
    limits = Path(f"/proc/{process_id}/limits").read_text().splitlines()
    [bound] = [line.split()[3] for line in limits if "Max address space" in line]
    return bound


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a bound")
async def test_the_memory_of_a_simulation_is_bounded(
    local_service: LocalService,
) -> None:
    """Three quarters of the machine's, and what libraries reserve without using it."""
    async with local_service.session() as session:
        job = await submit(session, run_request(FLIPPED))
        await ended(session, f"/api/v1/jobs/{job}")
        executions = (await get(session, "/_ledger"))["executions"]
    [worker] = {e["worker"] for e in executions if e["job_id"] == job}
    bound = _address_space_of(worker)
    assert bound != "unlimited"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0.75 * memory < int(bound) < 0.75 * memory + (8 << 30)


async def test_a_service_time_paces_the_queue() -> None:
    with running("--null", "--service-time", "100ms", "--servers", "2") as service:
        async with service.session() as session:
            began = time.monotonic()
            jobs = [await submit(session, run_request(FLIPPED)) for _ in range(6)]
            for job_id in jobs:
                await ended(session, f"/api/v1/jobs/{job_id}")
            # Six jobs at two servers are three rounds.
            assert time.monotonic() - began >= 0.3
            assert service.process.poll() is None


async def test_workers_run_jobs_side_by_side(local_service: LocalService) -> None:
    async with local_service.session() as session:
        jobs = [await submit(session, run_request(FLIPPED, shots=1)) for _ in range(20)]
        for job_id in jobs:
            assert (await ended(session, f"/api/v1/jobs/{job_id}"))[
                "status"
            ] == "completed"
        ledger = await get(session, "/_ledger")
    runs = [e for e in ledger["executions"] if e["job_id"] in set(jobs)]
    assert sorted(e["job_id"] for e in runs) == sorted(jobs)
