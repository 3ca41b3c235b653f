"""OpenQASM programs to their uploads with qoro-divi: ``URL PROGRAMS GATES CALLS``.

What its `submit_circuits` does, without the requests.
"""

from __future__ import annotations

import json
import os
import sys

from divi.backends import JobConfig, QoroService
from divi.backends.runners import _qoro
from divi.circuits._payloads import as_payloads

from benchmarks.data import programs
from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured


def main(url: str, count: int, gates: int, calls: int) -> None:
    given = programs(count, gates)
    # The one constant that is patched, because it cannot be configured.
    _qoro.API_URL = f"{url}/api"
    config = JobConfig(shots=1000, simulator_cluster="qoro_maestro")
    service = QoroService(os.environ["PEER_TOKEN"], config)

    sizes: list[int] = []

    def bodies(given: dict[str, str]) -> list[bytes]:
        envelope = service._fragment_envelope(None, None, None, 1000)
        plan = service._bound_call_plan(as_payloads(given), None, envelope)
        found = [json.dumps({**fragment, **envelope}).encode() for fragment in plan]
        sizes.append(sum(map(len, found)))
        return found

    with measured("qoro-divi", "requests") as report:
        repeated(report, bodies, given, calls)
        report["bytes"] = sizes[0]


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
