"""The error that an answer with a status of 300 or more stands for."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qawait.errors import (
    AuthenticationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    RedirectRefused,
    ResponseError,
    ServiceUnavailable,
)
from qawait.wire import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qawait.model import Answer

__all__ = ["error_of", "retry_after"]


def error_of(
    answer: Answer, read_error: Callable[[Answer], str | None]
) -> ResponseError:
    """The error that an answer with a status of 300 or more stands for."""
    status = answer.status
    said = read_error(answer)
    message = shown(said) if said is not None else _foreign(answer)
    kinds: dict[int, type[ResponseError]] = {
        401: AuthenticationError,
        402: PermissionDenied,
        403: PermissionDenied,
        404: NotFound,
        409: Conflict,
        425: RateLimited,
        429: RateLimited,
    }
    if status < 400:
        kind: type[ResponseError] = RedirectRefused
        message = f"redirected to {_without_query(answer.headers.get('location', ''))}"
    else:
        kind = kinds.get(status, ServiceUnavailable if status >= 500 else ResponseError)
    return kind(
        status,
        message,
        retry_after=retry_after(answer.headers),
        recognised=said is not None,
    )


def _without_query(location: str) -> str:
    """An address as far as it may be shown: a query may hold what is secret."""
    try:
        where = urlsplit(location)
    except ValueError:
        return "no address"
    return shown(f"{where.scheme}://{where.netloc}{where.path}")


def _foreign(answer: Answer) -> str:
    """One line about a body that is not in the service's own error shape."""
    text = answer.body[:4096].decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    if title or "<html" in text.lower():
        name = " ".join(title.group(1).split()) if title else "no title"
        return f"an HTML page ({name[:80]!r}); is the address right?"
    line = " ".join(text.split())
    return line[:200] if line.isprintable() and line else "no explanation"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: a number, or a date measured against the answer's own date."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        said = parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - said).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
