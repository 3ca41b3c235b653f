"""Whoever closes a client, or cancels, while something is sent: what is written then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio.to_thread
import pytest

import qawait
from qawait.errors import SubmissionUncertain
from qawait.journal.reading import Reading, read
from qawait.journal.records import Standing
from qawait.journal.store import CUT_OFF
from qawait.testing import LocalService, run_virtual, service
from tests.soak.cancellations import Paused

QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
QORO_LOSES_THE_LAST_UPLOAD = "drop_reply@finish,503@poll"


def lived(main, *args: object) -> None:
    async def whole() -> None:
        async with service() as there:
            await main(there, *args)

    run_virtual(whole)


async def closed_under(
    there: LocalService, protocol: str, faults: str, path: Path
) -> Reading:
    """A client is closed by one task, while another submits."""
    where = there.qoro if protocol == "qoro" else there.iqm
    there.set_faults(faults)
    client = await qawait.open(where, journal=path, seed=1)
    submission = asyncio.create_task(client.submit(QASM, shots=3, tag="under way"))
    await asyncio.sleep(2)
    assert not submission.done()
    await client.close()
    with pytest.raises(SubmissionUncertain, match="may be running"):
        await submission
    return await anyio.to_thread.run_sync(read, path)


@pytest.mark.parametrize(
    ("protocol", "faults"),
    [("iqm", "hang:acted@submit"), ("qoro", QORO_LOSES_THE_LAST_UPLOAD)],
)
def test_a_client_closed_under_a_submission_writes_down_that_it_is_uncertain(
    tmp_path: Path, protocol: str, faults: str
):
    async def main(there: LocalService) -> None:
        reading = await closed_under(there, protocol, faults, tmp_path / "j")
        [job] = reading.unknown
        assert job.tag == "under way"
        # it was not left to the next program to find out
        assert job.evidence != CUT_OFF

    lived(main)


@pytest.mark.parametrize("delay", [0.0, 0.002])
def test_an_id_is_written_at_once_wherever_its_task_is_cancelled(
    tmp_path: Path, delay: float
):
    """Nothing that can be cancelled comes between the answer and the journal."""

    async def one(client: qawait.Client, circuit: object, at: int) -> int:
        task: asyncio.Task[None]
        count = 0

        def paused(number: int) -> None:
            nonlocal count
            count = number
            if number == at and delay:
                asyncio.get_running_loop().call_later(delay, task.cancel)
            elif number == at:
                task.cancel()

        async def submit() -> None:
            await Paused(client.submit(circuit, shots=3, tag=f"at {at}"), paused)

        task = asyncio.create_task(submit())
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
        return count

    async def main(there: LocalService) -> None:
        async with qawait.connect(there.iqm, journal=tmp_path / "j", seed=1) as client:
            circuit, at = await client.compile(QASM), 1
            while await one(client, circuit, at) >= at:
                at += 1
            await asyncio.sleep(1)
        assert at > 5
        reading = await anyio.to_thread.run_sync(read, tmp_path / "j")
        standings = {job.standing for job in reading.jobs}
        assert standings >= {Standing.UNKNOWN if delay else Standing.ACCEPTED}
        assert [job for job in reading.jobs if job.evidence == CUT_OFF] == []

    lived(main)
