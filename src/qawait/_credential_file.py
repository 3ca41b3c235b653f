"""Reading a file of the user's own that holds a token: a tokens file or a `.env`."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CredentialFile", "read_credentials"]

_LARGEST = 1 << 20
"""Bytes; a file with a token has a few hundred."""


class CredentialFile(Struct, frozen=True):
    """What was read, and whether others can read it too. Its repr shows no content."""

    content: bytes
    exposed: bool
    """Whether the file's mode lets its group or everybody read it."""

    def __repr__(self) -> str:
        return f"<credentials, {len(self.content)} bytes>"


def read_credentials(path: Path, name: str) -> CredentialFile:
    """Read a file with a token; links are followed, for vendor tools and mounts use them.

    Args:
        path: The file.
        name: Says in errors which file it is.

    Raises:
        ConfigurationError: It cannot be read, is no ordinary file, or is too large.
    """
    # without O_NONBLOCK, opening a named pipe waits until somebody writes to it
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            ordinary = stat.S_ISREG(mode)
            content = file.read(_LARGEST + 1) if ordinary else b""
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}") from None
    if not ordinary:
        raise ConfigurationError(f"{name} is not an ordinary file")
    if len(content) > _LARGEST:
        raise ConfigurationError(f"{name} is too large to hold a token")
    return CredentialFile(content, os.name == "posix" and bool(mode & 0o044))
