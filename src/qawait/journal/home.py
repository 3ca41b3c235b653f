"""Where journals are that nobody has named, and how long they stay."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from qawait.errors import JournalError
from qawait.journal.lock import is_held
from qawait.journal.places import Places, is_journal
from qawait.journal.reading import read
from qawait.journal.records import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["fresh_path", "journal_directory", "journals", "last_written", "remove_old"]

_DAY = 86_400.0
_DONE = frozenset(
    {Standing.TERMINAL, Standing.REJECTED, Standing.NEW, Standing.SUPERSEDED}
)


def journal_directory() -> Path:
    """The directory of journals without a name, in the user's state directory."""
    given = os.environ.get("XDG_STATE_HOME", "")
    # left as it is where there is no home
    default = os.path.expanduser("~/.local/state")  # noqa: PTH111
    state = given if Path(given).is_absolute() else default
    return Path(state) / "qawait" / "journals"


def fresh_path(directory: Path, now: float) -> Path:
    """A path for a new journal, which sorts by time.

    Args:
        directory: Where it is to be.
        now: The time of day, seconds since 1970.
    """
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return directory / f"{stamp}-{uuid.uuid4().hex[:8]}.qawait"


def journals(directory: Path) -> list[Path]:
    """The journals there, oldest first."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if is_journal(path))


def remove_old(directory: Path, now: float, *, days: float = 30) -> Sequence[Path]:
    """Remove journals that nobody has written to for so many days.

    One that is in use, is damaged, or has a job that is not known to have ended, stays.

    Args:
        directory: Where they are.
        now: The time of day, seconds since 1970.
        days: For how long they are kept.

    Returns:
        Those that were removed.
    """
    removed: list[Path] = []
    for path in journals(directory):
        places = Places(path)
        with contextlib.suppress(OSError, JournalError):
            if now - last_written(path) < days * _DAY or is_held(places.lock):
                continue
            if all(job.standing in _DONE for job in read(path).jobs):
                shutil.rmtree(path)
                removed.append(path)
    return removed


def last_written(path: Path) -> float:
    """When something was last written into a journal, in seconds since 1970.

    Raises:
        OSError: It cannot be looked at.
    """
    places = Places(path)
    files = [places.database, *places.results.iterdir(), places.commits]
    return max(file.stat().st_mtime for file in files if file.exists())
