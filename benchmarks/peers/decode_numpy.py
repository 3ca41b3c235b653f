"""The sum of the bytes, to know how fast numpy looks at each of them: ``FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.peers.measure import measured


def main(body: bytes) -> None:
    text = np.frombuffer(body, np.uint8)
    with measured("numpy"):
        total = np.sum(text)
    assert total


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes())
