"""The unmodified Qiskit adapter of iqm-client 36.0.0 drives `qawait serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.judges.native import SHOTS
from tests.conformance.service import ask

if TYPE_CHECKING:
    from tests.service.running import LocalService

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]

FIVE_SIGMA = 5 * (SHOTS / 4) ** 0.5


@pytest.fixture(scope="module")
def saw(service: LocalService) -> dict[str, Any]:
    return ask("iqm36", "qiskit36", "life", service)


def test_the_adapter_sees_the_square(saw: dict[str, Any]) -> None:
    assert saw["name"] == "square20"
    assert saw["qubits"] == 20
    assert saw["couplings"] == 31


@pytest.mark.parametrize("run", ["counts", "again"])
def test_the_adapter_counts_with_bit_0_last(saw: dict[str, Any], run: str) -> None:
    """A partly measured register keeps its width, and registers keep their order.

    `again` is the same job, found by its id.
    """
    counts = dict(zip(saw["names"], saw[run], strict=True))
    assert counts["flip"] == {"001": SHOTS}
    assert counts["crossed"] == {"100": SHOTS}
    assert counts["partial"] == {"100 00": SHOTS}
    assert counts["pairs"].keys() == {"0010", "0111"}
    assert sum(counts["pairs"].values()) == SHOTS
    assert abs(counts["pairs"]["0111"] - SHOTS / 2) < FIVE_SIGMA
    assert counts["biased"].keys() == {"00", "10"}
    assert abs(counts["biased"]["10"] - SHOTS * 0.75) < FIVE_SIGMA


def test_the_adapter_understands_every_figure_of_the_chip(saw: dict[str, Any]) -> None:
    """`use_metrics=True` insists on the names of all observations."""
    assert saw["with_figures"].keys() == {"0010", "0111"}


def test_a_conditional_gate_depends_on_its_bit(service: LocalService) -> None:
    assert ask("iqm36", "qiskit36", "feedback", service)["counts"] == {"11 1": SHOTS}


def test_the_adapter_moves_through_the_resonator(star_service: LocalService) -> None:
    saw = ask("iqm36", "qiskit36", "moves", star_service)
    assert {"move", "cz"} <= set(saw["gates"])
    assert saw["counts"].keys() == {"0010", "0111"}
    assert abs(saw["counts"]["0111"] - SHOTS / 2) < FIVE_SIGMA


def test_the_adapter_gets_its_own_errors(saw: dict[str, Any]) -> None:
    assert saw["success"] is True
    assert saw["status"] == "DONE"
    assert saw["unknown_job"]["error"] == "NotFoundError"
    assert saw["late_cancel"] == {"answer": "False"}
    assert saw["not_transpiled"]["error"] == "ValueError"
    assert "square20" in saw["wrong_name"]["text"]
    assert saw["wrong_token"]["error"] == "AuthenticationError"


def test_the_adapter_cancels_a_job(slow_service: LocalService) -> None:
    saw = ask("iqm36", "qiskit36", "abort", slow_service)
    assert saw["before"] in {"QUEUED", "RUNNING"}
    assert saw["cancelled"] is True
    assert saw["status"] == "CANCELLED"
