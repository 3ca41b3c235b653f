"""Measurements with iqm-client 36, its own `get_job_measurements`: ``URL JOB``.

`request_seconds` and `request_cpu_seconds` in the report are the part of the time until
it had the whole answer.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from iqm.iqm_client import IQMClient

from benchmarks.peers.measure import measured


def main(url: str, job_id: str) -> None:
    client = IQMClient.from_url(
        url, quantum_computer="square20", token=os.environ["PEER_TOKEN"]
    )
    # The client has no seam between the request and the reading of its answer; this
    # attribute is where one calls the other.
    wire: Any = client._executor.client  # type: ignore[attr-defined]
    send, took = wire.send_request, {}

    def timed(*arguments: Any, **more: Any) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        answer = send(*arguments, **more)
        took["request_seconds"] = time.perf_counter() - began
        took["request_cpu_seconds"] = time.process_time() - worked
        return answer

    wire.send_request = timed
    with measured("iqm-client", "pydantic", "requests") as report:
        circuits = client.get_job_measurements(job_id)  # type: ignore[arg-type]
        report |= took
    assert len(circuits[0]) in (1, 20)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
