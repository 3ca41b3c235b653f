"""How a program gets a client: for a block, or until it closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from msgspec import UNSET, UnsetType

from qawait._connection import Connection
from qawait._forgotten import told_if_forgotten
from qawait._transport import Limits, Retry
from qawait.client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from qawait._observing import TelemetrySource
    from qawait._pace import Pace
    from qawait.services import IQMService, QoroService

__all__ = ["ConnectOptions", "connect", "open_client"]


def connect(
    service: IQMService | QoroService | None = None,
    *,
    target: str | None = None,
    store: str | Path | None = None,
    pace: Pace | None = None,
    limits: Limits = Limits(),
    retry: Retry = Retry(),
    proxy: str | None = None,
    ca_file: str | Path | None = None,
    workers: int = 8,
    seed: int | None = None,
    journal: str | Path | UnsetType | None = UNSET,
    telemetry: TelemetrySource | bool = True,
) -> Client:
    """Connect to a service: `async with qawait.connect(IQMService(url)) as client`.

    Args:
        service: None starts a local service with a real simulator on this machine, in a
            child process that ends with this one; the environment is not read then.
        target: The machine or cluster; None takes the only one, or Qoro's default.
        store: Where the local service keeps its jobs; None keeps none.
        pace: How often jobs are asked about; None suits the service.
        limits: Connections, deadlines in seconds, sizes in bytes.
        retry: How often a request is repeated where that is safe.
        proxy: Address of an http proxy; None uses none, whatever the environment says.
        ca_file: Certificates to trust instead of the system's, as a PEM file.
        workers: Questions under way at once.
        seed: Of the jitter; None differs from run to run.
        journal: The directory in which it is written down what was sent and what came
            back, before anybody is told; one that is there is gone on with. Left out,
            it is a new one among those that `qawait journal ls` lists, kept for 30 days
            after it was last written, and there is none for a service on this machine.
            None keeps none.
        telemetry: Where spans and metrics go. True is the providers of OpenTelemetry
            that the program has set up, if it has; `qawait.telemetry.Telemetry(...)`
            has others, and False is nowhere.

    Raises:
        ConfigurationError: No such target, an address that is none, a missing extra.
        ConnectFailed: The service cannot be reached.
        AuthenticationError: It refuses the token.
        JournalError: The journal cannot be used; the class says why.
    """
    connection = Connection(
        service,
        target=target,
        store=store,
        pace=pace,
        limits=limits,
        retry=retry,
        proxy=proxy,
        ca_file=ca_file,
        workers=workers,
        seed=seed,
        journal=journal,
        telemetry=telemetry,
    )
    return Client(connection)


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of `connect`."""

    target: str | None
    store: str | Path | None
    pace: Pace | None
    limits: Limits
    retry: Retry
    proxy: str | None
    ca_file: str | Path | None
    workers: int
    seed: int | None
    journal: str | Path | UnsetType | None
    telemetry: TelemetrySource | bool


@told_if_forgotten("qawait.open(...)")
async def open_client(
    service: IQMService | QoroService | None = None,
    **options: Unpack[ConnectOptions],
) -> Client:
    """Connect without `async with`, as in a notebook; close it with `client.close()`.

    Takes what `connect` takes.
    """
    return await connect(service, **options).__aenter__()
