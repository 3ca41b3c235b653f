"""The two kinds of plain requests that all of IQM's dialects are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.model import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.model import BodyReader

__all__ = ["post", "read"]


def read(
    path: str,
    *,
    result: bool = False,
    optional: bool = False,
    reader: Callable[[], BodyReader] | None = None,
) -> Call:
    """A question.

    Args:
        path: Relative to the service's root.
        result: Whether the answer is as large as a measurement batch.
        optional: Whether a service may lack it, or not let this account see it.
        reader: Makes what reads the answer while it arrives; see `Call`.
    """
    return Call(
        kind="read",
        method="GET",
        path=path,
        repeatable=True,
        result=result,
        reader=reader,
        tolerated=(403, 404, 501) if optional else (),
    )


def post(path: str) -> Call:
    """A request without a body that has the same effect twice."""
    return Call(kind="change", method="POST", path=path, repeatable=True)
