"""Where a token comes from, and how long it is good."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

import msgspec

from qawait._credential_file import CredentialFile, read_credentials
from qawait._dotenv import nearest_dotenv, variable_in
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DotenvKey",
    "FixedToken",
    "Secret",
    "TokenSource",
    "TokensFile",
    "claims_of",
    "expiry_of",
    "fixed",
    "hidden",
    "one_source",
]

log = logging.getLogger("qawait")


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
    """Gives the token to send, and a newer one where there is one."""

    name: str
    """What errors call it."""
    unread: bool
    """Whether `renew` has to run before the first request."""
    expires_at: float | None
    """When the token ends, in seconds since 1970; None if it does not say."""

    def current(self) -> Secret | None:
        """The token as it was read last; None sends none."""
        ...

    def renew(self) -> bool:
        """Read it again, which may block; whether there is another one now.

        Raises:
            ConfigurationError: It cannot be read; the one read before stays.
        """
        ...


class FixedToken:
    """A token that was given once and for all; when it ends is the service's affair."""

    name = "argument"
    unread = False
    expires_at: float | None = None

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


class _Claims(msgspec.Struct):
    exp: int | float


C = TypeVar("C")

_TOKENS = msgspec.json.Decoder(_TokensFileBody)
_CLAIMS = msgspec.json.Decoder(_Claims)
_YEAR_9999 = 253402300799


class TokensFile:
    """IQM's tokens file, which another program keeps up to date.

    Only `access_token` is read, first when it is needed. If it is a JWT, its `exp` is
    believed; its signature is the service's affair. Wire reference, IQM, §1
    (authentication).
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._token: Secret | None = None
        self.name = f"tokens file {self._path}"
        self.unread = True
        self.expires_at: float | None = None

    def current(self) -> Secret | None:
        """The token as it was read last."""
        return self._token

    def renew(self) -> bool:
        """Read the file; whether it holds another token now.

        Raises:
            ConfigurationError: It cannot be read, or holds no token.
        """
        # a later change of the working directory must not lead to another file
        self._path = self._path.absolute()
        before = self._token
        file = read_credentials(self._path, self.name)
        token = _access_token(file)
        if token is None:
            raise ConfigurationError(
                f"{self.name} is not a JSON object with an access_token"
            )
        _check(token, self.name)
        if self.unread:
            _warn_if_exposed(file, self.name)
        self._token, self.expires_at, self.unread = token, expiry_of(token), False
        return token != before


class DotenvKey:
    """A key in the nearest `.env`, or else in the environment, as Qoro's client has it.

    Wire reference, Qoro, §1 (token).
    """

    def __init__(
        self, variable: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._variable = variable
        self._fallback = _variable(environment, variable)
        self._path: Path | None = None
        self._token: Secret | None = None
        self.name = f"variable {variable}"
        self.unread = True
        self.expires_at: float | None = None

    def current(self) -> Secret | None:
        """The key as it was read last."""
        return self._token

    def renew(self) -> bool:
        """Read the `.env`; whether there is another key now.

        Raises:
            ConfigurationError: There is no key, or a `.env` that cannot be read.
        """
        before = self._token
        if self.unread:
            self._path = nearest_dotenv(Path.cwd())
        token = self._from_file() if self._path is not None else None
        if token is None:
            token, self.name = self._fallback, f"variable {self._variable}"
        if token is None:
            raise ConfigurationError(
                f"no key: give token=, or set {self._variable} in a .env file or in "
                "the environment"
            )
        _check(token, self.name)
        self._token, self.unread = token, False
        return token != before

    def _from_file(self) -> Secret | None:
        assert self._path is not None
        name = f"file {self._path}"
        file = read_credentials(self._path, name)
        token = hidden(variable_in(file, self._variable, name))
        if token is not None:
            self.name = name
            if self.unread:
                _warn_if_exposed(file, name)
        return token


def claims_of(token: Secret, decoder: msgspec.json.Decoder[C]) -> C | None:
    """What a JWT says of itself; None for a token that is no JWT, or does not say it.

    The signature is not checked: what the token says proves nothing. Nothing is raised
    here, so that no traceback that shows locals shows a token.
    """
    parts = token.reveal().split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.b64decode(
            parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True
        )
        return decoder.decode(payload)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def expiry_of(token: Secret) -> float | None:
    """When a JWT ends, in seconds since 1970; None for a token that does not say.

    It is used to renew the token in time.
    """
    claims = claims_of(token, _CLAIMS)
    if claims is None or not 0 <= claims.exp <= _YEAR_9999:
        return None
    return float(claims.exp)


def one_source(
    token: str | Secret | None,
    tokens_file: str | Path | None,
    *,
    environment: Mapping[str, str] | None = None,
    token_variable: str,
    file_variable: str,
) -> TokenSource:
    """The one source of IQM's token: an argument, or else a variable.

    Raises:
        ConfigurationError: Two sources are given, so it is unclear which one is meant.
    """
    token = hidden(token)
    variables = _set(environment, token_variable, file_variable)
    given = [
        name
        for name, value in (("token=", token), ("tokens_file=", tokens_file))
        if value is not None
    ]
    if len(given) + len(variables) > 1:
        both = " and ".join([*given, *variables])
        raise ConfigurationError(
            f"{both} are given, so it is unclear which token is meant; keep one of them"
        )
    if tokens_file is not None:
        return TokensFile(tokens_file)
    if file_variable in variables:
        return TokensFile(_of(environment)[file_variable])
    if variables:
        token = _variable(environment, token_variable)
    if token is not None:
        _check(token, given[0] if given else token_variable)
    return FixedToken(token)


def fixed(token: str | Secret) -> FixedToken:
    """A token given as an argument.

    Raises:
        ConfigurationError: No token looks like this.
    """
    token = hidden(token)
    _check(token, "token=")
    return FixedToken(token)


# What follows handles tokens in the clear and raises nothing while it does, so that no
# traceback that shows locals shows one.


@overload
def hidden(token: str | Secret) -> Secret: ...
@overload
def hidden(token: str | Secret | None) -> Secret | None: ...
def hidden(token: str | Secret | None) -> Secret | None:
    """The same token, in a form that no traceback shows.

    Raises:
        ConfigurationError: It is not text.
    """
    if not isinstance(token, str | Secret | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("a token is text")
    return Secret(token) if isinstance(token, str) else token


def _of(environment: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environment is None else environment


def _variable(environment: Mapping[str, str] | None, name: str) -> Secret | None:
    return hidden(_of(environment).get(name) or None)


def _set(environment: Mapping[str, str] | None, *names: str) -> list[str]:
    """Those variables that are set to something."""
    return [name for name in names if _of(environment).get(name)]


def _access_token(file: CredentialFile) -> Secret | None:
    try:
        return Secret(_TOKENS.decode(file.content).access_token)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _possible(token: Secret) -> bool:
    text = token.reveal()
    return text.isascii() and text.isprintable() and " " not in text and text != ""


def _check(token: Secret, name: str) -> None:
    if not _possible(token):
        raise ConfigurationError(f"{name} holds characters that no token has")


def _warn_if_exposed(file: CredentialFile, name: str) -> None:
    if file.exposed:
        log.warning("the %s can be read by other users; `chmod 600` it", name)
