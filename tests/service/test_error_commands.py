"""Errors of a client: an id, an outcome, and a command that goes on from there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

import qawait
from qawait import IQMService, QoroService, errors
from qawait.iqm import Circuit, Instruction
from tests.service.running import LocalService, program, running

FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))
QUBITS = tuple(f"QB{n}" for n in range(1, 21))
TURNS = tuple(
    Instruction("prx", (qubit,), {"angle": 0.3 + n, "phase": 0.0})
    for n, qubit in enumerate(QUBITS)
)
HEAVY = Circuit(
    "heavy",
    (
        *TURNS,
        Instruction("measure", ("QB1",), {"key": "early"}),
        *TURNS,
        Instruction("measure", QUBITS, {"key": "late"}),
    ),
)
"""Runs for minutes: after a measurement in the middle every shot is its own run."""
NOBODYS = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"


@pytest.fixture(scope="module")
def slow() -> Iterator[LocalService]:
    """An hour for each job: none ends while a test waits."""
    with running("--null", "--service-time", "1h") as service:
        yield service


@pytest.fixture
def forgetful() -> Iterator[LocalService]:
    """It accepts the first submission, and the answer is lost."""
    with running("--null", "--faults", "drop_reply:#1@submit") as service:
        yield service


def iqm(local: LocalService) -> IQMService:
    return IQMService(local.url, token=local.token)


async def carried_out(command: str | None, local: LocalService) -> tuple[int, str]:
    """What somebody gets who pastes the command and has the token; code and output."""
    assert command is not None
    name, *arguments = shlex.split(command)
    assert name == "qawait"
    env = {**os.environ, "QAWAIT_TOKEN": local.token, "COLUMNS": "200"}
    return await anyio.to_thread.run_sync(_run, arguments, env)


def _run(arguments: list[str], env: dict[str, str]) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "qawait", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("vendor", ["iqm", "qoro"])
async def test_a_closed_client_says_how_to_ask_for_its_jobs(
    slow: LocalService, vendor: str
):
    """Nothing is on the disk, so the id and the address are in the command."""
    service: Any = iqm(slow)
    circuit: Any = NATIVE
    if vendor == "qoro":
        service = QoroService(slow.url + "/api", token=slow.token)
        circuit = program("measure q -> c;")
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(circuit, shots=5)
    with pytest.raises(errors.ClientClosed) as caught:
        await job
    error = caught.value
    assert (error.job_id, error.outcome) == (job.id, "accepted")
    code, said = await carried_out(error.resume, slow)
    assert code == 0, said
    assert job.id in said


async def test_a_closed_client_with_a_journal_names_that(
    slow: LocalService, tmp_path: Path
):
    path = tmp_path / "a night"
    async with qawait.connect(iqm(slow), pace=FAST, journal=path) as client:
        job = await client.submit(NATIVE, shots=5)
    with pytest.raises(errors.ClientClosed) as caught:
        await job
    assert caught.value.resume == f"qawait resume '{path}'"


async def test_an_uncertain_submission_has_a_command_that_shows_it(
    forgetful: LocalService, tmp_path: Path
):
    journal = tmp_path / "a night"
    async with qawait.connect(iqm(forgetful), journal=journal) as client:
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await client.submit(NATIVE, shots=5)
    error = caught.value
    assert (error.job_id, error.outcome) == (None, "unknown")
    assert error.resume is not None
    assert error.resume in str(error)
    assert error.evidence in str(error)
    code, said = await carried_out(error.resume, forgetful)
    assert code == 1
    assert "uncertain" in said
    code, said = await carried_out(f"qawait explain '{journal}'", forgetful)
    assert code == 1
    assert error.submission_id in said
    assert error.evidence in said


async def test_what_is_nowhere_written_down_has_no_command(forgetful: LocalService):
    async with qawait.connect(iqm(forgetful)) as client:
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await client.submit(NATIVE, shots=5)
        assert caught.value.resume is None
        assert caught.value.evidence
        with pytest.raises(errors.JobMissing) as missing:
            await client.job(NOBODYS)
    assert (missing.value.job_id, missing.value.outcome) == (NOBODYS, "unknown")
    assert missing.value.resume is None


async def test_a_refused_submission_leaves_nothing_to_go_on_with(
    slow: LocalService, tmp_path: Path
):
    """A shot number that only the service refuses; the journal says why."""
    with running("--null", "--faults", "422:#1@submit") as refusing:
        async with qawait.connect(iqm(refusing), journal=tmp_path / "j") as client:
            with pytest.raises(errors.SubmissionRejected) as caught:
                await client.submit(NATIVE, shots=5)
    assert (caught.value.outcome, caught.value.resume) == ("rejected", None)
    code, said = await carried_out(f"qawait explain {tmp_path / 'j'}", slow)
    assert code == 1
    assert "rejected" in said
    assert "422" in said


async def test_a_job_of_the_embedded_simulator_is_explained_by_its_journal(
    tmp_path: Path, slow: LocalService
):
    """It ended with its client, so nothing can follow it."""
    path = tmp_path / "j"
    async with qawait.connect(pace=FAST, journal=path) as client:
        job = await client.submit(HEAVY, shots=10_000)
    with pytest.raises(errors.ClientClosed) as caught:
        await job
    code, said = await carried_out(caught.value.resume, slow)
    assert code == 1
    assert "run the program again" in said


def test_an_error_keeps_its_three_things_when_it_is_raised_again():
    error = errors.SubmissionUncertain(
        "it may run", evidence="504", submission_id="s", job_id="7", resume="qawait x"
    )
    twin = errors.fresh(error)
    assert isinstance(twin, errors.SubmissionUncertain)
    assert (twin.job_id, twin.outcome, twin.resume) == ("7", "unknown", "qawait x")
    assert str(twin) == "job 7: it may run (504); go on with: qawait x"
