"""Writing: from a histogram to the bytes of QH1 or QH2, as the service chooses them."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from qawait.histograms import varints, wide
from qawait.histograms.histogram import WORD_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qawait.histograms.histogram import Histogram

__all__ = ["encode_histogram"]

_QH1_BITS = 255
_BLOCK_WORDS = 2**15
"""Words that are written together, unless a single outcome has more."""


def encode_histogram(histogram: Histogram) -> tuple[str, str]:
    """Writes a histogram; QH1 up to 255 bits, QH2 beyond, as the service does.

    Returns:
        The `encoding` and the base64 `payload`; `n_bits` goes beside them.
    """
    width = histogram.n_bits
    counts = histogram.counts
    encoding = "qh1" if width <= _QH1_BITS else "qh2"
    once = counts == 1
    flags = _flags(once)
    extras = counts[~once] - 2
    payload = b"".join(
        (
            encoding.upper().encode(),
            bytes([width]) if encoding == "qh1" else _number(width),
            *map(_number, (len(counts), histogram.shots, len(counts))),
            *(_gaps(histogram) if width <= WORD_BITS else _wide_gaps(histogram)),
            _number(len(flags)),
            flags,
            _number(len(extras)),
            *_numbers(extras),
        )
    )
    return encoding, binascii.b2a_base64(payload, newline=False).decode("ascii")


def _flags(once: NDArray[np.bool_]) -> bytes:
    """Which outcomes were seen exactly once, as the lengths of runs that alternate."""
    if not len(once):
        return _number(0)
    turns = np.flatnonzero(once[1:] != once[:-1]) + 1
    runs = np.diff(turns, prepend=0, append=len(once))
    return b"".join((_number(len(runs)), bytes([int(once[0])]), *_numbers(runs)))


def _gaps(histogram: Histogram) -> Iterator[bytes]:
    return _numbers(np.diff(histogram.outcomes, prepend=np.uint64(0)))


def _wide_gaps(histogram: Histogram) -> Iterator[bytes]:
    words = wide.words_for(histogram.n_bits)
    at_once = max(1, _BLOCK_WORDS // words)
    last = np.zeros(2 * words, np.uint64)
    for start in range(0, len(histogram.outcomes), at_once):
        some = histogram.outcomes[start : start + at_once]
        digits = wide.from_packed(some, words)
        yield wide.write(wide.differences(digits, last))
        last = digits[-1]


def _numbers(values: NDArray[np.integer[Any]]) -> Iterator[bytes]:
    for start in range(0, len(values), _BLOCK_WORDS):
        yield varints.write(values[start : start + _BLOCK_WORDS].astype(np.uint64))


def _number(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
