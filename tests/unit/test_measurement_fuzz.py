"""The decoder of measurements against an oracle, on hundreds of thousands of documents.

The library reads measurements in blocks, by the way their rows are written; the oracle
in `tests/obvious_measurements.py` reads them number by number. On every document both
give the same arrays, or both refuse it: documents in every layout, the same with every
byte changed, and with random damage. A failure names its seed and shows the document.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests import obvious_measurements
from tests.measurement_documents import (
    LAYOUTS,
    TELLING,
    damaged,
    document,
    grid,
)

from qawait.errors import ProtocolError, ResponseTruncated
from qawait.measurement_decoder import MeasurementDecoder, decode_measurements

pytestmark = pytest.mark.timeout(240)

SLICES = 8
MUTATIONS = 15_000
"""For each slice, drawn at random."""
PROMISED = 300_000
"""Documents that are judged in one run of the suite, each in two ways."""
LARGE_CASES = 25


def agree(body: bytes, context: str = "") -> bool:
    """Whether both read the document; fails if they do not agree on it.

    A space in front changes nothing but how it is read: not at once, but in blocks.
    """
    expected: Any
    try:
        expected = obvious_measurements.read(body)
    except obvious_measurements.Refused as reason:
        expected = reason
    return _agrees(b" " + body, expected, context) & _agrees(body, expected, context)


def _agrees(body: bytes, expected: Any, context: str) -> bool:
    got: Any
    try:
        got = decode_measurements(body)
    except ProtocolError as error:
        got = error
    except Exception as error:
        raise AssertionError(f"{context} {error!r}: {body!r}") from error
    refused = isinstance(got, ProtocolError)
    assert refused is isinstance(expected, Exception), f"{context} {got!r}: {body!r}"
    if refused:
        assert str(got).isprintable(), f"{context} {got!r}: {body!r}"
        return False
    assert len(got) == len(expected), f"{context} {body!r}"
    for mine, obvious in zip(got, expected, strict=True):
        assert list(mine) == list(obvious), f"{context} {body!r}"
        for key, rows in obvious.items():
            assert _is(mine[key], rows), f"{context} {key!r} {mine[key]}: {body!r}"
        assert mine.packed.tobytes() == _packed(obvious), f"{context} {body!r}"
    return True


def _is(levels: np.ndarray[Any, Any], rows: list[list[int]]) -> bool:
    return (
        levels.shape == (len(rows), len(rows[0]) if rows else 0)
        and levels.tolist() == rows
        and levels.dtype == np.min_scalar_type(_top(rows))
        and not levels.flags.writeable
    )


def _top(rows: list[list[int]]) -> int:
    return max(map(max, rows)) if rows and rows[0] else 0


def _packed(circuit: dict[str, list[list[int]]]) -> bytes:
    """All keys of only 0 and 1, key after key: column j is bit j of a row's number."""
    narrow = [rows for rows in circuit.values() if _top(rows) <= 1]
    rows = [
        [bit for part in parts for bit in part] for parts in zip(*narrow, strict=True)
    ]
    numbers = [int("".join(map(str, reversed(bits))) or "0", 2) for bits in rows]
    size = -(-len(rows[0]) // 8) if rows else 0
    return b"".join(number.to_bytes(size, "big") for number in numbers)


# --- documents that are right ---------------------------------------------------------


@seed(40)
@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30), st.integers(1, 40))
def test_every_layout_gives_the_right_arrays(random: Random, rows: int, columns: int):
    body = document(random, most_rows=rows, most_columns=columns)
    assert agree(body)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize(
    "columns", [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 20, 63, 64, 65, 300]
)
def test_every_number_of_qubits_is_read(columns: int, layout: Any):
    for rows in (1, 2, 3, 50):
        assert agree(grid(rows, columns, layout=layout))


@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":[[1]]}}"b":[[0]]}]',
        b'[{"a":[[1]]}{"b":[[0]]}]',
        b'[{"a":[[1]]},"b":[[0]]}]',
        b'[{"a":[[1]]},,{"b":[[0]]}]',
        b'[,{"a":[[1]]}]',
        b'[{"a":[[1]]},]',
        b'[{,"a":[[1]]}]',
        b'[{"a":[[1]],}]',
        b'[{"a":[[1]],,"b":[[0]]}]',
        b'[{"a":[[1]]"b":[[0]]}]',
        b'[{"a":[[1]]]"b":[[0]]}]',
        b'[{"a":[[1]}]',
        b'[{"a":[,[1]]}]',
        b'[{"a":[[1],]}]',
        b'[{"a":[[1],,[1]]}]',
        b'[{"a":[[1][1]]}]',
        b'[{"a":[1]}]',
        b'[{"a"[[1]]}]',
        b'[{"a"::[[1]]}]',
        b'[["a":[[1]]]]',
        b'{{"a":[[1]]}}',
        b"[{a:[[1]]}]",
    ],
)
def test_what_a_careless_reader_might_take_is_refused(body: bytes):
    assert not agree(body)


# --- every small change ---------------------------------------------------------------

SMALL = {
    "indented": grid(4, 2, layout=LAYOUTS[4]),
    "two keys, two circuits": b'[{"a":[[0],[1],[1]],"b":[[1],[0],[0]]},{"a":[[1]]}]',
    "several digits": b'[{"m":[[10,2],[31,4],[57,6]]}]',
    "points": b'[{"m":[[0.0,1.0],[1.0,0.0],[1.0,1.0]]}]',
}
LONG = {
    "one qubit": grid(20, 1),
    "two": grid(18, 2),
    "three": grid(16, 3),
    "four": grid(14, 4),
    "six": grid(14, 6),
    "nine": grid(14, 9),
    "three spaced": grid(14, 3, layout=LAYOUTS[1]),
    "points": re.sub(rb"\d", rb"\g<0>.0", grid(14, 2)),
    "levels": grid(14, 3).replace(b"[1,", b"[7,"),
}
"""Rows enough to be read as blocks."""
ALL = {f"small, {name}": body for name, body in SMALL.items()} | LONG


def places(body: bytes) -> list[int]:
    """The first rows, the last, one between and what is around them."""
    starts = [at for at in range(len(body)) if body.startswith(b"[", at)]
    if len(starts) < 12:
        return list(range(len(body) + 1))
    half = len(starts) // 2
    return [
        *range(starts[3]),
        *range(starts[half], starts[half + 1]),
        *range(starts[-2], len(body) + 1),
    ]


@pytest.mark.parametrize("body", SMALL.values(), ids=SMALL)
def test_every_byte_at_every_place_is_judged_rightly(body: bytes):
    for at in range(len(body)):
        for value in range(256):
            agree(body[:at] + bytes([value]) + body[at + 1 :])


@pytest.mark.parametrize("body", LONG.values(), ids=LONG)
def test_every_byte_in_a_long_run_is_judged_rightly(body: bytes):
    for at in places(body):
        for value in range(256):
            agree(body[:at] + bytes([value]) + body[at + 1 :])


@pytest.mark.parametrize("body", ALL.values(), ids=ALL)
def test_everything_left_out_or_put_in_is_judged_rightly(body: bytes):
    for at in places(body):
        for n in range(1, 9):
            agree(body[:at] + body[at + n :])
            agree(body[:at] + body[at : at + n] + body[at:])
        for value in TELLING:
            agree(body[:at] + bytes([value]) + body[at:])


@pytest.mark.parametrize("body", ALL.values(), ids=ALL)
def test_a_body_cut_anywhere_is_told_as_cut(body: bytes):
    for at in range(1, len(body)):
        # Behind a point comes a digit; that the text ends there is told otherwise.
        told = ProtocolError if body[at - 1 : at] == b"." else ResponseTruncated
        with pytest.raises(told):
            decode_measurements(body[:at])


def test_as_many_documents_are_judged_as_are_promised():
    small = sum(256 * len(body) for body in SMALL.values())
    long = sum(256 * len(places(body)) for body in LONG.values())
    put_in = sum((16 + len(TELLING)) * len(places(body)) for body in ALL.values())
    assert small + long + put_in + SLICES * MUTATIONS >= PROMISED


# --- random damage --------------------------------------------------------------------


@pytest.mark.parametrize("number", range(SLICES))
def test_damaged_documents_are_judged_rightly(number: int):
    random = Random(f"measurements {number}")
    documents = [document(random) for _ in range(270)]
    documents += [document(random, most_rows=70) for _ in range(30)]
    read = 0
    for case in range(MUTATIONS):
        body = damaged(random, random.choice(documents), random.choice(documents))
        read += agree(body, f"slice {number}, case {case}")
    # Neither side of the judgement is left untried.
    assert 0.1 < read / MUTATIONS < 0.6


@seed(41)
@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damage_that_hypothesis_looks_for_is_judged_rightly(random: Random):
    agree(damaged(random, document(random), document(random)))


def keyed(rows: int, *columns: int) -> bytes:
    """A circuit with several keys, as it stands in a document."""
    keys = [grid(rows, width, key=f"k{n}")[2:-2] for n, width in enumerate(columns)]
    return b"{" + b",".join(keys) + b"}"


LARGE = {
    "one qubit": grid(40_000, 1),
    "two": grid(20_000, 2),
    "three": grid(18_000, 3),
    "twenty": grid(2_000, 20),
    "a thousand": grid(70, 1_000),
    "spaced": grid(18_000, 2, layout=LAYOUTS[1]),
    "keys and circuits": b"[%b,%b,%b]"
    % (keyed(3_000, 1, 5, 2), keyed(2_000, 1, 1), keyed(4_000, 9, 1)),
}


@pytest.mark.parametrize("name", LARGE)
def test_damage_in_a_large_document_is_judged_rightly(name: str):
    """Runs longer than any block that is read at once."""
    random = Random(f"large {name}")
    assert agree(LARGE[name])
    for case in range(LARGE_CASES):
        other = grid(40, random.randint(1, 4))
        agree(damaged(random, LARGE[name], other), f"case {case}")


# --- pieces ---------------------------------------------------------------------------


def in_pieces(body: bytes, cuts: list[int]) -> Any:
    """What comes of a body that arrives in pieces: the arrays, or the error."""
    decoder = MeasurementDecoder()
    try:
        for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
            # A buffer that is written over, as a socket's is.
            buffer = bytearray(body[begin:end])
            decoder.feed(memoryview(buffer))
            buffer[:] = b"#" * len(buffer)
        return decoder.close()
    except ProtocolError as error:
        return error


def same(one: Any, other: Any) -> bool:
    if isinstance(one, ProtocolError):
        return type(one) is type(other) and str(one) == str(other)
    return one == other and all(
        list(a) == list(b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("body", ALL.values(), ids=ALL)
def test_a_body_in_two_pieces_or_in_single_bytes_is_the_same(body: bytes):
    whole = in_pieces(body, [])
    assert not isinstance(whole, Exception)
    for at in range(len(body) + 1):
        assert same(whole, in_pieces(body, [at])), at
    assert same(whole, in_pieces(body, list(range(1, len(body)))))


@pytest.mark.parametrize("number", range(4))
def test_pieces_of_any_size_give_the_same(number: int):
    random = Random(f"pieces {number}")
    documents = [
        document(random, most_rows=random.choice((6, 40, 200))) for _ in range(200)
    ]
    for case in range(3_000):
        body = random.choice(documents)
        if random.random() < 0.7:
            body = damaged(random, body, random.choice(documents))
        count = random.choice((1, 1, 2, 5, 20))
        cuts = sorted(random.randint(0, len(body)) for _ in range(count))
        whole, pieces = in_pieces(body, []), in_pieces(body, cuts)
        assert same(whole, pieces), f"slice {number}, case {case}, {cuts}: {body!r}"
