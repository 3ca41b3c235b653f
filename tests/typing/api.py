"""What users write, with the types they get; checked by pyright and never run."""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import qawait
from qawait import (
    Change,
    CircuitResult,
    Client,
    ExecutionConfig,
    IQMService,
    Job,
    JobFailed,
    Layout,
    QoroService,
    Result,
    RunResult,
    SimulationMethod,
    Simulator,
    State,
    Target,
)
from qawait.circuits import Compiled
from qawait.histograms import Histogram
from qawait.iqm import Circuit, Instruction, Options
from qawait.iqm.architecture import DynamicQuantumArchitecture
from qawait.iqm.run_result import Metadata
from qawait.shots import Shots

NATIVE = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))


async def connecting() -> None:
    async with qawait.connect() as client:
        assert_type(client, Client)
    service = IQMService("https://iqm.example", tokens_file=Path("tokens.json"))
    pace = qawait.Pace(max_staleness=5)
    client = await qawait.open(service, target="garnet", pace=pace)
    assert_type(client, Client)
    assert_type(client.target, Target)
    assert_type(await client.targets(), list[Target])
    assert_type(await client.architecture(), DynamicQuantumArchitecture | None)
    assert_type(client.usage.requests, int)
    assert_type(await client.close(), None)


async def submitting(client: Client) -> None:
    job = await client.submit("circuit.qasm", shots=100, tag="t")
    assert_type(job, Job)
    assert_type(await client.submit({"a": NATIVE, "b": NATIVE}), Job)
    assert_type(await client.submit([NATIVE], compile=False), Job)
    async with qawait.progress(await client.submit(NATIVE)):
        assert_type(await asyncio.create_task(client.submit(NATIVE)), Job)
    client.submit(NATIVE)  # pyright: ignore[reportUnusedCoroutine]
    options = Options(heralding_mode="zeros")
    assert_type(await client.submit(NATIVE, options=options), Job)
    assert_type(client.job("id"), Job)
    assert_type(await client.compile(NATIVE), list[Compiled])
    [template] = await client.compile(NATIVE)
    assert_type(template.bind({"theta": 0.5}, label="half"), Compiled)
    assert_type(await client.submit(template), Job)
    assert_type(await client.delete(job), None)


async def awaiting(job: Job) -> None:
    assert_type(await job, Result)
    assert_type(await job.result(timeout=60), Result)
    assert_type(job.state, State)
    assert_type(job.state == "ready", bool)
    assert_type(job.changes, tuple[Change, ...])
    async for change in job.transitions():
        assert_type(change, Change)
        assert_type(change.at, datetime | None)
        assert_type(change.seen_at, datetime)
    assert_type(await job.reached("pending execution"), Change)
    assert_type(await job.reached(State.READY), Change)
    assert_type(await job.cancel(), None)
    assert_type(job.queue_position, int | None)
    assert_type(job.exception(), qawait.Error | None)


async def awaiting_many(jobs: list[Job]) -> None:
    async for job in qawait.as_completed(jobs):
        assert_type(job, Job)
    async for job in qawait.as_completed(job for job in jobs):
        assert_type(job, Job)
    one, other = await asyncio.gather(jobs[0], jobs[1])
    assert_type(one, Result)
    assert_type(other, Result)
    assert_type(await asyncio.gather(*jobs), list[Result])
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert_type(outcomes, list[Result | BaseException])
    assert_type(await asyncio.wait_for(jobs[0], 60), Result)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        assert_type(group.create_task(jobs[0].result()), asyncio.Task[Result])


def reading(result: Result) -> None:
    assert_type(result[0], CircuitResult)
    assert_type(result["label"], CircuitResult)
    assert_type(result[1:3], tuple[CircuitResult, ...])
    assert_type([circuit.label for circuit in result], list[str])
    assert_type(result[0].counts(), dict[str, int])
    assert_type(result[0].counts("a", sep=" ", order="iqm"), dict[str, int])
    assert_type(result.counts("label"), dict[str, int])
    assert_type(result[0].probabilities(), dict[str, float])
    assert_type(result[0].bits(), NDArray[Any])
    assert_type(result[0].registers, dict[str, int])
    assert_type(result[0].layout, Layout | None)
    assert_type(result[0].shots, int | None)
    assert_type(result[0].marginal([2, 0]), CircuitResult)
    assert_type(result[0].postselect("a", "01"), CircuitResult)
    assert_type(result[0].expectation("IIZ"), tuple[float, float | None])
    assert_type(result[0].histogram(), Histogram)
    assert_type(result[0].histogram().counts, NDArray[np.int64])
    assert_type(result.measurements[0]["m"], NDArray[np.integer[Any]])
    assert_type(result.packed, list[NDArray[np.uint8]])
    assert_type(result[0].packed("a"), NDArray[np.uint8])
    assert_type(result.run_result, RunResult | None)
    assert_type(result.simulated, bool)
    assert_type(result.calibration_set_id, str | None)


def reading_the_wire_model(body: bytes) -> None:
    run = RunResult.decode(body)
    assert_type(RunResult.from_dict({"status": "ready"}), RunResult)
    assert_type(run.to_dict(), dict[str, Any])
    assert_type(run.status, str)
    assert_type(run.measurements, list[Shots] | None)
    assert_type(run.metadata, Metadata)


async def configuring(job: Job) -> None:
    config = ExecutionConfig(
        bond_dimension=8,
        simulator=Simulator.QiskitAer,
        simulation_method=SimulationMethod.MatrixProductState,
    )
    assert_type(config.override(ExecutionConfig()), ExecutionConfig)
    assert_type(config.to_payload(), dict[str, Any])
    assert_type(config.simulator, Simulator | None)
    service = QoroService(execution_config=config)
    assert_type(await service.set_execution_config(job, config), ExecutionConfig)
    assert_type(await service.get_execution_config(job), ExecutionConfig | None)


async def failing(job: Job) -> None:
    try:
        await job
    except qawait.SubmissionUncertain as error:
        assert_type(error.evidence, str)
    except JobFailed as error:
        assert_type(error.job_id, str | None)
        assert_type(error.raw, str | None)
    except qawait.RateLimited as error:
        assert_type(error.retry_after, float | None)
    except qawait.CircuitError as error:
        assert_type(error.circuit, str)


async def mistakes(client: Client) -> None:
    """If the checker let one pass, it would call the comment unnecessary."""
    qawait.conect()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    qawait.connect(tagret="garnet")  # pyright: ignore[reportCallIssue]
    await qawait.open(tagret="garnet")  # pyright: ignore[reportCallIssue]
    await client.submit(NATIVE, shots="100")  # pyright: ignore[reportArgumentType]
    with qawait.connect_sync(tagret="garnet"):  # pyright: ignore[reportCallIssue]
        pass


async def sweeping(client: Client) -> None:
    budget = qawait.Budget(jobs=5, shots=1_000, seconds=1.5, credits=2)
    async with client.sweep(
        NATIVE, {"a": [0.1]}, shots=5, budget=budget, on_exit="drain", ordered=True
    ) as sweep:
        assert_type(sweep, qawait.Sweep)
        assert_type((await sweep.estimate()).jobs, int)
        async for point in sweep:
            assert_type(point, qawait.Point)
            assert_type(point.result, CircuitResult | None)
            assert_type(point.error, qawait.Error | None)
            assert_type(point.retry(), bool)
        assert_type(sweep.progress.ready, int)
        assert_type(sweep.stopped, str | None)
    client.sweep(NATIVE, shotz=5)  # type: ignore[call-arg]
    assert_type(await client.start_sweep([NATIVE]), qawait.Sweep)
    assert_type(client.resume(Path("night.qawait")), qawait.Sweep)
