"""What kind of place a directory is: its file system, its room, whether it has locks."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct

from qawait.errors import JournalError

__all__ = ["NETWORK", "Disk", "file_system_of", "look_at"]

NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "coda"),
        *("ceph", "lustre", "gpfs", "beegfs", "glusterfs", "orangefs", "davfs"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.davfs2", "fuse.davfs"),
        *("fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.smbnetfs"),
    }
)
"""File systems of other machines, on which neither locks nor a commit mean much."""


class Disk(Struct, frozen=True, kw_only=True):
    """The place where a directory is, or would be made."""

    path: Path
    """The nearest directory that is there."""
    kind: str | None
    """The file system, as the system calls it; None where that does not tell."""
    free_bytes: int
    problem: str | None
    """Why nothing can be kept there; None if it can."""


def look_at(directory: Path) -> Disk:
    """Look at a directory's disk; a file is written there, locked, and removed again."""
    path = directory
    while not path.is_dir() and path != path.parent:
        path = path.parent
    mounts = Path("/proc/self/mountinfo")
    try:
        kind = file_system_of(path.resolve(), mounts.read_text())
    except OSError:
        kind = None
    problem = None
    free = 0
    try:
        free = shutil.disk_usage(path).free
        _try(path)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except JournalError as error:
        problem = str(error)
    return Disk(path=path, kind=kind, free_bytes=free, problem=problem)


def _try(path: Path) -> None:
    from qawait.journal.lock import Lock

    with tempfile.TemporaryDirectory(prefix=".qawait-doctor-", dir=path) as name:
        file = Path(name) / "lock"
        Lock(file, Path(name)).release()
        fd = os.open(file, os.O_WRONLY)
        try:
            os.write(fd, bytes(4096))
            os.fsync(fd)
        finally:
            os.close(fd)


def file_system_of(path: Path, mounts: str) -> str | None:
    """The kind of file system on which a path is.

    Args:
        path: Absolute, with no links in it.
        mounts: What `/proc/self/mountinfo` says.
    """
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if not dash or len(fields) < 5 or not kinds:
            continue
        place = Path(_unescaped(fields[4]))
        # of two on the same directory the later one lies on top
        depth = len(place.parts)
        if path.is_relative_to(place) and (found is None or depth >= found[0]):
            found = depth, kinds[0]
    return None if found is None else found[1]


def _unescaped(text: str) -> str:
    """A path as it is: blanks and backslashes come in octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
