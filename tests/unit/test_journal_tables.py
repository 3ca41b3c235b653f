"""A journal as tables, arrays and files, and the command that writes them."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from tests.journals import OWNER, intent, opened, point, result

from qawait import cli, errors
from qawait.journal import home, tables
from qawait.journal.places import Places
from qawait.journal.reading import Reading, read
from qawait.model import Delivery
from qawait.results import Result

KEYS = ["../a", "b", "CON", "d"]


async def fill(path: Path) -> None:
    """A sweep over two parameters with one point that failed, and a job apart."""
    points = tuple(
        point(key, gamma=float(n // 2), beta=(n % 2) / 4) for n, key in enumerate(KEYS)
    )
    async with opened(path) as journal:
        for name, chosen in (("s-1", points[:3]), ("s-2", points[3:])):
            keys = [p.key for p in chosen]
            await journal.intend(intent(name, *keys, points=chosen))
            await journal.sending(name)
            await journal.outcome(name, Delivery.ACCEPTED, f"job-{name}")
        await journal.ended("s-1", result("job-s-1", *KEYS[:3]))
        await journal.ended("s-2", errors.JobFailed("too wide", job_id="job-s-2"))
        await journal.intend(intent("apart"))
        await journal.outcome("apart", Delivery.ACCEPTED, "job-3")
        values = Result.of_expectations([("0", {"ZI": 0.5})], None, job_id="job-3")
        await journal.ended("apart", values)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "night.qawait"
    asyncio.run(fill(path))
    return path


@pytest.fixture
def reading(path: Path) -> Reading:
    return read(path)


def test_a_frame_has_a_row_for_each_point_and_each_circuit_without_one(
    reading: Reading,
):
    frame = reading.frame()
    assert list(frame["key"].fillna("-")) == [*KEYS, "-"]
    assert list(frame["gamma"])[:4] == [0.0, 0.0, 1.0, 1.0]
    assert frame["counts"][1] == result("job-s-1", *KEYS[:3])[1].counts()
    assert frame["error"][3] == "JobFailed: job job-s-2: too wide"
    assert frame["values"][4] == {"ZI": 0.5}


def test_a_dataset_lies_over_the_parameters(reading: Reading):
    dataset = reading.dataset()
    assert dict(dataset["counts"].sizes)["gamma"] == 2
    third = result("job-s-1", *KEYS[:3])[2].counts()
    cell = dataset["counts"].sel(gamma=1.0, beta=0.0)
    assert {k: int(cell.sel(outcome=k)) for k in third} == third
    assert int(cell.sum()) == 7
    assert int(dataset["counts"].sel(gamma=1.0, beta=0.25).sum()) == 0
    assert dataset["standing"].sel(gamma=1.0, beta=0.25).item() == "terminal"
    assert dataset["job_id"].sel(gamma=0.0, beta=0.25).item() == "job-s-1"


def test_points_that_make_no_grid_lie_beside_each_other(tmp_path: Path):
    async def scattered() -> None:
        points = tuple(point(f"k{n}", gamma=float(n), beta=n * n / 2) for n in range(9))
        async with opened(tmp_path / "j") as journal:
            await journal.intend(intent("s", *(p.key for p in points), points=points))
            await journal.sending("s")

    asyncio.run(scattered())
    dataset = read(tmp_path / "j").dataset()
    assert list(dataset["point"].values) == [f"k{n}" for n in range(9)]


def test_a_parquet_file_has_it_all(reading: Reading, tmp_path: Path):
    from pyarrow import parquet

    file = tmp_path / "out.parquet"
    assert tables.to_parquet(reading, file) == 5
    table = parquet.read_table(file).to_pylist()
    assert [row["key"] for row in table] == [*KEYS, None]
    assert dict(table[2]["counts"]) == result("job-s-1", *KEYS[:3])[2].counts()
    assert dict(table[2]["parameters"]) == {"gamma": 1.0, "beta": 0.0}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_numpy_files_are_named_by_number_whatever_the_keys_are(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "bits"
    assert cli.main(["journal", "export", str(path), str(out), "--as", "npy"]) == 0
    assert "5 lines" in capsys.readouterr().out
    names = sorted(file.name for file in out.iterdir())
    assert names == ["000000.npy", "000001.npy", "000002.npy", "points.jsonl"]
    text = (out / "points.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["key"] for line in lines] == [*KEYS, None]
    bits = np.load(out / lines[1]["bits"], allow_pickle=False)
    assert (bits == result("job-s-1", *KEYS[:3])[1].bits()).all()
    assert {stat.S_IMODE(f.stat().st_mode) for f in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".nc", ".zarr"])
def test_the_ending_says_what_is_written(
    path: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / f"out{ending}"
    assert cli.main(["journal", "export", str(path), str(out)]) == 0
    assert out.stat().st_size
    assert not stat.S_IMODE(out.stat().st_mode) & 0o077
    assert cli.main(["journal", "export", str(path), str(out)]) == 2
    assert "exists" in capsys.readouterr().err


def test_an_unknown_ending_is_an_error(path: Path, tmp_path: Path, capsys):
    assert cli.main(["journal", "export", str(path), str(tmp_path / "x.doc")]) == 2
    assert ".parquet" in capsys.readouterr().err


def test_ls_lists_what_was_sent(path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["journal", "ls", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "job-s-2" in shown
    assert "too wide" in shown
    assert cli.main(["journal", "ls", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["submissions"]
    assert [s["standing"] for s in found] == ["terminal"] * 3
    assert found[0]["points"] == KEYS[:3]


def test_verify_says_that_it_is_sound_or_what_is_not(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["journal", "verify", str(path)]) == 0
    assert "sound: 3 submissions, 2 results" in capsys.readouterr().out
    file = Places(path).results / "000001.seg"
    before = file.read_bytes()
    try:
        file.write_bytes(before[:-300])
        assert cli.main(["journal", "verify", str(path)]) == 1
        assert "no longer in the files of results" in capsys.readouterr().err
        damaged = bytearray(before)
        damaged[
            before.index(result("job-s-1", *KEYS[:3])[2].measured.packed.tobytes())
        ] ^= 4
        file.write_bytes(damaged)
        assert cli.main(["journal", "verify", str(path)]) == 1
    finally:
        file.write_bytes(before)
    capsys.readouterr()
    assert cli.main(["journal", "verify", str(tmp_path / "none")]) == 2
    assert "there is no journal" in capsys.readouterr().err


# --- those without a name -------------------------------------------------------------


def test_journals_without_a_name_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = home.fresh_path(home.journal_directory(), 1_772_600_767.0)
    assert path.name.startswith("20260304T050607-")
    asyncio.run(fill(path))
    assert home.journals(home.journal_directory()) == [path]
    assert cli.main(["journal", "ls", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["journals"]
    assert found == {
        "journal": str(path),
        "target": OWNER.target,
        "submissions": {"terminal": 3},
    }
    assert cli.main(["journal", "ls"]) == 0


def test_old_journals_go_and_those_with_something_open_stay(tmp_path: Path):
    async def make(name: str, *, end: bool) -> None:
        async with opened(tmp_path / name) as journal:
            await journal.intend(intent())
            await journal.sending("s-1")
            await journal.outcome("s-1", Delivery.ACCEPTED, "job")
            if end:
                await journal.ended("s-1", result("job"))

    asyncio.run(make("done", end=True))
    asyncio.run(make("open", end=False))
    (tmp_path / "other").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "journal.sqlite").write_text("mine")
    now = Places(tmp_path / "done").commits.stat().st_mtime
    assert home.remove_old(tmp_path, now + 29 * 86_400) == []
    assert home.remove_old(tmp_path, now + 31 * 86_400) == [tmp_path / "done"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"open", "other", "broken"}
