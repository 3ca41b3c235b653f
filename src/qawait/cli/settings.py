"""Every setting of the command line: what it is, and where it came from."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.errors import Error
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qawait.cli.connection import Where

__all__ = ["HIDDEN", "Setting", "Token", "settings", "token_of"]

HIDDEN = "***"
"""What is shown of a secret."""


class Setting(Struct, frozen=True, kw_only=True):
    """One setting."""

    name: str
    value: str | None
    """As text; None where it is not set."""
    source: str
    """`argument`, `variable`, `file` or `default`."""
    origin: str | None = None
    """The option, the variable or the file; None for a default."""
    problem: str | None = None
    """Why it cannot be used; None if it can."""


class Token(Struct, frozen=True, kw_only=True):
    """A service's token, of which nothing is told but where it is and when it ends."""

    is_there: bool
    source: str = "default"
    origin: str | None = None
    ends_at: float | None = None
    """Seconds since 1970; None if it does not say."""
    problem: str | None = None

    @property
    def ends(self) -> str:
        """When it ends, for people."""
        if self.ends_at is None:
            return "does not say when it ends"
        return f"ends at {datetime.fromtimestamp(self.ends_at, UTC):%Y-%m-%d %H:%M} UTC"


def token_of(service: IQMService | QoroService, tokens_file: Path | None) -> Token:
    """Read a service's token, from wherever it comes; nothing is raised."""
    from qawait._auth import expiry_of

    source = service.token
    problem = None
    if source.unread:
        try:
            source.renew()
        except Error as error:
            problem = str(error)
    kind, origin = _origin_of(service, tokens_file)
    held = source.current()
    if held is None:
        return Token(is_there=False, source=kind, origin=origin, problem=problem)
    ends = source.expires_at or expiry_of(held)
    return Token(
        is_there=True, source=kind, origin=origin, ends_at=ends, problem=problem
    )


def _origin_of(
    service: IQMService | QoroService, tokens_file: Path | None
) -> tuple[str, str | None]:
    if tokens_file is not None:
        return "argument", "--tokens-file"
    if _set("QAWAIT_TOKEN"):
        return "variable", "QAWAIT_TOKEN"
    if isinstance(service, QoroService):
        # a source that was read names the file or the variable
        kind, _, name = service.token.name.partition(" ")
        if kind == "file":
            return "file", name
        return ("variable", name) if _set(name) else ("default", None)
    for name in ("IQM_TOKENS_FILE", "IQM_TOKEN"):
        if _set(name):
            return "variable", name
    return "default", None


def _set(name: str) -> str | None:
    return os.environ.get(name) or None


def settings(
    place: Where | None,
    *,
    problem: str | None = None,
    service: str | None = None,
    target: str | None = None,
    tokens_file: Path | None = None,
) -> list[Setting]:
    """All of them, in the order in which they are shown.

    Args:
        place: The service that they name; None if they name none that can be used.
        problem: Why not.
        service: As `--service` takes it.
        target: As `--target` takes it.
        tokens_file: As `--tokens-file` takes it.
    """
    named = _first(
        "service", (service, "--service"), ("QAWAIT_SERVICE",), default="local"
    )
    if problem is not None:
        named = _with_problem(named, problem)
    found = [named]
    if place is not None and place.service is not None:
        found += _of_service(place, named, tokens_file)
    found.append(_target(place, target))
    return [*found, *_files(), *_output(), *_of_clients()]


def _first(
    name: str,
    argument: tuple[str | None, str],
    variables: tuple[str, ...],
    *,
    default: str | None,
) -> Setting:
    """The first of an argument, variables and a default that is set."""
    value, option = argument
    if value:
        return Setting(name=name, value=value, source="argument", origin=option)
    for variable in variables:
        if value := _set(variable):
            return Setting(name=name, value=value, source="variable", origin=variable)
    return Setting(name=name, value=default, source="default")


def _with_problem(setting: Setting, problem: str) -> Setting:
    return Setting(
        name=setting.name,
        value=setting.value,
        source=setting.source,
        origin=setting.origin,
        problem=problem,
    )


def _of_service(
    place: Where, named: Setting, tokens_file: Path | None
) -> Iterator[Setting]:
    service = place.service
    assert service is not None
    source, origin = named.source, named.origin
    if (named.value or "") == "iqm:":
        source, origin = "variable", "IQM_SERVER_URL"
    elif (named.value or "").endswith(":"):
        source, origin = "default", None
    yield Setting(
        name="address",
        value=service.url,
        source=source,
        origin=origin,
        problem=_unusable(service.url),
    )
    token = token_of(service, tokens_file)
    yield Setting(
        name="token",
        value=f"{HIDDEN} ({token.ends})" if token.is_there else None,
        source=token.source,
        origin=token.origin,
        problem=token.problem,
    )
    if isinstance(service, IQMService):
        argument = (str(tokens_file) if tokens_file else None, "--tokens-file")
        variables = () if _set("QAWAIT_TOKEN") else ("IQM_TOKENS_FILE",)
        yield _first("tokens file", argument, variables, default=None)


def _unusable(url: str) -> str | None:
    from qawait._address import checked_root

    try:
        checked_root(url)
    except Error as error:
        return str(error)
    return None


def _target(place: Where | None, target: str | None) -> Setting:
    argument = (target, "--target")
    default = place.service.default_target if place and place.service else None
    if default and not target:
        return Setting(
            name="target",
            value=default,
            source="variable",
            origin="IQM_QUANTUM_COMPUTER",
        )
    return _first("target", argument, (), default="the only one, or the service's own")


def _files() -> Iterator[Setting]:
    from qawait._shared_quota import quota_directory
    from qawait.journal.home import journal_directory

    given = _set("XDG_STATE_HOME")
    problem = None
    if given and not Path(given).is_absolute():
        problem = "XDG_STATE_HOME is not an absolute path, so it is not used"
    elif not journal_directory().is_absolute():
        problem = "there is no home directory: set XDG_STATE_HOME"
    used = given is not None and problem is None
    for name, path in (
        ("journals", journal_directory()),
        ("rate limits", quota_directory()),
    ):
        yield Setting(
            name=name,
            value=str(path),
            source="variable" if used else "default",
            origin="XDG_STATE_HOME" if used else None,
            problem=problem,
        )


def _output() -> Iterator[Setting]:
    from qawait.cli.tables import console

    screen = console()
    coloured = "yes" if screen.color_system and not screen.no_color else "no"
    yield _first_set("colours", coloured, ("NO_COLOR", "FORCE_COLOR"))
    yield _first_set("width of tables", str(screen.width), ("COLUMNS",))
    yield Setting(
        name="proxy", value="none; connect(proxy=...) names one", source="default"
    )


def _first_set(name: str, value: str, variables: tuple[str, ...]) -> Setting:
    for variable in variables:
        if _set(variable):
            return Setting(name=name, value=value, source="variable", origin=variable)
    return Setting(name=name, value=value, source="default")


def _of_clients() -> Iterator[Setting]:
    """What only a program can set, for it is what commands go by."""
    from qawait import Limits, Pace, Retry

    groups: tuple[tuple[str, Any], ...] = (
        ("limits", Limits()),
        ("retry", Retry()),
        ("pace", Pace()),
    )
    for group, values in groups:
        for field in values.__struct_fields__:
            yield Setting(
                name=f"{group}.{field}",
                value=_shown(field, getattr(values, field)),
                source="default",
            )


def _shown(field: str, value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value / 2**20:g} MiB" if field.endswith("_bytes") else f"{value:g}"
