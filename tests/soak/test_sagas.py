"""Stories of programs that share a journal: nothing runs twice, nothing is lost."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qawait.journal import store
from qawait.journal.records import Standing
from tests.soak.sagas import Program, programs, told

STORIES = st.lists(programs(), max_size=6)


@pytest.mark.timeout(300)
@settings(
    max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(protocol=st.sampled_from(("server", "qoro")), story=STORIES)
def test_no_story_sends_twice_or_loses_anything(protocol: str, story: list[Program]):
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    told(protocol, story)


@pytest.mark.timeout(120)
def test_a_client_that_forgets_what_was_being_sent_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
):
    """A crash while a submission has arrived and its answer has not."""
    crash = Program(
        does="sweep",
        points=4,
        faults=(("hang:acted", 1.0, "submit"),),
        ends="crash",
        after=5.0,
        jump=0.0,
        years=0,
    )
    told("server", [crash])
    monkeypatch.setattr(store, "AFTER_A_CRASH", Standing.NEW)
    with pytest.raises(AssertionError, match="accepted more often"):
        told("server", [crash])
