"""The services that the judges drive; each lives as long as one module's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.running import LocalService, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    with running() as service:
        yield service


@pytest.fixture(scope="module")
def star_service() -> Iterator[LocalService]:
    """A service whose qubits meet in a computational resonator only."""
    with running("--target", "star") as service:
        yield service


@pytest.fixture(scope="module")
def slow_service() -> Iterator[LocalService]:
    """A service whose first job keeps it busy longer than any test waits."""
    with running("--service-time", "600s", "--servers", "1") as service:
        yield service
