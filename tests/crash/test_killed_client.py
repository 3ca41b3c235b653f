"""SIGKILL of a program that submits: every id it was given is in its journal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest

import qawait
from qawait.journal.records import Standing
from tests.crash.submitting import UNDER_WAY
from tests.service.running import LocalService, running

ROOT = Path(__file__).parents[2]
KILLS = 6
SEED = 20261121


def killed(local: LocalService, journal: Path, random: Random) -> list[str]:
    """One program, killed after some submissions; the ids that it was given."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.crash.submitting"),
            *(local.url, local.token, str(journal)),
        ],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as program:
        assert program.stdout is not None
        said = [program.stdout.readline() for _ in range(random.randint(1, 12))]
        assert program.poll() is None, "it has ended by itself"
        # a moment more, so that a kill comes between two steps and not after one
        timer = threading.Timer(random.random() * 0.02, program.kill)
        timer.start()
        rest = program.stdout.read()
        timer.join()
    # of a last line that was cut off nobody has seen the id
    lines = b"".join([*said, rest]).decode().split("\n")[:-1]
    assert lines
    return lines


def sent(local: LocalService) -> list[str]:
    async def asked() -> list[str]:
        async with local.session() as session, session.get("/_ledger") as answer:
            return [one["job_id"] for one in (await answer.json())["submissions"]]

    return asyncio.run(asked())


@pytest.mark.timeout(120)
def test_no_kill_costs_an_id_and_nothing_is_sent_twice(tmp_path: Path):
    """What the service has and the journal has no id of, it calls unknown."""
    random = Random(SEED)
    given: list[str] = []
    unknown = 0
    with running("--null") as local:
        for _ in range(KILLS):
            given += killed(local, tmp_path / "j", random)
            jobs = qawait.read(tmp_path / "j").jobs
            known = {job.job_id for job in jobs if job.job_id}
            lost = set(given) - known
            assert not lost, f"seed {SEED}: {lost}"
            before, unknown = unknown, sum(j.standing is Standing.UNKNOWN for j in jobs)
            assert unknown - before <= UNDER_WAY, f"seed {SEED}"
            submitted = sent(local)
            assert len(submitted) == len(set(submitted))
            assert len(set(submitted) - known) <= unknown, f"seed {SEED}"
            assert known <= set(submitted)
