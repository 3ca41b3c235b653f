"""The reader of measurements around its blocks: pieces, switches, and what is wrong."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from qawait import measurement_decoder
from qawait.errors import (
    ProtocolError,
    ResponseTooLarge,
    ResponseTruncated,
    UnexpectedContent,
)
from qawait.measurement_decoder import MeasurementDecoder, decode_measurements

SEED = 4


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def in_pieces(body: bytes, size: int) -> list[dict[str, list[list[int]]]]:
    decoder = MeasurementDecoder()
    for start in range(0, len(body), size):
        decoder.feed(body[start : start + size])
    return as_lists(decoder.close())


def as_lists(circuits: object) -> list[dict[str, list[list[int]]]]:
    return [
        {key: rows.tolist() for key, rows in circuit.items()}
        for circuit in circuits  # type: ignore[attr-defined]
    ]


def rows_of(number: int, width: int, top: int = 1) -> list[list[int]]:
    random = np.random.default_rng([SEED, number, width])
    return random.integers(0, top + 1, (number, width)).tolist()


@pytest.mark.parametrize("shots", [0, 1, 2, 3, 63, 64, 65, 66, 191, 700])
@pytest.mark.parametrize("width", [1, 2, 3, 7, 20])
def test_any_number_of_shots_is_read(shots: int, width: int) -> None:
    """Where blocks begin and end depends on how many rows the key before had."""
    document = [{"a": rows_of(shots, width)}, {"b": rows_of(9, width)}] * 2
    assert as_lists(decode_measurements(compact(document))) == document
    assert as_lists(decode_measurements(json.dumps(document).encode())) == document


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_pieces_of_any_size_read_the_same(size: int) -> None:
    document = [
        {"m": rows_of(90, 5), "wide": rows_of(90, 3, top=400)},
        {},
        {'q"\u00e9\\': rows_of(2, 1), "empty": []} | {"empty": rows_of(2, 0)},
    ]
    for body in (compact(document), json.dumps(document, indent=2).encode()):
        assert in_pieces(body, size) == document


def test_a_higher_level_in_the_middle_keeps_the_rows_before_it() -> None:
    rows = rows_of(500, 4)
    rows[321] = [0, 1, 2, 1]
    rows[400] = [0, 300, 0, 1]
    [circuit] = decode_measurements(compact([{"m": rows}]))
    assert circuit["m"].tolist() == rows
    assert circuit["m"].dtype == np.uint16


def test_rows_that_are_written_in_turns_are_read_too() -> None:
    """Each row has another template than the one before it."""
    rows = [[n % 13, 1] for n in range(3000)]
    [circuit] = decode_measurements(compact([{"m": rows}]))
    assert circuit["m"].tolist() == rows


def test_keys_of_one_circuit_share_bytes_without_touching_each_other() -> None:
    document = [{f"k{width}": rows_of(70, width) for width in (1, 3, 9, 2, 17, 8, 5)}]
    [circuit] = decode_measurements(compact(document))
    assert as_lists([circuit]) == document
    assert circuit.packed.shape == (70, 6)
    assert not (circuit.packed[:, 0] >> 5).any(), "45 bits leave three for padding"


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 1), (0, 1), (70, 69)])
def test_keys_of_one_circuit_have_as_many_rows(one: int, other: int) -> None:
    body = compact(
        [{"a": rows_of(one, 1), "b": rows_of(one, 2), "c": rows_of(other, 1)}]
    )
    with pytest.raises(ProtocolError, match=f"'a' has {one}, 'c' {other}$"):
        decode_measurements(body)


def test_small_pieces_of_a_long_row_are_not_tried_one_by_one() -> None:
    """Each try copies what is there, so tries that grow with the text are too many."""

    class Counting(MeasurementDecoder):
        tries = 0

        def _go_on(self) -> None:
            self.tries += 1
            super()._go_on()

    decoder = Counting()
    body = compact([{"m": rows_of(1, 50_000)}])
    for start in range(0, len(body), 50):
        decoder.feed(body[start : start + 50])
    assert as_lists(decoder.close()) == json.loads(body)
    assert decoder.tries < 20, f"{len(body) // 50} pieces"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'[{"m":[[0],[1]],"m":[[0],[1]]}]', "circuit 0: the key 'm' comes twice"),
        (b'[{"m":[[0]],"\\u006d":[[0]]}]', "the key 'm' comes twice"),
        (b'[{"m": 5}]', "expected an array of rows, got `number` .byte 7"),
        (b'[{"m" 5}]', "expected a colon, got `number`"),
        (b'[{"m": [[0] [1]]}]', "expected a comma or a bracket, got `array`"),
        (b'[{"m": [[0],]}]', r"expected a row, got '\]' .byte 12"),
        (b'[{"m": [[0]],}]', "expected a key, got '}'"),
        (b'[{"m": [[0]]},]', r"expected a circuit, got '\]'"),
        (b'[{"m": [[0]]} {}]', "expected a comma or the end, got `object`"),
        (b'[{"m": [[0]]}] x', "expected the end of the text, got 'x' .byte 15"),
        (b'[{"m": [[0, "1"]]}]', "expected a number, got `str` .byte 12"),
        (b'[{"a\nb": [[0]]}]', "expected a key, got `str`"),
        (b'[{"a\\x": [[0]]}]', "invalid"),
        (b'[{"m": [[0], [1], [2, 0.5]]}]', "key 'm': rows of different lengths"),
        (b'[{"m": [[0], [1], [true]]}]', "row 2: Expected `int . float`, got `bool`"),
        (b'[{"m": [[0], [-1]]}]', "row 1: Expected `int` >= 0"),
        (b'[{"m": [[0], [1], [01]]}]', "row 2: JSON is malformed: invalid number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        decode_measurements(body)


def test_an_error_far_into_the_text_names_circuit_key_row_and_byte() -> None:
    document = [{"a": rows_of(3000, 4)}, {"b": rows_of(3000, 4)}]
    body = compact(document)
    at = body.index(b"[", body.index(b'"b"') + 5 + 2000 * 10)
    damaged = body[:at] + b"[null" + body[at + 2 :]
    with pytest.raises(ProtocolError, match="circuit 1, key 'b': row 2000"):
        decode_measurements(damaged)
    damaged = body[:at] + b'["0"' + body[at + 2 :]
    with pytest.raises(ProtocolError, match=f"got `str` .byte {at + 1}"):
        decode_measurements(damaged)


def test_a_text_cut_anywhere_is_truncated() -> None:
    body = compact([{"m": rows_of(4, 3), "k\\": rows_of(4, 1)}, {"n": []}])
    for end in range(1, len(body)):
        with pytest.raises(ResponseTruncated, match=f"after {end} bytes"):
            decode_measurements(body[:end])
    with pytest.raises(UnexpectedContent):
        decode_measurements(b"")


def test_after_an_error_a_decoder_gives_no_result() -> None:
    decoder = MeasurementDecoder()
    with pytest.raises(ProtocolError, match="comes twice"):
        decoder.feed(b'[{"m":[[0]],"m":[[0]]},')
    with pytest.raises(ProtocolError, match="comes twice"):
        decoder.feed(b'{"m":[[0]]}]')
    with pytest.raises(ProtocolError, match="comes twice"):
        decoder.close()


@pytest.mark.parametrize("size", [5, 100, 2000, 100_000])
def test_the_wrong_row_is_named_however_the_text_came(size: int) -> None:
    """Rows that are no block go to msgspec by the many, which counts from its first."""
    rows = [f"[{n % 13},1]" for n in range(3000)]
    rows[2345] = "[08,1]"
    damaged = b'[{"m":[%b]}]' % ",".join(rows).encode()
    with pytest.raises(ProtocolError, match="row 2345: JSON is malformed"):
        in_pieces(damaged, size)


def test_a_batch_of_too_many_circuits_or_keys_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tiny circuits would take far more memory than their text."""
    monkeypatch.setattr(measurement_decoder, "MAX_CIRCUITS", 3)
    monkeypatch.setattr(measurement_decoder, "MAX_KEYS", 4)
    fits = [{"a": [[0]], "b": [[1]]}, {}, {"a": [[0]], "b": [[1]]}]
    assert as_lists(decode_measurements(compact(fits))) == fits
    with pytest.raises(ResponseTooLarge, match="more than 3 circuits"):
        decode_measurements(compact([*fits, {}]))
    with pytest.raises(ResponseTooLarge, match="more than 4 keys"):
        decode_measurements(compact([*fits[:2], {"a": [], "b": [], "c": []}]))


@pytest.mark.parametrize("start", [b'[{"m": [[0', b'[{"m'])
def test_a_row_or_a_key_without_end_is_given_up(start: bytes) -> None:
    """What never ends is not kept for ever."""
    decoder = MeasurementDecoder()
    decoder.feed(start)
    with pytest.raises(ProtocolError, match="longer than 4194304 bytes"):
        decoder.feed(b"0" * (5 << 20))


def test_pieces_that_were_fed_may_be_used_again_by_who_fed_them() -> None:
    body = compact([{"m": rows_of(200, 6)}])
    piece = bytearray(100)
    decoder = MeasurementDecoder()
    for start in range(0, len(body), 100):
        part = body[start : start + 100]
        piece[: len(part)] = part
        decoder.feed(memoryview(piece)[: len(part)])
        piece[:] = b"?" * 100
    assert as_lists(decoder.close()) == as_lists(decode_measurements(body))


@pytest.mark.parametrize("keys", [1, 20])
def test_beside_the_text_there_is_less_than_its_half(keys: int) -> None:
    """Of a few megabytes, of which half a megabyte is scratch that does not grow."""
    rows = np.zeros((120_000 // keys, 20 // keys), np.uint8).tolist()
    circuits = 1 if keys == 1 else 10
    body = compact([{f"k{n}": rows for n in range(keys)}] * circuits)
    decode_measurements(body)
    tracemalloc.start()
    decode_measurements(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * len(body)
