"""A client and its journal: when there is one, whose it is, and what comes first."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import qawait
from qawait import IQMService, errors
from qawait._poller import Poller
from qawait.iqm import Circuit, Instruction
from qawait.journal.file import FileJournal
from qawait.journal.reading import Reading, ReadJob
from qawait.journal.records import Standing
from qawait.testing import run_virtual, service
from tests.service.faraway import far_away
from tests.service.running import LocalService, running

FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
CANARY = "canary-4f1e77a0b2c94c0d"
NATIVE = Circuit(
    "c",
    (
        Instruction("prx", ("QB2",), {"angle": 3.141592653589793, "phase": 0.0}),
        Instruction("measure", ("QB1", "QB2"), {"key": "m"}),
    ),
)


def iqm(local: LocalService, **about: Any) -> IQMService:
    return IQMService(local.url, token=local.token, **about)


async def reading(path: Path) -> Reading:
    return await anyio.to_thread.run_sync(qawait.read, path)


@pytest.fixture(autouse=True)
def state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals are that nobody has named."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "qawait" / "journals"


def unnamed(state_directory: Path) -> list[Path]:
    """The journals there, whatever is in them."""
    return list(state_directory.iterdir()) if state_directory.exists() else []


# --- when there is one ----------------------------------------------------------------


async def test_a_service_on_this_machine_gets_a_journal_only_if_one_is_named(
    null_service: LocalService, state_directory: Path, caplog: pytest.LogCaptureFixture
):
    for options in ({}, {"journal": None}):
        async with qawait.connect(iqm(null_service), pace=FAST, **options) as client:
            await (await client.submit(NATIVE, shots=3))
    assert unnamed(state_directory) == []
    assert "journal" not in caplog.text


async def test_a_service_elsewhere_gets_a_journal_of_its_own_each_time(
    null_service: LocalService, state_directory: Path, tmp_path: Path
):
    async with far_away(null_service, tmp_path) as there:
        sent: set[str] = set()
        for _ in range(2):
            async with there.connect(pace=FAST) as client:
                job = await client.submit(NATIVE, shots=3)
                sent.add(job.id)
                await job
    journals = unnamed(state_directory)
    found = [job for path in journals for job in (await reading(path)).jobs]
    assert len(journals) == 2
    assert {job.job_id for job in found} == sent
    assert all(job.has_result for job in found)


async def test_a_journal_that_nobody_named_goes_if_nothing_is_in_it(
    null_service: LocalService, state_directory: Path, tmp_path: Path
):
    """Whoever only looks leaves nothing behind; a named one stays."""
    async with far_away(null_service, tmp_path) as there:
        async with there.connect() as client:
            await client.targets()
            assert len(unnamed(state_directory)) == 1
        assert unnamed(state_directory) == []
        async with there.connect(journal=tmp_path / "named"):
            pass
    assert (await reading(tmp_path / "named")).jobs == []


async def test_going_without_a_journal_elsewhere_is_warned_of(
    null_service: LocalService,
    state_directory: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    async with (
        far_away(null_service, tmp_path) as there,
        there.connect(journal=None, pace=FAST) as client,
    ):
        await (await client.submit(NATIVE, shots=3))
    assert unnamed(state_directory) == []
    warned = [r for r in caplog.records if "keeps no journal" in r.getMessage()]
    assert [r.levelno for r in warned] == [logging.WARNING]


def test_a_virtual_world_leaves_no_journal(state_directory: Path):
    """It stands for services elsewhere, and yet nothing of it has happened."""

    async def world() -> None:
        async with service() as there, qawait.connect(there.iqm) as client:
            await (await client.submit(NATIVE, shots=3))

    run_virtual(world)
    assert unnamed(state_directory) == []


async def test_everything_of_a_job_is_in_its_journal(
    null_service: LocalService, tmp_path: Path
):
    async with qawait.connect(
        iqm(null_service), pace=FAST, journal=tmp_path / "j"
    ) as client:
        job = await client.submit([NATIVE, NATIVE], shots=7, tag="t1")
        result = await job
    [found] = (await reading(tmp_path / "j")).jobs
    assert found.submission_id == job.submission_id
    assert found.job_id == job.id
    assert (found.target, found.tag) == ("square20", "t1")
    assert (found.circuits, found.shots) == (2, 14)
    assert found.changes == job.changes
    assert found.standing is Standing.TERMINAL
    assert await anyio.to_thread.run_sync(found.result) == result


async def test_how_a_job_failed_is_in_its_journal(
    local_service: LocalService, tmp_path: Path
):
    slow = Circuit(
        "slow",
        (
            Instruction("delay", ("QB1",), {"duration": 1.0}),
            Instruction("measure", ("QB1",), {"key": "m"}),
        ),
    )
    checked = qawait.iqm.Options(max_circuit_duration_over_t2=1.0)
    async with qawait.connect(
        iqm(local_service), pace=FAST, journal=tmp_path / "j"
    ) as client:
        job = await client.submit(slow, shots=7, options=checked)
        with pytest.raises(errors.JobFailed) as caught:
            await job
    [found] = (await reading(tmp_path / "j")).jobs
    assert isinstance(found.error, errors.JobFailed)
    assert found.error.message == caught.value.message
    assert found.error.job_id == job.id


# --- whose it is ----------------------------------------------------------------------

SECOND = """
import asyncio, sys
import qawait

async def main():
    service = qawait.IQMService(sys.argv[1], token=sys.argv[2])
    try:
        async with qawait.connect(service, journal=sys.argv[3]):
            pass
    except qawait.JournalLocked as error:
        print(error.pid)

asyncio.run(main())
"""


async def test_a_second_process_is_refused_by_name(
    null_service: LocalService, tmp_path: Path
):
    command = [
        *(sys.executable, "-c", SECOND),
        *(null_service.url, null_service.token, str(tmp_path / "j")),
    ]
    async with qawait.connect(iqm(null_service), journal=tmp_path / "j"):
        ran = await anyio.run_process(command, check=False)
    assert ran.stdout.decode().strip() == str(os.getpid()), ran.stderr.decode()


@pytest.mark.parametrize(
    ("other", "said"),
    [({"host": "r.example"}, "r.example"), ({"token": "other"}, "another account")],
)
async def test_another_service_and_another_account_are_refused(
    null_service: LocalService, tmp_path: Path, other: dict[str, str], said: str
):
    async with far_away(null_service, tmp_path) as there:
        async with there.connect(journal=tmp_path / "j"):
            pass
        with pytest.raises(errors.JournalIdentityMismatch, match=said):
            async with there.connect(journal=tmp_path / "j", **other):
                pass


async def test_another_dialect_is_refused(null_service: LocalService, tmp_path: Path):
    async with qawait.connect(iqm(null_service), journal=tmp_path / "j"):
        pass
    with pytest.raises(errors.JournalIdentityMismatch, match="dialect"):
        async with qawait.connect(
            iqm(null_service, dialect="v2"), journal=tmp_path / "j"
        ):
            pass


async def test_no_byte_of_a_journal_is_of_the_token(tmp_path: Path):
    with running("--null", env={**os.environ, "QAWAIT_TOKEN": CANARY}) as local:
        assert local.token == CANARY
        async with qawait.connect(
            iqm(local), pace=FAST, journal=tmp_path / "j"
        ) as client:
            await (await client.submit(NATIVE, shots=7))
            held = {
                f: f.read_bytes() for f in (tmp_path / "j").rglob("*") if f.is_file()
            }
    left = {f: f.read_bytes() for f in (tmp_path / "j").rglob("*") if f.is_file()}
    assert any(f.name == "journal.sqlite-wal" for f in held)
    for files in (held, left):
        assert not [f for f, data in files.items() if CANARY.encode() in data]


# --- what comes first -----------------------------------------------------------------


async def at_the_service(local: LocalService, tmp_path: Path) -> list[ReadJob]:
    """What is in the journal when the first bytes of a submission have left."""
    copies: list[Path] = []

    def copy() -> None:
        copies.append(shutil.copytree(tmp_path / "j", tmp_path / f"at {len(copies)}"))

    async with (
        far_away(local, tmp_path, copy) as there,
        there.connect(pace=FAST, journal=tmp_path / "j") as client,
    ):
        await (await client.submit([NATIVE, NATIVE], shots=7, tag="t1"))
    [at] = copies
    return (await reading(at)).jobs


async def test_the_intent_is_on_the_disk_before_a_byte_leaves(
    null_service: LocalService, tmp_path: Path
):
    """A kill at this moment leaves it uncertain, and never forgotten."""
    [job] = await at_the_service(null_service, tmp_path)
    assert job.standing is Standing.UNKNOWN
    assert "while it was being sent" in job.evidence
    assert (job.tag, job.circuits, job.shots) == ("t1", 2, 14)


async def sending_later(self: FileJournal, submission_id: str) -> None:
    """The mutant: that it is sent is not written down before it is."""


async def test_a_client_that_writes_after_it_has_sent_is_found_out(
    null_service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FileJournal, "sending", sending_later)
    assert await at_the_service(null_service, tmp_path) == []


async def when_submit_returns(
    local: LocalService, tmp_path: Path
) -> tuple[str, ReadJob]:
    """A job's id, and how a kill just then would leave its submission."""
    async with qawait.connect(iqm(local), pace=FAST, journal=tmp_path / "j") as client:
        job = await client.submit(NATIVE, shots=7)
        shutil.copytree(tmp_path / "j", tmp_path / "copy")
        await job
    [found] = (await reading(tmp_path / "copy")).jobs
    return job.id, found


async def test_an_id_is_on_the_disk_before_anybody_sees_it(
    null_service: LocalService, tmp_path: Path
):
    job_id, found = await when_submit_returns(null_service, tmp_path)
    assert found.standing is Standing.ACCEPTED
    assert found.job_id == job_id


async def test_a_client_that_shows_an_id_first_is_found_out(
    null_service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    later: list[tuple[Any, ...]] = []

    async def outcome_later(self: FileJournal, *about: Any, **more: Any) -> None:
        later.append((about, more))

    monkeypatch.setattr(FileJournal, "outcome", outcome_later)
    _, found = await when_submit_returns(null_service, tmp_path)
    assert later
    assert found.standing is not Standing.ACCEPTED


async def when_a_job_ends(local: LocalService, tmp_path: Path) -> ReadJob:
    """How a kill in the moment in which a waiter is told leaves the submission."""
    async with qawait.connect(iqm(local), pace=FAST, journal=tmp_path / "j") as client:
        job = await client.submit(NATIVE, shots=7)
        job.add_done_callback(
            lambda _: shutil.copytree(tmp_path / "j", tmp_path / "copy")
        )
        await job
    [found] = (await reading(tmp_path / "copy")).jobs
    return found


async def test_a_result_and_the_end_are_on_the_disk_before_anybody_is_told(
    null_service: LocalService, tmp_path: Path
):
    found = await when_a_job_ends(null_service, tmp_path)
    assert found.standing is Standing.TERMINAL
    assert found.has_result
    result = await anyio.to_thread.run_sync(found.result)
    assert result[0].shots == 7


async def test_a_client_that_tells_of_the_end_first_is_found_out(
    null_service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def end(self: Any, followed: Any, outcome: Any) -> None:
        self._settle(followed, outcome)
        await anyio.lowlevel.checkpoint()
        await self._record.ended(followed.job, outcome)

    monkeypatch.setattr(Poller, "_end", end)
    found = await when_a_job_ends(null_service, tmp_path)
    assert not found.has_result


# --- a disk that is full --------------------------------------------------------------

FULL = """
import asyncio, json, logging, resource, sys, tempfile
import qawait
from qawait.iqm import Circuit, Instruction

NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))
url, token, path, when = sys.argv[1:]
said = []

class Lines(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

logging.getLogger("qawait").addHandler(Lines())

def fill():
    # no file of this process grows any more, and none is written beyond this
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))

async def main():
    service = qawait.IQMService(url, token=token)
    found = {}
    async with qawait.connect(service, journal=path) as client:
        if when == "before":
            fill()
        try:
            job = await client.submit(NATIVE, shots=7)
            fill()
            found["shots"] = (await job)[0].shots
        except qawait.JournalFull as error:
            found["refused"] = str(error)
    print(json.dumps(found | {"said": said}))

asyncio.run(main())
"""


@pytest.fixture
def unhurried() -> Iterator[LocalService]:
    """A second for each job: time enough for the disk to fill."""
    with running("--null", "--service-time", "1s") as service:
        yield service


async def with_a_full_disk(
    local: LocalService, journal: Path, when: str
) -> dict[str, Any]:
    command = [sys.executable, "-c", FULL, local.url, local.token, str(journal), when]
    ran = await anyio.run_process(command, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)


async def test_nothing_is_sent_that_cannot_be_written_down(
    unhurried: LocalService, tmp_path: Path
):
    found = await with_a_full_disk(unhurried, tmp_path / "j", "before")
    assert "room" in found["refused"]
    async with unhurried.session() as session, session.get("/_ledger") as answer:
        assert (await answer.json())["submissions"] == []


async def test_a_result_that_cannot_be_written_is_given_to_whoever_waits(
    unhurried: LocalService, tmp_path: Path
):
    """And the journal knows that it has yet to be fetched."""
    found = await with_a_full_disk(unhurried, tmp_path / "j", "after")
    assert found["shots"] == 7
    assert any("its end was not written" in line for line in found["said"])
    [job] = (await reading(tmp_path / "j")).jobs
    assert job.standing is Standing.ACCEPTED
