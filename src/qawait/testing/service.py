"""A quantum service inside the event loop of a test."""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import anyio
import msgspec
from aiohttp import web

# A client takes other paths until these are loaded, and the first run of a program is to
# be the same as the next.
import qawait.circuits  # pyright: ignore[reportUnusedImport]
import qawait.results  # noqa: F401  # pyright: ignore[reportUnusedImport]
from qawait._auth import Secret
from qawait.errors import ConfigurationError
from qawait.local.app import application
from qawait.local.engine import Engine
from qawait.local.faults import FaultScript, read_faults
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.ledger import MOST_ENTRIES, Ledger
from qawait.local.memory_store import MemoryStore
from qawait.local.moving_on import dated
from qawait.local.options import Quotas, ServeOptions
from qawait.local.rate_limit import RATE_LIMITS
from qawait.local.targets import CHIPS
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

__all__ = ["LocalService", "service"]

_HOST = "127.0.0.1"
_STRANGER = (
    b'{"circuits":[{"name":"another","instructions":[{"name":"measure",'
    b'"locus":["QB1"],"args":{"key":"m"}}]}],"shots":1}'
)


class LocalService:
    """A service that runs; made by `service`."""

    def __init__(self, url: str, token: _Token, ledger: Ledger) -> None:
        self.url = url
        """Its address; below it are the same paths as those of `qawait serve`."""
        self.iqm = IQMService(url, token=token(), environment={})
        """For `qawait.connect`: the IQM dialects."""
        self.qoro = QoroService(f"{url}/api", token=token())
        """For `qawait.connect`: Qoro's dialect."""
        self._token = token
        self._ledger = ledger
        self.iqm.token = _Holder(token)
        self.qoro.token = _Holder(token)

    @property
    def token(self) -> str:
        """What opens it now."""
        return self._token()

    def replace_token(self) -> None:
        """Take another token from now on, and the old one no more.

        `iqm` and `qoro` find the new one when they are refused, as clients do that read
        a token from a file which somebody keeps new.
        """
        self._token.replace()

    def ledger(self) -> dict[str, Any]:
        """What it received and ran so far, as `GET /_ledger` tells it."""
        return msgspec.json.decode(self._ledger.write())

    def __repr__(self) -> str:
        return f"<a local service at {self.url}>"


class _Token:
    """The token that the service takes."""

    def __init__(self) -> None:
        self.replace()

    def __call__(self) -> str:
        return self._text

    def replace(self) -> None:
        self._text = secrets.token_urlsafe(24)


class _Holder:
    """A client's source of tokens: the service's own, as it was when last read."""

    name = "qawait.testing"
    unread = False
    expires_at: float | None = None

    def __init__(self, token: _Token) -> None:
        self._token = token
        self._held = Secret(token())

    def current(self) -> Secret | None:
        return self._held

    def renew(self) -> bool:
        before, self._held = self._held, Secret(self._token())
        return before.reveal() != self._held.reveal()


@asynccontextmanager
async def service(
    *,
    service_time: float | None = None,
    service_time_cv: float = 0.0,
    servers: int = 1,
    strangers: float = 0.0,
    outages: Sequence[tuple[float, float]] = (),
    faults: str | None = None,
    rate_limit: Literal["iqm"] | None = None,
    target: str = "square20",
    simulate: bool = False,
    seed: int = 0,
    most_recorded: int = MOST_ENTRIES,
) -> AsyncGenerator[LocalService]:
    """Run the local service in this event loop for the length of the block.

    It is the application of `qawait serve`, with its jobs in memory. In virtual time
    its connections are in memory too; in another event loop it listens on a port of
    this machine. All times in seconds.

    Args:
        service_time: How long a job is on a machine, on average; None lets jobs end as
            they arrive.
        service_time_cv: Standard deviation of the service times over their mean; they
            are log-normal.
        servers: Machines; jobs get onto them first come, first served.
        strangers: Jobs of others for each hour, on average and at random times.
        outages: From when to when, after the start of the service, it refuses
            connections; those that are open when one begins are reset.
        faults: A fault script, as `qawait serve --faults` takes it.
        rate_limit: `iqm` for IQM's published limit; None sets none.
        target: The chip that IQM's dialects show, `square20` or `star`.
        simulate: Whether circuits run on the simulator, in processes that live in real
            time; by default results are drawn at random.
        seed: Of all that is drawn: service times, strangers, faults and results.
        most_recorded: Entries of each kind that the ledger keeps.

    Raises:
        ConfigurationError: An option cannot be right.
    """
    options = ServeOptions(
        null=not simulate,
        service_time=service_time,
        service_time_cv=service_time_cv,
        servers=servers,
        workers=1,
        seed=seed,
        target=target,
        faults=read_faults(faults) if faults else (),
        rate_limit=None if rate_limit is None else RATE_LIMITS[rate_limit],
    )
    if not 0 <= strangers < math.inf:
        raise ConfigurationError("strangers are a number of jobs per hour from 0 on")
    _check(outages)
    ledger = Ledger(most_entries=most_recorded)
    engine = Engine(MemoryStore(), ledger, options)
    token = _Token()
    app = application(
        engine,
        ledger,
        chip=CHIPS[target],
        token=token,
        quotas=Quotas(),
        rate_limit=options.rate_limit,
        script=FaultScript(options.faults, seed) if options.faults else None,
    )
    app.on_response_prepare.append(dated)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    ready = asyncio.Event()
    # A task of its own holds the task group: what the block raises is not wrapped.
    background = asyncio.create_task(
        _run(engine, runner, ready, strangers, outages, CHIPS[target].alias, seed),
        name="qawait.testing service",
    )
    background.add_done_callback(lambda _: ready.set())
    try:
        await ready.wait()
        if not background.done():
            host, port = runner.addresses[0][:2]
            yield LocalService(f"http://{host}:{port}", token, ledger)
    finally:
        background.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([background])
            await runner.cleanup()
        if not background.cancelled() and (error := background.exception()):
            raise error


def _check(outages: Sequence[tuple[float, float]]) -> None:
    before = 0.0
    for begin, end in outages:
        if not before <= begin < end < math.inf:
            raise ConfigurationError(
                "outages are pairs of times in ascending order: (begin, end), ..."
            )
        before = end


async def _run(
    engine: Engine,
    runner: web.AppRunner,
    ready: asyncio.Event,
    strangers: float,
    outages: Sequence[tuple[float, float]],
    target: str,
    seed: int,
) -> None:
    site = web.TCPSite(runner, _HOST, 0)
    async with anyio.create_task_group() as group:
        await group.start(engine.run)
        await site.start()
        if strangers:
            group.start_soon(_submit_for_others, engine, strangers, target, seed)
        if outages:
            group.start_soon(_go_away, runner, site, outages)
        ready.set()


async def _go_away(
    runner: web.AppRunner, site: web.TCPSite, outages: Sequence[tuple[float, float]]
) -> None:
    began = anyio.current_time()
    port = runner.addresses[0][1]
    for begin, end in outages:
        await anyio.sleep_until(began + begin)
        await site.stop()
        server = runner.server
        for connection in list(server.connections) if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        await anyio.sleep_until(began + end)
        site = web.TCPSite(runner, _HOST, port)
        await site.start()


async def _submit_for_others(
    engine: Engine, per_hour: float, target: str, seed: int
) -> None:
    random = Random(f"strangers {seed}")
    while True:
        await anyio.sleep(random.expovariate(per_hour / 3600))
        await engine.submit(
            Job(
                id=str(uuid4()),
                kind="iqm",
                dialect="iqm-server",
                target=target,
                circuits=1,
                shots=1,
                timeline=[Moment(Stage.RECEIVED, now())],
            ),
            [_STRANGER],
        )
