"""Histograms of outcomes, and the two byte formats in which Qoro sends them.

Source of the formats: wire reference, Qoro, §3. The decoder is stricter than the
service's own client: whatever could lose shots without a word is refused.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

from qawait.errors import ProtocolError, ResponseTooLarge
from qawait.packing import bytes_for, pack, read_only, tally, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = [
    "MAX_BITS",
    "MAX_OUTCOME_BYTES",
    "Histogram",
    "decode_histogram",
    "encode_histogram",
]

MAX_BITS = 2**20
"""The widest register that QH2 may declare."""
MAX_OUTCOME_BYTES = 2**30
"""The most memory that the outcomes of one histogram may take: 1 GiB."""

_WORD_BITS = 64
_COUNT_BITS = 63
_QH1_BITS = 255


class Histogram(Struct, frozen=True, eq=False):
    """How often each outcome was seen, in ascending order of the outcomes.

    `outcomes` has the shape (k,) and is uint64 up to 64 bits; beyond, it is the bytes
    of Qiskit's BitArray, uint8 of shape (k, ceil(n_bits / 8)). Bit j of an outcome is
    classical bit j. `counts` is int64 of shape (k,). Both are read-only.
    """

    n_bits: int
    outcomes: NDArray[Any]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("outcomes", "counts"):
            msgspec.structs.force_setattr(self, name, read_only(getattr(self, name)))

    @classmethod
    def of_packed(
        cls,
        packed: NDArray[np.uint8],
        n_bits: int,
        weights: NDArray[np.int64] | None = None,
    ) -> Histogram:
        """Counts packed rows; with `weights`, each row counts that often."""
        rows, counts = tally(packed, weights)
        return cls(n_bits, _numbers(rows) if n_bits <= _WORD_BITS else rows, counts)

    @classmethod
    def of_bits(cls, bits: NDArray[np.integer[Any]]) -> Histogram:
        """Counts rows of 0 and 1, shape (shots, n), column j = classical bit j."""
        return cls.of_packed(pack(bits), bits.shape[1])

    @property
    def shots(self) -> int:
        """The sum of all counts."""
        return int(self.counts.sum())

    def packed(self) -> NDArray[np.uint8]:
        """The outcomes as bytes of Qiskit's BitArray, (k, ceil(n_bits / 8))."""
        if self.n_bits > _WORD_BITS:
            return self.outcomes
        words = self.outcomes.astype(">u8").view(np.uint8).reshape(-1, 8)
        return words[:, 8 - bytes_for(self.n_bits) :]

    def bits(self) -> NDArray[np.uint8]:
        """The outcomes as 0 and 1, (k, n_bits), column j = classical bit j."""
        return unpack(self.packed(), self.n_bits)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same of the same number of bits."""
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            self.n_bits == other.n_bits
            and np.array_equal(self.outcomes, other.outcomes)
            and np.array_equal(self.counts, other.counts)
        )

    def __ne__(self, other: object) -> bool:
        # A Struct brings its own, which would compare identities.
        return not self == other

    def __repr__(self) -> str:
        return (
            f"Histogram({self.n_bits} bits, {len(self.counts)} outcomes,"
            f" {self.shots} shots)"
        )


def _numbers(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    words = np.zeros((len(packed), 8), np.uint8)
    words[:, 8 - packed.shape[1] :] = packed
    return words.view(">u8")[:, 0].astype(np.uint64)


# --- reading -------------------------------------------------------------------------


def decode_histogram(encoding: str, n_bits: int | None, payload: str) -> Histogram:
    """Reads the `encoding`, `n_bits` and `payload` of one circuit's results.

    Every size is checked against the bytes that are there, and against
    `MAX_OUTCOME_BYTES`, before memory is taken for it.

    Args:
        encoding: "qh1" or "qh2".
        n_bits: The width by the envelope; None, if it is missing, is refused.
        payload: Base64 in the standard alphabet, with padding.

    Raises:
        ProtocolError: The payload breaks a rule of the format; says which.
        ResponseTooLarge: Its outcomes would not fit into `MAX_OUTCOME_BYTES`.
    """
    if encoding not in ("qh1", "qh2"):
        raise _refused(f"unknown encoding {encoding[:20]!r}; known are qh1 and qh2")
    try:
        data = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError as error:
        raise _refused(f"the payload is not base64: {error}") from error
    if data[:3] != encoding.upper().encode():
        raise _refused(f"the payload is not {encoding}: it begins with {data[:3]!r}")
    reader = _Reader(data, at=3)
    width = reader.byte("width") if encoding == "qh1" else reader.varint(21, "width")
    if width > MAX_BITS:
        raise _refused(f"{width} bits, more than {MAX_BITS}")
    if width != n_bits:
        raise _refused(f"the payload has {width} bits, its envelope says {n_bits}")
    return _read_body(reader, width)


def _read_body(reader: _Reader, width: int) -> Histogram:
    unique = reader.varint(_COUNT_BITS, "number of outcomes")
    total = reader.varint(_COUNT_BITS, "number of shots")
    gaps = reader.size("gaps")
    if gaps != unique:
        raise _refused(f"{unique} outcomes, but {gaps} gaps")
    if unique * bytes_for(max(width, _WORD_BITS)) > MAX_OUTCOME_BYTES:
        raise ResponseTooLarge(
            f"histogram: {unique} outcomes of {width} bits take more than"
            f" {MAX_OUTCOME_BYTES} bytes"
        )
    outcomes = _as_array(_indices(reader, unique, width), unique, width)
    once = _read_flags(reader, unique)
    extras = reader.size("extras")
    more = ~once
    if extras != np.count_nonzero(more):
        raise _refused(f"{extras} extras for {np.count_nonzero(more)} outcomes")
    values = [reader.varint(_COUNT_BITS, "extra") for _ in range(extras)]
    if reader.left:
        raise _refused(f"{reader.left} bytes too many at the end")
    if sum(values) + extras + unique != total:
        found = sum(values) + extras + unique
        raise _refused(f"its counts add up to {found}, it says {total} shots")
    counts = np.ones(unique, np.int64)
    # Only now: values up to the total fit into int64, others need not.
    counts[more] = np.array(values, np.int64) + 2
    return Histogram(width, outcomes, counts)


def _indices(reader: _Reader, unique: int, width: int) -> Iterator[int]:
    index = 0
    for n in range(unique):
        gap = reader.varint(max(width, 1), "gap")
        if n and not gap:
            raise _refused(f"outcome {index} appears twice")
        index += gap
        if index >> width:
            raise _refused(f"outcome {n} is wider than {width} bits")
        yield index


def _as_array(indices: Iterator[int], unique: int, width: int) -> NDArray[Any]:
    if width <= _WORD_BITS:
        return np.fromiter(indices, np.uint64, unique)
    size = bytes_for(width)
    packed = b"".join(index.to_bytes(size, "big") for index in indices)
    return np.frombuffer(packed, np.uint8).reshape(unique, size)


def _read_flags(reader: _Reader, unique: int) -> NDArray[np.bool_]:
    """Which outcomes were seen exactly once, shape (unique,)."""
    size = reader.size("flags")
    end = reader.at + size
    if not size:
        if unique:
            raise _refused(f"no flags for {unique} outcomes")
        return np.ones(0, bool)
    runs = reader.size("runs")
    first = bool(reader.byte("first flag")) if runs else False
    lengths: list[int] = []
    for _ in range(runs):
        length = reader.varint(_COUNT_BITS, "run")
        if not length:
            raise _refused("a run of flags is empty")
        lengths.append(length)
    if reader.at != end:
        raise _refused(f"the flags take {size - end + reader.at} bytes, not {size}")
    if sum(lengths) != unique:
        raise _refused(f"{sum(lengths)} flags for {unique} outcomes")
    flags = np.arange(runs) % 2 == (0 if first else 1)
    return np.repeat(flags, lengths)


class _Reader:
    """Reads a payload from front to back."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def byte(self, what: str) -> int:
        if not self.left:
            raise _refused(f"it ends before the {what}")
        self.at += 1
        return self.data[self.at - 1]

    def varint(self, bits: int, what: str) -> int:
        """The next ULEB128 number, at most `bits` wide and in its shortest form."""
        most = self.at + -(-bits // 7)
        at = self.at
        data = self.data
        try:
            while data[at] & 0x80:
                at += 1
                if at == most:
                    raise _refused(f"a {what} is wider than {bits} bits")
            last = data[at]
        except IndexError:
            raise _refused(f"it ends inside a {what}") from None
        groups = data[self.at : at + 1]
        self.at = at + 1
        if len(groups) == 1:
            value = last
        elif not last:
            raise _refused(f"a {what} is longer than it need be")
        else:
            value = _joined(groups)
        if value >> bits:
            raise _refused(f"a {what} is wider than {bits} bits")
        return value

    def size(self, what: str) -> int:
        """The number of elements that follow; each takes at least one byte."""
        size = self.varint(_COUNT_BITS, f"number of {what}")
        if size > self.left:
            raise _refused(f"{size} {what} announced, {self.left} bytes left")
        return size


def _joined(groups: bytes) -> int:
    """The number that groups of seven bits make up, lowest group first."""
    # Shifting group by group takes quadratic time, which a wide number could abuse.
    bits = np.unpackbits(np.frombuffer(groups, np.uint8), bitorder="little")
    joined = np.packbits(bits.reshape(-1, 8)[:, :7].ravel(), bitorder="little")
    return int.from_bytes(joined.tobytes(), "little")


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(f"histogram: {reason}")


# --- writing -------------------------------------------------------------------------


def encode_histogram(histogram: Histogram) -> tuple[str, str]:
    """Writes a histogram; QH1 up to 255 bits, QH2 beyond, as the service does.

    Returns:
        The `encoding` and the base64 `payload`; `n_bits` goes beside them.
    """
    width = histogram.n_bits
    encoding = "qh1" if width <= _QH1_BITS else "qh2"
    counts = histogram.counts
    once = counts == 1
    starts = np.flatnonzero(np.diff(once, prepend=~once[:1]))
    lengths = np.diff(starts, append=len(once)).tolist()
    flags = _varints([len(lengths)])
    if lengths:
        flags += bytes([int(once[0])]) + _varints(lengths)
    extras = (counts[~once] - 2).tolist()
    payload = b"".join(
        (
            encoding.upper().encode(),
            bytes([width]) if encoding == "qh1" else _varints([width]),
            _varints([len(counts), histogram.shots, len(counts)]),
            _varints(_gaps(histogram)),
            _varints([len(flags)]),
            flags,
            _varints([len(extras)]),
            _varints(extras),
        )
    )
    return encoding, binascii.b2a_base64(payload, newline=False).decode("ascii")


def _gaps(histogram: Histogram) -> Iterator[int]:
    last = 0
    for outcome in histogram.outcomes:
        index = (
            int(outcome)
            if histogram.n_bits <= _WORD_BITS
            else int.from_bytes(outcome.tobytes(), "big")
        )
        yield index - last
        last = index


def _varints(values: Iterable[int]) -> bytes:
    out = bytearray()
    for value in values:
        rest = value
        if rest >> _WORD_BITS:
            out += _split(rest)
            continue
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _split(value: int) -> bytes:
    """The inverse of `_joined`: a wide number as ULEB128, in linear time."""
    width = value.bit_length()
    little = np.frombuffer(value.to_bytes(bytes_for(width), "little"), np.uint8)
    bits = np.zeros(-(-width // 7) * 7, np.uint8)
    bits[:width] = np.unpackbits(little, count=width, bitorder="little")
    groups = np.packbits(bits.reshape(-1, 7), axis=1, bitorder="little").ravel()
    groups[:-1] |= 0x80
    return groups.tobytes()
