"""Write a page of results with one large histogram: ``FILE BITS OUTCOMES SEED``.

Outcomes are anywhere in the register; seven in ten were seen once, the others up to 300
times. qawait writes it; its tests compare such bytes with the worked examples that the
vendor's client reads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from qawait.histograms import Histogram
from qawait.packing import bytes_for
from qawait.qoro.serving import encode_row, write_page

SEEN_ONCE = 0.7


def histogram(n_bits: int, outcomes: int, seed: int) -> Histogram:
    """A histogram of random outcomes, fewer by those that were drawn twice."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (outcomes, bytes_for(n_bits)), np.uint8)
    rows[:, 0] >>= -n_bits % 8
    once = rng.random(outcomes) < SEEN_ONCE
    counts = np.where(once, 1, rng.integers(2, 300, outcomes, endpoint=True))
    return Histogram.of_packed(rows, n_bits, counts)


def main(path: Path, n_bits: int, outcomes: int, seed: int) -> None:
    row = encode_row("large", histogram(n_bits, outcomes, seed))
    path.write_bytes(write_page([row], count=1, limit=100, offset=0, url="http://x/"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
