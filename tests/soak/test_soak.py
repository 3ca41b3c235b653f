"""Fifty jobs of a day each end as they should, whatever goes wrong meanwhile."""

from __future__ import annotations

import pytest

from tests.soak.soak import Plan, soak

SEED = 20_300


@pytest.mark.timeout(300)
def test_a_day_of_faults_restarts_and_suspends_loses_no_job():
    plan = Plan(jobs=50, seed=SEED, staleness=400.0)
    account = soak(plan)
    assert account.ends == {"ready": 45, "JobCancelled": 5}, plan
    assert account.restarts == 3
    assert account.replaced_tokens == 4
    assert account.requests > 50 * 22 * 3600 / plan.staleness
    assert len(account.blocks) == 22
    assert abs(account.growth) < 0.05, account.blocks
