"""Sweeps with a journal on the disk: interrupted, run again, gone on with."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qawait
from qawait import Budget, IQMService, errors
from qawait.iqm import Circuit, Instruction
from tests.service.running import LocalService, running, submissions

FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
ROOT = Path(__file__).parents[2]


def native(angle: float = math.pi) -> Circuit:
    return Circuit(
        "c",
        (
            Instruction("prx", ("QB1",), {"angle": angle, "phase": 0.0}),
            Instruction("measure", ("QB1", "QB2"), {"key": "m"}),
        ),
    )


def turning(name: str = "turning") -> QuantumCircuit:
    gamma, beta = Parameter("gamma"), Parameter("beta")
    circuit = QuantumCircuit(2, 2, name=name)
    circuit.rx(gamma + beta, 0)
    circuit.measure([0, 1], [0, 1])
    return circuit


def iqm(local: LocalService) -> IQMService:
    return IQMService(local.url, token=local.token)


async def test_the_same_program_again_takes_what_is_finished_from_the_journal(
    counted: LocalService, tmp_path: Path
):
    """A grid that has grown sends only what is new; nothing is sent twice."""
    journal = tmp_path / "night.qawait"
    found: list[dict[str, Any]] = []
    for betas in ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0, 2.0]):
        grid = {"gamma": [0.1, 0.2, 0.3], "beta": betas}
        async with (
            qawait.connect(iqm(counted), pace=FAST) as client,
            client.sweep(turning(), grid, shots=20, journal=journal) as sweep,
        ):
            estimate = await sweep.estimate()
            points = [p async for p in sweep]
            assert all(p.error is None for p in points)
            assert estimate.recorded == sum(p.recorded for p in points)
            assert estimate.circuits == sum(not p.recorded for p in points)
            found.append({p.key: p.result for p in points})
            recorded = sum(p.recorded for p in points)
            sent = sum(one["circuits"] for one in await submissions(counted))
            assert (len(points), recorded, sent) == [(6, 0, 6), (6, 6, 6), (9, 6, 9)][
                len(found) - 1
            ]
    for key, result in found[0].items():
        assert found[1][key] == found[2][key] == result


async def test_results_are_read_without_a_network_and_a_token(
    counted: LocalService, tmp_path: Path
):
    journal = tmp_path / "night.qawait"
    grid = {"gamma": [0.0, 1.0], "beta": [0.0, 2.0]}
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep(turning(), grid, shots=20, journal=journal) as sweep,
    ):
        data = await sweep.dataset()
    read = await anyio.to_thread.run_sync(lambda: qawait.read(journal).dataset())
    assert read["counts"].dims == data["counts"].dims == ("gamma", "beta", "outcome")
    assert (read["counts"] == data["counts"]).all()


async def test_results_on_the_disk_are_not_kept_in_memory(
    counted: LocalService, tmp_path: Path
):
    """What comes out are views of the journal's files, if that is less than the data."""
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep([native()] * 3, shots=5000, journal=tmp_path / "j") as sweep,
    ):
        points = [p async for p in sweep]
    for point in points:
        assert point.result is not None
        base: Any = point.result.measured.packed
        while not isinstance(base, memoryview):
            base = base.base
        assert isinstance(base.obj, mmap.mmap)


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ({"gamma": [0.1], "beta": [0.5]}, {"shots": 21}),
        (
            {"gamma": [0.1], "beta": [0.5]},
            {"options": qawait.iqm.Options(heralding_mode="zeros")},
        ),
    ],
)
async def test_the_same_key_with_other_content_is_an_error_that_names_it(
    counted: LocalService, tmp_path: Path, changed: Any, options: Any
):
    journal = tmp_path / "j"
    grid = {"gamma": [0.1], "beta": [0.5]}
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep(turning(), grid, shots=20, journal=journal) as sweep,
    ):
        await sweep.finish()
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep(
            turning(), changed, **({"shots": 20, "journal": journal} | options)
        ) as sweep,
    ):
        with pytest.raises(errors.PointMismatch, match=r"gamma=0\.1,beta=0\.5"):
            await sweep.finish()
    assert len(await submissions(counted)) == 1


async def test_a_point_is_its_source_and_not_what_it_was_compiled_to(
    counted: LocalService, tmp_path: Path
):
    """Another seed compiles to another circuit, and another name says nothing."""
    for seed, name in ((0, "turning"), (7, "renamed")):
        async with (
            qawait.connect(iqm(counted), pace=FAST) as client,
            client.sweep(
                turning(name),
                {"gamma": [0.1], "beta": [0.5]},
                shots=20,
                seed=seed,
                journal=tmp_path / "j",
            ) as sweep,
        ):
            await sweep.finish()
            assert sweep.progress.recorded == (seed == 7)
    assert len(await submissions(counted)) == 1


async def test_an_uncertain_point_is_told_again_and_never_sent_again(tmp_path: Path):
    with running("--null", "--faults", "drop_reply:#1@submit") as local:
        for run in range(2):
            async with (
                qawait.connect(iqm(local), pace=FAST) as client,
                client.sweep([native()] * 2, shots=5, journal=tmp_path / "j") as sweep,
            ):
                points = [p async for p in sweep]
            assert all(p.uncertain for p in points)
            error = points[0].error
            assert isinstance(error, errors.SubmissionUncertain)
            assert error.evidence
            assert error.resume == f"qawait resume {tmp_path / 'j'}"
            assert all(p.recorded == (run == 1) for p in points)
        assert len(await submissions(local)) == 1


async def test_a_budget_is_kept_over_restarts(counted: LocalService, tmp_path: Path):
    sizes: list[int] = []
    for _ in range(2):
        async with (
            qawait.connect(iqm(counted), pace=FAST) as client,
            client.sweep(
                (native() for _ in range(100)),
                shots=10,
                batch=4,
                max_in_flight=16,
                journal=tmp_path / "j",
                budget=Budget(shots=90),
            ) as sweep,
        ):
            await sweep.finish()
            assert sweep.stopped is not None
        sizes.append(sum(one["circuits"] for one in await submissions(counted)))
    assert sizes == [9, 9]


async def test_unknown_submissions_count_as_spent_over_restarts(tmp_path: Path):
    with running("--null", "--faults", "drop_reply:#1@submit") as local:
        for run in range(2):
            async with (
                qawait.connect(iqm(local), pace=FAST) as client,
                client.sweep(
                    (native() for _ in range(10)),
                    shots=5,
                    batch=1,
                    journal=tmp_path / "j",
                    budget=Budget(jobs=1 + run),
                ) as sweep,
            ):
                await sweep.finish()
                assert sweep.stopped is not None
            assert len(await submissions(local)) == 1 + run


async def test_sweeps_share_the_journal_of_their_client(
    counted: LocalService, tmp_path: Path
):
    """Two lists both have a point "0"; run again, each finds its own."""
    for run in range(2):
        async with qawait.connect(
            iqm(counted), pace=FAST, journal=tmp_path / "j"
        ) as client:
            for angle in (0.1, 0.2):
                circuits = [native(angle), native(angle + 0.01)]
                async with client.sweep(circuits, shots=5) as sweep:
                    points = [p async for p in sweep]
                    assert {p.key for p in points} == {"0", "1"}
                    assert all(p.recorded == (run == 1) for p in points)
                    assert all(p.result is not None for p in points)
    reading = await anyio.to_thread.run_sync(qawait.read, tmp_path / "j")
    assert set(reading.points) == {"0", "1", "2/0", "2/1"}
    assert len(reading.jobs) == len(await submissions(counted)) == 2


async def test_a_client_goes_on_with_its_own_journal(
    counted: LocalService, tmp_path: Path
):
    journal = tmp_path / "j"
    async with qawait.connect(iqm(counted), pace=FAST, journal=journal) as client:
        async with client.sweep([native()], shots=5, journal=journal) as sweep:
            await sweep.finish()
        async with client.resume(journal) as sweep:
            assert [p async for p in sweep] == []


async def test_a_second_program_is_refused(counted: LocalService, tmp_path: Path):
    async with (
        qawait.connect(iqm(counted), pace=FAST) as client,
        client.sweep([native()], journal=tmp_path / "j"),
    ):
        second = client.sweep([native()], journal=tmp_path / "j")
        with pytest.raises(errors.JournalLocked), anyio.fail_after(1):
            await second.start()


async def test_a_failed_point_may_be_retried_with_a_journal(tmp_path: Path):
    with running("--null", "--faults", "400:#1@submit") as local:
        async with (
            qawait.connect(iqm(local), pace=FAST) as client,
            client.sweep([native()], shots=5, journal=tmp_path / "j") as sweep,
        ):
            found = []
            async for point in sweep:
                found.append(type(point.error).__name__)
                point.retry()
        assert found == ["SubmissionRejected", "NoneType"]


# --- Ctrl-C ---------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
import qawait
from qawait.iqm import Circuit, Instruction

url, token, journal = sys.argv[1:]
circuit = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))
pace = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)

async def main():
    service = qawait.IQMService(url, token=token)
    async with qawait.connect(service, pace=pace) as client:
        circuits = (circuit for _ in range(10_000))
        async with client.sweep(
            circuits, shots=5, batch=1, max_in_flight=6, journal=journal
        ) as sweep:
            async for point in sweep:
                print(point.key, point.error, flush=True)
    print("fell through", flush=True)

asyncio.run(main())
"""


@contextlib.contextmanager
def program(local: LocalService, journal: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, local.url, local.token, str(journal)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ledger(local: LocalService) -> list[dict[str, Any]]:
    import urllib.request

    request = urllib.request.Request(
        f"{local.url}/_ledger", headers={"Authorization": f"Bearer {local.token}"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["submissions"]


def test_the_first_interrupt_drains_and_says_how_to_go_on(tmp_path: Path):
    with running("--null", "--service-time", "0.3s", "--servers", "2") as local:
        with program(local, tmp_path / "j") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            # not communicate(): it does not see the lines that came with the first
            out = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out += process.stdout.read()
            err = process.stderr.read()
            process.wait()
        assert process.returncode == -signal.SIGINT
        assert "fell through" not in out
        assert f"qawait resume {tmp_path / 'j'}" in err
        reading = qawait.read(tmp_path / "j")
        assert len(out.splitlines()) == len(reading.points) == len(ledger(local))
        assert all(point.has_result for point in reading.points.values())


def test_the_second_interrupt_leaves_at_once_with_nothing_uncertain(tmp_path: Path):
    with running("--null", "--service-time", "60s", "--servers", "2") as local:
        with program(local, tmp_path / "j") as process:
            while len(ledger(local)) < 6:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert "Interrupted" in process.stderr.readline()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            out, err = process.stdout.read(), process.stderr.read()
            process.wait()
            took = time.monotonic() - began
        assert "fell through" not in out
        assert "Left: 6 jobs go on" in err
        assert process.returncode == -signal.SIGINT
        assert took < 2
        reading = qawait.read(tmp_path / "j")
        assert not reading.unknown
        assert {job.standing for job in reading.jobs} == {"accepted"}
        assert len(reading.jobs) == len(ledger(local)) == 6
