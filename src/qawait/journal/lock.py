"""One program at a time has a journal open."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

import msgspec

from qawait.errors import JournalError, JournalLocked
from qawait.journal.places import from_os, private_file

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None

__all__ = ["Lock", "holder_of", "is_held"]

_PATIENCE = 0.2
"""For how many seconds a lock is waited for."""

_HELD: WeakSet[Lock] = WeakSet()


class _Holder(msgspec.Struct):
    pid: int
    host: str


class Lock:
    """The lock of a journal, held until `release` or the end of this process.

    It dies with the process, also by SIGKILL. A child of a fork gives its copy up at
    once, for the lock would live as long as the last copy; a program that is started
    does not get one.

    Raises:
        JournalLocked: Another program holds it; says which.
    """

    def __init__(self, path: Path, journal: Path) -> None:
        self._fd: int | None = None
        try:
            fd = private_file(path)
        except OSError as error:
            raise from_os(error, journal) from error
        try:
            _take_soon(fd)
        except OSError as error:
            holder = _read(fd)
            os.close(fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise JournalError(
                    f"journal {journal}: this file system has no locks"
                    f" ({error.strerror}); put it on a local disk"
                ) from error
            raise _locked(journal, holder) from None
        own = _Holder(os.getpid(), socket.gethostname())
        # a disk that is full must not keep a journal from being opened
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, msgspec.json.encode(own), 0)
        self._fd = fd
        _HELD.add(self)

    def release(self) -> None:
        """Give it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        _HELD.discard(self)


def is_held(path: Path) -> bool:
    """Whether a program holds the lock now; nothing is changed."""
    return holder_of(path) is not None


def holder_of(path: Path) -> int | None:
    """The process that holds the lock now, 0 if it does not say; None if none does."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        _take(fd, shared=True)
    except OSError:
        holder = _read(fd)
        return 0 if holder is None else holder.pid
    else:
        return None
    finally:
        os.close(fd)


def _take_soon(fd: int) -> None:
    """Take the lock; a reader has it for a moment when it looks who holds it."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            _take(fd)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _take(fd: int, *, shared: bool = False) -> None:
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    elif sys.platform == "win32":  # pragma: no cover - Windows
        import msvcrt

        # beyond what is written, which others must be able to read
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)


def _read(fd: int) -> _Holder | None:
    with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.decode(os.pread(fd, 4096, 0), type=_Holder)
    return None


def _locked(journal: Path, holder: _Holder | None) -> JournalLocked:
    if holder is None:
        return JournalLocked(f"journal {journal}: another program has it open")
    return JournalLocked(
        f"journal {journal}: process {holder.pid} on {holder.host} has it open;"
        " `qawait journal ls` reads it all the same",
        pid=holder.pid,
        host=holder.host,
    )


def _forget_in_a_child() -> None:
    for lock in list(_HELD):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_a_child)
