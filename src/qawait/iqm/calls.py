"""The two kinds of plain requests that all of IQM's dialects are made of."""

from __future__ import annotations

from qawait.model import Call

__all__ = ["post", "read"]


def read(path: str, *, result: bool = False) -> Call:
    """A question; `result` marks an answer as large as a measurement batch."""
    return Call(kind="read", method="GET", path=path, repeatable=True, result=result)


def post(path: str) -> Call:
    """A request without a body that has the same effect twice."""
    return Call(kind="change", method="POST", path=path, repeatable=True)
