"""The border where bytes of an answer become values: one guard for every message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from msgspec import MsgspecError, ValidationError

from qawait.errors import ProtocolError, ResponseTruncated, UnexpectedContent

if TYPE_CHECKING:
    from msgspec.json import Decoder

__all__ = [
    "EXCERPT_CHARACTERS",
    "SHOWN_CHARACTERS",
    "checked_id",
    "cut_short",
    "decode",
    "excerpt_of",
    "no_json",
    "shown",
]

T = TypeVar("T")

EXCERPT_CHARACTERS = 200
"""How much of a bad answer an error keeps."""

SHOWN_CHARACTERS = 2000
"""How much of a service's own words an error shows."""

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}")
_STARTS_OF_JSON = b'{["-0123456789tfn'


def excerpt_of(body: bytes) -> str:
    """The beginning of a body as printable text of at most `EXCERPT_CHARACTERS`.

    What is not printable becomes a space, so that an answer cannot steer a terminal.
    """
    # Four bytes are the longest character of UTF-8.
    text = body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return shown(text[:EXCERPT_CHARACTERS])


def shown(text: str) -> str:
    """A service's words as one line of an error, cut at `SHOWN_CHARACTERS`.

    What is not printable becomes a space, so that an answer cannot steer a terminal.
    """
    cut = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return "".join(c if c.isprintable() else " " for c in cut)


def decode(decoder: Decoder[T], body: bytes, what: str) -> T:
    """Decodes one answer, or says in our own words what is wrong with it.

    Args:
        decoder: Made once, for one kind of message.
        body: The whole answer, already bounded in size.
        what: The noun that the error names, such as "status".

    Raises:
        UnexpectedContent: It is empty or not JSON at all, such as a proxy's page.
        ResponseTruncated: It is JSON that ends in the middle.
        ProtocolError: It is JSON that does not follow the wire model.
    """
    try:
        return decoder.decode(body)
    # msgspec reports text that is not UTF-8 and too deep nesting outside its own tree.
    except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _translated(error, body, what) from error


def no_json(body: bytes, what: str) -> UnexpectedContent | None:
    """What to say of a body that is not JSON from the start; None if it may be."""
    start = body[: 4 * EXCERPT_CHARACTERS].lstrip(b" \t\r\n")[:1]
    excerpt = excerpt_of(body)
    if not start and not body.strip():
        return UnexpectedContent(f"{what}: the answer is empty", excerpt=excerpt)
    if start == b"<":
        message = f"{what}: the answer is an HTML page, not JSON; check the address"
        return UnexpectedContent(message, excerpt=excerpt)
    if start and start not in _STARTS_OF_JSON:
        return UnexpectedContent(f"{what}: the answer is not JSON", excerpt=excerpt)
    return None


def cut_short(body: bytes, size: int, what: str) -> ResponseTruncated:
    """What to say of a body that ends in the middle.

    Args:
        body: It, or its beginning.
        size: How many bytes there are of it.
        what: The noun that the error names.
    """
    message = f"{what}: the answer ends in the middle, after {size} bytes"
    return ResponseTruncated(message, excerpt=excerpt_of(body))


def _translated(error: Exception, body: bytes, what: str) -> ProtocolError:
    if (unexpected := no_json(body, what)) is not None:
        return unexpected
    if not isinstance(error, ValidationError) and "truncated" in str(error):
        return cut_short(body, len(body), what)
    excerpt = excerpt_of(body)
    if isinstance(error, RecursionError):
        return ProtocolError(f"{what}: nested too deeply", excerpt=excerpt)
    if isinstance(error, UnicodeDecodeError):
        return ProtocolError(f"{what}: text that is not UTF-8", excerpt=excerpt)
    return ProtocolError(f"{what}: {error}", excerpt=excerpt)


def checked_id(job_id: str) -> str:
    """An id that a service gave, if it can stand in a path as one segment.

    Raises:
        ProtocolError: It holds a slash, begins with a dot, is empty or longer than 128.
    """
    if not _ID.fullmatch(job_id):
        raise ProtocolError(
            f"unusable id {job_id[:EXCERPT_CHARACTERS]!r}: 1 to 128 letters, digits or"
            " . _ ~ -, and no . or ~ first"
        )
    return job_id
