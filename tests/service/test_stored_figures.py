"""Calibration, quality figures and settings of the time lie beside what was measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

import qawait
from qawait.iqm import Circuit, Instruction, Options
from qawait.journal.figures import Figure, Figures, that_held
from qawait.journal.reading import Reading, read
from qawait.testing import LocalService, run_virtual, service
from tests.service.running import LocalService as RealService

NATIVE = Circuit("c", (Instruction("measure", ("QB2", "QB5"), {"key": "m"}),))
QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
T1 = "characterization.model.QB7.t1_time"
CZ = "metrics.irb.cz.tgss.QB1__QB2.fidelity:par=d2"
PATHS = {"v1": "/cocos", "v2": "", "station": "/station", "server": ""}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def metrics_asked(there: LocalService) -> int:
    """How often the service was asked for quality metrics."""
    return sum("metrics" in asked["path"] for asked in there.ledger()["requests"])


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_job_has_the_figures_of_its_calibration_set_in_every_dialect(
    dialect: str, null_service: RealService, tmp_path: Path
):
    there = qawait.IQMService(
        null_service.url + PATHS[dialect], token=null_service.token, dialect=dialect
    )
    path = tmp_path / "j"
    async with qawait.connect(there, journal=path) as client:
        await (await client.submit(NATIVE, shots=3))
        quality = await client.quality_metrics()
    [job] = (await anyio.to_thread.run_sync(read, path)).jobs
    assert job.calibration_set_id == quality.calibration_set_id
    assert job.figures[T1].value == quality.t1("QB7")
    assert job.figures[T1].unit == "s"
    assert job.figures[T1].uncertainty == pytest.approx(quality.t1("QB7") / 25)
    assert job.figures[T1].measured_at == quality.created_at
    assert job.figures[CZ].value == quality.fidelity("cz", "QB1", "QB2")
    assert job.figures[CZ].unit == ""


def test_many_submissions_and_a_sweep_ask_once_for_ten_minutes(tmp_path: Path):
    async def world() -> tuple[int, int]:
        async with (
            service(service_time=5.0) as there,
            qawait.connect(there.iqm, journal=tmp_path / "j") as client,
        ):
            await (await client.submit(NATIVE, shots=3))
            await (await client.submit(NATIVE, shots=3))
            async with client.sweep([NATIVE] * 3, shots=3) as sweep:
                await sweep.finish()
            at_first = metrics_asked(there)
            await anyio.sleep(601)
            await (await client.submit(NATIVE, shots=3))
            return at_first, metrics_asked(there)

    assert run_virtual(world) == (1, 2)
    reading = read(tmp_path / "j")
    assert len(reading.jobs) >= 4
    assert all(job.figures[T1].unit == "s" for job in reading.jobs)
    # they have not changed, so they are not written again
    assert len(reading.figures) == 1


@pytest.mark.parametrize("fault", ["404", "500", "401", "hang", "html", "malformed"])
def test_figures_that_cannot_be_read_are_none_and_neither_delay_nor_fail_anything(
    fault: str, tmp_path: Path
):
    async def world() -> tuple[float, int]:
        # the fourth question of this kind is the one for metrics
        async with service(faults=f"{fault}:#4-99@other") as there:
            async with qawait.connect(there.iqm, journal=tmp_path / "j") as client:
                before = anyio.current_time()
                for _ in range(3):
                    await client.submit(NATIVE, shots=3)
                took = anyio.current_time() - before
            return took, len(there.ledger()["faults"])

    took, asked = run_virtual(world)
    assert took < 1
    # nor is a question that failed asked again with every submission
    assert asked == 1
    jobs = read(tmp_path / "j").jobs
    assert len(jobs) == 3
    assert [dict(job.figures) for job in jobs] == [{}] * 3
    assert all(job.calibration_set_id for job in jobs)


def test_a_service_without_calibration_sets_is_not_asked(tmp_path: Path):
    async def world() -> int:
        async with (
            service() as there,
            qawait.connect(there.qoro, journal=tmp_path / "j") as client,
        ):
            await (await client.submit(QASM, shots=3))
            return metrics_asked(there)

    assert run_virtual(world) == 0
    [job] = read(tmp_path / "j").jobs
    assert (job.calibration_set_id, dict(job.figures)) == (None, {})


def test_without_a_journal_on_the_disk_nobody_asks():
    async def world() -> int:
        async with service() as there, qawait.connect(there.iqm) as client:
            await (await client.submit(NATIVE, shots=3))
            return metrics_asked(there)

    assert run_virtual(world) == 0


def test_a_program_that_leaves_at_once_has_its_figures_all_the_same(tmp_path: Path):
    """The journal is held open for a moment while the answer is on its way."""

    async def world() -> None:
        async with (
            service(faults="slow:500ms:#4@other") as there,
            qawait.connect(there.iqm, journal=tmp_path / "j") as client,
        ):
            await client.submit(NATIVE, shots=3)

    run_virtual(world)
    [job] = read(tmp_path / "j").jobs
    assert job.figures[T1].value > 0


def test_a_sweep_into_its_own_journal_has_figures_too(tmp_path: Path):
    async def world() -> None:
        async with (
            service() as there,
            qawait.connect(there.iqm) as client,
            client.sweep([NATIVE], shots=3, journal=tmp_path / "s") as sweep,
        ):
            await sweep.finish()

    run_virtual(world)
    [job] = read(tmp_path / "s").jobs
    assert job.figures[T1].unit == "s"


def test_a_plain_submit_has_its_settings_in_the_journal(tmp_path: Path):
    async def world() -> None:
        async with (
            service() as there,
            qawait.connect(there.iqm, journal=tmp_path / "j") as client,
        ):
            options = Options(max_circuit_duration_over_t2=0.25)
            await client.submit(
                NATIVE, shots=3, seed=11, optimization_level=1, options=options
            )

    run_virtual(world)
    [job] = read(tmp_path / "j").jobs
    assert job.settings["dialect"] == "server"
    assert job.settings["shots"] == 3
    assert job.settings["seed"] == 11
    assert job.settings["optimization_level"] == 1
    assert job.settings["compile"] is True
    assert job.settings["options"]["max_circuit_duration_over_t2"] == 0.25


# --- which figures held ---------------------------------------------------------------


def figures(hour: int, value: float, calibration: str = "c-1") -> Figures:
    return Figures(
        calibration_set_id=calibration,
        asked_at=NOON + timedelta(hours=hour),
        figures={"t1": Figure(value=value, unit="s")},
    )


@pytest.mark.parametrize(
    ("calibration", "hour", "value"),
    [
        ("c-1", 0, 1.0),
        ("c-1", 1, 1.0),
        ("c-1", 2, 2.0),
        ("c-1", 30, 2.0),
        ("c-1", -1, 1.0),
        ("c-2", 30, 7.0),
        ("c-3", 1, None),
        (None, 1, None),
    ],
)
def test_those_that_were_asked_for_last_before_it_was_sent_held(
    calibration: str | None, hour: int, value: float | None
):
    known = [figures(0, 1.0), figures(1, 7.0, "c-2"), figures(2, 2.0)]
    held = that_held(known, calibration, NOON + timedelta(hours=hour))
    assert (None if held is None else held.figures["t1"].value) == value


# --- exported -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    path = tmp_path_factory.mktemp("figures") / "j"

    async def world() -> None:
        async with (
            service() as there,
            qawait.connect(there.iqm) as client,
            client.sweep({"a": NATIVE}, shots=3, journal=path) as sweep,
        ):
            await sweep.finish()

    run_virtual(world)
    return read(path)


def test_a_parquet_file_has_the_calibration_set_and_its_figures(
    reading: Reading, tmp_path: Path
):
    from pyarrow import parquet

    from qawait.journal import tables

    tables.to_parquet(reading, tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    [row] = table.to_pylist()
    assert row["calibration_set_id"] == reading.jobs[0].calibration_set_id
    [told] = json.loads(table.schema.metadata[b"figures"])
    assert told["calibration_set_id"] == row["calibration_set_id"]
    assert told["figures"][T1]["unit"] == "s"


def test_numpy_files_and_arrays_have_the_figures(reading: Reading, tmp_path: Path):
    from qawait.journal import tables

    tables.to_npy(reading, tmp_path / "bits")
    [told] = json.loads((tmp_path / "bits" / "figures.json").read_bytes())
    assert told["figures"][T1]["value"] == reading.jobs[0].figures[T1].value
    assert json.loads(reading.dataset().attrs["figures"]) == [told]
    [identity] = reading.frame()["calibration_set_id"]
    assert identity == told["calibration_set_id"]
