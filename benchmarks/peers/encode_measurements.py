"""Measurements to JSON: ``LAYOUT CIRCUITS SHOTS CALLS ENCODER``.

The encoder is "qawait", of arrays; or "json" or "msgspec", of the lists that they read
like, which are made before the clock runs.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import numpy as np

from benchmarks.data import MEASURED
from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured
from qawait.measurement_encoder import encode_measurements

ENCODERS = {
    "qawait": encode_measurements,
    "json": lambda circuits: json.dumps(circuits, separators=(",", ":")).encode(),
    "msgspec": msgspec.json.encode,
}


def main(layout: str, count: int, shots: int, calls: int, encoder: str) -> None:
    random = np.random.default_rng(3)
    circuits = []
    for _ in range(count):
        read = random.integers(0, 2, (shots, 20), np.uint8)
        columns = np.split(read, len(MEASURED[layout]), axis=1)
        keyed = zip(MEASURED[layout], columns, strict=True)
        circuits.append(
            {
                key: levels.copy() if encoder == "qawait" else levels.tolist()
                for (key, _), levels in keyed
            }
        )
    with measured("qawait", "msgspec", "numpy") as report:

        def encoded(circuits: list[dict[str, Any]]) -> bytes:
            body = ENCODERS[encoder](circuits)
            report["bytes"] = len(body)
            return body

        repeated(report, encoded, circuits, calls)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5])
