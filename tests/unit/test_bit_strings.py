"""Outcomes as text, against Python's own formatting of one number after the other."""

from __future__ import annotations

import numpy as np
import pytest

from qawait.bit_strings import bit_strings, written_counts
from qawait.histograms import Histogram
from qawait.packing import pack

SEPARATORS = ["", " ", "_", ", ", "\n", "\r\n ", "\u00b7", "0"]


def obvious(bits: np.ndarray, widths: list[int], sep: str) -> list[str]:
    texts = []
    for row in bits:
        digits = "".join(str(bit) for bit in row[::-1])
        starts = [sum(widths[:n]) for n in range(len(widths))]
        texts.append(
            sep.join(digits[s : s + w] for s, w in zip(starts, widths, strict=True))
        )
    return texts


@pytest.mark.parametrize("rows", [0, 1, 7])
@pytest.mark.parametrize("sep", SEPARATORS)
@pytest.mark.parametrize(
    "widths",
    [[1], [8], [3, 6], [16, 1, 4], [0, 2], [2, 0], [0], [], [1] * 20, [64, 1], [200]],
    ids=str,
)
def test_text_is_written_from_the_highest_bit_down(
    widths: list[int], sep: str, rows: int
) -> None:
    bits = np.random.default_rng(71).integers(0, 2, (rows, sum(widths)), np.uint8)
    assert bit_strings(pack(bits), widths, sep) == obvious(bits, widths, sep)


@pytest.mark.parametrize("width", range(1, 201))
def test_every_width_is_written_like_a_binary_number(width: int) -> None:
    bits = np.random.default_rng(width).integers(0, 2, (5, width), np.uint8)
    numbers = [sum(int(b) << j for j, b in enumerate(row)) for row in bits]
    assert bit_strings(pack(bits), [width]) == [f"{n:0{width}b}" for n in numbers]


@pytest.mark.parametrize(("rows", "width"), [(9000, 20), (3, 70_000)])
def test_more_text_than_is_made_at_a_time_is_whole(rows: int, width: int) -> None:
    bits = np.random.default_rng(73).integers(0, 2, (rows, width), np.uint8)
    assert bit_strings(pack(bits), [width]) == obvious(bits, [width], "")


def test_counts_are_plain_numbers_ascending() -> None:
    histogram = Histogram(3, np.array([1, 6], np.uint64), np.array([5, 2**40]))
    counts = written_counts(histogram, [1, 2], "|")
    assert list(counts.items()) == [("0|01", 5), ("1|10", 2**40)]
    assert all(type(count) is int for count in counts.values())
