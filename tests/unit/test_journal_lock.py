"""One program at a time, whatever happens to the others."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.journals import OWNER

from qawait import errors
from qawait.journal import lock as lock_module
from qawait.journal.opening import open_files

HOLDER = """
import sys
from pathlib import Path
from qawait.journal.opening import open_files
from qawait.journal.records import Identity
opened = open_files(Path(sys.argv[1]), Identity(**eval(sys.argv[2])))
print("open", flush=True)
sys.stdin.read()
"""
OWNER_TEXT = repr({n: getattr(OWNER, n) for n in OWNER.__struct_fields__})


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the journal open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), OWNER_TEXT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_refused_within_a_second_and_told_by_whom(tmp_path: Path):
    with held(tmp_path / "j") as holder:
        began = time.monotonic()
        with pytest.raises(errors.JournalLocked) as caught:
            open_files(tmp_path / "j", OWNER)
        assert time.monotonic() - began < 1
        assert caught.value.pid == holder.pid
        assert caught.value.host
        assert str(holder.pid) in str(caught.value)


def test_without_the_lock_two_would_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The mutant: SQLite's own lock would be the only one left, without a name."""
    monkeypatch.setattr(lock_module, "_take", lambda fd, **_: None)
    with held(tmp_path / "j"), pytest.raises(errors.JournalError) as caught:
        open_files(tmp_path / "j", OWNER)
    assert not isinstance(caught.value, errors.JournalLocked)


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path):
    with held(tmp_path / "j") as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        began = time.monotonic()
        open_files(tmp_path / "j", OWNER).close()
        assert time.monotonic() - began < 1


def test_the_same_process_cannot_open_it_twice(tmp_path: Path):
    opened = open_files(tmp_path / "j", OWNER)
    with pytest.raises(errors.JournalLocked) as caught:
        open_files(tmp_path / "j", OWNER)
    assert caught.value.pid == os.getpid()
    opened.close()
    open_files(tmp_path / "j", OWNER).close()


FORK = """
import os, sys, time
from pathlib import Path
from qawait.journal import lock
from qawait.journal.opening import open_files
from qawait.journal.records import Identity
if sys.argv[3] == "inherits":
    lock._forget_in_a_child = None
    lock._HELD.clear()
path, owner = Path(sys.argv[1]), Identity(**eval(sys.argv[2]))
opened = open_files(path, owner)
if sys.argv[3] == "inherits":
    lock._HELD.clear()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("forked", flush=True)
os.kill(os.getpid(), 9)
"""


@contextmanager
def orphaned(path: Path, how: str) -> Iterator[None]:
    """The holder is dead, and a child that it forked lives on."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORK, str(path), OWNER_TEXT, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "forked\n"
        process.wait()
        yield
    finally:
        process.stdin.close()
        process.stdout.close()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path):
    with orphaned(tmp_path / "j", "forgets"):
        open_files(tmp_path / "j", OWNER).close()


def test_a_lock_that_a_child_inherits_would_outlive_its_holder(tmp_path: Path):
    """The mutant, and the reason for what a child does first."""
    with (
        orphaned(tmp_path / "j", "inherits"),
        pytest.raises(errors.JournalLocked),
    ):
        open_files(tmp_path / "j", OWNER)


def test_a_copy_without_its_wal_is_refused(tmp_path: Path):
    """It would have lost commits, and their circuits would be sent again."""
    with held(tmp_path / "j") as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert (tmp_path / "j" / "journal.sqlite-wal").stat().st_size
        shutil.copytree(tmp_path / "j", tmp_path / "whole")
        shutil.copytree(
            tmp_path / "j", tmp_path / "part", ignore=shutil.ignore_patterns("*-wal")
        )
    open_files(tmp_path / "whole", OWNER).close()
    with pytest.raises(errors.JournalCorrupt, match=r"without journal\.sqlite-wal"):
        open_files(tmp_path / "part", OWNER)


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path):
    open_files(tmp_path / "j", OWNER).close()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "j" / "lock").unlink()
    (tmp_path / "j" / "lock").symlink_to(precious)
    with pytest.raises(errors.JournalError):
        open_files(tmp_path / "j", OWNER)
    assert precious.read_text() == "mine"
