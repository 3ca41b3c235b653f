"""What a request asks for, read from its method, its path and its body."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

__all__ = ["Question", "is_final", "question"]

_DIALECTS = (
    ("/cocos/", "iqm-v1"),
    ("/station/", "iqm-station"),
    ("/api/v1/", "iqm-server"),
    ("/api/", "qoro"),
)
_JOB = re.compile(r"/(?:jobs?|circuits)/([0-9a-f-]{36})(?:/([\w/]*))?")
_SUBMIT = re.compile(
    r"/cocos/jobs|/station/(?:jobs|circuits)|/api/v1/jobs/[^/]+/(?!cancel$)\w+|/api/job/init/"
)


class Question(Struct, frozen=True):
    """What a request is about."""

    dialect: str
    """As the ledger names them."""
    kind: str
    """One of `script.KINDS`; `upload` where only the body tells whether it is
    `append` or `finish`."""
    job_id: str | None = None


def question(method: str, path: str) -> Question | None:
    """What a request asks for; None for what belongs to no dialect.

    Args:
        method: In capitals.
        path: Without query.
    """
    dialect = next((d for prefix, d in _DIALECTS if path.startswith(prefix)), None)
    if dialect is None:
        return None
    if method == "POST" and _SUBMIT.fullmatch(path):
        return Question(dialect, "submit")
    match = _JOB.search(path)
    if match is None:
        return Question(dialect, "other")
    job_id, part = match[1], (match[2] or "").strip("/")
    return Question(dialect, _kind(method, dialect, part), job_id)


def _kind(method: str, dialect: str, part: str) -> str:
    if method == "DELETE" or part in ("cancel", "abort"):
        return "cancel"
    if part == "add_circuits":
        return "upload"
    if part == "status" or (part == "" and dialect == "iqm-server"):
        return "poll"
    if method == "GET" and part not in ("payload", "execution_config"):
        return "results"
    return "other"


class _Upload(Struct):
    finalized: str | bool = False


_UPLOAD = msgspec.json.Decoder(_Upload)


def is_final(body: bytes) -> bool:
    """Whether an upload is the one that lets its job run."""
    try:
        return _UPLOAD.decode(body).finalized in ("true", True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
