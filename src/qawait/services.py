"""The services a client can be connected to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from qawait._auth import Secret, TokenSource, token_source
from qawait.errors import ConfigurationError, NotFound
from qawait.iqm.dialects import DIALECTS, SERVER, V1
from qawait.qoro.dialect import (
    DIALECT as QORO,
)
from qawait.qoro.dialect import (
    get_execution_config,
    read_execution_config,
    set_execution_config,
)

if TYPE_CHECKING:
    from pathlib import Path

    from qawait._job import Job
    from qawait._service import Service
    from qawait.model import Dialect
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["IQMService", "QoroService", "parse_service"]


class IQMService:
    """An IQM quantum computer's service.

    Args:
        url: The address, as the vendor's client takes it; None reads `IQM_SERVER_URL`.
        token: None reads `IQM_TOKEN`.
        tokens_file: Path of a tokens file; None reads `IQM_TOKENS_FILE`. Read again
            when the service refuses the token.
        dialect: One of the names in `qawait.iqm.DIALECTS`; None finds it out.

    Raises:
        ConfigurationError: No address, or a token from two sources.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | Secret | None = None,
        tokens_file: str | Path | None = None,
        dialect: str | None = None,
    ) -> None:
        address = url if url is not None else os.environ.get("IQM_SERVER_URL")
        if not address:
            raise ConfigurationError("an IQM service needs a url or IQM_SERVER_URL")
        if dialect is not None and dialect not in DIALECTS:
            raise ConfigurationError(
                f"no IQM dialect {dialect!r}; there are {', '.join(DIALECTS)}"
            )
        self.url = address
        self.dialect = dialect
        self.token: TokenSource = token_source(
            token,
            tokens_file,
            token_variable="IQM_TOKEN",
            file_variable="IQM_TOKENS_FILE",
        )
        self.default_target = (
            os.environ.get("IQM_QUANTUM_COMPUTER") if url is None else None
        )
        """The target if the client names none; read with the address's variable."""
        self.connections: list[Service] = []
        """The open connections of clients to this service."""

        self.read_error = SERVER.read_error
        """Reads the error shapes of every IQM dialect."""

    def __repr__(self) -> str:
        spoken = f", dialect={self.dialect!r}" if self.dialect else ""
        return f"IQMService({self.url!r}{spoken})"

    def known_dialect(self) -> Dialect | None:
        """The dialect where it is stated or shows in the address; None if not."""
        if self.dialect is not None:
            return DIALECTS[self.dialect]
        parts = urlsplit(self.url)
        last = parts.path.rstrip("/").rpartition("/")[2]
        if last == "cocos" or (parts.hostname or "").startswith("cocos."):
            return V1
        if last == "station":
            raise _unspoken(self.url)
        return None

    def candidates(self) -> tuple[Dialect, ...]:
        """The dialects it may speak, the likeliest first; one if it is known."""
        known = self.known_dialect()
        return (SERVER,) if known is None else (known,)

    def unspoken(self) -> ConfigurationError:
        """The error for a service that knows none of the candidates' addresses."""
        return _unspoken(self.url)


def _unspoken(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"{url} speaks none of the IQM dialects this version knows "
        f"({', '.join(DIALECTS)}); is the address right?"
    )


class QoroService:
    """Qoro's cloud service.

    Args:
        url: The address; None is Qoro's public one.
        token: None reads `QORO_API_KEY`.
        execution_config: Sent with every submission, where that brings none of its own;
            a submission's own configuration overrides it field by field.
    """

    PUBLIC_URL = "https://app.qoroquantum.net/api"

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | Secret | None = None,
        execution_config: ExecutionConfig | None = None,
    ) -> None:
        self.url = self.PUBLIC_URL if url is None else url
        self.token: TokenSource = token_source(token, token_variable="QORO_API_KEY")
        self.execution_config = execution_config
        self.default_target: str | None = None
        self.connections: list[Service] = []
        """The open connections of clients to this service."""
        self.read_error = QORO.read_error

    def __repr__(self) -> str:
        return f"QoroService({self.url!r})"

    def candidates(self) -> tuple[Dialect, ...]:
        """The one dialect there is."""
        return (QORO,)

    def unspoken(self) -> ConfigurationError:
        """The error for a service that knows none of Qoro's addresses."""
        return ConfigurationError(f"{self.url} is no Qoro service; is it right?")

    async def set_execution_config(
        self, job: Job | str, config: ExecutionConfig
    ) -> ExecutionConfig:
        """Replace the execution configuration of a job that has not started.

        Submit with `hold=True` to be sure of that; then `await job.release()`.

        Returns:
            The configuration as the service holds it now.

        Raises:
            Conflict: The job is no longer pending.
            PermissionDenied: A value is above what the account may use.
            ConfigurationError: No client has this service open.
        """
        call = set_execution_config(_id_of(job), config)
        return read_execution_config(await self._connection().ask(call))

    async def get_execution_config(self, job: Job | str) -> ExecutionConfig | None:
        """The execution configuration of a job; None if it has none.

        Raises:
            ConfigurationError: No client has this service open.
        """
        try:
            answer = await self._connection().ask(get_execution_config(_id_of(job)))
        except NotFound:
            return None
        return read_execution_config(answer)

    def _connection(self) -> Service:
        if not self.connections:
            raise ConfigurationError(
                "this service is not open: use it inside `async with "
                "qawait.connect(service)`"
            )
        return self.connections[-1]


def _id_of(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


def parse_service(text: str, token: str | None = None) -> IQMService | QoroService:
    """The service that `iqm:URL` or `qoro:URL` names, as the command line takes it.

    Raises:
        ConfigurationError: The text names no service.
    """
    kind, _, url = text.partition(":")
    if kind == "iqm":
        return IQMService(url or None, token=token)
    if kind == "qoro":
        return QoroService(url or None, token=token)
    raise ConfigurationError(
        f"unknown service {text!r}: write iqm:URL, qoro:URL or local"
    )


def embedded_service(url: str, token: str) -> IQMService:
    """The local service that a client has started for itself."""
    return IQMService(url, token=Secret(token), dialect=SERVER.name)
