"""A file through which programs of the same user get the service's token."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["tokens_file"]


@contextlib.contextmanager
def tokens_file(path: Path | None, token: str) -> Generator[None]:
    """Keep a tokens file as IQM's clients read it, for the length of the block.

    Only its owner can read it, whatever the umask. It is always a new file: neither a
    link that somebody put there nor real tokens are written over.

    Args:
        path: Where; None writes none.
        token: What goes into it.

    Raises:
        ConfigurationError: There is something in its place, or it cannot be made.
    """
    if path is None:
        yield
        return
    made = _written(path.absolute(), token)
    try:
        yield
    finally:
        # Somebody may have put another file there meanwhile: that one stays.
        with contextlib.suppress(OSError):
            if os.path.samestat(path.lstat(), made):
                path.unlink()


def _written(path: Path, token: str) -> os.stat_result:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(msgspec.json.encode({"access_token": token}))
            return os.fstat(file.fileno())
    except FileExistsError:
        raise ConfigurationError(
            f"{path} is there already; if a service that was killed has left it, remove"
            " it, else name another file"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made: {error.strerror}") from None
