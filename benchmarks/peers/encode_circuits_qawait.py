"""Native circuits to a run request with qawait: ``URL CIRCUITS LENGTH CALLS DIALECT``.

What `client.submit` does between the call and the request, without the request.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import qawait
import qawait.circuits  # else loaded by the first submission
from benchmarks.data import native_circuits
from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured
from qawait import _batch
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import DIALECTS
from qawait.iqm.options import Options

if TYPE_CHECKING:
    from qawait.iqm.architecture import DynamicQuantumArchitecture
    from qawait.model import Target


async def asked(url: str) -> tuple[DynamicQuantumArchitecture, Target]:
    service = qawait.IQMService(url, token=os.environ["PEER_TOKEN"])
    async with qawait.connect(service, target="square20") as client:
        architecture = await client.architecture()
        assert architecture is not None
        return architecture, client.target


def main(url: str, count: int, length: int, calls: int, dialect: str) -> None:
    architecture, target = asyncio.run(asked(url))
    circuits = [
        Circuit(f"circuit-{n}", tuple(Instruction(*i) for i in instructions))
        for n, instructions in enumerate(
            native_circuits(count, length, sorted(architecture.loci("cz")))
        )
    ]
    encoding: list[float] = []
    sizes: list[int] = []

    def request(circuits: list[Circuit]) -> bytes:
        prepared = _batch.prepare(circuits, architecture, target, False, 0, 2)
        _batch.check_native(prepared, architecture, Options())
        submission, _manifest = _batch.batch(
            prepared,
            shots=1000,
            target=target,
            tag=None,
            options=Options(),
            calibration_set_id=architecture.calibration_set_id,
        )
        began = time.perf_counter()
        body = DIALECTS[dialect].open_job(submission).body
        encoding.append(time.perf_counter() - began)
        assert body is not None
        sizes.append(len(body))
        return body

    with measured("qawait", "msgspec") as report:
        repeated(report, request, circuits, calls)
        report["encode_seconds"] = sorted(encoding)[len(encoding) // 2]
        report["bytes"] = sizes[0]


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5])
