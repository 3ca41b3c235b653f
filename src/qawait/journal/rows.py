"""How submissions are written in SQLite, in files of results and in the status file."""

from __future__ import annotations

import zlib
from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from qawait._clock import utc_now
from qawait.errors import JournalCorrupt
from qawait.journal.records import EndedBy, Intent, Point, Recorded, Standing
from qawait.model import (  # noqa: TC001 (fields of Structs resolve at run time)
    Change,
    Following,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

__all__ = ["END", "End", "Progress", "Row", "Sent", "decoded", "encode", "now", "seal"]


class Sent(Struct, omit_defaults=True, kw_only=True):
    """An intent without its manifest, which is only needed to read a result."""

    submission_id: str
    target: str
    circuits: int
    shots: int
    tag: str | None = None
    points: tuple[Point, ...] = ()
    body_hash: bytes | None = None
    calibration_set_id: str | None = None
    """Out of the manifest: whoever reads the figures of the time needs it."""
    settings: Mapping[str, Any] = {}
    replaces: str | None = None
    trace: str | None = None

    @classmethod
    def of(cls, intent: Intent) -> Sent:
        """What is written of an intent."""
        return cls(
            submission_id=intent.submission_id,
            target=intent.target,
            circuits=intent.circuits,
            shots=intent.shots,
            tag=intent.tag,
            points=intent.points,
            body_hash=intent.body_hash,
            calibration_set_id=intent.manifest.calibration_set_id,
            settings=msgspec.to_builtins(intent.settings),
            replaces=intent.replaces,
            trace=intent.trace,
        )


class Progress(Struct, omit_defaults=True, kw_only=True):
    """What is known of a submission beside where it stands."""

    opened: tuple[str, ...] = ()
    evidence: str = ""
    changes: tuple[Change, ...] = ()
    raw: str = ""
    ended_by: EndedBy | None = None
    kept: bool = False
    """Whether its user has decided to leave it unknown."""
    following: Following | None = None


class Row(Struct, kw_only=True):
    """One submission, its manifest still in bytes or left out."""

    sent: Sent
    standing: Standing
    job_id: str | None
    progress: Progress
    written_at: datetime
    updated_at: datetime
    manifest: bytes = b""

    def recorded(self) -> Recorded:
        """The same with its manifest, as it is handed to callers.

        Raises:
            JournalCorrupt: The manifest cannot be read.
        """
        # numpy loads with it
        from qawait.journal.manifests import decode_manifest

        sent, progress = self.sent, self.progress
        return Recorded(
            intent=Intent(
                submission_id=sent.submission_id,
                target=sent.target,
                circuits=sent.circuits,
                shots=sent.shots,
                tag=sent.tag,
                manifest=decoded(decode_manifest, self.manifest),
                points=sent.points,
                body_hash=sent.body_hash,
                settings=sent.settings,
                replaces=sent.replaces,
                trace=sent.trace,
            ),
            standing=self.standing,
            job_id=self.job_id,
            opened=progress.opened,
            evidence=progress.evidence,
            changes=progress.changes,
            raw=progress.raw,
            ended_by=progress.ended_by,
            following=progress.following,
            written_at=self.written_at,
            updated_at=self.updated_at,
        )


class End(Struct, kw_only=True):
    """The description of one record in a file of results."""

    row: Row
    result: bytes | None
    """The description of the result; None where the job ended with an error."""
    digest: bytes


_ENCODER = msgspec.msgpack.Encoder()
encode: Callable[[Any], bytes] = _ENCODER.encode
END = msgspec.msgpack.Decoder(End)


def decoded(decode: Callable[[bytes], T], data: bytes) -> T:
    """What a decoder makes of stored bytes.

    Raises:
        JournalCorrupt: It can make nothing of them.
    """
    try:
        return decode(data)
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        LookupError,
    ) as error:
        raise JournalCorrupt(f"the journal holds what is no record: {error}") from error


def seal(*parts: object) -> int:
    """A checksum of what stands in one row, since SQLite keeps none."""
    return zlib.crc32(_ENCODER.encode(parts))


def now() -> datetime:
    """The present, aware and in UTC."""
    return utc_now()
