from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qawait.errors import ProtocolError, ResponseTruncated
from qawait.measurement_decoder import decode_measurements
from qawait.measurement_encoder import encode_measurements
from qawait.measurements import as_measurements


def test_rows_are_shots_and_columns_are_positions_in_the_locus():
    [circuit] = decode_measurements(b'[{"m": [[0, 1, 1], [0, 0, 1]], "k": [[1], [0]]}]')
    assert list(circuit) == ["m", "k"]
    assert circuit["m"].tolist() == [[0, 1, 1], [0, 0, 1]]
    assert circuit["k"].tolist() == [[1], [0]]
    assert circuit["m"].dtype == np.uint8


def test_circuits_keep_their_order():
    first, second = decode_measurements(b'[{"a": [[1]]}, {"b": [[0, 0]]}]')
    assert (list(first), list(second)) == (["a"], ["b"])


def test_arrays_cannot_be_written_to():
    [circuit] = decode_measurements(b'[{"m": [[0]]}]')
    with pytest.raises(ValueError, match="read-only"):
        circuit["m"][0, 0] = 1


@pytest.mark.parametrize(
    ("top", "dtype"), [(255, "u1"), (256, "u2"), (65536, "u4"), (2**32 - 1, "u4")]
)
def test_higher_levels_are_kept_whole(top, dtype):
    [circuit] = decode_measurements(b'[{"m": [[0, %d]]}]' % top)
    assert circuit["m"].tolist() == [[0, top]]
    assert circuit["m"].dtype == dtype


def test_floats_that_are_integers_are_integers():
    [circuit] = decode_measurements(b'[{"m": [[0.0, 1.0], [1, -0.0]]}]')
    assert circuit["m"].tolist() == [[0, 1], [1, 0]]
    assert circuit["m"].dtype == np.uint8


@pytest.mark.parametrize(
    ("body", "shape"),
    [(b'[{"m": []}]', (0, 0)), (b'[{"m": [[], []]}]', (2, 0))],
)
def test_no_rows_and_no_columns_are_shapes(body, shape):
    assert decode_measurements(body)[0]["m"].shape == shape


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'[{}, {"m": [[0, 1], [0]]}]', "circuit 1, key 'm': rows of different"),
        (b'[{"m": [[], [0]]}]', "rows of different"),
        (b'[{"m": [[0.5]]}]', "not an integer"),
        (b'[{"m": [[-1.0]]}]', "not an integer"),
        (b'[{"m": [[1e300]]}]', "not an integer"),
        (b'[{"m": [[-1]]}]', ">= 0"),
        (b'[{"m": [[4294967296]]}]', "<= 4294967295"),
        (b'[{"m": [[true]]}]', "got `bool`"),
        (b'[{"m": [["1"]]}]', "got `str`"),
        (b'[{"m": [[null]]}]', "got `null`"),
        (b'[{"m": [0, 1]}]', "expected a row, got `number` .byte 8"),
        (b'[{"m": [[[0]]]}]', "got `array`"),
        (b'{"m": [[0]]}', "expected a list of circuits, got `object`"),
        (b'[{"m": [[NaN]]}]', "malformed"),
        (b'[{"m": [[0]], "k": [[0], [1]]}]', "different numbers of shots"),
    ],
)
def test_what_is_not_a_measurement_is_refused(body, says):
    with pytest.raises(ProtocolError, match=says):
        decode_measurements(body)


def test_a_cut_answer_is_told_as_such():
    with pytest.raises(ResponseTruncated):
        decode_measurements(b'[{"m": [[0, 1], [1')


def test_writing_is_compact():
    rows = np.array([[0, 1], [1, 0]], np.uint8)
    assert encode_measurements([{"m": rows}]) == b'[{"m":[[0,1],[1,0]]}]'


MEASUREMENTS = st.integers(1, 5).flatmap(
    lambda shots: st.lists(
        st.dictionaries(
            st.text(max_size=5),
            arrays.arrays(np.uint16, st.tuples(st.just(shots), st.integers(1, 4))),
            max_size=3,
        ),
        max_size=3,
    )
)


@seed(1)
@given(MEASUREMENTS)
def test_what_is_written_is_read_back(circuits):
    again = decode_measurements(encode_measurements(circuits))
    assert [list(c) for c in again] == [list(c) for c in circuits]
    for one, other in zip(again, circuits, strict=True):
        for key, rows in other.items():
            np.testing.assert_array_equal(one[key], rows)


ROWS = st.lists(st.lists(st.integers(-1, 3) | st.sampled_from([0.0, 1.0, 0.5])))


@seed(2)
@given(ROWS)
def test_reading_agrees_with_the_obvious_reader(rows):
    def obvious():
        if len({len(row) for row in rows}) > 1:
            return None
        flat = [level for row in rows for level in row]
        if any(level < 0 or level != int(level) for level in flat):
            return None
        return [[int(level) for level in row] for row in rows]

    body = json.dumps([{"m": rows}]).encode()
    if obvious() is None:
        with pytest.raises(ProtocolError):
            decode_measurements(body)
    else:
        assert decode_measurements(body)[0]["m"].tolist() == obvious()


def test_python_lists_follow_the_same_rules():
    [circuit] = as_measurements([{"m": [[0, 1], [1, 300]]}])
    assert circuit["m"].tolist() == [[0, 1], [1, 300]]
    with pytest.raises(ProtocolError, match="rows of different"):
        as_measurements([{"m": [[0, 1], [1]]}])
    with pytest.raises(ProtocolError, match="got `str`"):
        as_measurements([{"m": [["0"]]}])


@pytest.mark.parametrize("level", [1, 2])
def test_arrays_are_taken_without_locking_the_original(level: int):
    rows = np.array([[0, level]], np.uint8)
    [circuit] = as_measurements([{"m": rows}])
    assert circuit["m"].tolist() == [[0, level]]
    assert not circuit["m"].flags.writeable
    assert rows.flags.writeable


def test_what_is_packed_already_is_taken_as_it_is():
    [packed] = as_measurements([{"m": [[0, 1]]}])
    assert as_measurements([packed])[0] is packed


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 2)),
        np.zeros(2, np.uint8),
        np.array([[-1]]),
        np.array([["0"]]),
    ],
)
def test_arrays_that_are_not_levels_are_refused(rows):
    with pytest.raises(ProtocolError, match="circuit 0, key 'm'"):
        as_measurements([{"m": rows}])


def test_truth_values_in_an_array_are_bits():
    [circuit] = as_measurements([{"m": np.array([[True, False]])}])
    assert circuit["m"].tolist() == [[1, 0]]
