"""The local service as a process of its own, and the few calls that tests make to it."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEADLINE = 40.0
"""Seconds that a job of a test may take on a busy machine."""
STATES_IN_PROGRESS = {"waiting", "processing", "PENDING", "RUNNING"}


class LocalService:
    """A running service: where it is, and what opens it."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process = process
        self.url = url
        self.token = token

    def __repr__(self) -> str:
        return f"<the local service at {self.url}>"

    def session(self, **headers: str) -> aiohttp.ClientSession:
        """A session that sends the token; paths are relative to the service."""
        authorization = {"Authorization": f"Bearer {self.token}"}
        return aiohttp.ClientSession(self.url, headers=authorization | headers)


@contextlib.contextmanager
def running(
    *arguments: str, store: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator[LocalService]:
    """Runs a service until the block ends."""
    where = ["--private-store"] if store is None else ["--store", store]
    command = [sys.executable, "-P", "-m", "qawait.local", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--follow-stdin", *where, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=None if env is None else dict(env),
    ) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield LocalService(process, ready["url"], ready["token"])
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def prx(qubit: str, angle: float = math.pi, phase: float = 0.0) -> dict[str, Any]:
    args = {"angle": angle, "phase": phase}
    return {"name": "prx", "locus": [qubit], "args": args}


def cz(one: str, other: str) -> dict[str, Any]:
    return {"name": "cz", "locus": [one, other], "args": {}}


def measure(key: str, *qubits: str) -> dict[str, Any]:
    return {"name": "measure", "locus": list(qubits), "args": {"key": key}}


def circuit(name: str, *instructions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "instructions": list(instructions)}


def run_request(*circuits: dict[str, Any], shots: int = 7) -> dict[str, Any]:
    return {"circuits": list(circuits), "shots": shots}


FLIPPED = circuit("flipped", prx("QB3"), measure("m", "QB3", "QB2", "QB1"))
"""Reads 1, 0, 0 in the order of its locus."""

_EVERYWHERE = [f"QB{n}" for n in range(1, 21)]
HEAVY = run_request(
    circuit(
        "heavy",
        *[prx(qubit, 0.3 + n) for n, qubit in enumerate(_EVERYWHERE)],
        measure("early", "QB1"),
        *[prx(qubit, 0.4 + n) for n, qubit in enumerate(_EVERYWHERE)],
        measure("late", *_EVERYWHERE),
    ),
    shots=10_000,
)
"""Runs for minutes: after a measurement in the middle every shot is its own run."""


def packed(qasm: str) -> str:
    """A program as Qoro's clients send it."""
    return base64.b64encode(gzip.compress(qasm.encode())).decode()


def program(*statements: str, qubits: int = 3, bits: int = 3) -> str:
    return "\n".join(
        [
            "OPENQASM 2.0;",
            'include "qelib1.inc";',
            f"qreg q[{qubits}];",
            f"creg c[{bits}];",
            *statements,
        ]
    )


async def submit(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    """Submits through api/v1."""
    async with session.post("/api/v1/jobs/square20/circuit", json=body) as response:
        assert response.status == 201, await response.text()
        return (await response.json())["id"]


async def submit_programs(
    session: aiohttp.ClientSession,
    programs: Mapping[str, str],
    *,
    shots: int = 10,
    config: dict[str, Any] | None = None,
) -> str:
    """Submits through Qoro's dialect, in one upload."""
    opening: dict[str, Any] = {
        "tag": "default",
        "job_type": "EXECUTE",
        "use_packing": False,
        "simulator_cluster": "qoro_maestro",
    }
    if config is not None:
        opening["execution_configuration"] = config
    async with session.post("/api/job/init/", json=opening) as response:
        assert response.status == 201, await response.text()
        job_id = (await response.json())["job_id"]
    upload = {
        "circuits": {label: packed(text) for label, text in programs.items()},
        "mode": "append",
        "finalized": "true",
        "shots": shots,
    }
    async with session.post(
        f"/api/job/{job_id}/add_circuits/", json=upload
    ) as response:
        assert response.status == 200, await response.text()
    return job_id


async def get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as response:
        assert response.status == 200, f"{path}: {await response.text()}"
        return await response.json()


async def ended(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """Asks until the job has ended; what it said last."""
    with anyio.fail_after(DEADLINE):
        while True:
            status = await get(session, path)
            if status["status"] not in STATES_IN_PROGRESS:
                return status
            await anyio.sleep(0.01)


async def reached(session: aiohttp.ClientSession, job_id: str, step: str) -> None:
    """Asks api/v1 until the job's timeline shows a step."""
    with anyio.fail_after(DEADLINE):
        while True:
            job = await get(session, f"/api/v1/jobs/{job_id}")
            if any(entry["status"] == step for entry in job["timeline"]):
                return
            await anyio.sleep(0.01)


async def submissions(local: LocalService) -> list[dict[str, Any]]:
    """What was submitted so far, as the ledger has it."""
    async with local.session() as session:
        return (await get(session, "/_ledger"))["submissions"]


@contextlib.contextmanager
def served_by(program: str) -> Iterator[LocalService]:
    """A service that a Python program starts, which serves until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield LocalService(process, ready["url"], ready["token"])
        process.stdin.close()
