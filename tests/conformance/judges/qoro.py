"""The OpenQASM programs that the Qoro judges submit, and what both of them do alike.

Only the standard library and what every release of qoro-divi from 0.14 on has.
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

from divi.backends import ExecutionResult as Handle
from divi.backends.runners import _qoro
from divi.circuits import CircuitPayload
from native import attempt
from qiskit.circuit import Parameter

if TYPE_CHECKING:
    from divi.backends import QoroService

TOKEN = os.environ["JUDGE_TOKEN"]
# The one constant that is patched, because it cannot be configured.
_qoro.API_URL = sys.argv[2] + "/api"

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
BATCH = {label: HEADER + body for label, body in CIRCUITS.items()}

STATES = {
    "tilted": HEADER + "qreg q[3]; x q[0]; h q[1]; ry(pi/3) q[2];",
    "paired": HEADER + "qreg q[3]; h q[0]; cx q[0],q[2]; x q[1];",
}
TERMS = "ZII;IXI;IIZ;ZIX;XIX;YIY;III"

NUMBERS = 130
"""More circuits than one page of results holds; circuit n writes n in binary."""

TEMPLATE = (
    HEADER + "qreg q[3]; creg c[3]; ry(theta_1) q[0]; ry(theta_10) q[1]; "
    "rx(theta) q[2]; measure q -> c;"
)
POINTS = (
    ("first", (3.141592653589793, 0.0, 0.0)),
    ("second", (0.0, 3.141592653589793, 0.0)),
    ("third", (0.0, 0.0, 3.141592653589793)),
)
"""Values of theta_1, theta_10 and theta; one name begins the others."""


def number(n: int) -> str:
    flips = " ".join(f"x q[{bit}];" for bit in range(8) if n >> bit & 1)
    return f"{HEADER}qreg q[8]; creg c[8]; {flips} measure q -> c;"


def payload() -> CircuitPayload:
    return CircuitPayload(
        circuit=TEMPLATE,
        parameters=tuple(map(Parameter, ("theta_1", "theta_10", "theta"))),
        parameter_sets=POINTS,
    )


def wait(service: QoroService, job: Handle) -> str:
    return service.poll_job_status(job, loop_until_complete=True, verbose=False).value


def results(service: QoroService, job: Handle) -> dict[str, Any]:
    rows = service.get_job_results(job).results
    assert rows is not None
    return {row["label"]: row["results"] for row in rows}


def answered(service: QoroService, *args: Any, **options: Any) -> dict[str, Any]:
    """Submit, wait and return the results by label."""
    job = service.submit_circuits(*args, **options)
    wait(service, job)
    return results(service, job)


def common(service: QoroService) -> dict[str, Any]:
    """What both releases can do, and what they say when it goes wrong."""
    many = service.submit_circuits({f"n{n}": number(n) for n in range(NUMBERS)})
    wait(service, many)
    unknown = Handle(job_id=str(uuid.UUID(int=7)))
    return {
        "connection": service.test_connection().status_code,
        "systems": [system.name for system in service.fetch_qpu_systems()],
        "clusters": [cluster.name for cluster in service.fetch_simulator_clusters()],
        "numbers": results(service, many),
        "credits": service.get_credit_balance(),
        "transactions": service.get_credit_transactions(page=1, page_size=5),
        "unknown_job": attempt(lambda: service.poll_job_status(unknown)),
        "unknown_cancel": attempt(lambda: service.cancel_job(unknown)),
        "late_cancel": attempt(lambda: service.cancel_job(many)),
        "bad_circuit": attempt(lambda: service.submit_circuits({"torn": "qreg q[2"})),
        "deleted": service.delete_job(many).status_code,
        "after_delete": attempt(lambda: service.poll_job_status(many)),
    }


def expectation(service: QoroService) -> dict[str, Any]:
    """Exact values: one group for all circuits, then a group for each."""
    return {
        "together": answered(service, STATES, ham_ops=TERMS),
        "apart": answered(
            service,
            STATES,
            ham_ops="IIX;ZII|YIY;IZI",
            circuit_ham_map=[[0, 1], [1, 2]],
        ),
    }


def sweep(service: QoroService) -> dict[str, Any]:
    """A template with parameters, and shots shared out over the circuits."""
    return {
        "points": answered(service, [payload()]),
        "expected": answered(
            service,
            [
                CircuitPayload(
                    circuit=TEMPLATE.replace("measure q -> c;", ""),
                    parameters=payload().parameters,
                    parameter_sets=POINTS,
                )
            ],
            ham_ops="ZII;IZI",
        ),
        "grouped": answered(service, BATCH, shot_groups=[[0, 2, 100], [2, 5, 37]]),
    }


def cancelling(service: QoroService) -> dict[str, Any]:
    """A job is cancelled while it runs."""
    job = service.submit_circuits(BATCH)
    early = attempt(lambda: results(service, job))
    cancelled = service.cancel_job(job).json()
    return {
        "early": early,
        "job_id": job.job_id,
        "cancelled": cancelled,
        "waited": attempt(lambda: wait(service, job)),
        "status": service.poll_job_status(job).value,
        "again": attempt(lambda: service.cancel_job(job)),
        "results": attempt(lambda: results(service, job)),
    }
