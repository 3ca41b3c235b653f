"""What must not get into a recording: tokens, and whatever is named like a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SECRET_NAMES", "STARS", "Redaction"]

STARS = "***"
"""What stands for a secret."""

SECRET_NAMES = (
    *("token", "access_token", "refresh_token", "id_token", "auth_token", "session"),
    *("api_key", "apikey", "key_id", "secret", "client_secret", "password"),
    *("authorization", "signature", "email", "username", "user_email"),
)
"""Names whose text is never written, in JSON and in queries, whatever their case."""

_SHORTEST = 6
"""Characters of a token; a shorter one would be found in ordinary words."""
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", re.ASCII)
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]{6,}")


class Redaction:
    """Takes secrets out of text.

    Args:
        names: Further names of JSON members and of a query's parameters.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        known = "|".join(re.escape(name) for name in (*SECRET_NAMES, *names))
        self._member = re.compile(rf'(?i)("[\w-]*(?:{known})"\s*:\s*)"(?:[^"\\]|\\.)*"')
        self._parameter = re.compile(rf"(?i)([?&][\w-]*(?:{known})=)[^&#\"\\\s]*")
        self._seen: set[str] = set()
        self.count = 0
        """Secrets that were taken out so far."""

    def learn(self, authorization: str | None) -> None:
        """Take out this header's token from now on, wherever it turns up."""
        token = (authorization or "").rpartition(" ")[2]
        if len(token) >= _SHORTEST:
            self._seen.add(token)

    def text(self, text: str) -> str:
        """The text of a body without its secrets."""
        for token in self._seen:
            self.count += text.count(token)
            text = text.replace(token, STARS)
        text = self._replaced(self._member, rf'\1"{STARS}"', text)
        # links to the next page, for example
        text = self._replaced(self._parameter, rf"\1{STARS}", text)
        text = self._replaced(_BEARER, rf"\1{STARS}", text)
        return self._replaced(_JWT, STARS, text)

    def path(self, path: str) -> str:
        """A path with its query, without its secrets."""
        for token in self._seen:
            path = path.replace(token, STARS)
        return self._replaced(self._parameter, rf"\1{STARS}", path)

    def _replaced(self, pattern: re.Pattern[str], stars: str, text: str) -> str:
        text, count = pattern.subn(stars, text)
        self.count += count
        return text
