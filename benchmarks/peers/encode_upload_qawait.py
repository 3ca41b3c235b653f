"""OpenQASM programs to their uploads with qawait: ``URL PROGRAMS GATES CALLS``.

What `client.submit` does between the call and the requests, without the requests.
"""

from __future__ import annotations

import sys

import qawait.circuits.openqasm  # noqa: F401 (loaded before the clock runs)
from benchmarks.data import programs
from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured
from qawait import _batch
from qawait.model import Target
from qawait.qoro.dialect import DIALECT
from qawait.qoro.options import Options


def main(count: int, gates: int, calls: int) -> None:
    given = programs(count, gates)
    target = Target(name="qoro_maestro", kind="simulator", qubits=None)

    sizes: list[int] = []

    def bodies(given: dict[str, str]) -> list[bytes | None]:
        prepared = _batch.prepare(given, None, target, False, 0, 2)
        submission, _manifest = _batch.batch(
            prepared,
            shots=1000,
            target=target,
            tag=None,
            options=Options(),
            calibration_set_id=None,
        )
        DIALECT.open_job(submission)
        found = [call.body for call in DIALECT.uploads("job", submission)]
        sizes.append(sum(len(body or b"") for body in found))
        return found

    with measured("qawait", "msgspec") as report:
        repeated(report, bodies, given, calls)
        report["bytes"] = sizes[0]


if __name__ == "__main__":
    main(*map(int, sys.argv[2:5]))
