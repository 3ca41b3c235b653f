"""iqm-client 36 waits for hours of queue at a service with a virtual clock."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

from tests.conformance.service import ask
from tests.service.running import running

pytestmark = [pytest.mark.vendor, pytest.mark.timeout(900)]


def test_iqm_client_gets_through_five_hours_in_as_many_questions():
    options = ("--null", "--service-time", "1h", "--clock", "virtual")
    with running(*options) as service:
        saw = ask("iqm36", "iqm36", "hours", service)
    assert saw["status"] == "completed"
    # it asks each 0.1 s here, and at first at once
    assert saw["seconds"] < 20
    starts = [
        next(
            datetime.fromisoformat(at)
            for word, at in times
            if "execution_started" in word
        )
        for times in saw["timelines"]
    ]
    hour = timedelta(hours=1)
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert all(hour <= gap < 1.01 * hour for gap in gaps), saw["timelines"]
