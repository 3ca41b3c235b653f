"""Few shots in plain text, read at once; the reader of everything else is the oracle."""

from __future__ import annotations

import json
from random import Random

import pytest

from qawait.measurement_compact import MOST_BYTES, read_compact
from qawait.measurement_decoder import MeasurementDecoder

SEED = 11


def text_of(circuits: object) -> bytes:
    return json.dumps(circuits, separators=(",", ":")).encode()


def rows_of(random: Random, number: int, width: int) -> list[list[int]]:
    return [[random.randint(0, 1) for _ in range(width)] for _ in range(number)]


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 20])
@pytest.mark.parametrize("shots", [1, 2, 100])
def test_plain_text_is_read_as_the_decoder_reads_it(shots: int, width: int) -> None:
    random = Random(SEED + width)
    for keys in (1, 3):
        circuits = [
            {f"key {k}": rows_of(random, shots, width + k) for k in range(keys)}
            for _ in range(3)
        ]
        read = read_compact(text_of(circuits))
        decoder = MeasurementDecoder()
        decoder.feed(b" " + text_of(circuits))
        assert read == decoder.close() == circuits
        assert read is not None
        assert [list(circuit) for circuit in read] == [list(c) for c in circuits]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"[{}]",
        b'[{"m":[]}]',
        b'[{"m":[[]]}]',
        b'[{"m":[[0,2]]}]',
        b'[{"m":[[0,1],[0]]}]',
        b'[{"m":[[0],[0,1]]}]',
        b'[{"m":[[0,1]],"n":[[0],[1]]}]',
        b'[{"m":[[0,1]],"m":[[1,1]]}]',
        b'[{"m":[[0,1] ]}]',
        b'[{"m":[[0,10]]}]',
        b'[{"m":[[0,1]]}',
        b'[{"m":[[0,1]]},]',
        b'[{"m":[[0,1]]}] ',
        b'[{"m":[[0,1]]}]]',
        b'[{"m":[[0,1],]}]',
        b'[{"m":[[0,1]}]',
        b'[{"m":[[0,1]],}]',
        b'[,{"m":[[0,1]]}]',
        b'[{,"m":[[0,1]]}]',
        b'[{"m":[[0,1]]}{"m":[[0,1]]}]',
        b'[{"m"": [[0,1]]}]',
        b'[{"m\\n":[[0,1]]}]',
        b'[{"\xc3\xa9":[[0,1]]}]',
        b'{"m":[[0,1]]}',
    ],
)
def test_whatever_is_written_otherwise_is_left_to_the_decoder(text: bytes) -> None:
    assert read_compact(text) is None


def test_what_is_read_faster_by_the_block_is_left_to_the_decoder() -> None:
    rows = rows_of(Random(SEED), MOST_BYTES // 4, 1)
    assert len(text_of([{"m": rows}])) > MOST_BYTES
    assert read_compact(text_of([{"m": rows}])) is None
    assert read_compact(text_of([{"m": rows[:-16]}])) == [{"m": rows[:-16]}]


def test_a_compact_text_with_more_behind_it_is_refused() -> None:
    decoder = MeasurementDecoder()
    decoder.feed(b'[{"m":[[0,1]]}]')
    with pytest.raises(Exception, match="expected the end of the text"):
        decoder.feed(b"]")
