"""Measurements to packed arrays with qawait: ``FILE [histograms | counts]``.

With the second argument the outcomes of every circuit are counted too: as arrays of
outcomes and counts, or as dictionaries by bit strings.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.peers.measure import measured
from qawait.measurement_decoder import decode_measurements
from qawait.results import Result


def main(body: bytes, how: str | None) -> None:
    total = 0
    with measured("qawait", "msgspec", "numpy"):
        circuits = decode_measurements(body)
        if how is not None:
            result = Result.of_shots(circuits, None, job_id="1")
        if how == "histograms":
            histograms = [circuit.histogram() for circuit in result]
        elif how == "counts":
            counts = [circuit.counts() for circuit in result]
    if how == "histograms":
        total = sum(int(one.counts.sum()) for one in histograms)
    elif how == "counts":
        total = sum(sum(count.values()) for count in counts)
    assert how is None or total == sum(circuit.rows for circuit in circuits)


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes(), sys.argv[2] if sys.argv[2:] else None)
