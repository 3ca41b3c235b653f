"""What a service says about its rate limit in the headers of an answer.

Three generations of one draft are spoken (draft-ietf-httpapi-ratelimit-headers):
`RateLimit-Limit`, `-Remaining` and `-Reset` (to draft 06, and IQM), `RateLimit:
limit=100, remaining=50, reset=5` (draft 07), and `RateLimit: "name";r=50;t=5` (from 08);
`RateLimit-Policy` beside each. Whatever cannot be read counts as not said.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Told", "told_by"]

_MOST = 10**12
_LONGEST = 86_400.0
"""Seconds; a longer window is no rate limit but a budget."""

# only digits of ASCII, and not so many that a number takes long to read
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_PARAMETER = re.compile(r'([a-z]+)\s*=\s*"?([^";,]*)"?', re.ASCII | re.IGNORECASE)


class Told(Struct, frozen=True, kw_only=True):
    """A service's own words about its limit; None for what it does not say."""

    limit: int | None = None
    """Units for each window."""
    window: float | None = None
    """Seconds."""
    remaining: int | None = None
    """Units left, when it answered."""
    reset: float | None = None
    """Seconds until units come back."""


def told_by(headers: Mapping[str, str]) -> Told | None:
    """What an answer says about the rate limit; None if it says nothing.

    Args:
        headers: By names in lower case, or a mapping that ignores case.
    """
    limit_field = headers.get("ratelimit-limit")
    field = headers.get("ratelimit")
    if limit_field is None and field is None:
        return None
    policies = _policies(headers.get("ratelimit-policy", ""))
    if limit_field is not None:
        first, _, rest = limit_field.partition(",")
        limit = _number(first)
        window = _window_of(limit, policies + _policies(rest))
        remaining = _number(headers.get("ratelimit-remaining", ""))
        reset = _number(headers.get("ratelimit-reset", ""))
    else:
        limit, window, remaining, reset = _combined(field or "", policies)
    if not limit:
        return None
    return Told(
        limit=limit,
        window=float(window) if window and window <= _LONGEST else None,
        remaining=None if remaining is None else min(remaining, limit),
        reset=None if reset is None else min(float(reset), _LONGEST),
    )


class _Policy(Struct, frozen=True):
    name: str
    limit: int | None
    window: int | None


_Said = tuple[int | None, int | None, int | None, int | None]


def _combined(text: str, policies: list[_Policy]) -> _Said:
    """Limit, window, remaining and reset of a `RateLimit` field."""
    parameters = _parameters(text)
    if "limit" in parameters:
        limit = _number(parameters["limit"])
        window = _window_of(limit, policies)
        remaining = _number(parameters.get("remaining", ""))
        return limit, window, remaining, _number(parameters.get("reset", ""))
    items: list[_Said] = []
    for item in text.split(","):
        given = _parameters(item)
        policy = _named(_name(item), policies)
        remaining = _number(given.get("r", ""))
        if policy is not None and remaining is not None:
            reset = _number(given.get("t", ""))
            items.append((policy.limit, policy.window, remaining, reset))
    # the scarcest of several limits is the one to keep to
    return min(items, key=_share_left, default=(None, None, None, None))


def _share_left(said: _Said) -> float:
    limit, _, remaining, _ = said
    return (remaining or 0) / (limit or 1)


def _policies(text: str) -> list[_Policy]:
    found: list[_Policy] = []
    for item in text.split(","):
        given = _parameters(item)
        limit = _number(given["q"] if "q" in given else _name(item))
        if limit:
            found.append(_Policy(_name(item), limit, _number(given.get("w", ""))))
    return found


def _named(name: str, policies: list[_Policy]) -> _Policy | None:
    for policy in policies:
        if policy.name == name:
            return policy
    return policies[0] if len(policies) == 1 else None


def _window_of(limit: int | None, policies: list[_Policy]) -> int | None:
    windows = [p.window for p in policies if p.limit == limit and p.window]
    # of two windows with the same limit the longer one is the stricter
    return max(windows, default=None)


def _name(item: str) -> str:
    return item.partition(";")[0].strip().strip('"')


def _parameters(item: str) -> dict[str, str]:
    return {k.lower(): v.strip() for k, v in _PARAMETER.findall(item)}


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) and int(text) < _MOST else None
