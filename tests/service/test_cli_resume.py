"""`qawait resume` against the local service: what comes in, and what is decided."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qawait
from qawait import IQMService
from qawait.iqm import Circuit, Instruction
from tests.service.running import LocalService, running

FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))


@pytest.fixture
def forgetful() -> Iterator[LocalService]:
    """It accepts the second submission, and the answer is lost."""
    faults = ["--faults", "drop_reply:#2@submit"]
    with running("--null", "--service-time", "0.3s", *faults) as service:
        yield service


def begin(local: LocalService, journal: Path) -> None:
    """Submit three jobs and leave."""

    async def begun() -> None:
        service = IQMService(local.url, token=local.token)
        circuits = dict.fromkeys("abc", NATIVE)
        async with qawait.connect(service, pace=FAST) as client:
            sweep = client.sweep(circuits, shots=5, batch=1, journal=journal)
            async with sweep:
                async for _ in sweep:
                    if sweep.progress.jobs == 2:
                        return

    asyncio.run(begun())


def resume(local: LocalService, *arguments: str) -> tuple[int, Any, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "qawait", "resume", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QAWAIT_TOKEN": local.token},
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


def test_what_was_sent_comes_in_and_what_is_uncertain_is_shown(
    forgetful: LocalService, tmp_path: Path
):
    """The journal knows the service; only the token comes from the environment."""
    journal = tmp_path / "j"
    begin(forgetful, journal)
    code, found, _ = resume(forgetful, str(journal))
    assert code == 1
    uncertain = [p for p in found["points"] if p["state"] == "uncertain"]
    assert len(uncertain) == 1
    assert uncertain[0]["evidence"]
    assert uncertain[0]["job_id"] is None
    reading = qawait.read(journal)
    assert sum(point.has_result for point in reading.points.values()) == 2


def test_an_uncertain_submission_is_adopted_by_the_id_of_its_job(
    forgetful: LocalService, tmp_path: Path
):
    journal = tmp_path / "j"
    begin(forgetful, journal)
    known = {job.job_id for job in qawait.read(journal).jobs}
    [lost] = set(submitted(forgetful)) - known
    code, found, _ = resume(forgetful, str(journal), "--unknown", "adopt", lost)
    assert code == 0
    assert lost in {point["job_id"] for point in found["points"]}
    assert all(point.has_result for point in qawait.read(journal).points.values())


def test_what_is_to_be_sent_again_is_free_for_the_program(
    forgetful: LocalService, tmp_path: Path
):
    journal = tmp_path / "j"
    begin(forgetful, journal)
    code, _, _ = resume(forgetful, str(journal), "--unknown", "resubmit")
    assert code == 0
    assert len(submitted(forgetful)) == 3
    begin(forgetful, journal)
    assert len(submitted(forgetful)) == 4


def test_adopt_without_an_id_is_refused(forgetful: LocalService, tmp_path: Path):
    code, _, said = resume(forgetful, str(tmp_path / "j"), "--unknown", "adopt")
    assert code == 2
    assert "ID" in said


def submitted(local: LocalService) -> list[str]:
    async def asked() -> list[str]:
        async with local.session() as session, session.get("/_ledger") as answer:
            return [one["job_id"] for one in (await answer.json())["submissions"]]

    return asyncio.run(asked())
