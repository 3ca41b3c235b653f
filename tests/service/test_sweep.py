"""Sweeps against the local service, over real sockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait
from qawait import Budget, IQMService, Point, QoroService, errors
from qawait.iqm import Circuit, Instruction
from tests.picky_service import picky
from tests.service.running import LocalService, get, running, submissions

FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)


def native(name: str = "c") -> Circuit:
    """One flipped qubit beside one that is not: `01`."""
    return Circuit(
        name,
        (
            Instruction("prx", ("QB1",), {"angle": math.pi, "phase": 0.0}),
            Instruction("measure", ("QB1", "QB2"), {"key": "m"}),
        ),
    )


def turning() -> QuantumCircuit:
    """Turns qubit 0 by gamma + beta; qubit 1 stays 0."""
    gamma, beta = Parameter("gamma"), Parameter("beta")
    circuit = QuantumCircuit(2, 2, name="turning")
    circuit.rx(gamma, 0)
    circuit.rx(beta, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


def iqm(local: LocalService) -> IQMService:
    return IQMService(local.url, token=local.token)


def qoro(local: LocalService) -> QoroService:
    return QoroService(local.url + "/api", token=local.token)


@pytest.fixture(params=["iqm", "qoro"])
def service(request: pytest.FixtureRequest, local_service: LocalService) -> Any:
    return {"iqm": iqm, "qoro": qoro}[request.param](local_service)


# --- what goes in and what comes out --------------------------------------------------


async def test_a_grid_gives_every_combination_its_own_result(service: Any):
    grid = {"gamma": [0.0, math.pi], "beta": [0.0, math.pi / 2, math.pi]}
    async with (
        qawait.connect(service, pace=FAST) as client,
        client.sweep(turning(), grid, shots=100) as sweep,
    ):
        points = {(p.params["gamma"], p.params["beta"]): p async for p in sweep}
    assert len(points) == 6
    for (gamma, beta), point in points.items():
        assert point.key == f"gamma={gamma!r},beta={beta!r}"
        assert point.error is None
        assert point.result is not None
        ones = point.result.counts().get("01", 0)
        expected = 100 * math.sin((gamma + beta) / 2) ** 2
        assert abs(ones - expected) <= 30
        assert expected not in (0, 100) or ones == expected


async def test_circuits_of_a_mapping_keep_their_keys(service: Any):
    circuits: dict[str, QuantumCircuit] = {}
    for n in range(5):
        circuit = QuantumCircuit(5, 5)
        circuit.x(n)
        circuit.measure(range(5), range(5))
        circuits[f"x{n}"] = circuit
    async with (
        qawait.connect(service, pace=FAST) as client,
        client.sweep(circuits, shots=20) as sweep,
    ):
        points = {p.key: p async for p in sweep}
    for n in range(5):
        point = points[f"x{n}"]
        assert point.result is not None
        assert point.result.counts() == {format(1 << n, "05b"): 20}
        assert point.result.label == f"x{n}"
        assert point.job_id


async def test_points_come_one_by_one_from_a_generator(service: Any):
    def angles() -> Iterator[dict[str, float]]:
        for n in range(4):
            yield {"gamma": math.pi * (n % 2), "beta": 0.0}

    async with (
        qawait.connect(service, pace=FAST) as client,
        client.sweep(turning(), angles(), shots=10, ordered=True) as sweep,
    ):
        found = [p.result.counts() async for p in sweep if p.result]
    assert found == [{"00": 10}, {"01": 10}] * 2


async def test_qoro_gets_the_template_once(local_service: LocalService):
    before = len(await submissions(local_service))
    grid = {"gamma": np.linspace(0.1, 0.9, 7), "beta": 0.5}
    async with (
        qawait.connect(qoro(local_service), pace=FAST) as client,
        client.sweep(turning(), grid, shots=10, batch=7, max_in_flight=28) as sweep,
    ):
        assert len([p async for p in sweep if p.result]) == 7
        assert sweep.progress.jobs == 1
    async with local_service.session() as session:
        ledger = await get(session, "/_ledger?bodies=1")
    [new] = ledger["submissions"][before:]
    assert new["circuits"] == 7
    assert "circuit_template" in str(new)


async def test_expectation_values_come_for_every_point(local_service: LocalService):
    grid = {"gamma": [0.0, math.pi], "beta": [0.0]}
    async with (
        qawait.connect(qoro(local_service), pace=FAST) as client,
        client.sweep(turning(), grid, observables="IZ", ordered=True) as sweep,
    ):
        values = [p.result.values["IZ"] async for p in sweep if p.result]
    assert values == pytest.approx([1.0, -1.0])


async def test_ordered_points_come_in_the_order_of_the_source(
    null_service: LocalService,
):
    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep(
            (native() for _ in range(50)), shots=5, ordered=True, batch=3
        ) as sweep,
    ):
        assert [p.index async for p in sweep] == list(range(50))


async def test_a_generator_sees_what_came_and_decides_what_follows(
    null_service: LocalService,
):
    """Endless, and never further ahead than it may be."""
    came: list[Point] = []
    ahead: list[int] = []

    def deciding() -> Iterator[tuple[str, Circuit]]:
        number = 0
        while True:
            ahead.append(number - len(came))
            yield f"after {len(came)}", native()
            number += 1

    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep(deciding(), shots=5, max_in_flight=1) as sweep,
    ):
        async for point in sweep:
            came.append(point)
            if len(came) == 6:
                break
    assert [p.key for p in came] == [f"after {n}" for n in range(6)]
    assert set(ahead) == {0}


async def test_an_asynchronous_source_may_wait_for_results(null_service: LocalService):
    """Nothing waits for a full job while the source waits for its first circuit."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def asking() -> AsyncIterator[Circuit]:
        for n in range(5):
            yield native()
            assert await told.get() == str(n)

    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep(asking(), shots=5, batch=100) as sweep,
    ):
        with anyio.fail_after(30):
            async for point in sweep:
                told.put_nowait(point.key)
    assert sweep.progress.ready == 5


async def test_a_slow_loop_holds_back_the_source(null_service: LocalService):
    taken = 0

    def source() -> Iterator[Circuit]:
        nonlocal taken
        while True:
            taken += 1
            yield native()

    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep(source(), shots=5, max_in_flight=8) as sweep,
    ):
        seen = 0
        async for _ in sweep:
            seen += 1
            await anyio.wait_all_tasks_blocked()
            assert taken - seen <= 8
            if seen == 30:
                break


async def test_an_error_of_the_source_comes_after_what_was_taken(
    null_service: LocalService,
):
    def failing() -> Iterator[Circuit]:
        yield native()
        yield native()
        raise ZeroDivisionError("of the source")

    seen: list[str] = []

    async def all_of_it() -> None:
        async with (
            qawait.connect(iqm(null_service), pace=FAST) as client,
            client.sweep(failing(), shots=5, batch=1) as sweep,
        ):
            async for point in sweep:
                seen.append(point.key)

    with pytest.raises(ZeroDivisionError, match="of the source"):
        await all_of_it()
    assert sorted(seen) == ["0", "1"]


# --- what goes wrong ------------------------------------------------------------------


async def test_a_circuit_that_cannot_be_used_leaves_its_neighbours(service: Any):
    unmeasured = QuantumCircuit(1)
    measured = QuantumCircuit(1, 1)
    measured.measure(0, 0)
    circuits = {"good": measured, "bad": unmeasured, "better": measured}
    async with (
        qawait.connect(service, pace=FAST) as client,
        client.sweep(circuits, shots=5) as sweep,
    ):
        points = {p.key: p async for p in sweep}
    assert isinstance(points["bad"].error, errors.CircuitError)
    assert points["bad"].error.circuit == "bad"
    assert points["bad"].job_id is None
    assert points["good"].error is points["better"].error is None
    assert (sweep.progress.ready, sweep.progress.failed) == (2, 1)


async def test_a_refused_batch_is_taken_apart_until_the_bad_are_alone(
    null_service: LocalService,
):
    """Each good circuit is accepted once; each bad one is told as refused."""
    bad = {3, 4, 11}
    async with picky(
        null_service.url, lambda body: 400 if b'"bad' in body else None
    ) as way:
        service = IQMService(way.url, token=null_service.token)
        circuits = {f"{'bad' if n in bad else 'good'}{n}": native() for n in range(16)}
        async with (
            qawait.connect(service, pace=FAST) as client,
            client.sweep(circuits, shots=5, batch=16, max_in_flight=64) as sweep,
        ):
            points = {p.key: p async for p in sweep}
    assert len(points) == 16
    for key, point in points.items():
        if key.startswith("bad"):
            assert isinstance(point.error, errors.SubmissionRejected)
            assert (
                way.refused.count(
                    next(b for b in way.refused[::-1] if f'"{key}"'.encode() in b)
                )
                == 1
            )
        else:
            assert point.result is not None
        passed = [body for body in way.passed if f'"{key}"'.encode() in body]
        assert len(passed) == (not key.startswith("bad"))
    assert len(way.refused[0]) > len(way.refused[-1])


@pytest.mark.parametrize("status", [403, 404, 409])
async def test_what_is_no_fault_of_a_circuit_is_not_taken_apart(
    null_service: LocalService, status: int
):
    async with picky(null_service.url, lambda body: status) as way:
        service = IQMService(way.url, token=null_service.token)
        async with (
            qawait.connect(service, pace=FAST) as client,
            client.sweep([native()] * 4, shots=5, batch=4) as sweep,
        ):
            points = [p async for p in sweep]
    assert len(way.refused) == 1
    assert all(isinstance(p.error, errors.SubmissionRejected) for p in points)
    assert (sweep.stopped is not None) == (status == 403)


async def test_an_uncertain_batch_is_neither_taken_apart_nor_sent_again():
    with running("--null", "--faults", "drop_reply:#1@submit") as local:
        async with (
            qawait.connect(iqm(local), pace=FAST) as client,
            client.sweep(
                (native() for _ in range(8)), shots=5, batch=4, max_in_flight=16
            ) as sweep,
        ):
            points = []
            async for point in sweep:
                points.append(point)
                assert not point.retry()
            uncertain = [p for p in points if p.uncertain]
            assert len(points) == 8
            assert len(uncertain) == 4
            [name] = {p.submission_id for p in uncertain}
            for point in uncertain:
                assert isinstance(point.error, errors.SubmissionUncertain)
                assert point.error.evidence
                assert point.error.submission_id == name
        assert [one["circuits"] for one in await submissions(local)] == [4, 4]


async def test_a_failed_point_comes_again_when_it_is_retried(
    null_service: LocalService,
):
    refusals = 0

    def refuse_twice(body: bytes) -> int | None:
        nonlocal refusals
        if b'"shaky"' not in body or refusals == 2:
            return None
        refusals += 1
        return 400

    async with picky(null_service.url, refuse_twice) as way:
        service = IQMService(way.url, token=null_service.token)
        circuits = {"steady": native(), "shaky": native()}
        came: list[tuple[str, int, bool]] = []
        async with (
            qawait.connect(service, pace=FAST) as client,
            client.sweep(circuits, shots=5, batch=1) as sweep,
        ):
            async for point in sweep:
                came.append((point.key, point.attempt, point.error is None))
                if point.error is not None:
                    assert point.retry()
                else:
                    assert not point.retry()
    shaky = [one for one in came if one[0] == "shaky"]
    assert shaky == [("shaky", 1, False), ("shaky", 2, False), ("shaky", 3, True)]
    assert [one for one in came if one[0] == "steady"] == [("steady", 1, True)]


async def test_an_error_to_stop_on_ends_the_sweep_with_what_is_under_way(
    null_service: LocalService,
):
    def source() -> Iterator[tuple[str, Circuit]]:
        for n in range(1000):
            yield ("bad" if n == 7 else f"good{n}"), native()

    async with picky(
        null_service.url, lambda body: 400 if b'"bad"' in body else None
    ) as way:
        service = IQMService(way.url, token=null_service.token)
        async with (
            qawait.connect(service, pace=FAST) as client,
            client.sweep(
                source(),
                shots=5,
                batch=1,
                max_in_flight=4,
                stop_on=[errors.SubmissionRejected],
            ) as sweep,
        ):
            points = [p async for p in sweep]
    assert 8 <= len(points) <= 20
    assert sweep.stopped is not None
    assert "bad" in sweep.stopped


async def test_a_key_that_comes_twice_is_an_error_of_the_second(
    null_service: LocalService,
):
    pairs = [("a", native()), ("b", native()), ("a", native())]
    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep(pairs, shots=5) as sweep,
    ):
        found = [(p.key, p.index, p.error is None) async for p in sweep]
    assert sorted(found) == [("a", 0, True), ("a", 2, False), ("b", 1, True)]


# --- the budget -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "points", "jobs"),
    [
        (Budget(jobs=3), 12, 3),
        (Budget(shots=70), 7, 2),
        (Budget(jobs=3, shots=1_000), 12, 3),
        (Budget(shots=9), 0, 0),
        (Budget(jobs=0), 0, 0),
    ],
)
async def test_nothing_is_sent_beyond_the_budget(
    counted: LocalService, budget: Budget, points: int, jobs: int
):
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep(
            (native() for _ in range(100)),
            shots=10,
            batch=4,
            max_in_flight=16,
            budget=budget,
        ) as sweep,
    ):
        found = [p async for p in sweep]
    assert len(found) == points
    assert sweep.stopped is not None
    assert "budget" in sweep.stopped
    sent = await submissions(counted)
    assert len(sent) == jobs
    assert sum(one["circuits"] for one in sent) == points


async def test_credits_are_refused_where_nothing_is_priced(null_service: LocalService):
    async with (
        qawait.connect(iqm(null_service), pace=FAST) as client,
        client.sweep([native()], budget=Budget(credits=5)) as sweep,
    ):
        with pytest.raises(errors.ConfigurationError, match="credits"):
            await sweep.finish()


# --- before, during, after ------------------------------------------------------------


async def test_an_estimate_sends_nothing_and_is_right(counted: LocalService):
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep([native()] * 30, shots=7, batch=10, max_in_flight=40) as sweep,
    ):
        estimate = await sweep.estimate()
        assert await submissions(counted) == []
        points = [p async for p in sweep]
        sent = await submissions(counted)
    assert (estimate.points, estimate.circuits, estimate.recorded) == (30, 30, 0)
    assert estimate.jobs == len(sent) == 3
    assert estimate.shots == 210 == sum(p.result.shots or 0 for p in points if p.result)
    assert 30 * 100 < estimate.size_bytes < 30 * 1000
    assert "30 circuits in about 3 jobs" in str(estimate)


async def test_a_data_set_has_the_parameters_as_dimensions(service: Any):
    grid = {"gamma": [0.0, math.pi], "beta": [0.0, 2 * math.pi, 4 * math.pi]}
    async with (
        qawait.connect(service, pace=FAST) as client,
        client.sweep(turning(), grid, shots=10) as sweep,
    ):
        data = await sweep.dataset()
        frame = await sweep.frame()
    assert data["counts"].dims == ("gamma", "beta", "outcome")
    assert data["counts"].sel(gamma=0.0, outcome="00").values.tolist() == [10, 10, 10]
    flipped = data["counts"].sel(gamma=math.pi, outcome="01")
    assert flipped.values.tolist() == [10, 10, 10]
    assert data["shots"].sum() == 60
    assert len(frame) == 6
    row = frame.set_index("key").loc[f"gamma={math.pi!r},beta=0.0"]
    assert row["counts"] == {"01": 10}


async def test_a_sweep_of_a_notebook_needs_no_block(null_service: LocalService):
    async with qawait.connect(iqm(null_service), pace=FAST) as client:
        sweep = await client.start_sweep([native()] * 5, shots=5)
        assert len([p async for p in sweep]) == 5
        await sweep.close()
        await sweep.close()


async def test_a_sweep_that_is_not_open_says_how_to_open_it(null_service: LocalService):
    async with qawait.connect(iqm(null_service), pace=FAST) as client:
        sweep = client.sweep([native()])
        with pytest.raises(errors.ConfigurationError, match="async with"):
            await anext(sweep)
        with pytest.raises(errors.ConfigurationError, match="async with"):
            await sweep.estimate()


def test_a_sweep_without_an_event_loop(null_service: LocalService):
    with (
        qawait.connect_sync(iqm(null_service), pace=FAST) as client,
        client.sweep({"a": native(), "b": native()}, shots=5) as sweep,
    ):
        assert sweep.estimate().circuits == 2
        assert sorted(point.key for point in sweep) == ["a", "b"]
        assert sweep.progress.ready == 2
        assert len(sweep.frame()) == 2
