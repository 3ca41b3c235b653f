"""The client against the real local service, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait
from qawait import IQMService, QoroService, State, _interleaved, errors, iqm
from qawait.iqm import Circuit, Instruction
from tests.fault_server import Hang, Request, answering, reply
from tests.service.running import LocalService, running

NOBODYS = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"
FAST = qawait.Pace(first=0.02, questions_per_job=8, max_staleness=0.2)


def asymmetric() -> QuantumCircuit:
    """Flips qubit 0 of three: `001` in Qiskit's order, `100` in IQM's."""
    circuit = QuantumCircuit(3, 3, name="flip")
    circuit.x(0)
    circuit.measure(range(3), range(3))
    return circuit


def endpoints(local: LocalService) -> dict[str, Any]:
    return {
        "server": IQMService(local.url, token=local.token),
        "v1": IQMService(local.url + "/cocos", token=local.token),
        "v2-24": IQMService(local.url, token=local.token, dialect="v2-24"),
        "v2": IQMService(local.url, token=local.token, dialect="v2"),
        "station-30": IQMService(
            local.url + "/station", token=local.token, dialect="station-30"
        ),
        "station": IQMService(local.url + "/station", token=local.token),
        "qoro": QoroService(local.url + "/api", token=local.token),
    }


@pytest.fixture(scope="module")
def slow_service() -> Iterator[LocalService]:
    """One job at a time, a second each: there is a queue to stand in."""
    with running("--service-time", "1s", "--servers", "1") as service:
        yield service


@pytest.fixture(params=["server", "v1", "v2-24", "v2", "station-30", "station", "qoro"])
def service(request: pytest.FixtureRequest, local_service: LocalService) -> Any:
    return endpoints(local_service)[request.param]


async def test_a_circuit_comes_back_as_counts_bits_and_labels(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit({"flip": asymmetric()}, shots=200, tag="t1")
        result = await job
        assert result["flip"].counts() == {"001": 200}
        assert result.job_id == job.id
        assert result.simulated
        assert result[0].requested_shots == 200
        assert (await job) is result


async def test_states_come_in_order_and_end_with_ready(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=10)
        changes = [change async for change in job.transitions()]
        assert [c.state for c in changes] == [
            State.PENDING_COMPILATION,
            State.PENDING_EXECUTION,
            State.READY,
        ]
        assert all(c.seen_at.tzinfo is not None for c in changes)
        again = await job.reached("pending execution")
        assert again is changes[1]


async def test_iqm_tells_when_each_state_was_reached(local_service: LocalService):
    service = endpoints(local_service)["server"]
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=10)
        await job
        times = [c.at for c in job.changes]
        assert None not in times
        assert times == sorted(times)  # type: ignore[type-var]


async def test_a_batch_keeps_its_order_and_its_labels(service: Any):
    batch: dict[str, QuantumCircuit] = {}
    for n in range(4):
        circuit = QuantumCircuit(4, 4)
        circuit.x(n)
        circuit.measure(range(4), range(4))
        batch[f"x{n}"] = circuit
    async with qawait.connect(service, pace=FAST) as client:
        result = await (await client.submit(batch, shots=20))
        assert len(result) == 4
        for n in range(4):
            key = format(1 << n, "04b")
            assert result[n].counts() == {key: 20}
            assert result[f"x{n}"].counts() == {key: 20}


async def test_a_job_adopted_by_its_id_gives_the_same_result(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit({"flip": asymmetric()}, shots=30)
        first = await job
    async with qawait.connect(service, pace=FAST) as client:
        adopted = client.job(job.id)
        result = await adopted
        assert result[0].counts() == first[0].counts() == {"001": 30}
        assert result[0].label == first[0].label == "flip"
        assert client.job(job.id) is adopted


async def test_an_unknown_job_is_missing(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        with pytest.raises(errors.JobMissing):
            await client.job(NOBODYS)
        with pytest.raises(errors.NotFound):
            await client.status(NOBODYS)
        with pytest.raises(errors.ConfigurationError):
            client.job("../admin")


async def test_asyncios_own_tools_take_jobs(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        jobs = [await client.submit(asymmetric(), shots=n) for n in (5, 6, 7)]
        done, pending = await asyncio.wait(jobs)  # type: ignore[type-var]
        assert done == set(jobs)
        assert not pending
        results = await asyncio.gather(*jobs)
        assert [r[0].shots for r in results] == [5, 6, 7]
        async with asyncio.timeout(10):
            await jobs[0]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job.result()) for job in jobs]
        assert [t.result() for t in tasks] == results
        assert {j async for j in qawait.as_completed(jobs)} == set(jobs)


async def test_targets_tell_width_queue_and_that_they_are_simulated(
    local_service: LocalService,
):
    widths: dict[str, Any] = {}
    fidelities: dict[str, float] = {}
    for name, service in endpoints(local_service).items():
        async with qawait.connect(service) as client:
            targets = await client.targets()
            assert [t.simulated for t in targets] == [True] * len(targets)
            widths[name] = {t.name: t.qubits for t in targets}
            assert all(len(repr(t)) < 120 for t in targets)
            if name != "qoro":
                assert client.target.qubits == 20
                assert targets[0].calibration_set_id is not None
                figures = targets[0].figures
                fidelities[name] = figures["metrics.ssro.measure.constant.QB7.fidelity"]
    assert len(fidelities) == 6
    assert len(set(fidelities.values())) == 1
    assert 0.9 < fidelities["server"] < 1
    for name in ("server", "v1", "v2-24", "v2"):
        assert widths[name] == {"square20": 20}
    for name in ("station-30", "station"):
        assert widths[name] == {"M000_SQUARE20_SIMULATED": 20}
    assert "qoro_maestro" in widths["qoro"]


async def test_an_unknown_target_is_refused_with_the_names_there_are(service: Any):
    with pytest.raises(errors.ConfigurationError, match=r"(?i)square20|qoro_maestro"):
        async with qawait.connect(service, target="nowhere"):
            pass


async def test_a_wrong_token_is_refused_at_once(local_service: LocalService):
    for path, kind in (("", IQMService), ("/cocos", IQMService), ("/api", QoroService)):
        service = kind(local_service.url + path, token="wrong")
        with pytest.raises(errors.AuthenticationError):
            async with qawait.connect(service):
                pass


async def test_an_html_page_is_an_error_that_says_so():
    page = reply(200, "<html><title>Log in</title></html>", Content_Type="text/html")
    async with answering(lambda r, n: page) as server:
        with pytest.raises(errors.UnexpectedContent, match="HTML"):
            async with qawait.connect(IQMService(server.url, token="t")):
                pass


@pytest.mark.parametrize("shots", [0, -1, True, 1.5, "100", None])
async def test_impossible_shots_are_refused_and_nothing_is_sent(
    service: Any, shots: Any
):
    async with qawait.connect(service) as client:
        before = client.usage.requests
        with pytest.raises(errors.ConfigurationError, match="shots"):
            await client.submit(asymmetric(), shots=shots)
        assert client.usage.requests == before


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "7", None])
async def test_an_impossible_seed_is_refused(service: Any, wrong: Any):
    async with qawait.connect(service) as client:
        with pytest.raises(errors.ConfigurationError, match="seed"):
            await client.submit(asymmetric(), seed=wrong)
        with pytest.raises(errors.ConfigurationError, match="optimization_level"):
            await client.submit(asymmetric(), optimization_level=4)


@pytest.mark.parametrize("wrong", [5, None, b"x", ""])
async def test_what_cannot_be_an_id_is_refused(service: Any, wrong: Any):
    async with qawait.connect(service) as client:
        with pytest.raises(errors.ConfigurationError, match="job id"):
            client.job(wrong)


async def test_points_may_be_given_by_qiskits_own_parameters(service: Any):
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(theta, 0)
    circuit.measure(0, 0)
    async with qawait.connect(service, pace=FAST) as client:
        points: Any = [{theta: 0.0}, {"theta": np.pi}]
        result = await (
            await client.submit(circuit, points=points, shots=5, seed=np.int64(3))
        )
        assert [r.counts() for r in result] == [{"0": 5}, {"1": 5}]


async def test_shots_may_be_a_number_of_numpy(service: Any):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=np.int64(6))
        assert (await job)[0].shots == 6


async def test_a_circuit_wider_than_the_target_is_named_and_not_sent(
    local_service: LocalService,
):
    wide = QuantumCircuit(25, name="wide")
    wide.h(range(25))
    wide.measure_all()
    async with qawait.connect(endpoints(local_service)["server"]) as client:
        with pytest.raises(errors.CircuitError, match=r"wide.*25.*20"):
            await client.submit(wide)
        assert client._connection.journal.submissions == {}


async def test_the_architecture_is_asked_for_once_by_many_submissions(
    local_service: LocalService,
):
    async with qawait.connect(endpoints(local_service)["server"]) as client:
        found = await asyncio.gather(*(client.architecture() for _ in range(20)))
        assert client.usage.requests == 3, "two for the target, one for all of these"
        assert all(architecture is found[0] for architecture in found)


async def test_many_submissions_at_once_leave_the_loop_to_others_in_between(
    null_service: LocalService, monkeypatch: pytest.MonkeyPatch
):
    """Preparing a thousand circuits in one turn would hold up everything else."""
    # with no time at all for it, a turn of the loop prepares one
    monkeypatch.setattr(_interleaved, "AT_A_TIME", 0.0)
    turns = 0
    prepared_in: set[int] = set()

    class Watched(list[Circuit]):
        def __iter__(self) -> Iterator[Circuit]:
            prepared_in.add(turns)
            return super().__iter__()

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    flip = Circuit("flip", (Instruction("measure", ("QB1",), {"key": "m"}),))
    async with qawait.connect(endpoints(null_service)["server"]) as client:
        await client.submit(flip, shots=1)
        counting = asyncio.create_task(count_turns())
        await asyncio.gather(
            *(client.submit(Watched([flip]), shots=1) for _ in range(60))
        )
        counting.cancel()
    assert len(prepared_in) >= 60


async def test_an_address_that_is_no_service_is_named():
    async with answering(lambda r, n: reply(404, "{}")) as server:
        with pytest.raises(errors.ConfigurationError, match="dialects"):
            async with qawait.connect(IQMService(server.url, token="t")):
                pass


async def test_one_job_is_cancelled_and_the_others_run_on(slow_service: LocalService):
    """A second a job, one at a time: the last in the queue can be cancelled."""
    service = IQMService(slow_service.url, token=slow_service.token)
    async with qawait.connect(service, pace=FAST) as client:
        jobs = [await client.submit(asymmetric(), shots=5) for _ in range(3)]
        await jobs[2].cancel()
        with pytest.raises(errors.JobCancelled) as caught:
            await jobs[2]
        assert caught.value.job_id == jobs[2].id
        assert jobs[2].state is State.ABORTED
        assert jobs[2].cancelled()
        assert (await jobs[0])[0].counts() == {"001": 5}
        await jobs[0].cancel()
        assert jobs[0].state is State.READY


async def test_a_queue_shows_how_many_are_ahead(slow_service: LocalService):
    service = IQMService(slow_service.url, token=slow_service.token)
    async with qawait.connect(service, pace=FAST) as client:
        jobs = [await client.submit(asymmetric(), shots=5) for _ in range(3)]
        with anyio.fail_after(20):
            while jobs[2].queue_position is None:
                await client.job(jobs[2].id).reached("pending compilation")
                await anyio.lowlevel.checkpoint()
        assert jobs[2].queue_position >= 1
        for job in jobs:
            await job.cancel()


async def test_closing_settles_what_is_left_and_the_job_goes_on(
    slow_service: LocalService,
):
    service = IQMService(slow_service.url, token=slow_service.token)
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=5)
        waiting = asyncio.create_task(job.result())
        await job.reached("pending compilation")
    with pytest.raises(errors.ClientClosed) as caught:
        await waiting
    assert caught.value.job_id == job.id
    with pytest.raises(errors.ClientClosed):
        await client.submit(asymmetric())
    async with qawait.connect(service, pace=FAST) as client:
        assert (await client.job(job.id))[0].counts() == {"001": 5}


async def test_a_client_is_opened_in_one_task_and_closed_in_another(service: Any):
    client = await asyncio.create_task(qawait.open(service, pace=FAST))
    job = await asyncio.create_task(client.submit(asymmetric(), shots=8))
    assert (await job)[0].shots == 8
    await asyncio.create_task(client.close())
    await client.close()
    assert "closed" in repr(client)


async def test_opening_can_be_given_up():
    """A service that never answers does not keep a cancelled `connect` waiting."""

    def hang(request: Request, number: int) -> bytes:
        raise Hang

    async with answering(hang) as server:
        before = asyncio.all_tasks()
        with anyio.move_on_after(0.1) as scope:
            await qawait.open(IQMService(server.url, token="t"))
        assert scope.cancelled_caught
        left = {t.get_name() for t in asyncio.all_tasks() - before}
        assert "qawait client" not in left


async def test_a_failed_job_tells_the_services_reason(local_service: LocalService):
    """What only the service knows is found by its own compilation."""
    slow = Circuit(
        "slow",
        (
            Instruction("delay", ("QB20",), {"duration": 1.0}),
            Instruction("measure", ("QB20",), {"key": "m"}),
        ),
    )
    options = iqm.Options(max_circuit_duration_over_t2=1.0)
    service = endpoints(local_service)["server"]
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(slow, compile=False, options=options)
        with pytest.raises(errors.JobFailed, match="T2 of QB20") as caught:
            await job
        assert caught.value.job_id == job.id
        assert job.state is State.FAILED
        states = [c.state async for c in job.transitions()]
        assert states == [State.PENDING_COMPILATION, State.FAILED]


async def test_a_circuit_the_machine_cannot_run_is_never_sent(
    local_service: LocalService,
):
    """Whether it is to be compiled or not, and with the names that the job maps."""
    far = Circuit(
        "far",
        (
            Instruction("cz", ("a", "b")),
            Instruction("measure", ("b", "a"), {"key": "m"}),
        ),
    )
    apart = iqm.Options(qubit_mapping={"a": "QB1", "b": "QB20"})
    beside = iqm.Options(qubit_mapping={"a": "QB20", "b": "QB15"})
    service = endpoints(local_service)["server"]
    async with qawait.connect(service, pace=FAST) as client:
        await client.architecture()
        before = client.usage.requests
        for compiled in (True, False):
            with pytest.raises(errors.CircuitError, match="calibrated on QB1, QB20"):
                await client.submit(far, compile=compiled, options=apart)
            with pytest.raises(errors.CircuitError, match="the machine has no a"):
                await client.submit(far, compile=compiled)
        assert client.usage.requests == before
        job = await client.submit(far, compile=False, options=beside, shots=4)
        assert (await job)[0].counts() == {"00": 4}


async def test_a_held_job_takes_a_configuration_before_it_runs(
    local_service: LocalService,
):
    service = endpoints(local_service)["qoro"]
    config = qawait.ExecutionConfig(bond_dimension=4, simulation_method=1)
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=9, hold=True)
        assert await service.get_execution_config(job) is None
        stored = await service.set_execution_config(job, config)
        assert stored == config
        await job.release()
        assert (await job)[0].counts() == {"001": 9}
        with pytest.raises(errors.Conflict):
            await service.set_execution_config(job.id, config)
        assert await service.get_execution_config(job.id) == config


async def test_a_services_configuration_is_overridden_field_by_field(
    local_service: LocalService,
):
    default = qawait.ExecutionConfig(bond_dimension=4, truncation_threshold=1e-6)
    service = QoroService(
        local_service.url + "/api", token=local_service.token, execution_config=default
    )
    own = qawait.ExecutionConfig(bond_dimension=16)
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=9, execution_config=own)
        await job
        assert await service.get_execution_config(job) == default.override(own)


async def test_a_service_that_is_not_open_says_how_to_open_it():
    with pytest.raises(errors.ConfigurationError, match="connect"):
        await QoroService("http://127.0.0.1:1", token="t").get_execution_config("id")


async def test_options_of_another_vendor_are_refused(local_service: LocalService):
    options = qawait.ExecutionConfig(bond_dimension=4)
    async with qawait.connect(endpoints(local_service)["server"]) as client:
        with pytest.raises(errors.ConfigurationError, match="Qoro"):
            await client.submit(asymmetric(), execution_config=options)


async def test_a_deleted_job_is_gone(local_service: LocalService):
    service = endpoints(local_service)["server"]
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(asymmetric(), shots=5)
        await job
        await client.delete(job)
        await client.delete(job.id)
        with pytest.raises(errors.NotFound):
            await client.status(job.id)


async def test_the_embedded_service_needs_no_account_and_reads_no_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("IQM_SERVER_URL", "https://unreachable.invalid")
    monkeypatch.setenv("IQM_TOKEN", "secret")
    async with qawait.connect() as client:
        waiting = asyncio.create_task(client.job(NOBODYS).result())
        with pytest.raises(errors.JobMissing):
            await waiting
        assert "local simulator" in repr(client)
        assert client.target.name == "square20"
        result = await (await client.submit(asymmetric(), shots=12))
        assert result[0].counts() == {"001": 12}


async def test_a_module_in_the_working_directory_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "html.py").write_text("raise SystemExit('not the real one')")
    monkeypatch.chdir(tmp_path)
    async with qawait.connect() as client:
        result = await (await client.submit(asymmetric(), shots=2))
        assert result[0].counts() == {"001": 2}


async def test_the_embedded_service_keeps_its_jobs_where_it_is_told(tmp_path: Any):
    store = tmp_path / "jobs.sqlite"
    async with qawait.connect(store=store) as client:
        job = await client.submit(asymmetric(), shots=12)
        await job
    async with qawait.connect(store=store) as client:
        assert (await client.job(job.id))[0].counts() == {"001": 12}


def test_without_an_event_loop_every_coroutine_is_a_plain_call(
    local_service: LocalService,
):
    service = endpoints(local_service)["qoro"]
    with qawait.connect_sync(service, pace=FAST) as client:
        job = client.submit(asymmetric(), shots=7)
        assert [c.state.value for c in job.transitions()][-1] == "ready"
        assert job.result(timeout=30)[0].counts() == {"001": 7}
        assert job.state is State.READY
        assert client.targets()[0].simulated
        with pytest.raises(errors.JobMissing):
            client.job(NOBODYS).result()
        config = client.service.get_execution_config(job)
        assert config is None
        others = [client.submit(asymmetric(), shots=n) for n in (3, 4)]
        assert set(client.as_completed(others)) == set(others)
        assert client.job(job.id) == job
        assert "`await" not in repr(client.submit(asymmetric()))
    with pytest.raises(errors.ClientClosed):
        client.submit(asymmetric())


async def test_blocking_a_running_event_loop_is_refused():
    with (
        pytest.raises(errors.ConfigurationError, match=r"qawait\.open"),
        qawait.connect_sync(),
    ):
        pass


@pytest.mark.parametrize("wrong", ["iqm:http://127.0.0.1:1", 7])
def test_what_is_no_service_is_refused_by_name(wrong: Any):
    with pytest.raises(errors.ConfigurationError, match="IQMService"):
        qawait.connect(wrong)


def test_forgetting_async_says_what_to_write():
    with pytest.raises(errors.ConfigurationError, match="async with"), qawait.connect():
        pass


async def test_a_qoro_address_without_its_path_says_so(local_service: LocalService):
    service = QoroService(local_service.url, token=local_service.token)
    with pytest.raises(errors.ConfigurationError, match="/api"):
        async with qawait.connect(service):
            pass


async def test_an_unopened_client_says_how_to_open_it(service: Any):
    client = qawait.connect(service)
    with pytest.raises(errors.ConfigurationError, match="async with"):
        await client.submit(asymmetric())
    assert "not open" in repr(client)


def test_a_client_of_another_loop_says_so(local_service: LocalService):
    service = endpoints(local_service)["server"]

    async def in_one() -> Any:
        return await qawait.open(service)

    async def in_another(client: Any) -> None:
        with pytest.raises(errors.ConfigurationError, match="event loop"):
            await client.submit(asymmetric())

    with asyncio.Runner() as first, asyncio.Runner() as second:
        client = first.run(in_one())
        second.run(in_another(client))
        first.run(client.close())
