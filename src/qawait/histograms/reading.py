"""Reading: from the bytes of QH1 and QH2 to a histogram (wire reference, Qoro, §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qawait.errors import ResponseTooLarge
from qawait.histograms import base64_decoder, wide
from qawait.histograms.histogram import WORD_BITS, Histogram
from qawait.histograms.varints import Reader, refused
from qawait.packing import bytes_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qawait.histograms.varints import Numbers

__all__ = ["MAX_BITS", "MAX_OUTCOME_BYTES", "decode_histogram"]

MAX_BITS = 2**20
"""The widest register that QH2 may declare."""
MAX_OUTCOME_BYTES = 2**28
"""The most memory that the outcomes of one histogram may take: 256 MiB."""

_COUNT_BITS = 63
_BLOCK_WORDS = 2**15
"""Words of wide outcomes that are made together, unless a single one has more."""


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
        raise refused(f"unknown encoding {encoding[:20]!r}; known are qh1 and qh2")
    try:
        data = base64_decoder.decode(payload)
    except ValueError as error:
        raise refused(f"the payload is not base64: {error}") from error
    magic = data[:3].tobytes()
    if magic != encoding.upper().encode():
        raise refused(f"the payload is not {encoding}: it begins with {magic!r}")
    reader = Reader(data, at=3)
    width = reader.byte("width") if encoding == "qh1" else reader.number(21, "width")
    if width > MAX_BITS:
        raise refused(f"{width} bits, more than {MAX_BITS}")
    if width != n_bits:
        raise refused(f"the payload has {width} bits, its envelope says {n_bits}")
    return _read_body(reader, width)


def _read_body(reader: Reader, width: int) -> Histogram:
    unique = reader.number(_COUNT_BITS, "number of outcomes")
    total = reader.number(_COUNT_BITS, "number of shots")
    gaps = reader.size("gaps")
    if gaps != unique:
        raise refused(f"{unique} outcomes, but {gaps} gaps")
    if unique * bytes_for(max(width, WORD_BITS)) > MAX_OUTCOME_BYTES:
        raise ResponseTooLarge(
            f"histogram: {unique} outcomes of {width} bits take more than"
            f" {MAX_OUTCOME_BYTES} bytes"
        )
    read = _read_words if width <= WORD_BITS else _read_wide
    outcomes = read(reader, unique, width)
    once = _read_flags(reader, unique)
    more = np.logical_not(once, out=once)
    expected = int(np.count_nonzero(more))
    extras = reader.size("extras")
    if extras != expected:
        raise refused(f"{extras} extras for {expected} outcomes")
    values, found = _read_counts(reader, extras, "extra")
    if reader.left:
        raise refused(f"{reader.left} bytes too many at the end")
    found += extras + unique
    if found != total:
        raise refused(f"its counts add up to {found}, it says {total} shots")
    counts = np.ones(unique, np.int64)
    # Only now: values up to the total fit into int64, others need not.
    values += 2
    counts[more] = values
    return Histogram(width, outcomes, counts)


def _read_words(reader: Reader, unique: int, width: int) -> NDArray[np.uint64]:
    """Outcomes that are numbers, shape (unique,)."""
    outcomes = np.empty(unique, np.uint64)
    last = np.zeros(1, np.uint64)
    done = 0
    for gaps in reader.numbers(unique, max(width, 1), "gap"):
        some = outcomes[done : done + len(gaps)]
        some[:] = gaps.values()
        some[:1] += last
        np.cumsum(some, out=some)
        if width < WORD_BITS:
            beyond = some >> np.uint64(width) != 0
        else:
            # What outgrows 64 bits begins again at 0.
            beyond = some < np.concatenate((last, some[:-1]))
        _check_outcomes(gaps, beyond, done, width)
        last = some[-1:]
        done += len(some)
    return outcomes


def _read_wide(reader: Reader, unique: int, width: int) -> NDArray[np.uint8]:
    """Outcomes packed into bytes, shape (unique, ceil(width / 8))."""
    size = bytes_for(width)
    outcomes = np.empty((unique, size), np.uint8)
    # One bit more shows what the first outcome that is too wide must have.
    words = wide.words_for(width + 1)
    last = np.zeros(2 * words, np.uint64)
    done = 0
    at_once = max(1, _BLOCK_WORDS // words)
    for gaps in reader.numbers(unique, width, "gap", at_once=at_once):
        digits = wide.read(gaps, words)
        digits[0] += last
        np.cumsum(digits, axis=0, out=digits)
        wide.carry(digits)
        _check_outcomes(gaps, wide.reach(digits, width), done, width)
        outcomes[done : done + len(gaps)] = wide.to_packed(digits, size)
        last = digits[-1]
        done += len(gaps)
    return outcomes


def _check_outcomes(
    gaps: Numbers, beyond: NDArray[np.bool_], done: int, width: int
) -> None:
    """Names the first outcome that cannot be; what comes after it means nothing."""
    same = gaps.zeros()
    if not done:
        same[0] = False
    wrong = same | beyond
    if wrong.any():
        at = int(wrong.argmax())
        if same[at]:
            raise refused(f"outcome {done + at - 1} appears twice")
        raise refused(f"outcome {done + at} is wider than {width} bits")


def _read_flags(reader: Reader, unique: int) -> NDArray[np.bool_]:
    """Which outcomes were seen exactly once, shape (unique,)."""
    size = reader.size("flags")
    end = reader.at + size
    if not size:
        if unique:
            raise refused(f"no flags for {unique} outcomes")
        return np.ones(0, bool)
    runs = reader.size("runs")
    first = bool(reader.byte("first flag")) if runs else False
    lengths, flags = _read_counts(reader, runs, "run", empty="a run of flags is empty")
    if reader.at != end:
        raise refused(f"the flags take {size - end + reader.at} bytes, not {size}")
    if flags != unique:
        raise refused(f"{flags} flags for {unique} outcomes")
    alternating = np.empty(runs, bool)
    alternating[0::2] = first
    alternating[1::2] = not first
    return np.repeat(alternating, lengths)


def _read_counts(
    reader: Reader, count: int, what: str, *, empty: str | None = None
) -> tuple[NDArray[np.int64], int]:
    """Numbers of up to 63 bits, shape (count,), and their sum, which may have more.

    Args:
        reader: Where they come from.
        count: How many there are.
        what: What one of them is called.
        empty: What is wrong with one that is 0; None if nothing is.
    """
    counts = np.empty(count, np.int64)
    total = done = 0
    for numbers in reader.numbers(count, _COUNT_BITS, what):
        if empty and numbers.zeros().any():
            raise refused(empty)
        some = counts[done : done + len(numbers)]
        some[:] = numbers.values()
        total += (int((some >> 32).sum()) << 32) + int((some & 0xFFFFFFFF).sum())
        done += len(some)
    return counts, total
