"""Calls beside the life of a job: the account, configurations, QUBOs.

Source: wire reference, Qoro, §1a and §5.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (fields resolve at run time)
from typing import TYPE_CHECKING, Any

from msgspec import MsgspecError, Struct
from msgspec.json import encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.model import Call
from qawait.qoro import messages
from qawait.qoro.execution_config import ExecutionConfig
from qawait.wire import checked_id, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.model import Answer

__all__ = [
    "LARGEST_PAGE",
    "Configs",
    "credits_of_account",
    "get_execution_config",
    "open_validation",
    "read_configs",
    "read_credits",
    "read_execution_config",
    "read_object",
    "read_text",
    "read_transactions",
    "set_execution_config",
    "submit_qubo",
    "transactions",
    "validation_report",
    "validation_result",
    "vendor_blueprints",
]

LARGEST_PAGE = 100
"""Transactions that the service gives at once at most."""


class Configs(Struct, frozen=True, kw_only=True):
    """The configuration of a job, in the form of the era it was sent in."""

    execution_config: ExecutionConfig | None = None
    """What clients up to 0.14 send; None if the job has none."""
    maestro_config: Mapping[str, Any] | None = None
    """What clients from 0.15 on send for a simulator; None if the job has none."""
    device_config: Mapping[str, Any] | None = None
    """What clients from 0.15 on send for a quantum computer; None if it has none."""


# --- configurations ------------------------------------------------------------------


def set_execution_config(job_id: str, config: ExecutionConfig) -> Call:
    """Replace a job's whole configuration; possible only while it is PENDING."""
    return Call(
        kind="change",
        method="POST",
        path=f"{_job(job_id)}execution_config/",
        body=encode(config.to_payload()),
        repeatable=True,
    )


def get_execution_config(job_id: str) -> Call:
    """Ask for a job's configuration; services of the older era answer 404 for none."""
    return _read(f"{_job(job_id)}execution_config/")


def read_execution_config(answer: Answer) -> ExecutionConfig:
    """The execution configuration in the answer to either of the two calls.

    Raises:
        ProtocolError: There is none, as in services that only know the configurations
            of newer clients.
    """
    config = read_configs(answer).execution_config
    if config is None:
        raise ProtocolError(
            "the service gives no execution_configuration for this job; "
            "it may know only maestro_config and device_config"
        )
    return config


def read_configs(answer: Answer) -> Configs:
    """Whatever configuration is in the answer to either of the two calls."""
    old = decode(messages.CONFIGURED, answer.body, "execution configuration")
    new = decode(messages.CONFIGURED_NEWER, answer.body, "configuration")
    sent = old.execution_configuration
    return Configs(
        execution_config=None if sent is None else ExecutionConfig.from_response(sent),
        maestro_config=new.maestro_config,
        device_config=new.device_config,
    )


# --- the account ---------------------------------------------------------------------


def credits_of_account() -> Call:
    """Ask what the account has."""
    return _read("credits/")


def read_credits(answer: Answer) -> messages.Credits:
    """What the account has; exact, the service sends decimal strings."""
    return decode(messages.CREDITS, answer.body, "credits")


def transactions(page: int) -> Call:
    """Ask for one page of the account's ledger, the first being 1."""
    return Call(
        kind="read",
        method="GET",
        path="credits/transactions/",
        query=(("page", str(page)), ("page_size", str(LARGEST_PAGE))),
        repeatable=True,
    )


def read_transactions(answer: Answer) -> messages.Transactions:
    """One page of the account's ledger."""
    return decode(messages.TRANSACTIONS, answer.body, "transactions")


def vendor_blueprints() -> Call:
    """Ask which device settings there are, by vendor (services of 0.15 on)."""
    return _read("vendor-config-blueprint/")


# --- QUBOs ---------------------------------------------------------------------------


def open_validation(tag: str) -> Call:
    """Open a job that characterises a QUBO; nothing runs before the QUBO is sent."""
    body = encode({"job_type": "VALIDATE", "tag": tag})
    return Call(kind="submit", method="POST", path="job/init/", body=body)


def submit_qubo(
    job_id: str,
    qubo: Mapping[str, Any],
    reference_states: Sequence[str],
    options: Mapping[str, Any] | None,
) -> Call:
    """Send a QUBO to its job, as the caller wrote it.

    Raises:
        ConfigurationError: It has no form in JSON.
    """
    body: dict[str, Any] = {"qubo": qubo, "reference_states": list(reference_states)}
    if options is not None:
        body["options"] = options
    try:
        sent = encode(body)
    except (MsgspecError, TypeError, UnicodeEncodeError, RecursionError) as error:
        raise ConfigurationError(f"the QUBO has no form in JSON: {error}") from error
    path = f"{_job(job_id)}submit_qubo/"
    return Call(kind="submit", method="POST", path=path, body=sent)


def validation_result(job_id: str) -> Call:
    """Ask for the report about a QUBO as an object."""
    return _read(f"{_job(job_id)}validation_result/")


def validation_report(job_id: str) -> Call:
    """Ask for the report about a QUBO as a page of HTML."""
    return Call(
        kind="read",
        method="GET",
        path=f"{_job(job_id)}validation_result/html/",
        accept="text/html",
        repeatable=True,
    )


def read_object(answer: Answer, what: str) -> dict[str, Any]:
    """An answer that is passed on as it came."""
    return decode(messages.OBJECT, answer.body, what)


def read_text(answer: Answer) -> str:
    """An answer that is text; what is not UTF-8 in it is replaced."""
    return answer.body.decode("utf-8", "replace")


def _read(path: str) -> Call:
    return Call(kind="read", method="GET", path=path, repeatable=True)


def _job(job_id: str) -> str:
    return f"job/{checked_id(job_id)}/"
