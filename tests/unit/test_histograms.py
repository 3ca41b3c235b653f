from __future__ import annotations

import base64
import contextlib
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from tests.obvious_histograms import decoded, fields_of, written

from qawait.errors import ProtocolError, ResponseTooLarge
from qawait.histograms import Histogram, decode_histogram, encode_histogram
from qawait.packing import bytes_for, pack, tally, unpack


def histogram_of(counts: dict[str, int], n_bits: int) -> Histogram:
    """The obvious way from strings in Qiskit's order to a histogram."""
    bits = [[int(c) for c in reversed(outcome)] for outcome in counts]
    rows = np.array(bits, np.uint8).reshape(len(counts), n_bits)
    return Histogram.of_packed(
        pack(rows), n_bits, np.array([*counts.values()], np.int64)
    )


def counts_of(histogram: Histogram) -> dict[str, int]:
    """The obvious way back."""
    return {
        "".join(map(str, row[::-1].tolist())): int(count)
        for row, count in zip(histogram.bits(), histogram.counts, strict=True)
    }


EXAMPLES = [
    pytest.param("qh1", 2, {"00": 52, "11": 48}, "UUgxAgJkAgADAwEAAgIyLg==", id="bell"),
    pytest.param(
        "qh1", 3, {"001": 1, "101": 3, "111": 1}, "UUgxAwMFAwEEAgUDAQEBAQEB", id="three"
    ),
    pytest.param(
        "qh1",
        12,
        {"000000000000": 300, "000111111111": 129, "111111111111": 2},
        "UUgxDAOvAwMA/wOAHAMBAAMDqgJ/AA==",
        id="varints",
    ),
    pytest.param("qh1", 1, {"1": 1000}, "UUgxAQHoBwEBAwEAAQHmBw==", id="one outcome"),
    pytest.param("qh1", 1, {"0": 1, "1": 1}, "UUgxAQICAgABAwEBAgA=", id="both once"),
    pytest.param("qh1", 4, {}, "UUgxBAAAAAEAAA==", id="empty"),
    pytest.param(
        "qh1",
        64,
        {"0" * 64: 2, "1" + "0" * 63: 1, "1" * 64: 3},
        "UUgxQAMGAwCAgICAgICAgIAB//////////9/BQMAAQEBAgAB",
        id="64 bits",
    ),
    pytest.param(
        "qh1",
        65,
        {"0" * 65: 2, "1" + "0" * 64: 1},
        "UUgxQQIDAgCAgICAgICAgIACBAIAAQEBAA==",
        id="65 bits",
    ),
    pytest.param(
        "qh1",
        70,
        {f"{2**64 + 2**5:070b}": 60, f"{2**64 + 2**5 + 1:070b}": 40},
        "UUgxRgJkAqCAgICAgICAgAIBAwEAAgI6Jg==",
        id="70 bits",
    ),
    pytest.param(
        "qh2",
        256,
        {"0" * 255 + "1": 1, "1" + "0" * 255: 3},
        "UUgygAICBAIB////////////////////////////////////////////////BwQCAQEBAQE=",
        id="256 bits",
    ),
    pytest.param(
        "qh2",
        300,
        {"1" + "0" * 298 + "1": 130},
        "UUgyrAIBggEBgYCAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAIAMBAAEBgAE=",
        id="300 bits",
    ),
    pytest.param(
        "qh1",
        4,
        {"0000": 1, "0001": 1, "0010": 1, "0111": 2, "1000": 7, "1111": 1},
        "UUgxBAYNBgABAQUBBwUDAQMCAQIABQ==",
        id="mixed runs",
    ),
]
"""The worked examples of the wire reference, Qoro, §3."""


@pytest.mark.parametrize(("encoding", "n_bits", "counts", "payload"), EXAMPLES)
def test_the_worked_examples_are_read(encoding, n_bits, counts, payload):
    histogram = decode_histogram(encoding, n_bits, payload)
    assert counts_of(histogram) == counts
    assert histogram.n_bits == n_bits
    assert histogram.shots == sum(counts.values())


@pytest.mark.parametrize(("encoding", "n_bits", "counts", "payload"), EXAMPLES)
def test_the_worked_examples_are_written_byte_by_byte(
    encoding, n_bits, counts, payload
):
    histogram = histogram_of(counts, n_bits)
    assert encode_histogram(histogram) == (encoding, payload)


@pytest.mark.parametrize(("n_bits", "encoding"), [(255, "qh1"), (256, "qh2")])
def test_widths_up_to_255_bits_are_written_as_qh1(n_bits, encoding):
    histogram = histogram_of({"1" + "0" * (n_bits - 1): 2}, n_bits)
    assert encode_histogram(histogram)[0] == encoding


def test_outcomes_are_numbers_up_to_64_bits_and_packed_bytes_beyond():
    narrow = decode_histogram("qh1", 3, "UUgxAwMFAwEEAgUDAQEBAQEB")
    assert narrow.outcomes.dtype == np.uint64
    assert narrow.outcomes.tolist() == [0b001, 0b101, 0b111]
    assert narrow.counts.dtype == np.int64
    wide = decode_histogram("qh1", 70, "UUgxRgJkAqCAgICAgICAgAIBAwEAAgI6Jg==")
    assert wide.outcomes.dtype == np.uint8
    assert wide.outcomes.tolist() == [
        [1] + [0] * 7 + [32],
        [1] + [0] * 7 + [33],
    ]


def payload_of(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


BELL = "514831 02 02 64 02 0003 03 010002 02 322e"


def test_the_sample_that_the_next_test_damages_is_sound():
    assert decode_histogram("qh1", 2, payload_of(BELL)).counts.tolist() == [52, 48]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("514832 02 02 64 02 0003 03 010002 02 322e", "begins with b'QH2'"),
        ("514831 03 02 64 02 0003 03 010002 02 322e", "3 bits, its envelope says 2"),
        ("514831 02 03 64 02 0003 03 010002 02 322e", "3 outcomes, but 2 gaps"),
        ("514831 02 02 63 02 0003 03 010002 02 322e", "add up to 100, it says 99"),
        ("514831 02 02 64 02 0000 03 010002 02 322e", "outcome 0 appears twice"),
        ("514831 02 02 64 02 0004 03 010002 02 322e", "gap is wider than 2 bits"),
        ("514831 02 02 64 02 0202 03 010002 02 322e", "outcome 1 is wider than 2"),
        ("514831 02 02 64 02 0003 04 010002 02 322e", "take 3 bytes, not 4"),
        ("514831 02 02 64 02 0003 02 010002 02 322e", "take 3 bytes, not 2"),
        ("514831 02 02 64 02 0003 03 010001 02 322e", "1 flags for 2 outcomes"),
        ("514831 02 02 64 02 0003 04 02000002 02 322e", "run of flags is empty"),
        ("514831 02 02 64 02 0003 00 02 322e", "no flags for 2"),
        ("514831 02 02 64 02 0003 03 010102 02 322e", "2 extras for 0 outcomes"),
        ("514831 02 02 64 02 0003 03 010002 01 32", "1 extras for 2 outcomes"),
        ("514831 02 02 64 02 0003 03 010002 02 322e 00", "1 bytes too many"),
        ("514831 02 02 64 02 0003 03 010002 02 32", "2 extras announced, 1 bytes left"),
        ("514831 02 02 64 02 00", "2 gaps announced, 1 bytes left"),
        ("514831 02 02 64", "ends inside a number of gaps"),
        ("514831", "ends before the width"),
        ("514831 02 82 00 64 02 0003 03 010002 02 322e", "longer than it need be"),
        ("514831 02 02 e480 80 00", "longer than it need be"),
        ("514831 02 02 ffffffffffffffffff01", "number of shots is wider than 63 bits"),
        (
            "514831 02 02 64 02 0003 03 010002 02 32 80808080808080808001",
            "wider than 63",
        ),
        # A payload of nine bytes that announces 2**28 gaps.
        ("514831 02 8080808001 64 8080808001", "gaps announced, 0 bytes left"),
    ],
)
def test_a_damaged_payload_is_refused(payload, says):
    with pytest.raises(ProtocolError, match=says):
        decode_histogram("qh1", 2, payload_of(payload))


@pytest.mark.parametrize(
    ("encoding", "n_bits", "payload", "says"),
    [
        ("qh3", 2, payload_of(BELL), "unknown encoding 'qh3'"),
        ("qh2", 2, payload_of(BELL), "begins with b'QH1'"),
        ("qh1", None, payload_of(BELL), "its envelope says None"),
        ("qh1", 3, payload_of(BELL), "its envelope says 3"),
        ("qh1", 2, "!!!!", "not base64"),
        ("qh1", 2, "UUgxAgJk\nAgADAwEAAgIyLg==", "not base64"),
        ("qh1", 2, "UUgxAgJkAgADAwEAAgIyLg=", "not base64"),
        ("qh1", 2, "ÄUgx", "not base64"),
        ("qh1", 2, "", "begins with b''"),
        (
            "qh2",
            2**20 + 1,
            payload_of("514832 818040 00 00 00 00 00"),
            "more than 10485",
        ),
    ],
)
def test_an_envelope_that_does_not_fit_is_refused(encoding, n_bits, payload, says):
    with pytest.raises(ProtocolError, match=says):
        decode_histogram(encoding, n_bits, payload)


def test_the_other_form_of_an_empty_histogram_is_read():
    histogram = decode_histogram("qh1", 4, payload_of("514831 04 0000000000"))
    assert (histogram.n_bits, histogram.shots, len(histogram.counts)) == (4, 0, 0)


def test_a_histogram_without_bits_has_one_outcome():
    payload = payload_of("514831 00 01 07 01 00 03 010001 01 05")
    assert decode_histogram("qh1", 0, payload).bits().shape == (1, 0)
    with pytest.raises(ProtocolError, match="wider than 0 bits"):
        decode_histogram("qh1", 0, payload_of("514831 00 01 07 01 01 03 010001 01 05"))


def test_memory_is_refused_before_it_is_taken():
    """Ten thousand outcomes of 2**20 bits would take 1.3 GB from 10 kB of payload."""
    width = "808040"
    gaps = "01" * 10_000
    body = f"514832 {width} 904e 904e 904e {gaps} 04 01 01 904e 00"
    with pytest.raises(ResponseTooLarge, match="10000 outcomes of 1048576 bits"):
        decode_histogram("qh2", 2**20, payload_of(body))


def test_the_widest_outcomes_are_written_and_read_back():
    """The carry from the second to the third runs through half of the bits."""
    numbers = [
        5,
        2 ** (2**19) - 1,
        2 ** (2**19),
        int("10" * 2**19, 2),
        2 ** (2**20) - 1,
    ]
    counts = [(number, 1 + n) for n, number in enumerate(numbers)]
    payload = base64.b64encode(written(fields_of(2**20, counts))).decode()
    histogram = decode_histogram("qh2", 2**20, payload)
    rows = [int.from_bytes(row.tobytes(), "big") for row in histogram.outcomes]
    assert rows == numbers
    assert histogram.counts.tolist() == [1, 2, 3, 4, 5]
    assert encode_histogram(histogram) == ("qh2", payload)


def test_a_wide_outcome_that_comes_twice_is_named_by_its_place():
    """As a number it would have more digits than Python is willing to write."""
    gaps = [2**20_000, 0]
    fields = fields_of(20_001, [(1, 1), (2, 1)])._replace(gaps=gaps)
    payload = base64.b64encode(written(fields)).decode()
    with pytest.raises(ProtocolError, match="outcome 0 appears twice"):
        decode_histogram("qh2", 20_001, payload)


@pytest.mark.parametrize(
    ("n_bits", "spread"), [(40, 2**40), (64, 2**64), (18, 2**18), (100, 2**100)]
)
def test_large_histograms_are_read_and_written_alike(n_bits: int, spread: int):
    """They take many blocks, and gaps of several lengths in each of them."""
    rng = random.Random(9)
    outcomes = sorted({rng.randrange(spread) for _ in range(150_000)})
    counts = [(n, rng.choice([1, 1, 1, 2, 200, 2**20])) for n in outcomes]
    payload = base64.b64encode(written(fields_of(n_bits, counts))).decode()
    histogram = decode_histogram("qh1", n_bits, payload)
    assert decoded("qh1", n_bits, payload) == counts
    assert histogram.counts.tolist() == [count for _, count in counts]
    size = bytes_for(n_bits)
    packed = b"".join(outcome.to_bytes(size, "big") for outcome in outcomes)
    assert histogram.packed().tobytes() == packed
    assert encode_histogram(histogram) == ("qh1", payload)


WIDTHS = [1, 2, 7, 8, 9, 63, 64, 65, 127, 130, 255, 256, 300, 1000]

HISTOGRAMS = st.sampled_from(WIDTHS).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.dictionaries(
            st.integers(0, 2**n - 1).map(lambda i: f"{i:0{n}b}"),
            st.sampled_from([1, 2, 3, 129, 2**40]) | st.integers(1, 5),
            max_size=12,
        ),
    )
)


@seed(3)
@given(HISTOGRAMS)
def test_what_is_written_is_read_back(sample):
    n_bits, counts = sample
    histogram = histogram_of(counts, n_bits)
    encoding, payload = encode_histogram(histogram)
    again = decode_histogram(encoding, n_bits, payload)
    assert again == histogram
    assert counts_of(again) == {key: counts[key] for key in sorted(counts)}
    ascending = sorted((int(key, 2), count) for key, count in counts.items())
    assert decoded(encoding, n_bits, payload) == ascending
    assert base64.b64decode(payload) == written(fields_of(n_bits, ascending))


@seed(4)
@given(st.binary(max_size=40), st.sampled_from([b"QH1", b"QH2"]))
def test_noise_is_refused_and_never_crashes(noise, magic):
    payload = base64.b64encode(magic + noise).decode()
    width = noise[0] if noise else 0
    with contextlib.suppress(ProtocolError):
        decode_histogram(magic.decode().lower(), width, payload)


def test_packing_is_that_of_qiskits_bit_array():
    from qiskit.primitives import BitArray

    bits = np.random.default_rng(5).integers(0, 2, (20, 11), np.uint8)
    theirs = BitArray.from_bool_array(bits[:, ::-1].astype(bool), order="big")
    np.testing.assert_array_equal(pack(bits), theirs.array)
    np.testing.assert_array_equal(unpack(pack(bits), 11), bits)


def test_packing_puts_bit_0_last_and_padding_first():
    bits = np.array([[1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0]], np.uint8)
    assert pack(bits).tolist() == [[0b00000001, 0b00000101]]


@seed(6)
@given(st.integers(0, 20), st.lists(st.integers(0, 3), max_size=12))
def test_a_tally_is_ascending_and_adds_weights(width, values):
    packed = np.array(
        [list((value << 8 * width >> 8).to_bytes(width, "big")) for value in values],
        np.uint8,
    ).reshape(len(values), width)
    weights = np.arange(1, len(values) + 1)
    rows, counts = tally(packed, weights)
    expected: dict[bytes, int] = {}
    for row, weight in zip(packed, weights, strict=True):
        expected[row.tobytes()] = expected.get(row.tobytes(), 0) + int(weight)
    assert {r.tobytes(): int(c) for r, c in zip(rows, counts, strict=True)} == expected
    assert [r.tobytes() for r in rows] == sorted(expected)


def test_equal_histograms_are_equal_and_pickle():
    one = histogram_of({"01": 2, "10": 1}, 2)
    assert one == histogram_of({"10": 1, "01": 2}, 2)
    assert not one != histogram_of({"10": 1, "01": 2}, 2)  # noqa: SIM202
    assert not one == histogram_of({"01": 3, "10": 1}, 2)  # noqa: SIM201
    assert one != histogram_of({"01": 2, "10": 2}, 2)
    assert one != histogram_of({"01": 2, "11": 1}, 2)
    assert one != histogram_of({"001": 2, "010": 1}, 3)
    assert one != "01"
    again = pickle.loads(pickle.dumps(one))  # noqa: S301
    assert again == one
    assert not again.outcomes.flags.writeable
    assert not again.counts.flags.writeable
    assert repr(one) == "Histogram(2 bits, 2 outcomes, 3 shots)"
