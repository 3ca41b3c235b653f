"""One variable out of a `.env` file, found as Qoro's own client finds it.

Wire reference, Qoro, §1 (token): the nearest `.env` from the working directory upwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from qawait._credential_file import CredentialFile

__all__ = ["nearest_dotenv", "variable_in"]

_BINDING = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=(?P<rest>.*)"
)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'[ \t]*(?:#.*)?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPED = re.compile(r"\\(.)")


def nearest_dotenv(directory: Path) -> Path | None:
    """The `.env` in this directory or the nearest one above it; None if there is none.

    The search ends at the first one, also where that does not set the variable.
    """
    for place in (directory, *directory.parents):
        path = place / ".env"
        if path.is_file():
            return path
    return None


def variable_in(file: CredentialFile, variable: str, name: str) -> str | None:
    """The value of one variable; no other line is looked at more closely.

    A line is `KEY=value`, with or without `export`, quotes and a comment behind it; the
    last line of several counts. A value stands on one line and refers to no other
    variable.

    Args:
        file: The whole file, UTF-8.
        variable: The key.
        name: Says in errors which file it is.

    Returns:
        None if the file does not set the variable, or sets it to nothing.

    Raises:
        ConfigurationError: The file is not UTF-8, or the variable's line is malformed.
    """
    place, value = _last_binding(file, variable)
    if place == _NOT_TEXT:
        raise ConfigurationError(f"{name} is not UTF-8 text")
    if place is not None and value is None:
        raise ConfigurationError(
            f"{name}, line {place}: the value of {variable} cannot be read; write "
            f"{variable}=value on one line, without a reference to another variable"
        )
    return value or None


_NOT_TEXT = 0


def _last_binding(file: CredentialFile, variable: str) -> tuple[int | None, str | None]:
    """Line and value; raises nothing, for its locals hold what must not be shown."""
    place: int | None = None
    value: str | None = None
    try:
        lines = file.content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return _NOT_TEXT, None
    for number, line in enumerate(lines, 1):
        binding = _BINDING.fullmatch(line)
        if binding is not None and binding["name"] == variable:
            place, value = number, _value(binding["rest"].strip(" \t"))
    return place, value


def _value(text: str) -> str | None:
    """The value itself; None if it is malformed."""
    if text[:1] in ("'", '"'):
        quoted = (_SINGLE if text[0] == "'" else _DOUBLE).fullmatch(text)
        if quoted is None:
            return None
        value = _ESCAPED.sub(r"\1", quoted[1])
        expands = text[0] == '"'
    else:
        value = _COMMENT.sub("", text, count=1)
        expands = True
    return None if expands and "${" in value else value
