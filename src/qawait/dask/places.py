"""The directory of a sweep that is sharded: one journal for each shard."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import msgspec
from msgspec import Struct

from qawait.errors import ConfigurationError, JournalCorrupt, JournalError
from qawait.journal.places import from_os, is_journal, private_file
from qawait.journal.reading import Reading, read
from qawait.journal.segments import segments_in

__all__ = ["Directory", "read_shards"]

_VERSION = 1
_MOST = 100_000


class _Plan(Struct):
    version: int
    shards: int


class Directory(Struct, frozen=True):
    """Where the journals of all shards are; on storage that all workers share."""

    root: Path

    @property
    def plan(self) -> Path:
        """How many shards there are; never changed."""
        return self.root / "shards.json"

    def journal(self, shard: int) -> Path:
        """The journal of a shard."""
        return self.root / f"shard-{shard:05}"

    def store(self, shard: int) -> Path:
        """The jobs of a shard's own local service, where it starts one."""
        return self.root / f"shard-{shard:05}.service.sqlite"

    def table(self, shard: int) -> Path:
        """The outcomes of a shard, where they stay beside its worker."""
        return self.root / f"shard-{shard:05}.parquet"

    def begin(self, shards: int | None, usual: int) -> int:
        """Make it, or go on with it; the number of its shards.

        Args:
            shards: What the user wants; None takes what is there, or else `usual`.
            usual: For a new one.

        Raises:
            ConfigurationError: It has another number of shards, or is something else.
            JournalError: It cannot be made.
        """
        if shards is not None and not 1 <= shards <= _MOST:
            raise ConfigurationError(f"shards is from 1 to {_MOST:,}, not {shards!r}")
        try:
            known = self._known()
            if known is None:
                known = self._begun(usual if shards is None else shards)
        except OSError as error:
            raise from_os(error, self.root) from error
        if shards not in (None, known):
            raise ConfigurationError(
                f"{self.root} has {known} shards and not {shards}: points would lie in"
                " other journals than before; leave shards= away, or name another"
                " directory"
            )
        return known

    def _known(self) -> int | None:
        try:
            content = self.plan.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            plan = msgspec.json.decode(content, type=_Plan)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise JournalCorrupt(f"{self.plan} cannot be read") from error
        if plan.version != _VERSION or not 1 <= plan.shards <= _MOST:
            raise JournalCorrupt(f"{self.plan}: a newer version of qawait wrote it")
        return plan.shards

    def _begun(self, shards: int) -> int:
        if is_journal(self.root):
            raise ConfigurationError(
                f"{self.root} is the journal of one program; name another directory"
            )
        if self.root.exists() and not self.root.is_dir():
            raise ConfigurationError(f"{self.root} is a file; name a directory")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.root / f".{uuid.uuid4().hex}"
        fd = private_file(draft)
        try:
            os.write(fd, msgspec.json.encode(_Plan(_VERSION, shards)))
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            # of two drivers that begin at once, one plan is that of both
            os.link(draft, self.plan)
        except FileExistsError:
            return self._known() or shards
        finally:
            draft.unlink()
        return shards


def read_shards(directory: str | Path) -> list[Reading]:
    """Read the journals of a sharded sweep, those that there are, in order of shards.

    Works while workers write them, on any machine that sees them.

    Raises:
        JournalError: There is no such sweep, or a journal of it is damaged.
    """
    found = Directory(Path(directory))
    try:
        known = found._known()  # pyright: ignore[reportPrivateUsage]
    except OSError as error:
        raise from_os(error, found.root) from error
    if known is None:
        raise JournalError(f"there is no sharded sweep in {found.root}")
    places = map(found.journal, range(known))
    return [read(p) for p in places if is_journal(p) or segments_in(p / "results")]
