"""Reading without a lock: beside the program that writes, and after its death."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.journals import OWNER, intent, opened, result

import qawait
from qawait import errors
from qawait.journal.figures import Figure, Figures
from qawait.journal.reading import Reading, read
from qawait.journal.records import Standing
from qawait.journal.segments import Segment, SegmentWriter
from qawait.model import Delivery

A, U = Delivery.ACCEPTED, Delivery.UNKNOWN
FIGURES = Figures(
    calibration_set_id="c-7",
    metric_set_id="m-3",
    asked_at=datetime(2026, 3, 1, tzinfo=UTC),
    figures={
        "t1": Figure(
            value=4.5e-5,
            unit="s",
            uncertainty=1e-6,
            measured_at=datetime(2026, 2, 28, tzinfo=UTC),
        )
    },
)


async def fill(journal) -> None:
    for name, keys in (("done", ["a", "b"]), ("failed", ["c"]), ("open", ["d"])):
        await journal.intend(intent(name, *keys))
        await journal.sending(name)
        await journal.outcome(name, A, f"job-{name}")
    await journal.ended("done", result("job-done", "a", "b"))
    await journal.ended("failed", errors.JobFailed("too wide", job_id="job-failed"))
    await journal.intend(intent("unknown", "e"))
    await journal.sending("unknown")
    await journal.outcome("unknown", U, evidence="504")
    await journal.keep_figures(FIGURES)
    await journal.note("axes", ["gamma"])


def examine(reading: Reading) -> None:
    assert [(job.submission_id, job.standing.value) for job in reading.jobs] == [
        ("done", "terminal"),
        ("failed", "terminal"),
        ("open", "accepted"),
        ("unknown", "unknown"),
    ]
    assert list(reading.points) == ["a", "b", "c", "d", "e"]
    assert reading.points["b"].parameters == {"gamma": 1.0, "beta": 0.5}
    assert reading.points["b"].result() == result("job-done", "a", "b")["b"]
    assert isinstance(reading.points["c"].error, errors.JobFailed)
    with pytest.raises(errors.JobFailed, match="too wide"):
        reading.points["c"].result()
    with pytest.raises(errors.JournalError, match="it is accepted"):
        reading.points["d"].result()
    assert reading.points["d"].job_id == "job-open"
    [unknown] = reading.unknown
    assert unknown.evidence == "504"
    assert reading.tally.jobs[Standing.TERMINAL] == 2
    assert reading.tally.spent_shots == 35
    assert reading.identity == OWNER
    assert reading.notes == {"axes": ["gamma"]}
    assert reading.figures == [FIGURES]
    assert {job.calibration_set_id for job in reading.jobs} == {"c-7"}
    assert all(job.figures == FIGURES.figures for job in reading.jobs)


async def test_a_live_journal_is_read_beside_its_owner(tmp_path: Path):
    """Its unfinished jobs are a second old at most; wait for the status file only."""
    path = tmp_path / "j"
    async with opened(path) as journal:
        await fill(journal)
        with anyio.fail_after(20):
            reading = await anyio.to_thread.run_sync(read, path)
            while len(reading.jobs) < 4 or not reading.notes:
                await anyio.to_thread.run_sync(reading.refresh)
        assert reading.alive
        await anyio.to_thread.run_sync(examine, reading)


async def test_a_finished_result_is_seen_at_once(tmp_path: Path):
    """It lies in a file that only grows; the status file is not waited for."""
    async with opened(tmp_path / "j") as journal:
        reading = await anyio.to_thread.run_sync(read, tmp_path / "j")
        await fill(journal)
        await anyio.to_thread.run_sync(reading.refresh)
        assert {"a", "b", "c"} <= reading.points.keys()


async def test_a_journal_of_a_dead_process_is_read_unchanged(tmp_path: Path):
    path = tmp_path / "j"
    async with opened(path) as journal:
        await fill(journal)
    (path / "status.json").unlink()

    def look() -> None:
        before = {f: f.read_bytes() for f in path.rglob("*") if f.is_file()}
        reading = qawait.read(path)
        assert not reading.alive
        examine(reading)
        assert {f: f.read_bytes() for f in path.rglob("*") if f.is_file()} == before

    await anyio.to_thread.run_sync(look)


async def test_reading_does_not_keep_a_program_from_opening(tmp_path: Path):
    async with opened(tmp_path / "j"):
        pass
    for _ in range(20):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, read, tmp_path / "j")
            async with opened(tmp_path / "j"):
                pass


async def test_results_stay_on_the_disk(tmp_path: Path):
    """A view of the file, and no copy of it."""
    async with opened(tmp_path / "j") as journal:
        await fill(journal)

    def look() -> None:
        reading = read(tmp_path / "j")
        packed = reading.points["a"].result().measured.packed
        assert not packed.flags.owndata
        assert not packed.flags.writeable
        file = tmp_path / "j" / "results" / "000001.seg"
        content = bytearray(file.read_bytes())
        place = content.index(packed.tobytes())
        before = packed[0, 0]
        with file.open("r+b") as stream:
            stream.seek(place)
            stream.write(bytes([before ^ 1]))
        assert packed[0, 0] == before ^ 1

    await anyio.to_thread.run_sync(look)


async def test_results_are_left_where_the_database_is_lost(tmp_path: Path):
    async with opened(tmp_path / "j") as journal:
        await fill(journal)

    def look() -> None:
        (tmp_path / "j" / "journal.sqlite").unlink()
        reading = read(tmp_path / "j")
        assert list(reading.points) == ["a", "b", "c"]
        assert reading.points["a"].result() == result("job-done", "a", "b")["a"]
        assert reading.identity is None

    await anyio.to_thread.run_sync(look)


def test_nothing_is_not_a_journal(tmp_path: Path):
    with pytest.raises(errors.JournalError, match="there is no journal"):
        read(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


async def test_many_files_of_results_are_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from qawait.journal import segments

    monkeypatch.setattr(segments, "LARGEST", 1_000)
    async with opened(tmp_path / "j") as journal:
        for n in range(9):
            await journal.intend(intent(f"s-{n}", f"k{n}"))
            await journal.sending(f"s-{n}")
            await journal.outcome(f"s-{n}", A, f"job-{n}")
            await journal.ended(f"s-{n}", result(f"job-{n}", f"k{n}", flip=n))
        assert await journal.result("s-2") == result("job-2", "k2", flip=2)
    async with opened(tmp_path / "j") as journal:
        assert await journal.result("s-8") == result("job-8", "k8", flip=8)

    def look() -> None:
        assert len(segments.segments_in(tmp_path / "j" / "results")) > 3
        found = [p.result() for p in read(tmp_path / "j")]
        assert found == [result(f"job-{n}", f"k{n}", flip=n)[0] for n in range(9)]

    await anyio.to_thread.run_sync(look)


async def test_what_an_earlier_program_said_is_not_taken_for_the_present(
    tmp_path: Path,
):
    async with opened(tmp_path / "j") as journal:
        await fill(journal)
        status = tmp_path / "j" / "status.json"

        def stale() -> None:
            read(tmp_path / "j")
            said = status.read_bytes()
            status.write_bytes(said.replace(b'"pid":', b'"pid":1'))

        await anyio.to_thread.run_sync(stale)
        await journal.note("later", 1)
        reading = await anyio.to_thread.run_sync(read, tmp_path / "j")
        assert reading.notes == {"axes": ["gamma"], "later": 1}


def test_what_is_cut_off_while_it_is_read_was_the_end(tmp_path: Path):
    """A mapped page that is cut off would end the process that reads."""
    writer = SegmentWriter(tmp_path, 1, 0)
    first, second, _ = (writer.append(b"text", [bytes(1 << 16)]) for _ in range(3))
    writer.close()
    segment = Segment(tmp_path, 1)
    found = segment.slots()
    assert next(found) == (first, b"text")
    SegmentWriter(tmp_path, 1, first.end).close()
    assert list(found) == []
    assert not segment.is_whole(second, b"text")
    with pytest.raises(
        errors.JournalCorrupt, match=f"the record at {second.at} is damaged"
    ):
        segment.read(second)
    assert bytes(segment.read(first)[1]) == bytes(1 << 16)
