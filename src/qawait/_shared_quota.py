"""One quota for all clients of an account on this machine: a small locked file.

There is no daemon. Each client takes a lock, reads what the account has spent, adds its
own, and writes it back: a tenth of a millisecond, up to twenty times a second.
The numbers decay with time, so a client that dies leaves nothing behind, and a file that
cannot be read is begun anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias
from weakref import WeakKeyDictionary

import msgspec

from qawait._auth import claims_of
from qawait._clock import Clock, clock_in_use
from qawait._limiter import Account

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from qawait._auth import Secret
    from qawait._limiter import Grant, Report
    from qawait._quota import Quota

__all__ = [
    "ACCOUNTS_ELSEWHERE",
    "Busy",
    "OwnQuota",
    "QuotaStore",
    "SharedQuota",
    "name_of",
    "quota_directory",
    "shared_quota",
]

log = logging.getLogger("qawait")

_PAGE = 4096
_LARGEST = 1 << 20
"""Bytes; an account with a hundred clients has some ten thousand."""
_PATIENCE = 0.1
"""For how many seconds a lock is waited for before others get their turn."""
_GIVEN_UP = 2.0
"""After so many seconds of a lock that is never free the file is given up."""
_UNUSED = 86_400.0
"""A file that nobody has written to for so many seconds is removed by the next client."""
_ROUNDS = 20_000
"""Of the hash of a file's name: some ten milliseconds."""

_ACCOUNT = msgspec.json.Decoder(Account)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ENCODER = msgspec.json.Encoder()


class Busy(Exception):
    """Another client holds the lock; try again shortly."""


class QuotaStore(Protocol):
    """Where an account is kept."""

    blocking: bool
    """Whether `exchange` may wait for a disk or a lock, and belongs into a thread."""

    def exchange(self, report: Report, now: float) -> Grant:
        """Report to the account, and ask it for units.

        Args:
            report: What the client says.
            now: The time on the client's clock, as this is called.

        Raises:
            Busy: Try again shortly; nothing was reported.
        """
        ...


class OwnQuota:
    """An account in memory, for the clients of one event loop."""

    blocking = False

    def __init__(self, account: Account) -> None:
        self.account = account

    def exchange(self, report: Report, now: float) -> Grant:
        """Report and ask; the client's clock is the only one there is."""
        return self.account.report(report, now, mono=now)


class SharedQuota:
    """An account in a file, for all clients on this machine; used in threads only.

    Where the file cannot be used, the clients of this process share an account in its
    memory instead, and the log says so once.
    """

    blocking = True

    def __init__(
        self,
        quota: Quota,
        directory: Path,
        name: Callable[[], str],
        *,
        mono: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Touches nothing yet.

        Args:
            quota: The limit to begin with.
            directory: Where the files are; made if it is not there.
            name: Gives the file's name, and may take its time.
            mono: A clock that only rises, the same in all processes of the machine.
            wall: The time of day, seconds since 1970.
        """
        self._quota = quota
        self._directory = directory
        self._name = name
        self._mono = mono
        self._wall = wall
        self._known_path: Path | None = None
        self._fd: int | None = None
        self._busy_since: float | None = None
        self._fallen_back = False

    def exchange(self, report: Report, now: float) -> Grant:
        """Report and ask, in the file or else in this process's memory."""
        called = self._mono()
        if not self._fallen_back:
            try:
                with self._locked() as fd:
                    return self._exchange(fd, report, now - called)
            except Busy:
                if not self._hopeless():
                    raise
                self._fall_back("another process holds its lock")
            except OSError as error:
                self._fall_back(error.strerror or type(error).__name__)
        with _PROCESS:
            account = _ACCOUNTS.setdefault(self._path, Account.of(self._quota))
            mono = self._mono()
            return account.report(report, now - called + mono, mono=mono)

    def close(self) -> None:
        """Close the file; it stays for others."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _exchange(self, fd: int, report: Report, offset: float) -> Grant:
        account, size = self._read(fd)
        mono = self._mono()
        grant = account.report(report, offset + mono, mono=mono, wall=self._wall())
        content = _ENCODER.encode(account)
        # one write, never shorter than the one before: a process that is killed between
        # two calls must not leave the end of an older account behind
        content = content.ljust(max(size, -(-len(content) // _PAGE) * _PAGE))
        os.pwrite(fd, content, 0)
        return grant

    def _read(self, fd: int) -> tuple[Account, int]:
        content = os.pread(fd, _LARGEST + 1, 0)
        if not content:
            return Account.of(self._quota), 0
        if len(content) <= _LARGEST:
            with contextlib.suppress(*_UNREADABLE):
                account = _ACCOUNT.decode(content)
                if account.is_sound():
                    return account, len(content)
        os.ftruncate(fd, 0)
        # what was spent is not known any more
        return Account.of(self._quota, cautious=True), 0

    # --- the lock --------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Generator[int]:
        assert fcntl is not None
        fd = self._lock()
        try:
            yield fd
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _lock(self) -> int:
        """Open the file if need be, and lock it.

        Never waits for good: a process may be stopped while it holds the lock.
        """
        if fcntl is None:
            raise OSError(0, "this system has no file locks")
        patience = self._mono() + _PATIENCE
        while True:
            if self._fd is None:
                self._fd = self._opened()
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._mono() >= patience:
                    raise Busy from None
                time.sleep(0.001)
                continue
            if self._is_current(self._fd):
                self._busy_since = None
                return self._fd
            self.close()

    def _is_current(self, fd: int) -> bool:
        """Whether the open file is still the one with this name."""
        try:
            there = self._path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(fd))

    @property
    def _path(self) -> Path:
        if self._known_path is None:
            self._known_path = self._directory / self._name()
        return self._known_path

    def _opened(self) -> int:
        directory = self._directory
        if not directory.is_absolute():
            raise OSError(0, "there is no home directory")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self._path, flags)
        except FileNotFoundError:
            _remove_unused(directory, self._wall())
            return os.open(self._path, flags | os.O_CREAT, 0o600)

    def _hopeless(self) -> bool:
        now = self._mono()
        if self._busy_since is None:
            self._busy_since = now
        return now - self._busy_since > _GIVEN_UP

    def _fall_back(self, reason: str) -> None:
        self._fallen_back = True
        self.close()
        with _PROCESS:
            told = self._path in _ACCOUNTS
        if not told:
            log.warning(
                "the rate limit cannot be shared with other processes: %s: %s",
                self._directory,
                reason,
            )


_PROCESS = threading.Lock()
_ACCOUNTS: dict[Path, Account] = {}
"""The accounts of this process whose files cannot be used."""


def _remove_unused(directory: Path, now: float) -> None:
    """Remove what tokens and ports of other days have left behind."""
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            with contextlib.suppress(OSError):
                if now - path.lstat().st_mtime > _UNUSED:
                    path.unlink()


def quota_directory() -> Path:
    """Where the files are: the user's own state directory."""
    given = os.environ.get("XDG_STATE_HOME", "")
    # left as it is where there is no home
    default = os.path.expanduser("~/.local/state")  # noqa: PTH111
    state = given if Path(given).is_absolute() else default
    return Path(state) / "qawait" / "quota"


_WORLDS: WeakKeyDictionary[Clock, dict[str, OwnQuota]] = WeakKeyDictionary()
"""The accounts of virtual worlds, by their clocks."""


_Keeper: TypeAlias = "Callable[[Quota, Callable[[], str]], QuotaStore]"

ACCOUNTS_ELSEWHERE: ContextVar[_Keeper | None] = ContextVar(
    "ACCOUNTS_ELSEWHERE", default=None
)
"""Where the accounts of clients are that share them with other machines; None for those
of this machine."""


def shared_quota(quota: Quota, name: Callable[[], str]) -> QuotaStore:
    """The account of this name, which all clients on this machine share.

    In virtual time, those of the same virtual world: nobody else lives by its clock.
    """
    elsewhere = ACCOUNTS_ELSEWHERE.get()
    if elsewhere is not None:
        return elsewhere(quota, name)
    clock = clock_in_use()
    if clock is None:
        return SharedQuota(quota, quota_directory(), name)
    accounts = _WORLDS.setdefault(clock, {})
    return accounts.setdefault(name(), OwnQuota(Account.of(quota)))


class _Claims(msgspec.Struct):
    sub: str
    iss: str = ""


_CLAIMS = msgspec.json.Decoder(_Claims)


def name_of(origin: str, token: Secret | None) -> str:
    """A file's name, one for each account of each host, which tells nothing of them.

    A token that is renewed again and again says whose it is, and that is the account.
    A weak token must not be found by trying, so the hash takes milliseconds.

    Args:
        origin: The service's scheme, host and port.
        token: The account's token; None for a service that wants none.
    """
    # nothing is raised while a token is in the clear, so that no traceback that shows
    # locals shows one
    account = b"" if token is None else token.reveal().encode("utf-8", "replace")
    claims = None if token is None else claims_of(token, _CLAIMS)
    if claims is not None:
        account = f"{claims.iss} {claims.sub}".encode()
    salt = b"qawait quota " + origin.encode()
    return hashlib.pbkdf2_hmac("sha256", account, salt, _ROUNDS, dklen=16).hex()
