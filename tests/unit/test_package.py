"""What a user meets first: names, imports, and what is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

import qawait


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.split())


def test_importing_qawait_loads_nothing_heavy():
    heavy = {"numpy", "aiohttp.web", "rich", "click", "qiskit", "qiskit_aer", "sqlite3"}
    assert heavy.isdisjoint(loaded_after("import qawait"))


def test_a_connection_is_described_without_numpy_or_a_simulator():
    used = "import qawait; qawait.connect; qawait.IQMService; qawait.ExecutionConfig"
    loaded = loaded_after(used)
    assert {"numpy", "aiohttp.web", "rich", "qiskit", "sqlite3"}.isdisjoint(loaded)


def test_the_client_never_loads_the_local_service():
    loaded = loaded_after("import qawait.client, qawait._sync, qawait.circuits")
    assert not {name for name in loaded if name.startswith("qawait.local")}
    assert {"qawait.iqm.serving", "qawait.qoro.serving"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", qawait.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(qawait, name) is not None
    assert name in dir(qawait)


@pytest.mark.parametrize("name", ["JobFailed", "SubmissionUncertain", "JobError"])
def test_errors_are_reached_from_the_package_itself(name: str):
    assert getattr(qawait, name) is getattr(qawait.errors, name)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = qawait.nonsense
