"""How things stand, for programs that cannot have the lock: a small file, often renewed."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from qawait.journal.figures import Figures, kept_figures
from qawait.journal.places import private_file
from qawait.journal.records import Anomaly, Identity, Tally
from qawait.journal.rows import Row, now

if TYPE_CHECKING:
    from pathlib import Path

    from qawait.journal.store import Store

__all__ = ["NOTE", "Snapshot", "StatusFile", "read_status", "snapshot"]

NOTE = "note "
"""What names of values from outside begin with."""
_INTERVAL = 1.0
"""Seconds between two writes."""
_SHARE = 20
"""A write that took long is followed by a pause so many times as long."""


class Snapshot(Struct, kw_only=True):
    """How a journal stood at one moment."""

    pid: int
    host: str
    at: datetime
    identity: Identity | None
    tally: Tally
    unended: list[Row]
    """Everything whose end is not in a file of results; without manifests."""
    notes: dict[str, Any] = {}
    anomalies: list[Anomaly] = []
    figures: list[Figures] = []
    """Quality figures of the target, oldest first."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Snapshot)


def snapshot(store: Store) -> Snapshot:
    """How a journal stands now; inside a transaction."""
    submissions = store.submissions
    rows = [submissions.row(entry) for entry in submissions.unended()]
    for row in rows:
        row.manifest = b""
    identity = store.facts.get("identity")
    return Snapshot(
        pid=os.getpid(),
        host=socket.gethostname(),
        at=now(),
        identity=msgspec.convert(identity, Identity) if identity else None,
        tally=store.tally(),
        unended=rows,
        notes=store.facts.all(NOTE),
        anomalies=store.anomalies(),
        figures=kept_figures(store.facts),
    )


class StatusFile:
    """Writes the file, whole or not at all, at most once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(path.name + ".new")
        self._due = 0.0
        self._stale = True

    def changed(self) -> None:
        """Something is no longer as it was written."""
        self._stale = True

    def wait(self) -> float | None:
        """Seconds until it is to be written; None while nothing has changed."""
        return max(0.0, self._due - time.monotonic()) if self._stale else None

    def write(self, store: Store) -> None:
        """Write it; a disk that is full leaves the older one in its place."""
        began = time.monotonic()
        content = _ENCODER.encode(snapshot(store))
        with contextlib.suppress(OSError):
            fd = private_file(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with open(fd, "wb") as file:  # noqa: PTH123 (a descriptor, not a path)
                file.write(content)
            self._new.replace(self._path)
        ended = time.monotonic()
        self._due = ended + max(_INTERVAL, _SHARE * (ended - began))
        self._stale = False


def read_status(path: Path) -> Snapshot | None:
    """What was last written; None if there is nothing that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _DECODER.decode(path.read_bytes())
    return None
