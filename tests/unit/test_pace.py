from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qawait._pace import Pace, backoff
from qawait.errors import ConfigurationError


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_backoff_stays_between_nothing_and_its_cap(attempt: int, seed: int):
    wait = backoff(attempt, Random(seed))
    assert 0 <= wait <= min(30.0, 0.5 * 2.0 ** (attempt - 1))


def test_backoff_doubles_its_upper_end():
    tops = [
        max(backoff(attempt, Random(seed)) for seed in range(300))
        for attempt in (1, 2, 3, 9)
    ]
    assert tops == pytest.approx([0.5, 1.0, 2.0, 30.0], rel=0.02)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("first", -1.0),
        ("first", math.nan),
        ("questions_per_job", 1.0),
        ("questions_per_job", math.inf),
        ("max_staleness", 0.0),
        ("max_staleness", math.nan),
        ("polls_per_second", -2.0),
        ("polls_per_second", math.inf),
    ],
)
def test_a_pace_that_cannot_be_right_is_refused_by_name(field: str, wrong: float):
    with pytest.raises(ConfigurationError, match=field):
        Pace(**{field: wrong})


def test_a_pace_with_wishes_is_taken():
    pace = Pace(first=0, max_staleness=5, polls_per_second=0.5, questions_per_job=1.5)
    assert pace.max_staleness == 5
