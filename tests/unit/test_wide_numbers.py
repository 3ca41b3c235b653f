from __future__ import annotations

import random

import numpy as np
import pytest

from qawait.histograms import wide

SEED = 11
HIGHEST = 2**28 - 1


def number(digits: np.ndarray) -> int:
    return sum(int(digit) << 28 * place for place, digit in enumerate(digits))


def digits(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.uint64)


@pytest.mark.parametrize("width", [2, 4, 6, 40])
def test_carrying_does_not_change_a_number(width: int):
    rng = random.Random(SEED)
    kinds = [0, 1, HIGHEST - 1, HIGHEST, HIGHEST + 1, 2 * HIGHEST, 2**45, 2**56 - 1]
    rows = [[rng.choice(kinds) for _ in range(width)] for _ in range(500)]
    found = digits(rows)
    wide.carry(found)
    assert int(found.max()) <= HIGHEST
    modulus = 1 << 28 * width
    assert [number(row) for row in found] == [number(row) % modulus for row in rows]


def test_a_carry_runs_through_all_digits_at_once():
    """The last sum of the row decides about every other digit."""
    found = digits([[2**56 - 1, HIGHEST - 1, *[HIGHEST] * 1000, 5], [0] * 1003])
    expected = number(found[0])
    assert found[0, -1] == 5
    wide.carry(found)
    assert number(found[0]) == expected
    assert found[0, -1] == 6
    assert not found[1].any()


@pytest.mark.parametrize("n_bits", [65, 111, 112, 113, 1000])
def test_packed_rows_are_digits_and_back(n_bits: int):
    rng = random.Random(SEED)
    numbers = [rng.getrandbits(n_bits) for _ in range(20)] + [2**n_bits - 1, 0]
    size = -(-n_bits // 8)
    packed = np.array([[*n.to_bytes(size, "big")] for n in numbers], np.uint8)
    found = wide.from_packed(packed, wide.words_for(n_bits))
    assert [number(row) for row in found] == numbers
    np.testing.assert_array_equal(wide.to_packed(found, size), packed)


def test_differences_are_those_of_the_numbers():
    rng = random.Random(SEED)
    numbers = sorted(rng.getrandbits(200) for _ in range(50))
    numbers += [2**200, 2**200 + 1, 2**201 - 1, 2**201]
    rows = [[n >> 28 * place & HIGHEST for place in range(8)] for n in numbers]
    before = digits([[7, *[0] * 7]])[0]
    found = wide.differences(digits(rows), before)
    expected = [b - a for a, b in zip([7, *numbers], numbers, strict=False)]
    assert [number(row) for row in found] == expected
