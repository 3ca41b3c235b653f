"""The life of some jobs as qoro-divi 0.14.0 sees it.

Runs inside the vendor's environment: ``python divi14.py ACT URL`` with the token in
JUDGE_TOKEN; prints one JSON document of what the client saw. Its constant API_URL is
patched, because it cannot be configured; nothing else is.
"""

from __future__ import annotations

import json
import sys
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
from native import SHOTS, attempt
from qoro import (
    BATCH,
    TOKEN,
    cancelling,
    common,
    expectation,
    results,
    sweep,
    wait,
)


def connect(token: str = TOKEN) -> QoroService:
    config = JobConfig(shots=SHOTS, simulator_cluster="qoro_maestro", tag="judge")
    return QoroService(token, config, polling_interval=0.1)


def life() -> dict[str, Any]:
    service = connect()
    job = service.submit_circuits(BATCH)
    final: list[dict[str, Any]] = []
    status = service.poll_job_status(
        job, loop_until_complete=True, on_complete=final.append, verbose=False
    )
    mps = ExecutionConfig(
        bond_dimension=8,
        truncation_threshold=1e-9,
        simulator=Simulator.QiskitAer,
        simulation_method=SimulationMethod.MatrixProductState,
    )
    configured = service.submit_circuits(BATCH, override_execution_config=mps)
    wait(service, configured)
    lent = service.submit_circuits(
        BATCH, override_execution_config=ExecutionConfig(simulator=Simulator.GpuSim)
    )
    return common(service) | {
        "status": status.value,
        "final": final,
        "results": results(service, job),
        "configured": results(service, configured),
        "configuration": service.get_execution_config(configured).to_payload(),
        "no_configuration": attempt(lambda: service.get_execution_config(job)),
        "late_configuration": attempt(lambda: service.set_execution_config(job, mps)),
        "unavailable": attempt(lambda: wait(service, lent)),
        "unavailable_results": attempt(lambda: results(service, lent)),
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
    return cancelling(service) | {
        "before": before,
        "posted": posted["execution_configuration"],
        "read": read,
        "refused": refused,
        "opened": service.cancel_job(opened).json()["status"],
    }


if __name__ == "__main__":
    acts = {
        "life": life,
        "abort": abort,
        "expectation": lambda: expectation(connect()),
        "sweep": lambda: sweep(connect()),
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = acts[sys.argv[1]]()
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
