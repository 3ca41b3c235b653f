"""A whole service and a whole client in virtual time: their hours, states and faults."""

# ruff: noqa: SIM117 (a service, and in it a client: two things)
from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import qawait
from qawait.errors import ConfigurationError, ConnectFailed
from qawait.testing import START, run_virtual, service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qawait.testing import LocalService

BELL = """OPENQASM 2.0; include "qelib1.inc";
qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;"""


def native(name: str = "flip") -> qawait.iqm.Circuit:
    """A circuit that needs no transpiler."""
    prx = qawait.iqm.Instruction("prx", ("QB3",), {"angle": 3.0, "phase": 0.0})
    read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
    return qawait.iqm.Circuit(name, (prx, read))


async def many(client: qawait.Client, jobs: int) -> list[qawait.Job]:
    submitted: list[qawait.Job] = []

    async def submit() -> None:
        submitted.append(await client.submit(native(), shots=10, compile=False))

    async with anyio.create_task_group() as group:
        for _ in range(jobs):
            group.start_soon(submit)
    return submitted


def ends(jobs: Sequence[qawait.Job]) -> list[float]:
    """When the service says that each job was ready, in seconds from the start."""
    return [(job.changes[-1].at - START).total_seconds() for job in jobs]


async def one_by_one() -> tuple[list[Any], dict[str, Any]]:
    async with (
        service(service_time=60.0, service_time_cv=0.5, servers=2, seed=3) as there,
        qawait.connect(there.iqm, seed=1) as client,
    ):
        jobs = await many(client, 60)
        for job in jobs:
            assert sum((await job).counts(0).values()) == 10
        return [job.changes for job in jobs], there.ledger()


def test_a_queue_of_hours_is_lived_through_and_the_same_way_each_time():
    before = time.perf_counter()
    changes, ledger = run_virtual(one_by_one)
    assert time.perf_counter() - before < 30
    at = [c[-1].at for c in changes]
    assert timedelta(minutes=20) < max(at) - START < timedelta(minutes=50)
    assert at == sorted(at) or len(set(at)) == 60
    assert all(c[-1].at <= c[-1].seen_at for c in changes)
    assert [c[-1].state for c in changes] == [qawait.State.READY] * 60
    assert len(ledger["submissions"]) == 60
    again, ledger_again = run_virtual(one_by_one)
    assert again == changes
    assert [r["at"] for r in ledger_again["requests"]] == [
        r["at"] for r in ledger["requests"]
    ]


def test_another_seed_draws_other_service_times():
    async def main(seed: int) -> list[float]:
        async with service(service_time=60.0, service_time_cv=1.0, seed=seed) as there:
            async with qawait.connect(there.iqm, seed=1) as client:
                jobs = await many(client, 5)
                for job in jobs:
                    await job
                return ends(jobs)

    assert run_virtual(main, 1) == run_virtual(main, 1) != run_virtual(main, 2)


def test_equal_service_times_end_one_after_the_other_on_each_machine():
    async def main(servers: int) -> list[int]:
        async with service(service_time=3600.0, servers=servers) as there:
            async with qawait.connect(there.iqm) as client:
                jobs = await many(client, 6)
                for job in jobs:
                    await job
                return [round(end / 3600) for end in sorted(ends(jobs))]

    assert run_virtual(main, 1) == [1, 2, 3, 4, 5, 6]
    assert run_virtual(main, 3) == [1, 1, 1, 2, 2, 2]


def test_qoros_dialect_is_served_too_and_dated_by_the_virtual_clock():
    async def main() -> datetime:
        async with service(service_time=600.0) as there:
            async with qawait.connect(there.qoro) as client:
                job = await client.submit({"a": BELL}, shots=7)
                assert sum((await job)["a"].counts().values()) == 7
                return job.changes[-1].at or job.changes[-1].seen_at

    start = datetime(2031, 5, 6, tzinfo=UTC)
    told = run_virtual(main, start=start)
    assert timedelta(minutes=10) <= told - start < timedelta(minutes=20)


def test_an_outage_refuses_connections_and_then_is_over():
    async def main() -> tuple[float, float]:
        async with service(service_time=60.0, outages=[(30.0, 3600.0)]) as there:
            async with qawait.connect(
                there.iqm, retry=qawait.Retry(attempts=1)
            ) as client:
                job = await client.submit(native(), shots=1, compile=False)
                await anyio.sleep(40)
                with pytest.raises(ConnectFailed):
                    await client.submit(native(), shots=1, compile=False)
                await job
                return ends([job])[0], anyio.current_time()

    ended, told = run_virtual(main)
    assert 60 <= ended < 61
    assert 3600 < told < 4200


def test_a_connection_that_is_open_when_an_outage_begins_is_reset():
    async def main() -> None:
        async with service(outages=[(30.0, 60.0)], faults="slow:50s@poll") as there:
            async with qawait.connect(
                there.iqm, retry=qawait.Retry(attempts=1)
            ) as client:
                job = await client.submit(native(), shots=1, compile=False)
                with pytest.raises(qawait.TransportError):
                    await client.status(job.id)
                assert anyio.current_time() < 31

    run_virtual(main)


def test_jobs_of_strangers_are_waited_for():
    async def main(strangers: float) -> float:
        async with service(service_time=60.0, strangers=strangers) as there:
            async with qawait.connect(there.iqm) as client:
                await anyio.sleep(3600)
                job = await client.submit(native(), shots=1, compile=False)
                await job
                return ends([job])[0] - 3600

    assert run_virtual(main, 0.0) < 61
    # 120 jobs of a minute arrive in the first hour
    assert 2400 < run_virtual(main, 120.0) < 6000


def test_a_fault_script_is_played():
    async def main() -> tuple[int, Any]:
        async with service(service_time=60.0, faults="503:0.5@poll") as there:
            async with qawait.connect(there.iqm) as client:
                result = await (await client.submit(native(), shots=3, compile=False))
            refused = [r for r in there.ledger()["requests"] if r["status"] == 503]
            return len(refused), result

    refused, result = run_virtual(main)
    assert refused > 0
    assert sum(result.counts(0).values()) == 3


def test_a_rate_limit_is_learned_within_the_virtual_world(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def main() -> tuple[list[int], float]:
        async with service(service_time=1.0, servers=50, rate_limit="iqm") as there:
            async with qawait.connect(there.iqm) as client:
                for job in await many(client, 100):
                    await job
                took = anyio.current_time()
            return [r["status"] for r in there.ledger()["requests"]], took

    statuses, took = run_virtual(main)
    assert statuses.count(429) <= 1
    assert took > 40, "a hundred submissions cost 10,000 units of 200 a second"
    assert not list(tmp_path.iterdir()), "no other client of this machine is concerned"


def test_circuits_may_be_simulated_while_the_clock_stands_still():
    async def main() -> tuple[Any, float]:
        async with service(service_time=7200.0, simulate=True) as there:
            async with qawait.connect(there.iqm) as client:
                job = await client.submit({"bell": BELL}, shots=200)
                result = await job
                return result["bell"].counts(), ends([job])[0]

    counts, ended = run_virtual(main)
    assert set(counts) == {"00", "11"}
    assert 7200 <= ended < 7201


def test_it_serves_in_real_time_too():
    async def main() -> int:
        async with service(service_time=0.01) as there:
            async with qawait.connect(there.iqm) as client:
                job = await client.submit(native(), shots=5, compile=False)
                return sum((await job).counts(0).values())

    assert asyncio.run(main()) == 5


def test_what_a_program_raises_comes_out_as_it_is():
    async def main() -> None:
        async with service():
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        run_virtual(main)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"outages": [(5.0, 4.0)]}, "ascending"),
        ({"outages": [(5.0, 8.0), (7.0, 9.0)]}, "ascending"),
        ({"strangers": -1.0}, "strangers"),
        ({"service_time": -1.0}, "service time"),
        ({"service_time": 1.0, "service_time_cv": -1.0}, "spread"),
        ({"service_time_cv": 1.0}, "needs a service time"),
        ({"faults": "no_such_thing"}, "no_such_thing"),
        ({"broken": "P7"}, "P7"),
    ],
)
def test_what_cannot_be_right_is_said(options: dict[str, Any], says: str):
    async def main() -> None:
        async with service(**options):
            pass

    with pytest.raises(ConfigurationError, match=says):
        run_virtual(main)


def test_nothing_is_left_behind_when_the_service_ends():
    async def main() -> tuple[Callable[[], Any], LocalService]:
        async with service(service_time=3600.0, strangers=100.0) as there:
            async with qawait.connect(there.iqm) as client:
                await client.submit(native(), shots=1, compile=False)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(ConnectFailed):
            async with qawait.connect(there.iqm):
                pass
        return asyncio.all_tasks, there

    run_virtual(main)


INTERACTIVE = """
import qawait
from qawait.testing import run_virtual, service

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;'

async def main():
    async with service(simulate=True) as there, qawait.connect(there.iqm) as client:
        job = await client.submit(BELL, shots=7)
        return (await job)[0].counts()

print(run_virtual(main))
"""


def test_a_program_without_a_file_can_simulate_too():
    """As one typed in, or one in a notebook: its worker processes find no __main__."""
    done = subprocess.run(
        [sys.executable, "-c", INTERACTIVE], capture_output=True, text=True
    )
    assert done.stdout == "{'0': 7}\n", done.stderr


@pytest.mark.parametrize(
    ("broken", "word"), [(None, "RUNNING"), ("P2", "RUNNING"), ("p1,P4", "PENDING")]
)
def test_a_promise_can_be_broken(broken: str | None, word: str):
    """Where P4 is, a job that runs is said to wait."""

    async def program() -> str:
        async with service(service_time=60.0, broken=broken) as there:
            async with qawait.connect(there.qoro) as client:
                job = await client.submit(BELL, shots=5)
                await anyio.sleep(10)
                return (await client.status(job.id)).raw

    assert run_virtual(program) == word
