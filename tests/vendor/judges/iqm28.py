"""The life of some jobs as iqm-client 28.0.0 sees it (dialect V1).

Runs inside the vendor's environment: ``python iqm28.py life|abort URL`` with the token
in JUDGE_TOKEN; prints one JSON document of what the unmodified client saw.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
import warnings
from typing import TYPE_CHECKING, Any

from iqm.iqm_client import Circuit, Instruction, IQMClient
from native import SHOTS, attempt, batch, corner

if TYPE_CHECKING:
    from native import Operation

TOKEN = os.environ["JUDGE_TOKEN"]


def instruction(operation: Operation) -> Instruction:
    args: dict[str, Any] = {}
    if operation.turns is not None:
        args["angle_t"], args["phase_t"] = operation.turns
    if operation.key is not None:
        args["key"] = operation.key
    return Instruction(name=operation.name, qubits=operation.locus, args=args)


def circuits(*qubits: str) -> list[Circuit]:
    return [
        Circuit(name=name, instructions=tuple(map(instruction, operations)))
        for name, operations in batch(*qubits).items()
    ]


def life(url: str) -> dict[str, Any]:
    client = IQMClient(url=url + "/cocos", token=TOKEN)
    static = client.get_static_quantum_architecture()
    dynamic = client.get_dynamic_quantum_architecture()
    calibration = client.get_calibration_set()
    metrics = client.get_quality_metric_set()
    a, b, c = corner(dynamic.gates["cz"].loci)

    job = client.submit_circuits(circuits(a, b, c), shots=SHOTS)
    run = client.wait_for_results(job, timeout_secs=120)
    counts = client.get_run_counts(job)
    assert run.measurements is not None
    assert counts.counts_batch is not None

    pinned = client.submit_circuits(
        circuits("alice", "bob", "carol"),
        qubit_mapping={"carol": c, "alice": a, "bob": b},
        calibration_set_id=dynamic.calibration_set_id,
        shots=1,
    )
    pinned_run = client.wait_for_results(pinned, timeout_secs=120)

    # The client checks loci itself; a request made by hand gets past it.
    request = client.create_run_request(circuits(a, b, c), shots=3)
    request.circuits[0].instructions[0].qubits = ("QB99",)
    request.circuits[0].name = "nowhere"
    return {
        "old_architecture": client.get_quantum_architecture().model_dump(mode="json"),
        "static_qubits": static.qubits,
        "static_connectivity": [list(pair) for pair in static.connectivity],
        "dynamic_qubits": dynamic.qubits,
        "calibration_set_id": str(dynamic.calibration_set_id),
        "calibration": calibration.model_dump(mode="json"),
        "metrics": metrics.model_dump(mode="json"),
        "corner": [a, b, c],
        "status": run.status.value,
        "names": [circuit.name for circuit in run.metadata.circuits],
        "shots": run.metadata.shots,
        "timestamps": run.metadata.timestamps,
        "used_calibration_set_id": str(run.metadata.calibration_set_id),
        "measurements": run.measurements,
        "counts_status": counts.status.value,
        "counts": [entry.model_dump() for entry in counts.counts_batch],
        "pinned": {
            "calibration_set_id": str(pinned_run.metadata.calibration_set_id),
            "measurements": pinned_run.measurements,
        },
        "wrong_locus_here": attempt(
            lambda: client.submit_circuits(circuits(a, c, "QB99"), shots=3)
        ),
        "wrong_locus_there": attempt(
            lambda: client.wait_for_results(
                client.submit_run_request(request), timeout_secs=60
            )
        ),
        "unknown_job": attempt(lambda: client.get_run(uuid.UUID(int=7))),
        "unknown_abort": attempt(lambda: client.abort_job(uuid.UUID(int=7))),
        "unknown_calibration": attempt(
            lambda: client.get_dynamic_quantum_architecture(uuid.UUID(int=7))
        ),
        "wrong_token": attempt(
            lambda: IQMClient(
                url=url + "/cocos", token="wrong"
            ).get_dynamic_quantum_architecture()
        ),
    }


def abort(url: str) -> dict[str, Any]:
    client = IQMClient(url=url + "/cocos", token=TOKEN)
    qubits = corner(client.get_dynamic_quantum_architecture().gates["cz"].loci)
    job = client.submit_circuits(circuits(*qubits), shots=SHOTS)
    before = client.get_run_status(job).status.value
    client.abort_job(job)
    run = client.wait_for_results(job, timeout_secs=60)
    counts = client.get_run_counts(job)
    return {
        "before": before,
        "status": run.status.value,
        "measurements": run.measurements,
        "counts_status": counts.status.value,
        "counts": counts.counts_batch,
    }


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = {"life": life, "abort": abort}[sys.argv[1]](sys.argv[2])
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
