"""The directory of a journal: private files, and room kept for a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path  # noqa: TC003 (fields of Structs resolve at run time)

from msgspec import Struct

from qawait.errors import JournalCorrupt, JournalError, JournalFull

__all__ = [
    "BALLAST",
    "Places",
    "drop_ballast",
    "from_os",
    "is_journal",
    "keep_ballast",
    "made",
    "private_file",
    "read_commits",
    "sync_directory",
    "write_commits",
]

BALLAST = 1 << 20
"""Bytes; room for some hundred ids."""

_OWN = frozenset({"lock", "results", "unfinished.sqlite", "unfinished.sqlite-journal"})
"""What an opening that was cut short can leave behind."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Places(Struct, frozen=True):
    """Where the files of one journal are."""

    root: Path

    @property
    def database(self) -> Path:
        """What was sent, and how far it came."""
        return self.root / "journal.sqlite"

    @property
    def results(self) -> Path:
        """The directory of the results."""
        return self.root / "results"

    @property
    def status(self) -> Path:
        """How things stood a second ago."""
        return self.root / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the program at work."""
        return self.root / "lock"

    @property
    def commits(self) -> Path:
        """The number of the last commit, which is also in the database."""
        return self.root / "commits"

    @property
    def ballast(self) -> Path:
        """Room for the last ids."""
        return self.root / "ballast"


def is_journal(path: Path) -> bool:
    """Whether there is a journal, of whatever version and in whatever state."""
    return Places(path).database.exists()


def made(path: Path) -> Places:
    """The places of a journal, its directories made if they are not there.

    Raises:
        JournalCorrupt: There is something else in its place.
        JournalError: They cannot be made.
    """
    places = Places(path.absolute())
    try:
        fresh = not path.exists()
        if not fresh and not path.is_dir():
            raise JournalCorrupt(f"{path} is a file; a journal is a directory")
        there = {file.name for file in path.iterdir()} if path.exists() else _OWN
        if not there <= _OWN and not is_journal(path):
            raise JournalCorrupt(f"the directory {path} is no journal")
        places.results.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (places.root, places.results):
            # the mode of `mkdir` is cut by the umask, but never widened by it; a
            # directory that was there may have any
            if stat.S_IMODE(directory.stat().st_mode) & 0o077:
                directory.chmod(0o700)
        if fresh:
            sync_directory(places.root.parent)
            sync_directory(places.root)
    except OSError as error:
        raise from_os(error, path) from error
    return places


def private_file(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """A descriptor of a file that only its owner can read; links are not followed.

    Raises:
        OSError: It cannot be opened, or made.
    """
    fd = os.open(path, flags | _NO_FOLLOW, 0o600)
    if os.name == "posix":
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        if stat.S_IMODE(mode) != 0o600:
            os.fchmod(fd, 0o600)
    return fd


def keep_ballast(places: Places) -> bool:
    """Make the ballast if it is not there; whether it is there now."""
    try:
        if places.ballast.exists() and places.ballast.stat().st_size >= BALLAST:
            return True
        fd = private_file(places.ballast)
        try:
            # written, not only declared: a file of nothing but holes takes no room
            left = memoryview(os.urandom(BALLAST))
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        drop_ballast(places)
        return False
    return True


def drop_ballast(places: Places) -> None:
    """Give its room to others."""
    with contextlib.suppress(OSError):
        places.ballast.unlink(missing_ok=True)


def write_commits(places: Places, number: int) -> None:
    """Write down the number of a commit that is on the disk."""
    with contextlib.suppress(OSError):
        fd = private_file(places.commits)
        try:
            os.pwrite(fd, b"%020d\n" % number, 0)
        finally:
            os.close(fd)


def read_commits(places: Places) -> int:
    """The number that was last written down; 0 if none was."""
    with contextlib.suppress(OSError, ValueError):
        return int(places.commits.read_bytes())
    return 0


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, where the system can."""
    if os.name != "posix":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def from_os(error: OSError, path: Path) -> JournalError:
    """What the system said about a file, in our own words."""
    reason = error.strerror or type(error).__name__
    if error.errno in _NO_ROOM:
        return JournalFull(f"journal {path}: {reason}; make room, and run it again")
    return JournalError(f"journal {path}: {reason}")
