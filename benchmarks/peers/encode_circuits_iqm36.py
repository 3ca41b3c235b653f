"""Native circuits to a run request with iqm-client 36: ``URL CIRCUITS LENGTH CALLS``.

What its `submit_circuits` does before it sends; it has asked for the architecture.
"""

from __future__ import annotations

import os
import sys
import time

from iqm.iqm_client import IQMClient
from iqm.pulse import Circuit, CircuitOperation

from benchmarks.data import native_circuits
from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured


def main(url: str, count: int, length: int, calls: int) -> None:
    client = IQMClient.from_url(
        url, quantum_computer="square20", token=os.environ["PEER_TOKEN"]
    )
    architecture = client.get_dynamic_quantum_architecture()
    couplers = sorted(map(tuple, architecture.gates["cz"].loci))
    circuits = [
        Circuit(
            name=f"circuit-{n}",
            instructions=tuple(
                CircuitOperation(name=name, locus=locus, args=args)
                for name, locus, args in instructions
            ),
        )
        for n, instructions in enumerate(native_circuits(count, length, couplers))
    ]
    encoding: list[float] = []
    sizes: list[int] = []

    def request(circuits: list[Circuit]) -> bytes:
        definition = client.create_circuit_job_definition(
            circuits, calibration_set_id=architecture.calibration_set_id, shots=1000
        )
        began = time.perf_counter()
        body = definition.model_dump_json().encode()
        encoding.append(time.perf_counter() - began)
        sizes.append(len(body))
        return body

    with measured("iqm-client", "pydantic") as report:
        repeated(report, request, circuits, calls)
        report["encode_seconds"] = sorted(encoding)[len(encoding) // 2]
        report["bytes"] = sizes[0]


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
