"""After some thousand requests with faults a client holds what it held before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.leaks import CONNECTIONS, main

SEED = 15_000
REQUESTS = 2_500

pytestmark = [
    pytest.mark.skipif(
        not Path("/proc/self/statm").exists(), reason="counts what Linux tells in /proc"
    ),
    pytest.mark.timeout(300),
]


def test_nothing_stays_behind_of_requests_that_went_well_or_badly():
    """Uncertain submissions are kept on purpose, with what is known of them."""
    found = main(REQUESTS, SEED)
    assert found.after.requests >= REQUESTS
    assert found.ends["ready"] > 0.8 * found.ends.total(), found.ends
    assert found.ends["SubmissionUncertain"] > 0
    assert found.warnings == 0
    # while it is open: its own tasks, and no connection more than it may have
    assert len({count.tasks for count in found.counts}) == 1, found.counts
    most = max(count.descriptors for count in found.counts)
    assert most <= found.before.descriptors + 2 * CONNECTIONS, found.counts
    assert found.blocks_each < 2.5, found.counts
    # once it is closed: nothing
    assert found.after.tasks == found.before.tasks
    assert found.after.descriptors == found.before.descriptors
