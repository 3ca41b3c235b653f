"""What holds for every command: documents, exit codes, colours, completion, help."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from tests.journals import intent, opened, result

from qawait.cli import main
from qawait.cli.commands import qawait as group
from qawait.cli.ending import EXIT_CODES
from qawait.cli.outcomes import state_after
from qawait.errors import (
    JobCancelled,
    JobFailed,
    JobTimedOut,
    ResultGone,
    SubmissionRejected,
    SubmissionUncertain,
    TransportError,
)
from qawait.model import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
NOBODY = ("--service", "iqm:http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("QAWAIT_SERVICE", "QAWAIT_TOKEN", "IQM_TOKEN", "QORO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            for inner, its in command.commands.items():
                yield f"{name} {inner}", its
        else:
            yield name, command


async def keep(path: Path, *, lost: bool = True) -> None:
    """A journal with a job that is ready, and one that nobody knows of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    async with opened(path) as journal:
        for name, delivery in (("one", Delivery.ACCEPTED), ("two", Delivery.UNKNOWN)):
            if name == "two" and not lost:
                break
            await journal.intend(intent(name, tag="night"))
            await journal.sending(name)
            job_id = "0af3-77" if name == "one" else None
            await journal.outcome(name, delivery, job_id, evidence="")
        await journal.ended("one", result("0af3-77"))


# --- documents ------------------------------------------------------------------------


def test_every_command_but_one_takes_json() -> None:
    without = [
        name
        for name, command in commands()
        if not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert without == ["completion"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("run", "nothing.qasm"), "CircuitError"),
        (("sweep", "nothing.qasm", "--set", "a=1,2"), "CircuitError"),
        (("run",), "MissingParameter"),
        (("run", "x", "--shots", "0"), "BadParameter"),
        (("status", "0af3"), "ConfigurationError"),
        (("status", "0af3", *NOBODY), "ConnectFailed"),
        (("results", "0af3", *NOBODY), "ConnectFailed"),
        (("cancel", "0af3", *NOBODY), "ConnectFailed"),
        (("explain", "nothing"), "JournalError"),
        (("resume", "nothing"), "JournalError"),
        (("plot", "nothing"), "JournalError"),
        (("jobs", "nothing"), "JournalError"),
        (("journal", "ls", "nothing"), "JournalError"),
        (("journal", "verify", "nothing"), "JournalError"),
        (("journal", "export", "nothing", "x.csv"), "JournalError"),
        (("demo", "--circuits", "5"), "BadParameter"),
        (("serve", "--faults", "nonsense"), "BadParameter"),
        (("chaos", "--faults", "nonsense"), "ConfigurationError"),
        (("nonsense",), "UsageError"),
    ],
)
def test_what_cannot_be_done_is_one_line_for_people_and_a_document_for_programs(
    arguments: tuple[str, ...], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    error = json.loads(said.out)["error"]
    assert set(error) == {"type", "message", "exit_code"}
    assert error["exit_code"] == 2
    assert said.err == f"qawait: {error['message']}\n"
    assert main(list(arguments)) == 2
    assert capsys.readouterr().out == ""
    assert error["type"] in {kind, "JournalCorrupt", "NoSuchCommand"}


async def test_documents_about_journals_have_what_their_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await keep(Path("night"))
    section = PAGE.read_text().split("## Output")[1].split("\n## ")[0]
    promised = dict(re.findall(r"^\| (`.+?`) \| (.*) \|$", section, re.M))
    for command, arguments, code in (
        ("explain", ("explain", "night"), 1),
        ("journal ls", ("journal", "ls", "night"), 0),
        ("journal verify", ("journal", "verify", "night"), 0),
        ("journal export", ("journal", "export", "night", "n.csv"), 0),
    ):
        # a thread, as the commands have event loops of their own
        assert await in_thread([*arguments, "--json"]) == code
        found = json.loads(capsys.readouterr().out)
        members = promised[f"`{command}`"].partition(";")[0]
        assert set(found) == set(re.findall(r"`(\w+)`", members))


async def in_thread(arguments: list[str]) -> int:
    import anyio.to_thread

    return await anyio.to_thread.run_sync(main, arguments)


async def test_a_damaged_journal_is_told_as_a_document_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await keep(Path("night"))
    [segment] = (Path("night") / "results").iterdir()
    segment.write_bytes(segment.read_bytes()[:-3])
    assert await in_thread(["journal", "verify", "night", "--json"]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["sound"], len(found["wrong"])) == (False, said.err.count("\n"))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "ready"),
        (JobFailed("x"), "failed"),
        (JobTimedOut("x"), "failed"),
        (JobCancelled("x"), "aborted"),
        (ResultGone("x"), "gone"),
        (SubmissionRejected("x"), "rejected"),
        (SubmissionUncertain("x", evidence="", submission_id="s"), "uncertain"),
        (TransportError("x"), "not sent"),
    ],
)
def test_points_and_circuits_have_the_same_words(error: Any, word: str) -> None:
    assert state_after(error) == word


# --- exit codes -----------------------------------------------------------------------


def test_the_table_of_exit_codes_is_the_same_everywhere() -> None:
    section = PAGE.read_text().split("## Exit codes")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", section, re.M))
    assert {int(code): words for code, words in rows.items()} == EXIT_CODES
    help_text = group.get_help(click.Context(group, info_name="qawait"))
    for code, words in EXIT_CODES.items():
        assert re.search(rf"^ +{code} +{re.escape(words)}$", help_text, re.M)


def test_the_table_of_exit_codes_has_every_command() -> None:
    section = PAGE.read_text().split("## Exit codes")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", section, re.M)
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(group.commands)


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_help_says_what_it_is_and_fits_eighty_columns(
    name: str, command: click.Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = command.get_help(click.Context(command, info_name=f"qawait {name}"))
    assert text.startswith(f"Usage: qawait {name}")
    assert re.search(r"^  [A-Z].*", text, re.M)
    own_codes = {"demo", "serve"}
    assert "Exit codes:" in text or name in own_codes
    lines = text.splitlines()
    assert [line for line in lines if len(line) > 88] == []
    # an option without a word of help is one nobody understands
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [p.name for p in options if not p.help] == []


def test_the_list_of_commands_is_not_cut_off() -> None:
    text = group.get_help(click.Context(group, info_name="qawait"))
    listed = text.split("Commands:\n")[1]
    assert set(re.findall(r"^  (\w+) ", listed, re.M)) == set(group.commands)
    assert "..." not in listed


async def test_codes_of_what_is_open_and_what_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await keep(Path("open"))
    await keep(Path("over"), lost=False)
    assert await in_thread(["explain", "open"]) == 1
    assert await in_thread(["explain", "over"]) == 0
    assert await in_thread(["journal", "verify", "over"]) == 0
    capsys.readouterr()


def test_a_reader_that_goes_away_ends_it_with_1_and_no_word() -> None:
    program = [sys.executable, "-m", "qawait", "config"]
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        program, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")


# --- jobs -----------------------------------------------------------------------------


async def test_open_jobs_are_listed_alone_and_the_way_on_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "state" / "qawait" / "journals" / "a night"
    await keep(path)
    assert await in_thread(["jobs", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["jobs"]) == 2
    assert await in_thread(["jobs", "--open", "--json"]) == 0
    said = capsys.readouterr()
    [job] = json.loads(said.out)["jobs"]
    assert job["submission_id"] == "two"
    assert said.err == ""
    assert await in_thread(["jobs", "--open"]) == 0
    assert capsys.readouterr().err == (
        f"qawait: 1 submission may be running and billed: qawait explain '{path}'\n"
    )
    await keep(tmp_path / "over", lost=False)
    assert await in_thread(["jobs", "--open", str(tmp_path / "over")]) == 0
    assert capsys.readouterr().err == f"qawait: no job is open in {tmp_path / 'over'}\n"


def test_without_any_job_it_says_where_it_looked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["jobs"]) == 0
    said = capsys.readouterr().err
    assert str(tmp_path / "state" / "qawait" / "journals") in said
    assert "programs keep a journal there" in said


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (160, ["job", "state", "circuits", "shots", "age", "target", "tag", "journal"]),
        (110, ["job", "state", "circuits", "shots", "age", "target", "tag"]),
        (70, ["job", "state", "age", "target"]),
    ],
)
async def test_a_table_of_jobs_keeps_its_ids_whole_at_any_width(
    columns: int,
    shown: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await keep(Path("night"), lost=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert await in_thread(["jobs", "night"]) == 0
    head, _, row = capsys.readouterr().out.splitlines()[:3]
    assert head.split() == shown
    assert row.startswith("0af3-77")


# --- colours --------------------------------------------------------------------------


def on_a_terminal(*arguments: str, **variables: str) -> bytes:
    """What a command writes to a terminal of its own."""
    master, slave = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | variables
    ran = subprocess.Popen(
        [sys.executable, "-m", "qawait", *arguments],
        stdout=slave,
        stderr=slave,
        stdin=subprocess.DEVNULL,
        env=env,
    )
    os.close(slave)
    written = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break  # that is how Linux says that the other end has gone
        if not piece:
            break
        written += piece
    os.close(master)
    ran.wait(timeout=30)
    return written


def test_colours_are_for_terminals_and_for_those_who_force_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert b"\x1b[32mok" in on_a_terminal("doctor")
    plain = on_a_terminal("doctor", NO_COLOR="1", FORCE_COLOR="1")
    assert b"\x1b[" not in plain
    assert plain.startswith(b"ok")
    assert b"\x1b[" not in on_a_terminal("doctor", TERM="dumb")
    for value, coloured in ((None, False), ("1", True), ("0", False), ("", False)):
        if value is not None:
            monkeypatch.setenv("FORCE_COLOR", value)
        assert main(["doctor"]) == 0
        assert ("\x1b[32mok" in capsys.readouterr().out) == coloured, value
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["config"]) == 0
    assert "\x1b[" not in capsys.readouterr().out


def test_forced_colours_bring_no_display_that_moves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from qawait.cli.progress import Progress

    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress(3).shown():
        pass
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"qawait: 3 circuits: 3 to send \(\d\.\d s\)\n", said.err)


# --- completion -----------------------------------------------------------------------


def completed(line: str, **variables: str) -> list[str]:
    """What bash would be told for a line that ends where the cursor is."""
    words = line.split(" ")
    env = {"_QAWAIT_COMPLETE": "bash_complete", "COMP_WORDS": line}
    env |= {"COMP_CWORD": str(len(words) - 1)}
    ran = subprocess.run(
        [sys.executable, "-c", "from qawait.cli import main; main()"],
        env=os.environ | env | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


async def test_jobs_targets_and_services_are_those_of_the_journals_here(
    tmp_path: Path,
) -> None:
    import anyio.to_thread

    await keep(tmp_path / "state" / "qawait" / "journals" / "n")
    (tmp_path / "state" / "qawait" / "journals" / "damaged").mkdir()

    def ask() -> None:
        assert completed("qawait results 0a") == ["plain,0af3-77"]
        assert completed("qawait status x") == ["dir,x"]
        assert completed("qawait cancel --service qoro: ") == ["dir,"]
        assert completed("qawait run --target ") == [
            *("plain,garnet", "plain,square20", "plain,star"),
        ]
        assert completed(
            "qawait doctor --service ", QAWAIT_SERVICE="qoro:http://x"
        ) == [
            *("plain,iqm:https://q.example", "plain,qoro:http://x", "plain,local"),
            *("plain,qoro:", "plain,iqm:"),
        ]

    await anyio.to_thread.run_sync(ask)


def test_commands_files_and_journals_are_completed() -> None:
    assert completed("qawait d") == ["plain,demo", "plain,doctor"]
    assert completed("qawait run be") == ["file,be"]
    assert completed("qawait explain ni") == ["dir,ni"]
    assert completed("qawait completion ") == ["plain,bash", "plain,zsh", "plain,fish"]


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o nosort"), ("zsh", "#compdef qawait"), ("fish", "complete ")],
)
def test_each_shell_gets_its_script(
    shell: str,
    word: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert word in script
    assert f"_QAWAIT_COMPLETE={shell}_complete" in script
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    assert main(["completion"]) == 0
    assert capsys.readouterr().out.startswith(f"{shell}:  ")
    monkeypatch.setenv("SHELL", "/bin/nush")
    assert main(["completion"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
