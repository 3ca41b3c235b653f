"""What services say about their limits, in three generations of one draft."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qawait._rate_headers import Told, told_by


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {"ratelimit-limit": "2000", "ratelimit-remaining": "1990"},
            Told(limit=2000, remaining=1990),
        ),
        (
            {
                "ratelimit-limit": "100, 100;w=60, 1000;w=3600",
                "ratelimit-remaining": "7",
                "ratelimit-reset": "50",
            },
            Told(limit=100, window=60.0, remaining=7, reset=50.0),
        ),
        (
            {"ratelimit-limit": "10", "ratelimit-policy": "10;w=1, 10;w=60, 50;w=90"},
            Told(limit=10, window=60.0),
        ),
        (
            {
                "ratelimit": "limit=100, remaining=50, reset=5",
                "ratelimit-policy": "100;w=10",
            },
            Told(limit=100, window=10.0, remaining=50, reset=5.0),
        ),
        (
            {
                "ratelimit": '"burst";r=3;t=1, "daily";r=900;t=4000',
                "ratelimit-policy": '"burst";q=20;w=2,"daily";q=1000;w=86400',
            },
            Told(limit=20, window=2.0, remaining=3, reset=1.0),
        ),
        (
            {
                "ratelimit": '"burst";r=9;t=1, "daily";r=100;t=4000',
                "ratelimit-policy": '"burst";q=20;w=2,"daily";q=1000;w=86400',
            },
            Told(limit=1000, window=86400.0, remaining=100, reset=4000.0),
        ),
        (
            {"ratelimit": "default;r=50;t=30", "ratelimit-policy": "100;w=60"},
            Told(limit=100, window=60.0, remaining=50, reset=30.0),
        ),
        (
            {"ratelimit-limit": "5", "ratelimit-remaining": "9"},
            Told(limit=5, remaining=5),
        ),
        (
            {"ratelimit-limit": "5", "ratelimit-reset": "999999999"},
            Told(limit=5, reset=86400.0),
        ),
        ({}, None),
        ({"x-ratelimit-limit": "60"}, None),
        ({"ratelimit-limit": "0"}, None),
        ({"ratelimit-limit": "-5"}, None),
        ({"ratelimit-limit": "١٢٠"}, None),
        ({"ratelimit-limit": "1e9"}, None),
        ({"ratelimit-limit": "9" * 5000}, None),
        ({"ratelimit": '"a";r=5'}, None),
        ({"ratelimit": "soon", "ratelimit-policy": "w=5"}, None),
    ],
)
def test_every_form_is_read_and_nonsense_is_not(
    headers: dict[str, str], told: Told | None
):
    assert told_by(headers) == told


@given(
    st.dictionaries(
        st.sampled_from(
            ["ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining"]
        ),
        st.text('0123456789;,=" wqrt"limit', max_size=40) | st.text(max_size=40),
    )
)
def test_no_header_raises_or_gives_what_cannot_be_reckoned_with(
    headers: dict[str, str],
):
    told = told_by(headers)
    if told is not None:
        assert told.limit is not None
        assert told.limit > 0
        assert told.window is None or 0 < told.window <= 86_400
        assert told.remaining is None or 0 <= told.remaining <= told.limit
