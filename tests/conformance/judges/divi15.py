"""The life of some jobs as qoro-divi 0.15.1 sees it.

Runs inside the vendor's environment: ``python divi15.py ACT URL`` with the token in
JUDGE_TOKEN; prints one JSON document of what the client saw. Its constant API_URL is
patched, because it cannot be configured; nothing else is.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import maestro
from divi.backends import JobConfig, MaestroConfig, QoroService
from native import SHOTS, attempt
from qoro import (
    BATCH,
    STATES,
    TOKEN,
    answered,
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
    status = wait(service, job)
    mps = MaestroConfig(
        simulation_type=maestro.SimulationType.MatrixProductState,
        max_bond_dimension=8,
        singular_value_threshold=1e-9,
        seed=7,
    )
    configured = service.submit_circuits(BATCH, maestro_config=mps)
    wait(service, configured)
    return common(service) | {
        "status": status,
        "run_time": service.get_job_results(job).run_time,
        "results": results(service, job),
        "configured": results(service, configured),
        "configuration_kept": service.get_maestro_config(configured) == mps,
        "no_configuration": attempt(lambda: service.get_maestro_config(job)),
        "device": attempt(lambda: service.get_device_config(configured)),
        "blueprints": service.fetch_vendor_blueprints(),
        "wrong_token": attempt(lambda: connect("wrong")),
    }


def padded() -> dict[str, Any]:
    """Terms that are shorter than the circuit; the client pads them."""
    return expectation(connect()) | {
        "short": answered(connect(), STATES, ham_ops="ZI;IX")
    }


if __name__ == "__main__":
    acts = {
        "life": life,
        "abort": lambda: cancelling(connect()),
        "expectation": padded,
        "sweep": lambda: sweep(connect()),
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        saw = acts[sys.argv[1]]()
    saw["warnings"] = [[w.category.__name__, str(w.message)] for w in seen]
    json.dump(saw, sys.stdout)
