"""What a real service answered, as a file: one line of JSON for each exchange."""

from __future__ import annotations

import base64
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from qawait.testing.redaction import Redaction

__all__ = ["HERE", "Exchange", "Recording", "digest_of", "exchange", "read", "write"]

FORMAT = 1
HERE = "http://service.invalid"
"""Stands for the service's own address in what it answered."""


class _Head(Struct, kw_only=True, forbid_unknown_fields=True):
    """The first line."""

    qawait_recording: int
    """Version of the format."""
    service: str
    """As `--service` takes it."""
    dialect: str | None = None
    """IQM's dialect, where the address of the replay would not tell."""
    recorded_at: str = ""


class Exchange(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One request and its answer."""

    method: str
    path: str
    """With its query, from the root of the host."""
    request: str = ""
    """SHA-256 of the request's body without secrets; empty without a body."""
    status: int
    headers: dict[str, str] = {}
    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """The answer's body, where it is JSON; else one of the following two."""
    text: str = ""
    base64: str = ""

    def body(self, here: str) -> bytes:
        """The answer's body, with this address for the service's own."""
        if self.base64:
            return base64.b64decode(self.base64)
        body = self.text.encode() if self.json is msgspec.UNSET else bytes(self.json)
        return body.replace(HERE.encode(), here.encode())


class Recording(Struct, kw_only=True):
    """All exchanges, in the order of their answers."""

    service: str
    dialect: str | None
    exchanges: list[Exchange]


_HEAD = msgspec.json.Decoder(_Head)
_EXCHANGE = msgspec.json.Decoder(Exchange)


def digest_of(body: bytes, redaction: Redaction) -> str:
    """What stands for a request's body: the same for another token."""
    if not body:
        return ""
    text = redaction.text(body.decode("utf-8", "surrogateescape"))
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def exchange(
    *,
    method: str,
    path: str,
    request: bytes,
    status: int,
    headers: dict[str, str],
    body: bytes,
    service_root: str,
    redaction: Redaction,
) -> Exchange:
    """An exchange as it is written down: no secret of it is left."""
    made = Exchange(
        method=method,
        path=redaction.path(path),
        request=digest_of(request, redaction),
        status=status,
        headers={
            name: redaction.path(value).replace(service_root, HERE)
            for name, value in headers.items()
        },
    )
    try:
        text = redaction.text(body.decode()).replace(service_root, HERE)
    except UnicodeDecodeError:
        made.base64 = base64.b64encode(body).decode()
        return made
    try:
        msgspec.json.decode(text)
        # on one line, and every number as the service wrote it
        made.json = msgspec.Raw(msgspec.json.format(text, indent=-1).encode())
    except (msgspec.MsgspecError, RecursionError):
        made.text = text
    return made


def write(path: Path, recording: Recording, recorded_at: str) -> None:
    """Write a recording; the file appears whole or not at all.

    Raises:
        ConfigurationError: It cannot be written there.
    """
    head = _Head(
        qawait_recording=FORMAT,
        service=recording.service,
        dialect=recording.dialect,
        recorded_at=recorded_at,
    )
    lines = [msgspec.json.encode(head)]
    lines += map(msgspec.json.encode, recording.exchanges)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".qawait-", dir=path.parent)
        with open(handle, "wb") as file:  # noqa: PTH123 (a handle, not a path)
            file.write(b"\n".join(lines) + b"\n")
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"the recording {path} cannot be written: {error.strerror}"
        ) from None


def read(path: Path) -> Recording:
    """Read a recording.

    Raises:
        ConfigurationError: There is none, or it is damaged; names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"the recording {path}: {error.strerror}") from None
    reached = 1
    try:
        head = _HEAD.decode(lines[0] if lines else b"")
        if head.qawait_recording != FORMAT:
            raise ConfigurationError(
                f"the recording {path} has format {head.qawait_recording}, which this "
                f"version does not read; record it again"
            )
        exchanges: list[Exchange] = []
        for reached, line in enumerate(lines[1:], start=2):  # noqa: B007
            exchanges.append(_EXCHANGE.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the recording {path} is damaged in line {reached}: {error}"
        ) from None
    return Recording(service=head.service, dialect=head.dialect, exchanges=exchanges)
