"""Vendors' clients find the service of `qawait.testing` by the variables that it sets."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from qawait.testing import record, replay, serving
from qawait.testing.replayer import ANY_TOKEN
from tests.conformance.environments import vendor_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(300)]

IQM36 = """
import os
from iqm.iqm_client import IQMClient
from iqm.pulse import Circuit, CircuitOperation

client = IQMClient.from_url(
    os.environ["IQM_SERVER_URL"], quantum_computer=os.environ["IQM_QUANTUM_COMPUTER"]
)
turn = CircuitOperation(name="prx", locus=("QB1",), args={"angle": 3.0, "phase": 0.0})
read = CircuitOperation(name="measure", locus=("QB1",), args={"key": "m"})
job = client.submit_circuits([Circuit(name="c", instructions=(turn, read))], shots=9)
job.wait_for_completion()
print(job.status.value, len(job.result()[0]["m"]))
"""


def run(program: str, environment: Mapping[str, str], code: int = 0) -> str:
    """What a program says that knows a vendor's client and nothing of qawait."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("IQM")}
    ran = subprocess.run(
        [vendor_python("iqm36"), "-c", program],
        env=clean | dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == code, ran.stderr
    return (ran.stdout if code == 0 else ran.stderr).strip()


def test_a_vendors_client_runs_against_the_service_and_against_its_recording(
    tmp_path: Path,
):
    path = tmp_path / "r.jsonl"
    computer = {"IQM_QUANTUM_COMPUTER": "square20"}
    with serving() as there:
        with there.faults("429@poll"):
            assert "RateLimitError" in run(IQM36, there.environment, code=1)
        assert run(IQM36, there.environment) == "completed 9"
        token = {"IQM_TOKEN": there.token}
        with record(path, there.iqm) as recorded:
            assert run(IQM36, recorded.environment | computer | token) == "completed 9"
    token = {"IQM_TOKEN": ANY_TOKEN}
    with replay(path) as replayed:
        assert run(IQM36, replayed.environment | computer | token) == "completed 9"
        assert replayed.refused == []
