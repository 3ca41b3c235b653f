"""Where a token comes from, and when to look for a newer one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FixedToken", "Secret", "TokenSource", "TokensFile", "token_source"]


class Secret:
    """A token that never shows itself; only `reveal()` gives its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that writes the header."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> str | tuple[object, ...]:
        return Secret, ("***",)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class TokenSource(Protocol):
    """Gives the token to send, and a newer one after the service refused it."""

    def current(self) -> Secret | None:
        """The token to send now; None sends none."""
        ...

    def renew(self) -> bool:
        """Look for a newer token; whether there is one."""
        ...


class FixedToken:
    """A token that was given once and for all."""

    def __init__(self, token: Secret | None) -> None:
        self._token = token

    def current(self) -> Secret | None:
        """The token."""
        return self._token

    def renew(self) -> bool:
        """There is never a newer one."""
        return False


class _TokensFileBody(msgspec.Struct):
    access_token: str


_TOKENS = msgspec.json.Decoder(_TokensFileBody)


class TokensFile:
    """IQM's tokens file, which another program keeps up to date.

    Only `access_token` is read. Wire reference, IQM, §1 (authentication).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = self._read()

    def current(self) -> Secret | None:
        """The token as it was read last."""
        return self._token

    def renew(self) -> bool:
        """Read the file again; whether it holds another token now."""
        before = self._token
        self._token = self._read()
        return self._token != before

    def _read(self) -> Secret:
        try:
            return Secret(_TOKENS.decode(self._path.read_bytes()).access_token)
        except OSError as error:
            raise ConfigurationError(
                f"tokens file {self._path}: {error.strerror}"
            ) from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # the file's text may hold the token, so the cause is not chained
            raise ConfigurationError(
                f"tokens file {self._path} is not a JSON object with an access_token"
            ) from None


def token_source(
    token: str | Secret | None,
    tokens_file: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    token_variable: str = "",
    file_variable: str = "",
) -> TokenSource:
    """The one source of the token: an argument, or else the environment.

    Raises:
        ConfigurationError: Two sources are given, so it is unclear which one is meant.
    """
    environment = os.environ if environment is None else environment
    if token is None and tokens_file is None:
        token = environment.get(token_variable) or None
        tokens_file = environment.get(file_variable) or None
        if token is not None and tokens_file is not None:
            raise ConfigurationError(
                f"both {token_variable} and {file_variable} are set; unset one"
            )
    elif token is not None and tokens_file is not None:
        raise ConfigurationError("give a token or a tokens file, not both")
    if tokens_file is not None:
        return TokensFile(Path(tokens_file))
    if token is None:
        return FixedToken(None)
    secret = token if isinstance(token, Secret) else Secret(token)
    text = secret.reveal()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError("the token holds characters that no token has")
    return FixedToken(secret)
