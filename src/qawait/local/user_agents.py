"""What depends on which client asks; each rule is one small function.

Releases of iqm-client stop at a status word that they do not know. Source: wire
reference, IQM, §4.2 and §8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qawait.local.jobs import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "asks_for_counts_only",
    "asks_for_maestro_config",
    "iqm_client",
    "reads_error_as_text",
    "station_library",
    "station_word",
    "v1_word",
]

_IQM_CLIENT = re.compile(r"\biqm-client (\d{1,4})\.(\d{1,4})")


def iqm_client(user_agent: str) -> tuple[int, int] | None:
    """Major and minor release of an iqm-client; None for any other agent."""
    found = _IQM_CLIENT.search(user_agent)
    return (int(found[1]), int(found[2])) if found else None


def _words(
    received: str, compiling: str, compiled: str, running: str
) -> Mapping[Stage, str]:
    return {
        Stage.RECEIVED: received,
        Stage.COMPILING: compiling,
        Stage.COMPILED: compiled,
        Stage.RUNNING: running,
        Stage.READY: "ready",
        Stage.FAILED: "failed",
        Stage.ABORTED: "aborted",
    }


_C, _E = "pending compilation", "pending execution"
_FULL = _words("received", _C, _E, _E)
_V1_WORDS: tuple[tuple[tuple[int, int], Mapping[Stage, str]], ...] = (
    (
        (27, 0),
        _words("received", "processing", "pending_execution", "pending_execution"),
    ),
    (
        (26, 0),
        _words(
            "received", "compilation_started", "execution_pending", "execution_started"
        ),
    ),
    (
        (25, 0),
        _words("received", "processing", "pending_execution", "pending_execution"),
    ),
    ((18, 6), _words("received", "processing", _E, _E)),
    ((13, 0), _words(_C, _C, _E, _E)),
    ((12, 0), {**_words(_C, _C, _E, _E), Stage.ABORTED: "failed"}),
    (
        (0, 0),
        {
            **_words("pending", "pending", "pending", "pending"),
            Stage.ABORTED: "failed",
        },
    ),
)
"""The first release that knows the words, newest first."""


def v1_word(stage: Stage, user_agent: str) -> str:
    """A job's stage in V1, in a word that the asking client knows."""
    release = iqm_client(user_agent)
    if release is None:
        return _FULL[stage]
    return next(words for first, words in _V1_WORDS if release >= first)[stage]


_STATION = _words(
    "received", "compilation_started", "pending_execution", "execution_started"
)


def station_word(stage: Stage, user_agent: str) -> str:
    """A job's stage in V2 and station, in a word that the asking client knows.

    Whoever is no iqm-client gets the words of the newest release.
    """
    known = iqm_client(user_agent) is not None
    return v1_word(stage, user_agent) if known else _STATION[stage]


def reads_error_as_text(user_agent: str) -> bool:
    """Whether an iqm-client takes the whole body of an error log for the message."""
    release = iqm_client(user_agent)
    return release is not None and release < (25, 3)


def asks_for_counts_only(user_agent: str) -> bool:
    """Whether a client takes a job's end, its message and its request from the counts.

    CUDA-Q does (wire reference, IQM, §3.4).
    """
    return user_agent.startswith("cudaq/")


_LIBRARY = re.compile(r"\biqm-station-control-client (\d{1,4}(?:\.\d{1,4}){0,2})")
_NEWEST_LIBRARY = "11.3.1"


def station_library(user_agent: str) -> str:
    """The version of Station Control's client library that this service fits.

    An iqm-client 29 to 32 insists on the major version of its own; so it is told that,
    and anyone else the newest.
    """
    found = _LIBRARY.search(user_agent)
    return found[1] if found else _NEWEST_LIBRARY


def asks_for_maestro_config(user_agent: str) -> bool:
    """Whether a Qoro client is of the generation without execution configurations.

    From 0.15 on it names itself; before, it was an anonymous `python-requests`.
    """
    return user_agent.startswith("divi/")
