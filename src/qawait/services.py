"""The services a client can be connected to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from qawait._auth import DotenvKey, Secret, TokenSource, fixed, hidden, one_source
from qawait._quota import IQM, POLITE
from qawait.errors import ConfigurationError, NotFound
from qawait.iqm.detection import candidates, generation
from qawait.iqm.dialects import DIALECTS, SERVER
from qawait.qoro import account
from qawait.qoro.dialect import DEFAULT_TAG
from qawait.qoro.dialect import DIALECT as QORO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from qawait._job import Job
    from qawait._service import Service
    from qawait.model import Dialect, Exchange
    from qawait.qoro.execution_config import ExecutionConfig
    from qawait.qoro.messages import Credits, Transaction

__all__ = ["IQMService", "QoroService", "parse_service"]


class IQMService:
    """An IQM quantum computer's service.

    Args:
        url: The address, as the vendor's client takes it; None reads `IQM_SERVER_URL`.
        token: None reads `IQM_TOKEN`.
        tokens_file: Path of a tokens file; None reads `IQM_TOKENS_FILE`. Read again
            when its token has a minute left, and when the service refuses it.
        dialect: One of the names in `qawait.iqm.DIALECTS`: "server", "station" and
            "station-30", "v2" and "v2-24", "v1". None finds it out from the address and
            with a question or two.
        environment: What is read in place of `os.environ`.

    Raises:
        ConfigurationError: No address; or a token from two sources, as from an argument
            and a variable, which the vendor's client refuses too.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | Secret | None = None,
        tokens_file: str | Path | None = None,
        dialect: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        token = hidden(token)
        address = url or _variable(environment, "IQM_SERVER_URL")
        if not address:
            raise ConfigurationError("an IQM service needs a url or IQM_SERVER_URL")
        if dialect is not None and dialect not in DIALECTS:
            raise ConfigurationError(
                f"no IQM dialect {dialect!r}; there are {', '.join(DIALECTS)}"
            )
        self.url = address
        self.dialect = dialect
        self.token: TokenSource = one_source(
            token,
            tokens_file,
            environment=environment,
            token_variable="IQM_TOKEN",
            file_variable="IQM_TOKENS_FILE",
        )
        self.default_target = (
            _variable(environment, "IQM_QUANTUM_COMPUTER") if url is None else None
        )
        """The target if the client names none; read with the address's variable."""
        self.connections: list[Service] = []
        """The open connections of clients to this service."""

        self.read_error = SERVER.read_error
        """Reads the error shapes of every IQM dialect."""
        self.quota = IQM
        """The limit it publishes."""

    def __repr__(self) -> str:
        spoken = f", dialect={self.dialect!r}" if self.dialect else ""
        return f"IQMService({self.url!r}{spoken})"

    def candidates(self) -> tuple[Dialect, ...]:
        """The dialects it may speak, the likeliest first; the one that is stated."""
        if self.dialect is not None:
            return (DIALECTS[self.dialect],)
        return candidates(self.url)

    def generation(self, dialect: Dialect) -> Exchange[Dialect]:
        """Which generation of a dialect it speaks; never asks if one is stated."""
        return generation(dialect) if self.dialect is None else _already(dialect)

    def unspoken(self) -> ConfigurationError:
        """The error for a service that knows none of the candidates' addresses."""
        return ConfigurationError(
            f"{self.url} speaks none of the IQM dialects that were tried "
            f"({', '.join(d.name for d in self.candidates())}); is the address right? "
            f"dialect= states one of {', '.join(DIALECTS)}"
        )


def _already(dialect: Dialect) -> Exchange[Dialect]:
    """The dialect itself: there is nothing to ask."""
    yield from ()
    return dialect


class QoroService:
    """Qoro's cloud service.

    Args:
        url: The address; None is Qoro's public one.
        token: None reads `QORO_API_KEY` from the nearest `.env` file, from the working
            directory upwards, or else from the environment: when the service is first
            connected to, and again when it refuses the key.
        execution_config: Sent with every submission, where that brings none of its own;
            a submission's own configuration overrides it field by field.
        environment: What is read in place of `os.environ`.

    Raises:
        ConfigurationError: This cannot be a token.
    """

    PUBLIC_URL = "https://app.qoroquantum.net/api"

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | Secret | None = None,
        execution_config: ExecutionConfig | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        token = hidden(token)
        self.url = self.PUBLIC_URL if url is None else url
        self.token: TokenSource = (
            DotenvKey("QORO_API_KEY", environment) if token is None else fixed(token)
        )
        self.execution_config = execution_config
        self.default_target: str | None = None
        self.connections: list[Service] = []
        """The open connections of clients to this service."""
        self.read_error = QORO.read_error
        self.quota = POLITE
        """What is kept to, since it publishes no limit."""

    def __repr__(self) -> str:
        return f"QoroService({self.url!r})"

    def candidates(self) -> tuple[Dialect, ...]:
        """The one dialect there is."""
        return (QORO,)

    def generation(self, dialect: Dialect) -> Exchange[Dialect]:
        """The dialect itself: all generations of Qoro are spoken in one."""
        return _already(dialect)

    def unspoken(self) -> ConfigurationError:
        """The error for a service that knows none of Qoro's addresses."""
        return ConfigurationError(
            f"{self.url} is no Qoro service; its address ends in /api"
        )

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
        call = account.set_execution_config(_id_of(job), config)
        return account.read_execution_config(await self._connection().ask(call))

    async def get_execution_config(self, job: Job | str) -> ExecutionConfig | None:
        """The execution configuration of a job; None if it has none.

        Raises:
            ConfigurationError: No client has this service open.
        """
        return (await self.get_configs(job)).execution_config

    async def get_configs(self, job: Job | str) -> account.Configs:
        """The configuration of a job, of whichever era the service is.

        Services up to 0.14 say nothing about a job without one, not even whether they
        know the job.

        Raises:
            ConfigurationError: No client has this service open.
        """
        call = account.get_execution_config(_id_of(job))
        try:
            return account.read_configs(await self._connection().ask(call))
        except NotFound:
            return account.Configs()

    # --- the account -----------------------------------------------------------------

    async def credits(self) -> Credits:
        """What the account has left and has used, in exact decimals."""
        answer = await self._connection().ask(account.credits_of_account())
        return account.read_credits(answer)

    async def transactions(self) -> AsyncIterator[Transaction]:
        """Every line of the account's ledger, in the service's order.

        Pages are fetched as the iteration reaches them.
        """
        page = 1
        while True:
            answer = await self._connection().ask(account.transactions(page))
            some = account.read_transactions(answer)
            for transaction in some.results:
                yield transaction
            if not some.results or some.next is None or page >= some.total_pages:
                return
            page += 1

    async def vendor_blueprints(self) -> dict[str, Any]:
        """The settings of quantum computers, by vendor, as the service describes them.

        Raises:
            NotFound: The service is older than 0.15.
        """
        answer = await self._connection().ask(account.vendor_blueprints())
        return account.read_object(answer, "vendor blueprints")

    # --- QUBOs -----------------------------------------------------------------------

    async def submit_qubo(
        self,
        qubo: Mapping[str, Any],
        reference_states: Sequence[str],
        *,
        options: Mapping[str, Any] | None = None,
        tag: str = DEFAULT_TAG,
    ) -> str:
        """Have a QUBO characterised; the job's id, for `validation_result`.

        Everything is passed on as it is; each request is sent once and never repeated.

        Args:
            qubo: The QUBO, as the service takes it.
            reference_states: Bit strings to compare with.
            options: Further settings; None leaves them out.
            tag: A name for the job.

        Raises:
            ResponseError: The service refused it.
            TransportError: What became of it is not known.
        """
        connection = self._connection()
        # Made first only to see that it can be written.
        account.submit_qubo("unsent", qubo, reference_states, options)
        opened = await connection.ask(account.open_validation(tag))
        job_id = QORO.read_opened(opened)
        await connection.ask(
            account.submit_qubo(job_id, qubo, reference_states, options)
        )
        return job_id

    async def validation_result(self, job: Job | str) -> dict[str, Any]:
        """The report about a QUBO, as the service wrote it."""
        answer = await self._connection().ask(account.validation_result(_id_of(job)))
        return account.read_object(answer, "validation result")

    async def validation_report(self, job: Job | str) -> str:
        """The report about a QUBO, as a page of HTML."""
        answer = await self._connection().ask(account.validation_report(_id_of(job)))
        return account.read_text(answer)

    def _connection(self) -> Service:
        if not self.connections:
            raise ConfigurationError(
                "this service is not open: use it inside `async with "
                "qawait.connect(service)`"
            )
        return self.connections[-1]


def _id_of(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id


_IQM_ADDRESS = ("IQM_SERVER_URL", "IQM_QUANTUM_COMPUTER")


def parse_service(
    text: str,
    token: str | Secret | None = None,
    tokens_file: str | Path | None = None,
) -> IQMService | QoroService:
    """The service that `iqm:URL` or `qoro:URL` names, as the command line takes it.

    Args:
        text: Names the service.
        token: Goes before every variable with a token; None reads them.
        tokens_file: So does IQM's tokens file.

    Raises:
        ConfigurationError: The text names no service, or the tokens file is none.
    """
    token = hidden(token)
    kind, _, url = text.partition(":")
    if tokens_file is not None and kind != "iqm":
        raise ConfigurationError(f"a tokens file is for IQM, not for {text}")
    if kind == "iqm":
        given = token is not None or tokens_file is not None
        service = IQMService(
            url or None,
            token=token,
            tokens_file=tokens_file,
            environment=_only(*_IQM_ADDRESS) if given else None,
        )
        if tokens_file is not None:
            # what is wrong with it is told before anything is tried
            service.token.renew()
        return service
    if kind == "qoro":
        return QoroService(url or None, token=token)
    raise ConfigurationError(
        f"unknown service {text!r}: write iqm:URL, qoro:URL or local"
    )


def _variable(environment: Mapping[str, str] | None, name: str) -> str | None:
    """A variable that is set to something; None if it is not."""
    return (os.environ if environment is None else environment).get(name) or None


def _only(*names: str) -> dict[str, str]:
    """These variables and no other, whose values a traceback might show."""
    return {name: os.environ[name] for name in names if name in os.environ}


def embedded_service(url: str, token: str) -> IQMService:
    """The local service that a client has started for itself."""
    return IQMService(url, token=token, dialect=SERVER.name, environment={})
