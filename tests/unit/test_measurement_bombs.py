"""Hostile bodies are told as such at once, and in little memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.bombs import told_by
from tests.measurement_bombs import BOMBS, ROW, ROWS, keyed
from tests.measurement_documents import grid

from qawait.measurement_decoder import decode_measurements

MEGABYTES = 128
"""What a decoder may take beside the body, until it has told that there is no result."""
SECONDS = 5.0
"""Here it is a tenth of that; a busy machine is no reason to fail."""

needs_limits = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="needs to know the size of a process"
)


def decoded(megabytes: int, *names: str) -> dict[str, Any]:
    """What came of bodies, each in a process of its own."""
    return told_by("tests.measurement_bombs", str(megabytes), *names, timeout=200)


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return decoded(MEGABYTES)


@needs_limits
@pytest.mark.timeout(240)  # The first one waits for all of them.
@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_body_is_refused_at_once_and_in_little_memory(
    name: str, told: dict[str, Any]
):
    said = told[name]
    assert said["error"] is not None, said
    assert said["seconds"] < SECONDS, said
    assert len(said["text"]) < 500


@needs_limits
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name",
    ["a key without end", "a number of many digits", "commas", "a row without end"],
)
def test_a_row_or_key_that_is_longer_than_any_machine_has_is_told_as_such(
    name: str, told: dict[str, Any]
):
    """It is not looked at whole, and not taken for a text that ends in the middle."""
    assert "is longer than" in told[name]["text"]


@needs_limits
def test_a_body_cut_anywhere_is_told_as_cut_in_little_memory():
    assert decoded(MEGABYTES, "cut") == {"cut": {"ResponseTruncated": 20}}


@needs_limits
def test_the_limit_lets_a_good_body_pass():
    said = decoded(MEGABYTES, "nothing wrong")["nothing wrong"]
    assert said["rows"] == ROWS.count(b"[")


@needs_limits
def test_a_gigabyte_in_pieces_takes_less_than_200_megabytes():
    said = decoded(200, "a gigabyte in pieces")["a gigabyte in pieces"]
    assert said.get("rows") == 100 * (11 * 40_000 + 1), said


@pytest.mark.parametrize(
    "body",
    [
        keyed((ROW * 450_000)[:-1]),
        b"[" + b",".join([grid(5_000, 20)[1:-1]] * 20) + b"]",
        b"[{"
        + b",".join(b'"c_20_0_%d":' % bit + grid(50_000, 1)[6:-2] for bit in range(20))
        + b"}]",
        grid(20_000, 100),
    ],
    ids=["one circuit", "twenty circuits", "a key for each bit", "a hundred columns"],
)
def test_beside_the_body_at_most_three_fifths_of_its_size_is_taken(body: bytes):
    decode_measurements(grid(40, 20))
    tracemalloc.start()
    try:
        circuits = decode_measurements(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert circuits[0].rows
    assert peak <= 0.6 * len(body)
