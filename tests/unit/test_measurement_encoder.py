"""Measurements as JSON: the text is msgspec's own of the same data as lists."""

from __future__ import annotations

import tracemalloc

import msgspec
import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qawait.measurement_encoder import encode_measurements
from qawait.shots import Shots

DTYPES = [np.dtype(code) for code in ("u1", "u2", "u4", "u8", "i1", "i8", ">u2", ">i4")]
LEVELS = st.sampled_from([1, 9, 10, 127])
"""The highest level of an array: mostly digits, now and then more than one."""


def obvious(circuits):
    """What is promised, from lists."""
    return msgspec.json.encode(
        [{key: rows.tolist() for key, rows in keys.items()} for keys in circuits]
    )


@st.composite
def matrices(draw):
    shape = st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 2, 3, 7]))
    top = draw(LEVELS)
    rows = draw(
        arrays.arrays(
            draw(st.sampled_from(DTYPES)), shape, elements=st.integers(0, top)
        )
    )
    # Columns of another array, as the simulator gives them, are not contiguous.
    return rows[:, ::2] if draw(st.booleans()) else rows


@seed(41)
@given(st.lists(st.dictionaries(st.text(), matrices(), max_size=4), max_size=3))
def test_the_text_is_that_of_the_lists(circuits):
    assert encode_measurements(circuits) == obvious(circuits)


@pytest.mark.parametrize("key", ['a"b', "c\\d", "\n\x00\x1f\x7f", "ü→🙂", "", "[[0]]"])
def test_keys_are_escaped_as_msgspec_does(key):
    circuits = [{key: np.array([[1, 0]], np.uint8)}]
    assert encode_measurements(circuits) == obvious(circuits)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_digit_is_written_from_every_kind_of_integer(dtype):
    circuits = [{"m": np.arange(10).reshape(2, 5).astype(dtype)}]
    assert encode_measurements(circuits) == b'[{"m":[[0,1,2,3,4],[5,6,7,8,9]]}]'


def test_the_highest_levels_are_written_in_full():
    circuits = [{"m": np.array([[2**64 - 1, 0], [10, 9]], np.uint64)}]
    assert encode_measurements(circuits) == b'[{"m":[[18446744073709551615,0],[10,9]]}]'


def test_what_is_no_level_is_written_as_what_it_is():
    """Nothing here judges data: a number below 0 comes out as that number."""
    circuits = [{"m": np.array([[0, -1], [9, 1]], np.int8), "t": np.array([[True]])}]
    assert encode_measurements(circuits) == b'[{"m":[[0,-1],[9,1]],"t":[[true]]}]'


@pytest.mark.parametrize("width", [1, 2, 20, 500, 40_000])
def test_blocks_of_rows_join_without_a_seam(width):
    """More rows than a block holds; one block in the middle has a level above 9."""
    rows = 3 * max(1, 65536 // (2 * width + 2)) + 2
    levels = np.random.default_rng(4).integers(0, 10, (rows, width), np.uint8)
    higher = levels.copy()
    higher[rows // 2, width // 2] = 255
    circuits = [{"a": levels, "b": higher}, {"c": levels[:1], "d": levels[::-1]}]
    assert encode_measurements(circuits) == obvious(circuits)


def test_keys_of_different_widths_and_lengths_do_not_disturb_each_other():
    """The text of the rows before is used again, and here nothing of it fits."""
    random = np.random.default_rng(5)
    shapes = [(3, 4), (7, 4), (2, 4), (5, 3), (5, 4), (0, 4), (1, 1), (6, 0), (2, 9)]
    circuits = [
        {f"{n}": random.integers(0, 10, shape, np.uint8)}
        for n, shape in enumerate(shapes)
    ]
    assert encode_measurements(circuits) == obvious(circuits)


def test_packed_shots_are_written_like_their_arrays():
    arrays = {
        "a": np.array([[1, 0, 1], [0, 0, 1]], np.uint8),
        "high": np.array([[300], [2]], np.uint16),
        "b": np.array([[0], [1]], np.uint8),
    }
    assert encode_measurements([Shots.of_arrays(arrays)]) == obvious([arrays])


def test_beside_its_text_it_takes_no_memory_that_grows():
    levels = np.random.default_rng(6).integers(0, 2, (100_000, 20), np.uint8)
    circuits = [{"m": levels}]
    tracemalloc.start()
    try:
        text = encode_measurements(circuits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(text) > 4_000_000
    # The buffer grows by an eighth at a time, and is resized when it is given away.
    assert peak < 1.25 * len(text)
