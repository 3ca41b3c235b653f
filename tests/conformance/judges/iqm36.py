"""The life of some jobs as iqm-client 36.0.0 sees it (dialect Server api/v1).

Runs inside the vendor's environment: ``python iqm36.py ACT URL`` with the token in
JUDGE_TOKEN; prints one JSON document of what the unmodified client saw.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import uuid
import warnings
from typing import TYPE_CHECKING, Any

from iqm.iqm_client import CircuitCompilationOptions, IQMClient
from iqm.pulse import Circuit, CircuitOperation
from iqm.station_control.interface.models.circuit import (
    DDMode,
    DDStrategy,
    HeraldingMode,
    MoveGateFrameTrackingMode,
    MoveGateValidationMode,
)
from native import (
    MAPPED,
    SHOTS,
    attempt,
    batch,
    conditional,
    corner,
    moving,
    option_sets,
)

if TYPE_CHECKING:
    from native import Operation

TOKEN = os.environ["JUDGE_TOKEN"]


def connect(
    url: str, token: str = TOKEN, quantum_computer: str = "square20"
) -> IQMClient:
    return IQMClient.from_url(url, quantum_computer=quantum_computer, token=token)


def instruction(operation: Operation) -> CircuitOperation:
    args: dict[str, Any] = dict(operation.more)
    if operation.turns is not None:
        args["angle"], args["phase"] = (2 * math.pi * t for t in operation.turns)
    if operation.key is not None:
        args["key"] = operation.key
    return CircuitOperation(name=operation.name, locus=operation.locus, args=args)


def made(programs: dict[str, list[Operation]]) -> list[Circuit]:
    return [
        Circuit(name=name, instructions=tuple(map(instruction, operations)))
        for name, operations in programs.items()
    ]


def circuits(*qubits: str) -> list[Circuit]:
    return made(batch(*qubits))


def chosen(client: IQMClient) -> tuple[str, str, str]:
    return corner(client.get_dynamic_quantum_architecture().gates["cz"].loci)


def wait(job: Any) -> str:
    return job.wait_for_completion(
        timeout_secs=120, polling_interval=0.1, progress_callback=lambda _: None
    ).value


def ended(job: Any) -> str:
    status = wait(job)
    return f"{status}: {job.errors}"


def life(url: str) -> dict[str, Any]:
    client = connect(url)
    static = client.get_static_quantum_architecture()
    dynamic = client.get_dynamic_quantum_architecture()
    calibration = client.get_calibration_set()
    metrics = client.get_quality_metric_set()
    a, b, c = corner(dynamic.gates["cz"].loci)

    job = client.submit_circuits(circuits(a, b, c), shots=SHOTS)
    status = wait(job)
    counts = job.result_counts()
    assert counts is not None
    assert job.job_data.compilation is not None

    pinned = client.submit_circuits(
        circuits("alice", "bob", "carol"),
        qubit_mapping={"carol": c, "alice": a, "bob": b},
        calibration_set_id=dynamic.calibration_set_id,
        shots=1,
    )
    wait(pinned)
    again = client.get_job(pinned.job_id)
    payload = again.payload()

    # The client checks loci itself; a definition made by hand gets past it.
    astray = client.create_circuit_job_definition(circuits(a, b, c), shots=3)
    astray.circuits[0].instructions[0].locus = ("QB99",)
    astray.circuits[0].name = "nowhere"
    return {
        "name": client.quantum_computer_name,
        "health": client.get_health(),
        "about": client.get_about(),
        "static": static.model_dump(mode="json"),
        "dynamic_qubits": dynamic.qubits,
        "calibration_set_id": str(dynamic.calibration_set_id),
        "calibration": calibration.model_dump(mode="json"),
        "metrics": metrics.model_dump(mode="json"),
        "figures": sorted(o.dut_field for o in metrics.observations),
        "corner": [a, b, c],
        "status": status,
        "timeline": [
            [entry.source, entry.status, entry.timestamp.isoformat()]
            for entry in job.job_data.timeline
        ],
        "used_calibration_set_id": str(job.job_data.compilation.calibration_set_id),
        "measurements": job.result(),
        "counts": [entry.model_dump() for entry in counts],
        "pinned": {
            "calibration_set_id": str(again.job_data.compilation.calibration_set_id),
            "measurements": again.result(),
            "payload_shots": payload.shots,
            "payload_mapping": payload.qubit_mapping,
            "payload_names": [circuit.name for circuit in payload.circuits],
        },
        "wrong_locus_here": attempt(
            lambda: client.submit_circuits(circuits(a, c, "QB99"), shots=3)
        ),
        "wrong_locus_there": attempt(lambda: ended(client.submit_circuit_job(astray))),
        "unknown_job": attempt(lambda: client.get_job(uuid.UUID(int=7))),
        "unknown_cancel": attempt(lambda: client.cancel_job(uuid.UUID(int=7))),
        "late_cancel": attempt(job.cancel),
        "unknown_calibration": attempt(
            lambda: client.get_dynamic_quantum_architecture(uuid.UUID(int=7))
        ),
        "deleted": attempt(lambda: client.delete_job(pinned.job_id)),
        "after_delete": attempt(lambda: client.get_job(pinned.job_id)),
        "wrong_name": attempt(
            lambda: IQMClient.from_url(url, quantum_computer="moon", token=TOKEN)
        ),
        "wrong_token": attempt(lambda: connect(url, "wrong")),
    }


def abort(url: str) -> dict[str, Any]:
    client = connect(url)
    qubits = chosen(client)
    jobs = [client.submit_circuits(circuits(*qubits), shots=SHOTS) for _ in range(3)]
    while jobs[0].update().value == "waiting":
        time.sleep(0.05)
    before = [job.update().value for job in jobs]
    position = jobs[2].job_data.queue_position
    for job in reversed(jobs):
        job.cancel()
    return {
        "before": before,
        "position": position,
        "status": [wait(job) for job in jobs],
        "measurements": [job.result() for job in jobs],
        "again": attempt(jobs[1].cancel),
    }


def feedback(url: str) -> dict[str, Any]:
    client = connect(url)
    job = client.submit_circuits(made(conditional(*chosen(client))), shots=SHOTS)
    return {"ended": ended(job), "measurements": job.result()}


def moves(url: str) -> dict[str, Any]:
    """On a star, whose qubits meet in a resonator only."""
    client = connect(url, quantum_computer="star")
    dynamic = client.get_dynamic_quantum_architecture()
    programs, qubits = moving(dynamic.gates["move"].loci)
    job = client.submit_circuits(made(programs), shots=SHOTS)
    return {
        "resonators": dynamic.computational_resonators,
        "qubits": qubits,
        "ended": ended(job),
        "measurements": job.result(),
    }


def compiling(options: dict[str, Any]) -> CircuitCompilationOptions:
    readers = {
        "heralding_mode": ("heralding_mode", HeraldingMode),
        "move_validation_mode": ("move_gate_validation", MoveGateValidationMode),
        "move_gate_frame_tracking_mode": (
            "move_gate_frame_tracking",
            MoveGateFrameTrackingMode,
        ),
        "dd_mode": ("dd_mode", DDMode),
        "dd_strategy": ("dd_strategy", DDStrategy.model_validate),
    }
    known = {}
    for option, value in options.items():
        name, read = readers.get(option, (option, lambda value: value))
        known[name] = read(value)
    return CircuitCompilationOptions(**known)


def options(url: str) -> dict[str, Any]:
    """Submit the batch with each set of options; what was sent is in the ledger."""
    client = connect(url)
    dynamic = client.get_dynamic_quantum_architecture()
    a, b, c = corner(dynamic.gates["cz"].loci)
    jobs = {
        name: client.submit_circuits(circuits(a, b, c), options=compiling(wanted))
        for name, wanted in option_sets(b).items()
    }
    jobs[MAPPED] = client.submit_circuits(
        circuits("alice", "bob", "carol"),
        qubit_mapping={"carol": c, "alice": a, "bob": b},
        calibration_set_id=dynamic.calibration_set_id,
    )
    jobs["conditional"] = client.submit_circuits(made(conditional(a, b, c)), shots=3)
    return {
        "corner": [a, b, c],
        "calibration_set_id": str(dynamic.calibration_set_id),
        "jobs": {name: str(job.job_id) for name, job in jobs.items()},
    }


def hours(url: str) -> dict[str, Any]:
    """Wait for the last of five jobs with the client's own pauses."""
    client = connect(url)
    a, b, c = chosen(client)
    jobs = [client.submit_circuits(circuits(a, b, c), shots=3) for _ in range(5)]
    before = time.monotonic()
    status = wait(jobs[-1])
    return {
        "status": status,
        "seconds": time.monotonic() - before,
        "timelines": [
            [
                (str(entry.status), entry.timestamp.isoformat())
                for entry in client.get_job(job.job_id).job_data.timeline
            ]
            for job in jobs
        ],
    }


if __name__ == "__main__":
    acts = {
        "hours": hours,
        "life": life,
        "abort": abort,
        "feedback": feedback,
        "moves": moves,
        "options": options,
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = acts[sys.argv[1]](sys.argv[2])
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
