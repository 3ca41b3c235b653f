"""Whatever a payload claims: a named error, soon, in memory that depends on its size."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from tests.bombs import told_by
from tests.histogram_bombs import BOMBS

from qawait.histograms import Histogram, decode_histogram, encode_histogram
from qawait.packing import bytes_for


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """What came of all bombs where 48 MB could be had, of which a million takes 16."""
    return told_by("tests.histogram_bombs", "48", timeout=50)


@pytest.mark.parametrize("name", BOMBS)
def test_a_lie_is_named_soon_and_in_little_memory(
    name: str, outcomes: dict[str, dict[str, Any]]
):
    says = BOMBS[name][2]
    assert says in outcomes[name]["text"]
    # A second on the slowest machine; far less on most.
    assert outcomes[name]["seconds"] < 3


@pytest.mark.parametrize("seldom", [True, False], ids=["all once", "none once"])
@pytest.mark.parametrize("n_bits", [40, 300])
def test_decoding_takes_little_beside_its_payload_and_its_result(
    n_bits: int, seldom: bool
):
    rng = np.random.default_rng(8)
    size = 1_000_000 if n_bits < 64 else 150_000
    rows = rng.integers(0, 256, (size, bytes_for(n_bits)), np.uint8)
    rows[:, 0] >>= -n_bits % 8
    counts = rng.integers(2, 2**20, size)
    found = Histogram.of_packed(rows, n_bits, None if seldom else counts)
    encoding, payload = encode_histogram(found)
    tracemalloc.start()
    try:
        again = decode_histogram(encoding, n_bits, payload)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert again == found
    assert kept < again.outcomes.nbytes + again.counts.nbytes + 300_000
    assert peak - kept < 1.5 * len(payload) + 3_000_000
