"""One circuit's shots: they read like a dictionary of arrays, and stay packed."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from qawait.errors import ConfigurationError
from qawait.packing import pack
from qawait.shots import Shots

A = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0]], np.uint8)
B = np.array([[0], [1], [1], [0]], np.uint8)
WIDE = np.array([[0, 300], [1, 1], [2, 0], [0, 1]], np.uint16)


def shots() -> Shots:
    return Shots.of_arrays({"a": A, "wide": WIDE, "b": B})


def test_every_key_reads_as_the_array_that_was_given() -> None:
    mapping = shots()
    assert list(mapping) == ["a", "wide", "b"]
    assert len(mapping) == 3
    for key, array in {"a": A, "wide": WIDE, "b": B}.items():
        assert np.array_equal(mapping[key], array)
        assert mapping[key].dtype == array.dtype
        assert not mapping[key].flags.writeable
    assert mapping["wide"] is mapping.wide["wide"]


def test_columns_are_packed_key_after_key_without_those_of_higher_levels() -> None:
    """Bit 0 is the lowest bit of the last byte: b is bit 3, after the three of a."""
    assert shots().packed.tolist() == [[0b0101], [0b1100], [0b1011], [0b0000]]
    assert shots().widths == {"a": 3, "wide": 2, "b": 1}
    assert shots().rows == 4


def test_keys_across_bytes_are_found_again() -> None:
    rng = np.random.default_rng(41)
    widths = {"a": 5, "b": 6, "c": 20, "d": 1, "e": 70}
    bits = rng.integers(0, 2, (9, sum(widths.values())), np.uint8)
    mapping = Shots(9, widths, pack(bits))
    start = 0
    for key, width in widths.items():
        assert np.array_equal(mapping[key], bits[:, start : start + width]), key
        start += width


def test_what_a_key_read_is_unpacked_once() -> None:
    mapping = shots()
    assert mapping["a"] is mapping["a"]
    assert not np.shares_memory(mapping["a"], mapping.packed)


def test_wide_integers_of_zero_and_one_are_packed_too() -> None:
    mapping = Shots.of_arrays({"m": A.astype(np.int64)})
    assert mapping.packed.tolist() == [[0b101], [0b100], [0b011], [0]]
    assert mapping["m"].dtype == np.uint8


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("width", [0, 1, 8, 9, 64, 65])
def test_no_row_and_no_column_keep_their_shape(rows: int, width: int) -> None:
    mapping = Shots.of_arrays({"m": np.ones((rows, width), np.uint8)})
    assert mapping.packed.shape == (rows, -(-width // 8))
    assert mapping["m"].shape == (rows, width)
    assert mapping["m"].all()
    assert (mapping["m"].dtype, mapping.rows) == (np.uint8, rows)


def test_no_key_is_no_row() -> None:
    mapping = Shots.of_arrays({})
    assert (mapping.rows, dict(mapping), mapping.packed.shape) == (0, {}, (0, 0))


def test_a_key_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="z"):
        shots()["z"]
    assert "z" not in shots()
    assert shots().get("z") is None


def test_what_is_not_packed_as_wide_as_it_should_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"3 rows of 9 bits .*\(3, 1\)"):
        Shots(3, {"a": 5, "b": 4}, np.zeros((3, 1), np.uint8))
    with pytest.raises(ConfigurationError, match=r"4 rows of 5 bits"):
        Shots(4, {"a": 5}, np.zeros((3, 1), np.uint8))


def test_equal_is_what_reads_the_same() -> None:
    arrays = {"a": A, "wide": WIDE, "b": B}
    assert shots() == shots()
    assert shots() == arrays
    assert arrays == shots()
    assert shots() == {"b": B.tolist(), "a": A.tolist(), "wide": WIDE.tolist()}
    # Another order of the keys, so other places of the packed bits.
    assert shots() == Shots.of_arrays({"b": B, "wide": WIDE, "a": A})
    # Levels of 0 and 1 read the same whether or not they are packed.
    unpacked = Shots(4, {"b": 1}, np.empty((4, 0), np.uint8), {"b": B})
    assert unpacked == Shots.of_arrays({"b": B})


@pytest.mark.parametrize(
    "other",
    [
        {"a": A, "wide": WIDE},
        {"a": A, "wide": WIDE, "c": B},
        {"a": A, "wide": WIDE, "b": 1 - B},
        {"a": A, "wide": WIDE + 1, "b": B},
        {"a": A[:2], "wide": WIDE[:2], "b": B[:2]},
        {"a": A[:, :2], "wide": WIDE, "b": B},
    ],
)
def test_what_reads_differently_is_not_equal(other: dict[str, np.ndarray]) -> None:
    assert shots() != other
    assert shots() != Shots.of_arrays(other)
    assert shots() != []


def test_the_same_bits_under_other_widths_are_not_equal() -> None:
    packed = np.array([[0b101]], np.uint8)
    assert Shots(1, {"a": 1, "b": 2}, packed) != Shots(1, {"a": 2, "b": 1}, packed)


@pytest.mark.parametrize(
    "remade",
    [copy.copy, copy.deepcopy, lambda mapping: pickle.loads(pickle.dumps(mapping))],  # noqa: S301
)
def test_copies_say_the_same_and_leave_behind_what_was_unpacked(remade) -> None:
    mapping = shots()
    unpacked = mapping["a"]
    again = remade(mapping)
    assert again == mapping
    assert list(again) == list(mapping)
    assert again["a"] is not unpacked
    assert not again["a"].flags.writeable
    assert not again.packed.flags.writeable
    assert again["wide"].dtype == np.uint16


def test_a_pickle_takes_one_bit_for_each_bit_even_after_reading() -> None:
    mapping = Shots.of_arrays({"m": np.ones((8000, 16), np.uint8)})
    assert mapping["m"].nbytes == 128_000
    assert len(pickle.dumps(mapping)) < 16_000 + 500


def test_a_part_of_a_larger_block_is_pickled_alone() -> None:
    block = np.zeros((1_000_000, 1), np.uint8)
    assert len(pickle.dumps(Shots(10, {"m": 8}, block[:10]))) < 1000


def test_nothing_can_be_written_into_what_is_packed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        shots().packed[0, 0] = 1


def test_the_repr_is_short() -> None:
    assert repr(shots()) == "Shots(4 rows, {'a': 3, 'wide': 2, 'b': 1})"
    many = Shots(2, {f"k{n}": 1 for n in range(20)}, np.zeros((2, 3), np.uint8))
    expected = "Shots(2 rows, {'k0': 1, 'k1': 1, 'k2': 1, 'k3': 1, 16 more})"
    assert repr(many) == expected


def test_it_is_not_hashable_like_a_dictionary() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(shots())
