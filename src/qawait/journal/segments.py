"""Results in files that only grow: written by one program, read by any.

A file begins with a line that says what it is. Then come records, each at a multiple of
eight bytes: a header of a fixed size with the lengths and checksums of what follows, a
description in MessagePack, and a block of arrays. Nothing is ever written over, so a
reader needs no lock; a record that is not whole yet ends what it sees.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import zlib
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from qawait.errors import JournalCorrupt
from qawait.journal.places import private_file, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["LARGEST", "Piece", "Segment", "SegmentWriter", "Slot", "segments_in"]

Piece: TypeAlias = memoryview | bytes | bytearray
"""Bytes on their way into a file."""

LARGEST = 256 << 20
"""Bytes after which a new file is begun; one record may be larger."""

_BEGINNING = b"qawait results 1\n".ljust(32, b"\0")
_HEADER = struct.Struct("<4sIQII8x")
"""Mark, lengths of the description and the block, checksums of both."""
_LENGTHS = struct.Struct("<IQ")
_MARK = b"qrec"
_ALIGNED = 8
_JOINED = 1 << 16
"""Bytes; smaller parts are put together before they are written."""
_CHUNK = 1 << 20
"""Bytes read at a time where a record is only checked."""


class Slot(Struct, frozen=True):
    """Where one record lies."""

    segment: int
    at: int
    size: int
    """Bytes from its header to the next one."""

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.at + self.size


def segments_in(directory: Path) -> list[int]:
    """The numbers of the files there, ascending."""
    names = [path.name for path in directory.glob("[0-9]*.seg")]
    return sorted(int(name[:-4]) for name in names if name[:-4].isdigit())


def path_of(directory: Path, number: int) -> Path:
    """The file of this number."""
    return directory / f"{number:06}.seg"


def _padding(size: int) -> bytes:
    return bytes(-size % _ALIGNED)


class SegmentWriter:
    """Appends records to the last file of a directory.

    Args:
        directory: Where the files are.
        number: The file to go on with.
        length: How much of it is whole; the rest was never finished and is cut off.
    """

    def __init__(self, directory: Path, number: int, length: int) -> None:
        self._directory = directory
        self._open(number, length)
        self._unsynced = False

    def _open(self, number: int, length: int) -> None:
        path = path_of(self._directory, number)
        fd = private_file(path)
        if length < len(_BEGINNING):
            # written over itself, for the file may be being read and is never empty
            os.pwrite(fd, _BEGINNING, 0)
            length = len(_BEGINNING)
            os.ftruncate(fd, length)
            os.fsync(fd)
            sync_directory(self._directory)
        elif os.fstat(fd).st_size != length:
            os.ftruncate(fd, length)
        self._fd, self.number, self.length = fd, number, length

    def append(self, description: bytes, block: Sequence[Piece]) -> Slot:
        """Write a record; it counts once `sync` has returned.

        Raises:
            OSError: It could not be written whole; `cut` takes back what there is.
        """
        if self.length > LARGEST:
            self.sync()
            os.close(self._fd)
            self._open(self.number + 1, 0)
        size = sum(map(len, block))
        checksum = 0
        for part in block:
            checksum = zlib.crc32(part, checksum)
        header = _HEADER.pack(
            _MARK, len(description), size, _checksum(description, size), checksum
        )
        described = [header, description, _padding(len(description))]
        parts: list[Piece] = [*described, *block, _padding(size)]
        at = self.length
        written = self._write(parts, at)
        self.length = at + written
        self._unsynced = True
        return Slot(self.number, at, written)

    def _write(self, parts: Sequence[Piece], at: int) -> int:
        os.lseek(self._fd, at, os.SEEK_SET)
        small = bytearray()
        for part in parts:
            if len(part) < _JOINED:
                small += part
            if len(part) >= _JOINED or len(small) >= _JOINED:
                self._write_all(small)
                small.clear()
            if len(part) >= _JOINED:
                self._write_all(part)
        self._write_all(small)
        return sum(map(len, parts))

    def _write_all(self, part: Piece) -> None:
        with memoryview(part) as left:
            done = 0
            while done < len(left):
                done += os.write(self._fd, left[done:])

    def read(self, slot: Slot) -> tuple[bytes, memoryview]:
        """A record that was written before: its description and its block."""
        return Segment(self._directory, slot.segment).read(slot)

    def sync(self) -> None:
        """Return once everything appended so far is on the disk."""
        if self._unsynced:
            _sync(self._fd)
            self._unsynced = False

    @property
    def mark(self) -> tuple[int, int]:
        """The present file and its length, for `cut`."""
        return self.number, self.length

    def cut(self, mark: tuple[int, int]) -> None:
        """Take back what was appended since `mark` was this."""
        number, length = mark
        if number == self.number:
            os.ftruncate(self._fd, length)
            self.length = length
            return
        os.close(self._fd)
        while self.number > number:
            path_of(self._directory, self.number).unlink(missing_ok=True)
            self.number -= 1
        self._open(number, length)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":  # pragma: no cover - macOS
        import fcntl

        # its fsync only hands the data to the disk, which may keep it in a cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        getattr(os, "fdatasync", os.fsync)(fd)


def _checksum(description: bytes, size: int) -> int:
    """Of a description and of both lengths."""
    return zlib.crc32(description, zlib.crc32(_LENGTHS.pack(len(description), size)))


class Segment:
    """One file of results, read while another program may append to it.

    What may not be whole is read with `pread` and never through a mapping: a program
    that opens the journal cuts off what was never finished, and a mapped page that is
    cut off ends the process that looks at it. Whole records stay, and are mapped.
    """

    def __init__(self, directory: Path, number: int) -> None:
        self.number = number
        self.path = path_of(directory, number)
        with self.path.open("rb") as file:
            self._size = os.fstat(file.fileno()).st_size
            beginning = os.pread(file.fileno(), len(_BEGINNING), 0)
        if len(beginning) == len(_BEGINNING) and beginning != _BEGINNING:
            raise JournalCorrupt(f"{self.path} is no file of results of this version")
        self._view: memoryview | None = None

    def __len__(self) -> int:
        return self._size

    def slots(self, start: int = 0) -> Iterator[tuple[Slot, bytes]]:
        """Where each record lies, with its description, from this place on.

        It ends at the first record that is not whole; the block of a record is only
        looked at when it is read.
        """
        at = start or len(_BEGINNING)
        with self.path.open("rb") as file:
            while (found := self._found(file.fileno(), at)) is not None:
                slot, description = found
                yield slot, description
                at = slot.end

    def _found(self, fd: int, at: int) -> tuple[Slot, bytes] | None:
        header = os.pread(fd, _HEADER.size, at)
        if at + _HEADER.size > self._size or len(header) < _HEADER.size:
            return None
        mark, length, size, checksum, _ = _HEADER.unpack(header)
        begin = at + _HEADER.size
        if mark != _MARK or begin + length > self._size:
            return None
        description = os.pread(fd, length, begin)
        end = begin + length + len(_padding(length)) + size + len(_padding(size))
        if _checksum(description, size) != checksum or end > self._size:
            return None
        return Slot(self.number, at, end - at), description

    def read(self, slot: Slot) -> tuple[bytes, memoryview]:
        """A record: its description, and its block as a view of the file.

        Raises:
            JournalCorrupt: It is not there whole, as it was written.
        """
        with self.path.open("rb") as file:
            found = self._found(file.fileno(), slot.at)
            if found is None or found[0] != slot:
                raise JournalCorrupt(f"{self.path}: the record at {slot.at} is damaged")
            view = self._mapped(file.fileno(), slot)
        _, length, size, _, checksum = _HEADER.unpack_from(view, slot.at)
        begin = slot.at + _HEADER.size + length + len(_padding(length))
        block = view[begin : begin + size]
        if zlib.crc32(block) != checksum:
            raise self._not_what_was_written(slot)
        return found[1], block

    def _mapped(self, fd: int, slot: Slot) -> memoryview:
        if self._view is None:
            if os.fstat(fd).st_size < slot.end:
                raise self._not_what_was_written(slot)
            self._view = memoryview(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))
        if slot.end > len(self._view):
            raise self._not_what_was_written(slot)
        return self._view

    def _not_what_was_written(self, slot: Slot) -> JournalCorrupt:
        return JournalCorrupt(
            f"{self.path}: the results at {slot.at} are not what was written"
        )

    def is_whole(self, slot: Slot, description: bytes) -> bool:
        """Whether the block of this record is as it was written."""
        with self.path.open("rb") as file:
            header = os.pread(file.fileno(), _HEADER.size, slot.at)
            if len(header) < _HEADER.size:
                return False
            _, _, left, _, checksum = _HEADER.unpack(header)
            at = slot.at + _HEADER.size
            at += len(description) + len(_padding(len(description)))
            found = 0
            while left and (part := os.pread(file.fileno(), min(left, _CHUNK), at)):
                found = zlib.crc32(part, found)
                at, left = at + len(part), left - len(part)
        return not left and found == checksum
