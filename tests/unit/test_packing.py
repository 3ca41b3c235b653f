"""Rows of bits: each operation on packed rows against the obvious one on digits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from qawait.packing import (
    gather,
    gather_words,
    holds,
    pack,
    packed_words,
    parity,
    tally,
    tally_words,
    unpack,
    words_of,
)

WIDTHS = [*range(1, 26), 31, 32, 33, 63, 64, 65, 72, 127, 128, 129, 200]


def rows_of(width: int, rows: int, seed: int) -> np.ndarray:
    """Rows of random bits; failures show the seed, which is in the test's name."""
    return np.random.default_rng(seed).integers(0, 2, (rows, width), np.uint8)


def number(row: np.ndarray) -> int:
    """The number whose bit j is element j of the row."""
    return sum(int(bit) << place for place, bit in enumerate(row))


def test_bit_0_is_the_lowest_of_the_last_byte() -> None:
    bits = np.array([[1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 1, 1] + [0] * 7], np.uint8)
    assert pack(bits).tolist() == [[0b10, 0b1], [0, 0b110]]
    assert pack(np.array([[7, 0, -1]])).tolist() == [[0b101]]


@pytest.mark.parametrize("width", [0, *WIDTHS])
def test_packed_bits_come_back(width: int) -> None:
    bits = rows_of(width, 11, seed=width)
    assert pack(bits).shape == (11, -(-width // 8))
    np.testing.assert_array_equal(unpack(pack(bits), width), bits)
    for start in {0, width // 3, width // 2, width}:
        for size in {0, min(1, width - start), width - start}:
            part = unpack(pack(bits), size, start)
            np.testing.assert_array_equal(part, bits[:, start : start + size])


@pytest.mark.parametrize("width", [0, *(width for width in WIDTHS if width <= 64)])
def test_a_row_of_up_to_eight_bytes_is_a_number(width: int) -> None:
    bits = rows_of(width, 9, seed=width)
    words = words_of(pack(bits))
    assert words.dtype == np.uint64
    assert words.tolist() == [number(row) for row in bits]
    np.testing.assert_array_equal(packed_words(words, width), pack(bits))


@pytest.mark.parametrize("rows", [0, 1, 13])
@pytest.mark.parametrize("width", WIDTHS)
def test_bits_are_gathered_in_any_order_and_number(width: int, rows: int) -> None:
    rng = np.random.default_rng([width, rows])
    bits = rows_of(width, rows, seed=width)
    with_a_0 = np.concatenate([bits, np.zeros((rows, 1), np.uint8)], axis=1)
    for chosen in (
        range(width),
        range(width)[::-1],
        range(width // 3, width),
        rng.permutation(width).tolist(),
        rng.integers(-1, width, width + 70).tolist(),
        [],
        [-1] * 9,
    ):
        found = gather(pack(bits), chosen)
        # Column -1 is the one of zeros.
        np.testing.assert_array_equal(found, pack(with_a_0[:, list(chosen)]))
        if len(chosen) <= 64:
            assert gather_words(pack(bits), chosen).tolist() == [
                number(row) for row in with_a_0[:, list(chosen)]
            ]


def test_rows_that_hold_a_value_are_those_equal_in_every_byte() -> None:
    bits = np.zeros((6, 20), np.uint8)
    bits[[1, 4], [0, 19]] = 1
    bits[[2, 3], 9] = 1
    assert holds(pack(bits), pack(bits[3:4])[0]).tolist() == [0, 0, 1, 1, 0, 0]
    assert holds(pack(bits), pack(bits[4:5])[0]).tolist() == [0, 0, 0, 0, 1, 0]
    assert holds(np.zeros((2, 0), np.uint8), np.zeros(0, np.uint8)).tolist() == [1, 1]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_parity_of_some_bits(width: int) -> None:
    rng = np.random.default_rng(width)
    bits = rows_of(width, 50, seed=width)
    for size in {0, 1, width // 2, width}:
        chosen = rng.permutation(width)[:size].tolist()
        odd = parity(pack(bits), chosen)
        assert odd.dtype == bool
        assert odd.tolist() == [sum(row[chosen]) % 2 == 1 for row in bits], chosen


def structured(width: int) -> list[np.ndarray]:
    """Rows that repeat, that are few, that differ only in their highest or lowest bits."""
    rng = np.random.default_rng(width)
    few = rows_of(width, 3, seed=width)[rng.integers(0, 3, 40)]
    low, high = few.copy(), few.copy()
    low[:, width // 4 + 1 :] = 1
    high[:, : width - width // 4 - 1] = 0
    return [rows_of(width, 300, seed=width), few, low, high, few[:1], few[:0]]


@pytest.mark.parametrize("width", [0, *WIDTHS])
def test_equal_rows_are_counted_and_ascend(width: int) -> None:
    for n, bits in enumerate(structured(width)):
        obvious = sorted(Counter(map(number, bits)).items())
        rows, counts = tally(pack(bits))
        found = zip(map(number, unpack(rows, width)), counts.tolist(), strict=True)
        assert list(found) == obvious, n
        assert counts.dtype == np.int64
        if width <= 64:
            words, counts = tally_words(words_of(pack(bits)))
            assert list(zip(words.tolist(), counts.tolist(), strict=True)) == obvious
            assert (words.dtype, counts.dtype) == (np.uint64, np.int64)


@pytest.mark.parametrize("width", [0, *WIDTHS])
def test_weights_of_equal_rows_are_added(width: int) -> None:
    for n, bits in enumerate(structured(width)):
        # Larger than what a float holds exactly.
        weights = np.arange(len(bits)) + 2**54 + 1
        obvious: Counter[int] = Counter()
        for row, weight in zip(bits, weights.tolist(), strict=True):
            obvious[number(row)] += weight
        rows, counts = tally(pack(bits), weights)
        found = zip(map(number, unpack(rows, width)), counts.tolist(), strict=True)
        assert list(found) == sorted(obvious.items()), n


def test_rows_that_agree_in_their_first_eight_bytes_are_told_apart() -> None:
    """Sorting by the first word alone would leave them as they came."""
    rows = np.array([[9] * 8 + [last] for last in (3, 1, 3, 2, 1, 3)], np.uint8)
    found, counts = tally(rows)
    assert found[:, -1].tolist() == [1, 2, 3]
    assert counts.tolist() == [2, 1, 3]


@pytest.mark.parametrize("top", [2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_large_numbers_are_not_cut(top: int) -> None:
    words, counts = tally_words(np.array([top, 0, top, 2**31], np.uint64))
    assert words.tolist() == [0, 2**31, top]
    assert counts.tolist() == [1, 1, 2]
