"""Measurements to nested lists with msgspec, the fastest way to have lists: ``FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from benchmarks.peers.measure import measured


def main(body: bytes) -> None:
    decoder = msgspec.json.Decoder(list[dict[str, list[list[int]]]])
    with measured("msgspec"):
        circuits = decoder.decode(body)
    assert len(circuits[0]) in (1, 20)


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes())
