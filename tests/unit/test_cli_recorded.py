"""`qawait jobs`, `explain` and `status` of journals: no network, no token, no lock."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from msgspec.structs import replace
from tests.journals import OWNER, intent, opened, result

from qawait import errors
from qawait._resuming import Resuming
from qawait.cli import main
from qawait.cli.recorded import age
from qawait.journal.file import FileJournal
from qawait.journal.records import EMBEDDED
from qawait.model import Change, Delivery, State

A, R, U = Delivery.ACCEPTED, Delivery.REJECTED, Delivery.UNKNOWN


@pytest.fixture(autouse=True)
def state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals are that nobody has named; and a width for tables."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("QAWAIT_SERVICE", raising=False)
    return tmp_path / "state" / "qawait" / "journals"


async def send(
    journal: FileJournal, name: str, delivery: Delivery, **about: Any
) -> None:
    await journal.intend(intent(name, **about))
    await journal.sending(name)
    job_id = f"job-{name}" if delivery is A else None
    evidence = "" if delivery is A else f"so says {name}"
    await journal.outcome(name, delivery, job_id, evidence=evidence)


async def fill(journal: FileJournal) -> None:
    """One of everything: two are over, five are open."""
    await send(journal, "done", A, tag="t1")
    await journal.ended("done", result("job-done"))
    await send(journal, "failed", A)
    await journal.ended("failed", errors.JobFailed("too wide", job_id="job-failed"))
    await send(journal, "runs", A)
    seen = datetime(2026, 11, 21, tzinfo=UTC)
    change = Change(State.PENDING_EXECUTION, "compiled", None, seen)
    journal.changed("runs", (change,), "compiled")
    await send(journal, "lost", U)
    await send(journal, "refused", R)
    await send(journal, "gone", A)
    await journal.ended("gone", errors.JobMissing("no such job", job_id="job-gone"))
    await journal.intend(intent("cut off"))
    await journal.sending("cut off")


def filled(path: Path, owner: Any = OWNER) -> Path:
    """A journal whose program has been killed."""

    async def fill_it() -> None:
        async with opened(path, owner) as journal:
            await fill(journal)

    asyncio.run(fill_it())
    return path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


def ran_json(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Any:
    _, out = ran(capsys, *arguments, "--json")
    return json.loads(out)


# --- explain --------------------------------------------------------------------------


def test_everything_open_has_an_id_an_outcome_and_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = filled(tmp_path / "a night.qawait")
    code, out = ran(capsys, "explain", path, "--json")
    assert code == 1
    found = {one.pop("submission_id"): one for one in json.loads(out)["open"]}
    assert {name: one["outcome"] for name, one in found.items()} == {
        "runs": "accepted",
        "lost": "unknown",
        "refused": "rejected",
        "gone": "missing",
        "cut off": "unknown",
    }
    resume = f"qawait resume '{path}'"
    assert found["runs"]["job_id"] == "job-runs"
    assert found["runs"]["resume"] == resume
    assert "'compiled'" in found["runs"]["evidence"]
    assert found["lost"]["job_id"] is None
    assert "so says lost" in found["lost"]["evidence"]
    assert found["lost"]["resume"] == f"{resume} --submission lost --unknown adopt ID"
    assert (
        found["lost"]["otherwise"] == f"{resume} --submission lost --unknown resubmit"
    )
    assert found["refused"]["resume"] is None
    assert "so says refused" in found["refused"]["evidence"]
    assert "no such job" in found["gone"]["evidence"]
    assert found["gone"]["resume"].endswith(
        "--submission gone --unknown adopt job-gone"
    )
    assert "while it was being sent" in found["cut off"]["evidence"]
    assert "--submission 'cut off'" in found["cut off"]["resume"]


def test_a_command_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Quoted for a shell this name is five times as long, and still to be pasted."""
    path = filled(tmp_path / ("'" * 238 + "  "))
    code, out = ran(capsys, "explain", path)
    assert code == 1
    [line] = [x for x in out.splitlines() if "lost --unknown adopt" in x]
    told, command = line.split(maxsplit=1)
    assert told == "resume"
    assert shlex.split(command) == [
        *("qawait", "resume", str(path)),
        *("--submission", "lost", "--unknown", "adopt", "ID"),
    ]


def test_where_nothing_is_open_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def finish() -> None:
        async with opened(tmp_path / "j") as journal:
            await send(journal, "done", A)
            await journal.ended("done", result("job-done"))

    asyncio.run(finish())
    code, out = ran(capsys, "explain", tmp_path / "j")
    assert code == 0
    assert "nothing is open" in out


@pytest.mark.parametrize("name", ["lost", "gone", "cut off"])
def test_the_command_that_is_told_resolves_what_is_open(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Of a simulator that is gone nothing can be followed, but this can be decided."""
    path = filled(tmp_path / "a j", replace(OWNER, endpoint=EMBEDDED))
    found = ran_json(capsys, "explain", path)["open"]
    [command] = [one["otherwise"] for one in found if one["submission_id"] == name]
    assert main(shlex.split(command)[1:]) == 2
    assert "run the program again" in capsys.readouterr().err
    left = {one["submission_id"] for one in ran_json(capsys, "explain", path)["open"]}
    assert left == {one["submission_id"] for one in found} - {name}


def test_what_was_refused_and_sent_again_is_not_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Only as a whole: a batch of which one point is left still is."""

    async def again() -> None:
        async with opened(tmp_path / "j") as journal:
            for name, keys in (("both", ["a", "b"]), ("half", ["c", "d"])):
                await journal.intend(intent(name, *keys))
                await journal.sending(name)
                await journal.outcome(name, R, evidence="400")
            for key in "abc":
                await journal.intend(intent(key, key))
                await journal.sending(key)
                await journal.outcome(key, A, f"job-{key}")
                await journal.ended(key, result(f"job-{key}", key))

    asyncio.run(again())
    found = ran_json(capsys, "explain", tmp_path / "j")["open"]
    assert [one["submission_id"] for one in found] == ["half"]


def test_a_job_of_a_local_simulator_is_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = filled(tmp_path / "j", replace(OWNER, endpoint=EMBEDDED))
    found = ran_json(capsys, "explain", path)["open"]
    [runs] = [one for one in found if one["submission_id"] == "runs"]
    assert runs["resume"] is None
    assert "run the program again" in runs["evidence"]


@pytest.mark.parametrize("command", ["explain", "jobs", "status"])
def test_a_journal_that_is_not_there_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([command, str(tmp_path / "none.qawait")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "none.qawait" in said


def test_hostile_text_in_a_journal_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async def hostile() -> None:
        async with opened(tmp_path / "j") as journal:
            await journal.intend(intent("s-1", tag="\x1b[2J\nforged"))
            await journal.sending("s-1")
            await journal.outcome("s-1", U, evidence="\x1b]0;owned\x07")

    asyncio.run(hostile())
    for command in ("explain", "jobs", "status"):
        _, out = ran(capsys, command, tmp_path / "j")
        assert "\x1b" not in out
        assert "\x07" not in out


# --- status ---------------------------------------------------------------------------


def test_the_status_of_a_journal_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = filled(tmp_path / "j")
    code, out = ran(capsys, "status", path)
    assert code == 0
    assert "garnet at https://q.example; not in use" in out
    assert re.search(r"^terminal +2 +2 +14", out, re.MULTILINE)
    assert re.search(r"^unknown +2 +2 +14", out, re.MULTILINE)
    assert re.search(r"job-runs +pending execution +compiled", out)
    assert "job-done" not in out


def test_the_status_of_a_journal_is_there_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    [found] = ran_json(capsys, "status", filled(tmp_path / "j"))["journals"]
    assert found["submissions"] == {
        "terminal": 2,
        "accepted": 1,
        "unknown": 2,
        "rejected": 1,
        "missing": 1,
    }
    assert found["shots"]["unknown"] == 14
    assert found["in_use"] is False
    assert {one["submission_id"] for one in found["open"]} == {
        *("runs", "lost", "gone", "cut off")
    }


def test_a_directory_that_is_no_journal_does_not_hide_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Its name is an id, and the service is asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0af3-77").mkdir()
    assert main(["status", "0af3-77"]) == 2
    assert "--service" in capsys.readouterr().err


def test_jobs_and_journals_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = filled(tmp_path / "j")
    assert main(["status", str(path), "0af3-77"]) == 2
    assert "not both" in capsys.readouterr().err


# --- jobs -----------------------------------------------------------------------------


def sent(path: Path, *names: str, tag: str | None = None) -> None:
    async def send_them() -> None:
        async with opened(path) as journal:
            for name in names:
                await send(journal, name, A, tag=tag)

    asyncio.run(send_them())


def test_the_jobs_of_all_journals_come_newest_first(
    state_directory: Path, capsys: pytest.CaptureFixture[str]
):
    """Also where the older journal has the newer job."""
    state_directory.mkdir(parents=True)
    sent(state_directory / "1.qawait", "first")
    sent(state_directory / "2.qawait", "second", tag="t2")
    sent(state_directory / "1.qawait", "third")
    found = ran_json(capsys, "jobs")
    assert [one["job_id"] for one in found["jobs"]] == [
        *("job-third", "job-second", "job-first")
    ]
    assert found["complete"]
    second = found["jobs"][1]
    assert second["journal"] == str(state_directory / "2.qawait")
    assert (second["target"], second["tag"], second["state"]) == (
        *("garnet", "t2", "pending compilation"),
    )
    assert (second["circuits"], second["shots"], second["in_use"]) == (1, 7, False)


def test_as_many_jobs_are_listed_as_were_asked_for(
    state_directory: Path, capsys: pytest.CaptureFixture[str]
):
    state_directory.mkdir(parents=True)
    sent(state_directory / "1.qawait", "a", "b", "c")
    sent(state_directory / "2.qawait", "d")
    sent(state_directory / "1.qawait", "e")
    found = ran_json(capsys, "jobs", "--limit", "2")
    assert [one["submission_id"] for one in found["jobs"]] == ["e", "d"]
    assert not found["complete"]
    found = ran_json(capsys, "jobs", "--limit", "2", "--all")
    assert [one["submission_id"] for one in found["jobs"]] == list("edcba")
    assert found["complete"]
    assert main(["jobs", "--limit", "4"]) == 0
    assert "--all" in capsys.readouterr().err


def test_journals_that_were_written_long_before_are_not_read(
    state_directory: Path, capsys: pytest.CaptureFixture[str]
):
    """A month of them must not make a short list long in coming."""
    state_directory.mkdir(parents=True)
    sent(state_directory / "old.qawait", "old")
    sent(state_directory / "new.qawait", "new")
    for file in (state_directory / "old.qawait").rglob("*"):
        os.utime(file, (1e9, 1e9))
    (state_directory / "old.qawait" / "journal.sqlite").write_bytes(b"damaged")
    os.utime(state_directory / "old.qawait" / "journal.sqlite", (1e9, 1e9))
    assert main(["jobs", "--limit", "1"]) == 0
    assert "old.qawait" not in capsys.readouterr().err
    assert main(["jobs"]) == 0
    said = capsys.readouterr()
    assert "old.qawait" in said.err
    assert "job-new" in said.out


def test_every_end_has_its_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    filled(tmp_path / "j")
    found = ran_json(capsys, "jobs", tmp_path / "j")["jobs"]
    assert {one["submission_id"]: one["state"] for one in found} == {
        "done": "ready",
        "failed": "failed",
        "runs": "pending execution",
        "lost": "unknown",
        "refused": "rejected",
        "gone": "missing",
        "cut off": "unknown",
    }
    _, out = ran(capsys, "jobs", tmp_path / "j")
    assert "(lost)" in out


async def test_a_journal_in_use_is_listed_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    async with opened(tmp_path / "j") as journal:
        await send(journal, "done", A)
        await journal.ended("done", result("job-done"))
        code, out = await anyio.to_thread.run_sync(ran, capsys, "jobs", tmp_path / "j")
    assert code == 0
    assert re.search(r"job-done +ready .* garnet +j, in use", out)


def test_an_age_is_told_in_one_unit(monkeypatch: pytest.MonkeyPatch):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    monkeypatch.setattr("qawait.cli.recorded.utc_now", lambda: now)
    told = {3: "3 s", 59: "59 s", 60: "1 min", 7100: "1 h", 90_000: "1 d", -5: "0 s"}
    for seconds, words in told.items():
        assert age(now - timedelta(seconds=seconds)) == words


# --- the command of an error ----------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "journal", "job_id", "command"),
    [
        ("iqm:https://q", Path("/a b/j"), "7", "qawait resume '/a b/j'"),
        ("iqm:https://q", Path("/j"), None, "qawait resume /j"),
        (None, Path("/j"), "7", "qawait explain /j"),
        (
            *("iqm:https://q", None, "7"),
            "qawait status 7 --service iqm:https://q --target garnet",
        ),
        ("iqm:https://q", None, None, None),
        (None, None, "7", None),
    ],
)
def test_the_command_of_an_error_is_one_that_works(
    service: str | None, journal: Path | None, job_id: str | None, command: str | None
):
    assert Resuming(service, "garnet").command(journal, job_id) == command
