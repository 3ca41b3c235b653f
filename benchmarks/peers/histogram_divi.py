"""One page of results to histograms with qoro-divi: ``FILE CALLS``.

What its client does with an answer in `get_job_results`, without the request.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import requests
from divi.backends import QoroService  # noqa: F401 (what its user imports)
from divi.backends._results_processing import _decode_histogram_b64

from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured


def decoded(page: bytes) -> list[dict[str, Any]]:
    answer = requests.Response()
    answer._content = page
    answer.encoding = "utf-8"
    rows = answer.json()["results"]
    for row in rows:
        row["results"] = _decode_histogram_b64(row["results"])
    return rows


def main(page: bytes, calls: int) -> None:
    with measured("qoro-divi", "numba", "numpy") as report:
        repeated(report, decoded, page, calls)
    assert sum(decoded(page)[0]["results"].values()) > 0


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes(), int(sys.argv[2]))
