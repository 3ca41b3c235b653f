"""Which service a command talks to: its options, its token, its client."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from qawait.cli.completion import services, targets
from qawait.cli.ending import ServiceFailed
from qawait.errors import (
    ConfigurationError,
    ProtocolError,
    ResponseError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qawait.client import Client
    from qawait.services import IQMService, QoroService

__all__ = ["TOKENS", "Where", "json_option", "where", "where_options"]

F = TypeVar("F", bound="Callable[..., Any]")

TOKENS = {
    "iqm": ("QAWAIT_TOKEN", "IQM_TOKEN"),
    "qoro": ("QAWAIT_TOKEN", "QORO_API_KEY"),
}
"""Variables from which a service's token comes, by the kind of service."""


class Where(Struct, frozen=True):
    """A service and a target, as the options and the environment name them."""

    service: IQMService | QoroService | None
    """None is the local simulator, started for this one command."""
    target: str | None
    """None takes the only one, or the service's default."""

    @property
    def kind(self) -> str:
        """What stands before the colon: iqm, qoro or local."""
        if self.service is None:
            return "local"
        return "qoro" if type(self.service).__name__ == "QoroService" else "iqm"

    @property
    def name(self) -> str:
        """As `--service` takes it."""
        return "local" if self.service is None else f"{self.kind}:{self.service.url}"

    @property
    def option(self) -> str:
        """The option with which another command comes back to the same place."""
        target = f" --target {self.target}" if self.target else ""
        return f"--service {self.name}{target}"

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """An open client, whose failures name the service.

        Raises:
            ServiceFailed: The service cannot be reached, refuses the token, or answers
                something else than a service of this kind does.
        """
        from qawait import connect

        tokens = " or ".join(TOKENS.get(self.kind, ()))
        try:
            async with connect(self.service, target=self.target) as client:
                yield client
        except (TransportError, ResponseError, ProtocolError) as error:
            raise ServiceFailed(self.name, error, tokens) from error


def where_options(command: F) -> F:
    """Adds the options that name a service and a target."""
    options = (
        click.option(
            "--service",
            metavar="SERVICE",
            shell_complete=services,
            help="iqm:URL, qoro:URL (or qoro: for Qoro's public address), or local"
            "  [default: QAWAIT_SERVICE, else local]",
        ),
        click.option(
            "--target",
            metavar="NAME",
            shell_complete=targets,
            help="Machine or cluster  [default: the only one, or the service's own]",
        ),
        click.option(
            "--tokens-file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="IQM's tokens file, instead of a token in the environment.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def json_option(command: F) -> F:
    """Adds `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and no table."
    )(command)


def where(
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    *,
    command: str | None = None,
) -> Where:
    """The service that the options name, or else the environment, or else the local one.

    Args:
        service: As `--service` takes it; None reads `QAWAIT_SERVICE`.
        target: As `--target` takes it.
        tokens_file: As `--tokens-file` takes it; it goes before every variable.
        command: Names a command for which the local simulator makes no sense, because
            it ends with the command that has started it.

    Raises:
        ConfigurationError: No such service, or a tokens file for one that has none.
    """
    from qawait.services import parse_service

    text = (service if service is not None else os.environ.get("QAWAIT_SERVICE")) or ""
    if text in ("", "local"):
        if command is not None:
            raise ConfigurationError(
                f"{command} needs the service that has the job: give --service or set "
                "QAWAIT_SERVICE; the local simulator of `qawait run` keeps no jobs, "
                "`qawait serve` does"
            )
        if tokens_file is not None:
            raise ConfigurationError("--tokens-file is for IQM; local needs no token")
        return Where(None, target)
    if tokens_file is not None:
        if not text.startswith("iqm:"):
            raise ConfigurationError(f"--tokens-file is for IQM, not for {text}")
        return Where(parse_service(text, tokens_file=tokens_file), target)
    token = os.environ.get("QAWAIT_TOKEN") or None
    return Where(parse_service(text, token=token), target)
