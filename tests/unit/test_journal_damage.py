"""Damaged, strange, older and newer journals: brought up to date, or refused by name."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest
from tests.journals import OWNER, intent, point, result

from qawait import errors
from qawait.journal import schema
from qawait.journal.opening import Opened, open_files
from qawait.journal.records import Recorded
from qawait.journal.rows import Row
from qawait.journal.writer import Order, transact
from qawait.model import Delivery

SEED = 20261121
KEYS = [f"key {n}" for n in range(60)]


def fill(opened: Opened) -> None:
    orders: list[Order] = []
    for n in range(0, 60, 3):
        name, keys = f"s-{n}", KEYS[n : n + 3]

        def act(store, name=name, keys=keys, n=n) -> None:
            store.intend(intent(name, *keys, settings={"text": "x" * 400}))
            store.sending(name)
            store.outcome(name, Delivery.ACCEPTED, f"job-{name}", "")
            if n % 2:
                store.ended(name, result(f"job-{name}", *keys), ())

        orders.append(Order(act))
    settled = transact(opened.connection, opened.store, opened.segments, orders)
    assert [done.error for done in settled if done.error] == []


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "j"
    opened = open_files(path, OWNER)
    fill(opened)
    opened.close()
    return path


def content(path: Path) -> list[Recorded]:
    """Everything a journal knows; raises if it refuses."""
    opened = open_files(path, OWNER)
    try:
        rows: list[Row] = opened.store.rows()
        found = opened.store.find(
            [
                p
                for row in rows
                for p in intent("", *KEYS).points
                if p in row.sent.points
            ]
        )
        assert all(found)
        return [row.recorded() for row in rows]
    finally:
        opened.close()


def refused(path: Path, whole: list[Recorded]) -> bool:
    """Whether it is refused by name; if not, nothing may be missing."""
    try:
        left = content(path)
    except errors.JournalError:
        return True
    assert left == whole, "neither whole nor refused"
    return False


def copy_of(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_journal_cut_anywhere_is_refused_and_never_begun_anew(
    sound: Path, tmp_path: Path
):
    path = copy_of(sound, tmp_path)
    file = path / "journal.sqlite"
    whole, bytes_ = content(path), file.read_bytes()
    assert len(bytes_) > 40_000
    for length in range(0, len(bytes_), 512):
        file.write_bytes(bytes_[:length])
        if refused(path, whole):
            assert file.stat().st_size == length, "left as it is"
        else:
            assert length > len(bytes_) - 4096, "only padding was cut"
    file.unlink()
    assert refused(path, whole), "gone, with results beside it"
    assert not file.exists()


def test_flipped_bytes_are_refused_or_change_nothing(sound: Path, tmp_path: Path):
    path = copy_of(sound, tmp_path)
    file = path / "journal.sqlite"
    whole, bytes_ = content(path), file.read_bytes()
    random = Random(SEED)
    refusals = 0
    for _ in range(600):
        damaged = bytearray(bytes_)
        for _ in range(random.choice([1, 1, 1, 8])):
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        file.write_bytes(damaged)
        (path / "journal.sqlite-wal").unlink(missing_ok=True)
        refusals += refused(path, whole)
    assert refusals > 100, f"seed {SEED}"


def test_results_cut_anywhere_are_refused(sound: Path, tmp_path: Path):
    path = copy_of(sound, tmp_path)
    file = path / "results" / "000001.seg"
    whole, bytes_ = content(path), file.read_bytes()
    for length in range(0, len(bytes_), 512):
        file.write_bytes(bytes_[:length])
        assert refused(path, whole)
        assert file.stat().st_size == length
    file.unlink()
    assert refused(path, whole)


def test_damaged_results_are_noticed_when_they_are_read(sound: Path, tmp_path: Path):
    from qawait.journal.reading import read

    path = copy_of(sound, tmp_path)
    file = path / "results" / "000001.seg"
    bytes_ = file.read_bytes()
    whole = [job.result() for job in read(path).jobs if job.has_result]
    random = Random(SEED)
    noticed = 0
    for _ in range(200):
        damaged = bytearray(bytes_)
        damaged[random.randrange(32, len(damaged))] ^= 1 << random.randrange(8)
        file.write_bytes(damaged)
        try:
            left = [job.result() for job in read(path).jobs if job.has_result]
        except errors.JournalError:
            noticed += 1
            continue
        if left != whole:
            # what follows the damage cannot be found; the database says that it was
            assert left == whole[: len(left)]
            assert refused_by_verify(path)
            noticed += 1
    assert noticed > 150, f"seed {SEED}"


def refused_by_verify(path: Path) -> bool:
    from qawait.journal.verifying import verify

    return bool(verify(path))


def changed(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path / "journal.sqlite", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON facts BEGIN DELETE FROM submissions; END",
        "CREATE VIEW v AS SELECT * FROM facts",
        "CREATE TABLE more (x)",
        "CREATE INDEX i ON points (place)",
        "DROP TABLE anomalies",
        "ALTER TABLE points ADD COLUMN more",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 0",
    ],
)
def test_what_is_not_a_journals_own_schema_is_refused(
    sound: Path, tmp_path: Path, statement: str
):
    path = copy_of(sound, tmp_path)
    changed(path, statement)
    with pytest.raises(errors.JournalCorrupt):
        open_files(path, OWNER)


def test_a_newer_journal_is_refused_by_name_and_left_alone(sound: Path, tmp_path: Path):
    path = copy_of(sound, tmp_path)
    changed(path, "PRAGMA user_version = 2")
    before = (path / "journal.sqlite").read_bytes()
    with pytest.raises(errors.JournalTooNew, match=r"of version 2.*up to 1: update"):
        open_files(path, OWNER)
    assert (path / "journal.sqlite").read_bytes() == before


def test_an_older_journal_is_brought_up_to_date(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = copy_of(sound, tmp_path)
    whole = content(path)
    added = "CREATE TABLE later (x)"
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setitem(schema.MIGRATIONS, 1, (added,))
    monkeypatch.setitem(schema.SCHEMA, "later", added)
    assert content(path) == whole
    assert content(path) == whole, "once is enough"


def test_the_journal_of_the_first_version_opens(tmp_path: Path):
    """One that was written by the version that introduced it."""
    kept = Path(__file__).parents[1] / "data" / "journal" / "v1"
    path = tmp_path / "j"
    shutil.copytree(kept, path)
    assert [recorded.job_id for recorded in content(path)][:2] == ["job-s-0", "job-s-3"]
    opened = open_files(path, OWNER)
    [found] = opened.store.find([point(KEYS[0], gamma=0.0, beta=0.0)])
    opened.close()
    assert found is not None


@pytest.mark.parametrize("there", ["file", "other files", "text", "other database"])
def test_what_is_not_a_journal_is_not_touched(tmp_path: Path, there: str):
    path = tmp_path / "j"
    if there == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        file = path / ("notes.txt" if there == "other files" else "journal.sqlite")
        if there == "other database":
            changed(path, "CREATE TABLE mine (x)")
        else:
            file.write_text("mine, and quite long enough " * 40)
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    with pytest.raises(errors.JournalCorrupt):
        open_files(path, OWNER)
    assert {f: f.read_bytes() for f in before} == before


def test_an_opening_that_was_cut_short_is_begun_again(tmp_path: Path):
    path = tmp_path / "j"
    (path / "results").mkdir(parents=True)
    (path / "unfinished.sqlite").write_bytes(b"half")
    # killed while the tables were written: SQLite's own journal of that lies beside it
    (path / "unfinished.sqlite-journal").write_bytes(b"half")
    (path / "lock").touch()
    open_files(path, OWNER).close()
    assert not list(path.glob("unfinished*"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE submissions SET job_id = 'another' WHERE number = 2",
        "UPDATE submissions SET standing = 'rejected' WHERE number = 2",
        "UPDATE submissions SET shots = 1 WHERE number = 2",
        "UPDATE intents SET sent = (SELECT sent FROM intents WHERE number = 3)",
        "UPDATE points SET key = 'another' WHERE key = 'key 3'",
        "UPDATE points SET submission = 3 WHERE key = 'key 3'",
        "UPDATE points SET place = 2 WHERE key = 'key 3'",
        "DELETE FROM points WHERE key = 'key 3'",
        "UPDATE facts SET value = x'c0' WHERE name = 'identity'",
    ],
)
def test_a_row_that_is_not_what_was_written_is_refused(
    sound: Path, tmp_path: Path, statement: str
):
    """SQLite keeps no checksums of its own; a point that is lost would be sent twice."""
    path = copy_of(sound, tmp_path)
    changed(path, statement)
    with pytest.raises(errors.JournalCorrupt):
        open_files(path, OWNER)


def test_a_flipped_bit_among_the_shots_is_noticed(sound: Path, tmp_path: Path):
    from qawait.journal.reading import read

    path = copy_of(sound, tmp_path)
    [job, *_] = [job for job in read(path).jobs if job.has_result]
    shots = job.result()[1].measured.packed.tobytes()
    file = path / "results" / "000001.seg"
    content = bytearray(file.read_bytes())
    content[content.index(shots)] ^= 1
    file.write_bytes(content)
    with pytest.raises(errors.JournalCorrupt, match="not what was written"):
        [job.result() for job in read(path).jobs if job.has_result]


def test_a_file_that_others_can_read_is_closed_to_them(sound: Path, tmp_path: Path):
    path = copy_of(sound, tmp_path)
    (path / "results").chmod(0o755)
    (path / "results" / "000001.seg").chmod(0o644)
    open_files(path, OWNER).close()
    assert (path / "results").stat().st_mode & 0o777 == 0o700
    assert (path / "results" / "000001.seg").stat().st_mode & 0o777 == 0o600
