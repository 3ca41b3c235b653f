"""A disk in memory whose power can fail: what was not flushed is lost, whole or in part.

It is a file system for SQLite, so that the real statements run on it; nothing of it is
in the library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import apsw

SECTOR = 512


class PowerFailure(Exception):
    """There is no power from here on."""


@dataclass
class DiskFile:
    """What a program reads, and what would be left without power."""

    content: bytearray = field(default_factory=bytearray)
    flushed: bytes = b""
    writes: list[tuple[int, bytes] | int] = field(default_factory=list)
    """Since the last flush: a place and bytes, or a length it was cut to."""

    def write(self, at: int, data: bytes) -> None:
        self._put(self.content, at, data)
        self.writes.append((at, data))

    def truncate(self, length: int) -> None:
        self._cut(self.content, length)
        self.writes.append(length)

    def flush(self) -> None:
        self.flushed = bytes(self.content)
        self.writes.clear()

    def after_the_failure(self, random: Random) -> bytes:
        """Each sector that was not flushed is there or not, in any combination."""
        left = bytearray(self.flushed)
        everything = random.random()
        for write in self.writes:
            if isinstance(write, int):
                if random.random() < everything:
                    self._cut(left, write)
                continue
            at, data = write
            start = 0
            while start < len(data):
                end = min(len(data), start + SECTOR - (at + start) % SECTOR)
                if random.random() < everything:
                    self._put(left, at + start, data[start:end])
                start = end
        return bytes(left)

    @staticmethod
    def _put(content: bytearray, at: int, data: bytes) -> None:
        if len(content) < at:
            content.extend(bytes(at - len(content)))
        content[at : at + len(data)] = data

    @staticmethod
    def _cut(content: bytearray, length: int) -> None:
        del content[length:]
        content.extend(bytes(length - len(content)))


class Disk:
    """Files by name; `power` counts down with every write and every flush."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = {
            name: DiskFile(bytearray(content), content)
            for name, content in (files or {}).items()
        }
        self.power = 1 << 60

    def use(self) -> None:
        self.power -= 1
        if self.power < 0:
            raise PowerFailure

    def after_the_failure(self, random: Random) -> Disk:
        return Disk(
            {name: f.after_the_failure(random) for name, f in self.files.items()}
        )


class _File:
    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._file = disk.files.setdefault(name, DiskFile())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.use()
        self._file.write(offset, bytes(data))

    def xTruncate(self, length: int) -> None:
        self._disk.use()
        self._file.truncate(length)

    def xSync(self, flags: int) -> None:
        self._disk.use()
        self._file.flush()

    def xFileSize(self) -> int:
        return len(self._file.content)

    def xClose(self) -> None: ...
    def xLock(self, level: int) -> None: ...
    def xUnlock(self, level: int) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0


class DiskForSQLite(apsw.VFS):
    """The file system; `disk` is the one that is looked at now."""

    def __init__(self, name: str) -> None:
        self.disk = Disk()
        self.name = name
        super().__init__(name, "")

    def connection(self, disk: Disk, name: str = "journal.sqlite") -> Any:
        self.disk = disk
        return apsw.Connection(name, vfs=self.name)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        if name is None:
            name = "temporary"
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self.disk, text)

    def xDelete(self, name: str, sync: bool) -> None:
        self.disk.files.pop(name, None)

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self.disk.files

    def xFullPathname(self, name: str) -> str:
        return name


class Results:
    """Stands for the files of results, on the same disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._file = disk.files.setdefault("000001.seg", DiskFile())

    @property
    def mark(self) -> tuple[int, int]:
        return 1, len(self._file.content)

    def append(self, description: bytes, block: Any) -> Any:
        from qawait.journal.segments import Slot

        at = len(self._file.content)
        data = b"".join([description, *map(bytes, block)])
        self._disk.use()
        self._file.write(at, data)
        return Slot(1, at, len(data))

    def sync(self) -> None:
        self._disk.use()
        self._file.flush()

    def cut(self, mark: tuple[int, int]) -> None:
        if self.mark != mark:
            self._disk.use()
            self._file.truncate(mark[1])
