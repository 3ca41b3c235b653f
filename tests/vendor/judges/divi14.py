"""The life of some jobs as qoro-divi 0.14.0 sees it.

Runs inside the vendor's environment: ``python divi14.py life|abort URL`` with the token
in JUDGE_TOKEN; prints one JSON document of what the client saw. Its constant API_URL is
patched, because it cannot be configured; nothing else is.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
import warnings
from typing import Any

from divi.backends import (
    ExecutionConfig,
    JobConfig,
    QoroService,
    SimulationMethod,
    Simulator,
)
from divi.backends import ExecutionResult as Handle
from divi.backends.runners import _qoro
from native import SHOTS, attempt

TOKEN = os.environ["JUDGE_TOKEN"]
HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'

CIRCUITS = {
    "flip": "qreg q[3]; creg c[3]; x q[0]; measure q -> c;",
    "crossed": "qreg q[3]; creg c[3]; x q[0]; measure q[0] -> c[2]; "
    "measure q[1] -> c[0]; measure q[2] -> c[1];",
    "partial": "qreg q[3]; creg c[5]; x q[1]; measure q[1] -> c[3]; "
    "measure q[0] -> c[1];",
    "pairs": "qreg q[4]; creg c[4]; h q[0]; cx q[0],q[2]; x q[1]; measure q -> c;",
    "biased": "qreg q[2]; creg c[2]; ry(2*pi/3) q[1]; measure q -> c;",
}
NUMBERS = 130
"""More circuits than one page of results holds; circuit n writes n in binary."""


def number(n: int) -> str:
    flips = " ".join(f"x q[{bit}];" for bit in range(8) if n >> bit & 1)
    return f"{HEADER}qreg q[8]; creg c[8]; {flips} measure q -> c;"


def connect(token: str = TOKEN, config: ExecutionConfig | None = None) -> QoroService:
    return QoroService(
        token,
        JobConfig(shots=SHOTS, simulator_cluster="qoro_maestro", tag="judge"),
        config,
        polling_interval=0.1,
    )


def wait(service: QoroService, job: Handle) -> str:
    return service.poll_job_status(job, loop_until_complete=True, verbose=False).value


def results(service: QoroService, job: Handle) -> dict[str, dict[str, int]]:
    rows = service.get_job_results(job).results
    assert rows is not None
    return {row["label"]: row["results"] for row in rows}


def life() -> dict[str, Any]:
    service = connect()
    batch = {label: HEADER + body for label, body in CIRCUITS.items()}
    job = service.submit_circuits(batch)
    final: list[dict[str, Any]] = []
    status = service.poll_job_status(
        job, loop_until_complete=True, on_complete=final.append, verbose=False
    )
    many = service.submit_circuits({f"n{n}": number(n) for n in range(NUMBERS)})
    wait(service, many)

    mps = ExecutionConfig(
        bond_dimension=8,
        truncation_threshold=1e-9,
        simulator=Simulator.QiskitAer,
        simulation_method=SimulationMethod.MatrixProductState,
    )
    configured = service.submit_circuits(batch, override_execution_config=mps)
    wait(service, configured)
    lent = service.submit_circuits(
        batch, override_execution_config=ExecutionConfig(simulator=Simulator.GpuSim)
    )
    unknown = Handle(job_id=str(uuid.UUID(int=7)))
    return {
        "connection": service.test_connection().status_code,
        "systems": [system.name for system in service.fetch_qpu_systems()],
        "clusters": [cluster.name for cluster in service.fetch_simulator_clusters()],
        "status": status.value,
        "final": final,
        "results": results(service, job),
        "numbers": results(service, many),
        "configured": results(service, configured),
        "configuration": service.get_execution_config(configured).to_payload(),
        "no_configuration": attempt(lambda: service.get_execution_config(job)),
        "late_configuration": attempt(lambda: service.set_execution_config(job, mps)),
        "late_cancel": attempt(lambda: service.cancel_job(job)),
        "unavailable": attempt(lambda: wait(service, lent)),
        "unavailable_results": attempt(lambda: results(service, lent)),
        "unknown_job": attempt(lambda: service.poll_job_status(unknown)),
        "unknown_cancel": attempt(lambda: service.cancel_job(unknown)),
        "bad_circuit": attempt(lambda: service.submit_circuits({"torn": "qreg q[2"})),
        "deleted": service.delete_job(many).status_code,
        "after_delete": attempt(lambda: service.poll_job_status(many)),
        "wrong_token": attempt(lambda: connect("wrong")),
    }


def abort() -> dict[str, Any]:
    service = connect()
    # Only a job whose circuits are still to come is sure to be PENDING, and the client
    # has no call that stops there: it is opened through the client's own transport.
    opening = {
        "tag": "judge",
        "job_type": "EXECUTE",
        "use_packing": False,
        "simulator_cluster": "qoro_maestro",
    }
    answer = service._make_request("post", "job/init/", json=opening).json()
    opened = Handle(job_id=answer["job_id"])
    before = service.poll_job_status(opened).value
    config = ExecutionConfig(bond_dimension=4, api_meta={"optimization_level": 1})
    posted = service.set_execution_config(opened, config)
    read = service.get_execution_config(opened).to_payload()
    refused = attempt(
        lambda: service.set_execution_config(
            opened, ExecutionConfig(api_meta={"colour": "blue"})
        )
    )

    batch = {label: HEADER + body for label, body in CIRCUITS.items()}
    job = service.submit_circuits(batch)
    early = attempt(lambda: results(service, job))
    cancelled = service.cancel_job(job).json()
    return {
        "before": before,
        "posted": posted["execution_configuration"],
        "read": read,
        "refused": refused,
        "early": early,
        "job_id": job.job_id,
        "cancelled": cancelled,
        "waited": attempt(lambda: wait(service, job)),
        "status": service.poll_job_status(job).value,
        "again": attempt(lambda: service.cancel_job(job)),
        "results": attempt(lambda: results(service, job)),
        "opened": service.cancel_job(opened).json()["status"],
    }


if __name__ == "__main__":
    _qoro.API_URL = sys.argv[2] + "/api"
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = {"life": life, "abort": abort}[sys.argv[1]]()
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
