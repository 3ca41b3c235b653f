"""What QH1 and QH2 mean, said in the plainest Python: an oracle for reader and writer.

It shares only the errors with the library. Every number is read by itself, in order, so
that the first thing wrong with a payload is the one that is named. Source of the format:
wire reference, Qoro, §3.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, NamedTuple

from qawait.errors import ProtocolError, ResponseTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Counts = list[tuple[int, int]]
"""Outcomes in ascending order, each with how often it was seen."""


class Fields(NamedTuple):
    """The numbers of a payload, which may contradict each other."""

    encoding: str
    width: int
    unique: int
    total: int
    n_gaps: int
    gaps: Sequence[int]
    flag_bytes: int
    n_runs: int
    first: int
    """The first flag; written only if `n_runs` is not 0."""
    runs: Sequence[int]
    n_extras: int
    extras: Sequence[int]


def fields_of(width: int, counts: Counts) -> Fields:
    """The fields of a sound payload, as the service chooses them."""
    outcomes = [outcome for outcome, _ in counts]
    gaps = [b - a for a, b in zip([0, *outcomes], outcomes, strict=False)]
    runs: list[int] = []
    before = None
    for _, count in counts:
        if (count == 1) == before:
            runs[-1] += 1
        else:
            runs.append(1)
        before = count == 1
    extras = [count - 2 for _, count in counts if count != 1]
    return Fields(
        "qh1" if width <= 255 else "qh2",
        width,
        len(counts),
        sum(count for _, count in counts),
        len(gaps),
        gaps,
        len(varints([len(runs), *runs])) + bool(runs),
        len(runs),
        int(bool(counts) and counts[0][1] == 1),
        runs,
        len(extras),
        extras,
    )


def written(fields: Fields) -> bytes:
    """The payload that these fields make, sound or not."""
    return b"".join(
        (
            fields.encoding.upper().encode(),
            bytes([fields.width & 0xFF])
            if fields.encoding == "qh1"
            else varints([fields.width]),
            varints([fields.unique, fields.total, fields.n_gaps, *fields.gaps]),
            varints([fields.flag_bytes, fields.n_runs]),
            bytes([fields.first & 0xFF]) if fields.n_runs else b"",
            varints([*fields.runs, fields.n_extras, *fields.extras]),
        )
    )


def varints(values: Iterable[int]) -> bytes:
    """Each number in groups of seven bits, the lowest first, in its shortest form."""
    out = bytearray()
    for value in values:
        bits = f"{value:b}"
        groups = [
            int(bits[max(0, end - 7) : end], 2) for end in range(len(bits), 0, -7)
        ]
        out += bytes(group | 0x80 for group in groups[:-1])
        out.append(groups[-1])
    return bytes(out)


def decoded(encoding: str, n_bits: int | None, payload: str) -> Counts:
    """Reads one circuit's results.

    Raises:
        ProtocolError: The payload breaks a rule of the format.
        ResponseTooLarge: Its outcomes would take more than 256 MiB.
    """
    if encoding not in ("qh1", "qh2"):
        raise refused(f"unknown encoding {encoding[:20]!r}; known are qh1 and qh2")
    try:
        data = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError as error:
        raise refused(f"the payload is not base64: {error}") from error
    if data[:3] != encoding.upper().encode():
        raise refused(f"the payload is not {encoding}: it begins with {data[:3]!r}")
    reader = Reader(data, at=3)
    width = reader.byte("width") if encoding == "qh1" else reader.varint(21, "width")
    if width > 2**20:
        raise refused(f"{width} bits, more than {2**20}")
    if width != n_bits:
        raise refused(f"the payload has {width} bits, its envelope says {n_bits}")
    unique = reader.varint(63, "number of outcomes")
    total = reader.varint(63, "number of shots")
    gaps = reader.size("gaps")
    if gaps != unique:
        raise refused(f"{unique} outcomes, but {gaps} gaps")
    if unique * -(-max(width, 64) // 8) > 2**28:
        raise ResponseTooLarge(
            f"histogram: {unique} outcomes of {width} bits take more than {2**28} bytes"
        )
    outcomes = _outcomes(reader, unique, width)
    once = _flags(reader, unique)
    extras = reader.size("extras")
    if extras != once.count(False):
        raise refused(f"{extras} extras for {once.count(False)} outcomes")
    values = [reader.varint(63, "extra") for _ in range(extras)]
    if reader.left:
        raise refused(f"{reader.left} bytes too many at the end")
    rest = iter(values)
    counts = [1 if is_once else next(rest) + 2 for is_once in once]
    if sum(counts) != total:
        raise refused(f"its counts add up to {sum(counts)}, it says {total} shots")
    return list(zip(outcomes, counts, strict=True))


def _outcomes(reader: Reader, unique: int, width: int) -> list[int]:
    outcomes: list[int] = []
    for n in range(unique):
        gap = reader.varint(max(width, 1), "gap")
        if n and not gap:
            raise refused(f"outcome {n - 1} appears twice")
        outcomes.append(outcomes[-1] + gap if n else gap)
        if outcomes[-1] >> width:
            raise refused(f"outcome {n} is wider than {width} bits")
    return outcomes


def _flags(reader: Reader, unique: int) -> list[bool]:
    size = reader.size("flags")
    end = reader.at + size
    if not size:
        if unique:
            raise refused(f"no flags for {unique} outcomes")
        return []
    runs = reader.size("runs")
    first = bool(reader.byte("first flag")) if runs else False
    lengths: list[int] = []
    for _ in range(runs):
        lengths.append(reader.varint(63, "run"))
        if not lengths[-1]:
            raise refused("a run of flags is empty")
    if reader.at != end:
        raise refused(f"the flags take {size - end + reader.at} bytes, not {size}")
    if sum(lengths) != unique:
        raise refused(f"{sum(lengths)} flags for {unique} outcomes")
    flags: list[bool] = []
    for n, length in enumerate(lengths):
        flags += [first ^ bool(n % 2)] * length
    return flags


class Reader:
    """Reads a payload from front to back."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def byte(self, what: str) -> int:
        if not self.left:
            raise refused(f"it ends before the {what}")
        self.at += 1
        return self.data[self.at - 1]

    def varint(self, bits: int, what: str) -> int:
        most = -(-bits // 7)
        value = size = 0
        while True:
            if size == most:
                raise refused(f"a {what} is wider than {bits} bits")
            if size == self.left:
                raise refused(f"it ends inside a {what}")
            group = self.data[self.at + size]
            value |= (group & 0x7F) << 7 * size
            size += 1
            if group < 0x80:
                break
        if size > 1 and not group:
            raise refused(f"a {what} is longer than it need be")
        if value >> bits:
            raise refused(f"a {what} is wider than {bits} bits")
        self.at += size
        return value

    def size(self, what: str) -> int:
        size = self.varint(63, f"number of {what}")
        if size > self.left:
            raise refused(f"{size} {what} announced, {self.left} bytes left")
        return size


def refused(reason: str) -> ProtocolError:
    return ProtocolError(f"histogram: {reason}")
