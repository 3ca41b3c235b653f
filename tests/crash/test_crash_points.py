"""A sweep that crashes wherever something was written or sent, and is gone on with."""

from __future__ import annotations

import logging

import pytest

from qawait._transport import Transport
from qawait.journal import store
from qawait.journal.file import FileJournal
from qawait.journal.records import Standing
from tests.crash.crash_points import crashed, explored
from tests.crash.tormenting import acknowledge_first, sending_after_the_send


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="qawait")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_a_crash_at_any_point_duplicates_and_loses_nothing(protocol: str):
    """Every point once; the nightly run takes every two, and some of all three."""
    assert explored(protocol, 1) >= 25


def test_the_points_are_those_that_matter():
    points = [point.partition(" ")[0] for point in crashed("iqm", 1000)]
    assert set(points) == {"opened", "left", "answered", "committed", "results"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("protocol", ["iqm", "qoro"])
def test_a_client_that_forgets_what_was_being_sent_is_found_out(
    protocol: str, monkeypatch: pytest.MonkeyPatch
):
    """The mutant: after a crash, what was being sent is new."""
    monkeypatch.setattr(store, "AFTER_A_CRASH", Standing.NEW)
    with pytest.raises(AssertionError, match="accepted twice"):
        explored(protocol, 1)


@pytest.mark.timeout(120)
def test_a_client_that_writes_down_what_has_left_afterwards_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
):
    """The mutant: that bytes leave is written down when they have left."""
    monkeypatch.setattr(Transport, "send", Transport.send)
    sending_after_the_send()
    with pytest.raises(AssertionError, match="accepted twice"):
        explored("iqm", 1)


@pytest.mark.timeout(120)
def test_a_client_that_tells_an_id_before_it_is_written_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
):
    """The mutant: an id is told before it is on the disk."""
    monkeypatch.setattr(FileJournal, "outcome", FileJournal.outcome)
    acknowledge_first()
    with pytest.raises(AssertionError, match="lost"):
        explored("iqm", 1)
