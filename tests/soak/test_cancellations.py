"""Cancellations at every pause of submissions, polls and the journal."""

from __future__ import annotations

import logging

import pytest

from qawait._submission import Submitter
from qawait.model import Delivery
from tests.soak.cancellations import raced

SEED = 20261122


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="qawait")
    caplog.set_level(logging.CRITICAL, logger="asyncio")


@pytest.mark.timeout(300)
def test_no_cancellation_leaks_a_task_or_makes_the_journal_lie():
    """2,000 races; the ledger and the journals agree about each of them."""
    account = raced(2000, SEED)
    assert account.races == 2000
    # they were cut off everywhere, and some not at all
    assert account.ends["cancelled"] > 600
    assert account.ends["at its end"] > 200
    assert set(account.standings) >= {"new", "unknown", "accepted", "terminal"}


@pytest.mark.timeout(120)
def test_a_client_that_takes_what_was_cancelled_for_undelivered_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
):
    """The mutant: what was stopped while it was sent was not sent."""

    async def stopped(self, error, sending):
        await sending.journal.outcome(
            sending.submission_id, Delivery.NOT_DELIVERED, evidence=""
        )

    monkeypatch.setattr(Submitter, "_stopped", stopped)
    with pytest.raises(AssertionError, match=r"ran, and|was accepted"):
        raced(100, SEED)
