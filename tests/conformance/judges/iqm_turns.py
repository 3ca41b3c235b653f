"""The life of some jobs as iqm-client 18.6 to 30 sees it: angles in turns.

Runs inside a vendor's environment: ``python iqm_turns.py ACT URL DIALECT`` with the
token in JUDGE_TOKEN, where DIALECT is v1, resonance, v2 or station; prints one JSON
document of what the unmodified client saw.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
import warnings
from typing import TYPE_CHECKING, Any

from iqm import iqm_client
from iqm.iqm_client import (
    Circuit,
    CircuitCompilationOptions,
    DDMode,
    DDStrategy,
    HeraldingMode,
    Instruction,
    IQMClient,
    MoveGateFrameTrackingMode,
    MoveGateValidationMode,
)
from native import (
    CUSTOM_SETTINGS,
    MAPPED,
    SETTINGS,
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
ACT, URL, DIALECT = sys.argv[1:4]
ROOTS = {"v1": "/cocos", "resonance": "/cocos", "v2": "", "station": "/station"}
VARIANTS = {"v1": "V1", "resonance": "RESONANCE_COCOS_V1", "v2": "V2"}


def connect(token: str = TOKEN) -> IQMClient:
    root = URL + ROOTS[DIALECT]
    if DIALECT == "station":
        return IQMClient(url=root, token=token)
    variant = iqm_client.APIVariant(VARIANTS[DIALECT])
    return IQMClient(url=root, token=token, api_variant=variant)


def instruction(operation: Operation) -> Instruction:
    args: dict[str, Any] = dict(operation.more)
    if operation.turns is not None:
        args["angle_t"], args["phase_t"] = operation.turns
    if operation.key is not None:
        args["key"] = operation.key
    return Instruction(name=operation.name, qubits=operation.locus, args=args)


def made(programs: dict[str, list[Operation]]) -> list[Circuit]:
    return [
        Circuit(name=name, instructions=tuple(map(instruction, operations)))
        for name, operations in programs.items()
    ]


def circuits(*qubits: str) -> list[Circuit]:
    return made(batch(*qubits))


def chosen(client: IQMClient) -> tuple[str, str, str]:
    return corner(client.get_dynamic_quantum_architecture().gates["cz"].loci)


def served(call: Any) -> Any:
    """What a question gives; None where this dialect does not have it."""
    try:
        return call().model_dump(mode="json")
    except (AttributeError, ValueError) as error:
        if isinstance(error, AttributeError) or "Unsupported API" in str(error):
            return None
        raise


def life() -> dict[str, Any]:
    client = connect()
    dynamic = client.get_dynamic_quantum_architecture()
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
        "old_architecture": served(lambda: client.get_quantum_architecture()),
        "static": served(lambda: client.get_static_quantum_architecture()),
        "dynamic_qubits": dynamic.qubits,
        "calibration_set_id": str(dynamic.calibration_set_id),
        "calibration": served(lambda: client.get_calibration_set()),
        "metrics": served(lambda: client.get_quality_metric_set()),
        "feedback": attempt(lambda: sorted(map(sorted, client.get_feedback_groups()))),
        "corner": [a, b, c],
        "status": run.status.value,
        "names": [circuit.name for circuit in run.metadata.circuits],
        "shots": run.metadata.shots,
        "heralding_mode": run.metadata.heralding_mode.value,
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
            lambda: connect("wrong").get_dynamic_quantum_architecture()
        ),
    }


def abort() -> dict[str, Any]:
    client = connect()
    job = client.submit_circuits(circuits(*chosen(client)), shots=SHOTS)
    before = client.get_run_status(job).status.value
    early = client.get_run(job)
    client.abort_job(job)
    run = client.wait_for_results(job, timeout_secs=60)
    counts = client.get_run_counts(job)
    return {
        "before": before,
        "early": [early.status.value, early.measurements or None],
        "status": run.status.value,
        "measurements": run.measurements or None,
        "counts_status": counts.status.value,
        "counts": counts.counts_batch,
    }


def feedback() -> dict[str, Any]:
    client = connect()
    job = client.submit_circuits(made(conditional(*chosen(client))), shots=SHOTS)
    return {"measurements": client.wait_for_results(job, timeout_secs=120).measurements}


def moves() -> dict[str, Any]:
    """On a star, whose qubits meet in a resonator only."""
    client = connect()
    dynamic = client.get_dynamic_quantum_architecture()
    programs, qubits = moving(dynamic.gates["move"].loci)
    job = client.submit_circuits(made(programs), shots=SHOTS)
    return {
        "resonators": dynamic.computational_resonators,
        "qubits": qubits,
        "measurements": client.wait_for_results(job, timeout_secs=120).measurements,
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


def options() -> dict[str, Any]:
    """Submit the batch with each set of options; what was sent is in the ledger."""
    client = connect()
    dynamic = client.get_dynamic_quantum_architecture()
    a, b, c = corner(dynamic.gates["cz"].loci)
    jobs = {
        name: client.submit_circuits(circuits(a, b, c), options=compiling(chosen))
        for name, chosen in option_sets(b).items()
    }
    jobs[MAPPED] = client.submit_circuits(
        circuits("alice", "bob", "carol"),
        qubit_mapping={"carol": c, "alice": a, "bob": b},
        calibration_set_id=dynamic.calibration_set_id,
    )
    jobs[SETTINGS] = client.submit_circuits(
        circuits(a, b, c), custom_settings=dict(CUSTOM_SETTINGS)
    )
    jobs["conditional"] = client.submit_circuits(made(conditional(a, b, c)), shots=3)
    return {
        "corner": [a, b, c],
        "calibration_set_id": str(dynamic.calibration_set_id),
        "jobs": {name: str(job) for name, job in jobs.items()},
    }


if __name__ == "__main__":
    acts = {
        "life": life,
        "abort": abort,
        "feedback": feedback,
        "moves": moves,
        "options": options,
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = acts[ACT]()
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
