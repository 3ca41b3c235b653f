"""A disk that is full: nothing new is sent, and no id is lost."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOUNT = (
    'mount -t tmpfs -o size=3m none "$1" && exec "$2" -m tests.crash.filling "$1" "$3"'
)


def on_a_small_disk(
    path: Path, ballast: str
) -> tuple[dict[str, object], subprocess.CompletedProcess[str]]:
    """Three mebibytes of memory as a disk of its own, where the system allows that."""
    command = ["sh", "-c", MOUNT, "sh", str(path), sys.executable, ballast]
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
    )
    if ran.returncode and ("unshare" in ran.stderr or "mount" in ran.stderr):
        pytest.skip(f"no small disk can be made here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran


def test_on_a_full_disk_the_id_of_a_running_job_is_still_written(tmp_path: Path):
    verdict, ran = on_a_small_disk(tmp_path, "with")
    assert verdict == {
        "sending": "JournalFull",
        "result": "JournalFull",
        "sending again": "JournalFull",
        "full": [["also runs", "job-2"], ["runs", "job-1"]],
        "ballast": True,
        "later": [
            ["also runs", "terminal", "job-2"],
            ["next", "unknown", None],
            ["runs", "accepted", "job-1"],
        ],
    }
    assert "could not be written" not in ran.stderr


def test_without_a_ballast_the_id_would_only_be_shown(tmp_path: Path):
    """The mutant; and the last resort: the id on standard error, written when it can."""
    verdict, ran = on_a_small_disk(tmp_path, "without")
    assert verdict["full"] == [["also runs", "job-2"], ["runs", None]]
    assert "job job-1 runs" in ran.stderr
    assert verdict["later"][2] == ["runs", "accepted", "job-1"]  # type: ignore[index]


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from tests.journals import OWNER, intent, opened
from qawait import errors
from qawait.model import Delivery

async def main(path, limit):
    sent, told, known = [], [], []
    async with opened(path, OWNER) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for n in range(2000):
            name = f"s-{n}"
            await journal.intend(intent(name, f"k-{n}"))
            try:
                await journal.sending(name)
            except errors.JournalError as error:
                told.append(type(error).__name__)
                break
            sent.append(name)
            await journal.outcome(name, Delivery.ACCEPTED, f"job-{name}")
        known = {r.intent.submission_id: r.job_id for r in await journal.recorded()}
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(told, [n for n in sent if known.get(n) != f"job-{n}"], len(sent))

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize("limit", [70_000, 111_111, 163_840, 300_001])
def test_where_a_file_may_not_grow_nothing_more_is_sent(tmp_path: Path, limit: int):
    """Every id is in the journal, or on standard error."""
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "j"), str(limit)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    told, missing, _ = ran.stdout.split("] ")
    assert told == "['JournalFull'", ran.stdout
    for name in missing.strip("[").replace("'", "").split(", "):
        assert not name or f"job job-{name} runs" in ran.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
