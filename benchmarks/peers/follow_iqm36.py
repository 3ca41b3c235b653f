"""Jobs through iqm-client 36, 32 at a time: ``URL JOBS SHOTS WORK [pinned]``.

"pinned" names the calibration set, which spares the client one request per job.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from iqm.iqm_client import IQMClient
from iqm.pulse import Circuit, CircuitOperation

from benchmarks.data import batch
from benchmarks.peers.measure import measured

THREADS = 32


def main(url: str, jobs: int, shots: int, work: str, *, pinned: bool) -> None:
    client = IQMClient.from_url(
        url, quantum_computer="square20", token=os.environ["PEER_TOKEN"]
    )
    architecture = client.get_dynamic_quantum_architecture()
    calibration_set_id = architecture.calibration_set_id if pinned else None
    couplers = sorted(map(tuple, architecture.gates["cz"].loci))
    circuits = [
        Circuit(
            name=f"circuit-{n}",
            instructions=tuple(
                CircuitOperation(name=name, locus=locus, args=dict(args))
                for name, locus, args in instructions
            ),
        )
        for n, instructions in enumerate(batch(work, couplers))
    ]

    def roundtrip(_: int) -> int:
        job = client.submit_circuits(
            circuits, shots=shots, calibration_set_id=calibration_set_id
        )
        job.wait_for_completion(progress_callback=lambda _: None)
        result = job.result()
        assert result is not None
        return len(result[0]["m"])

    roundtrip(0)
    with (
        ThreadPoolExecutor(THREADS) as pool,
        measured("iqm-client", "requests") as report,
    ):
        rows = list(pool.map(roundtrip, range(jobs)))
        report["jobs"] = jobs
    assert rows == [shots] * jobs


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4],
        pinned=sys.argv[5:] == ["pinned"],
    )
