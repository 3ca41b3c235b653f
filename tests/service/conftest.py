from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.running import LocalService, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def local_service() -> Iterator[LocalService]:
    """One service for all tests that do not need a service of their own."""
    with running() as service:
        yield service


@pytest.fixture(scope="session")
def null_service() -> Iterator[LocalService]:
    """A service that answers every job at once."""
    with running("--null") as service:
        yield service


@pytest.fixture
def counted() -> Iterator[LocalService]:
    """A null service of its own, so that its ledger is this test's."""
    with running("--null") as service:
        yield service
