"""A quantum service inside the event loop of a test."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast
from uuid import uuid4

import anyio
from aiohttp import web

# A client takes other paths until these are loaded, and the first run of a program is to
# be the same as the next.
import qawait.circuits  # pyright: ignore[reportUnusedImport]
import qawait.results  # noqa: F401  # pyright: ignore[reportUnusedImport]
from qawait._clock import clock_in_use, use_clock
from qawait.errors import ConfigurationError
from qawait.local.app import application
from qawait.local.engine import Engine
from qawait.local.faults.promises import read_promises
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.ledger import MOST_ENTRIES, Ledger
from qawait.local.memory_store import MemoryStore
from qawait.local.moving_on import dated, moved_on
from qawait.local.options import Quotas, ServeOptions
from qawait.local.pacing import JumpingClock
from qawait.local.rate_limit import RATE_LIMITS
from qawait.local.targets import CHIPS
from qawait.testing.running import (
    FaultSwitch,
    LocalService,
    ServiceToken,
    VirtualClock,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from qawait.local.rate_limit import RateLimit

__all__ = ["ServiceOptions", "service"]

_HOST = "127.0.0.1"
_STRANGER = (
    b'{"circuits":[{"name":"another","instructions":[{"name":"measure",'
    b'"locus":["QB1"],"args":{"key":"m"}}]}],"shots":1}'
)


Clock = Literal["real", "virtual", "manual"]


class ServiceOptions(TypedDict, total=False):
    """The keyword arguments of `service`."""

    service_time: float | None
    service_time_cv: float
    servers: int
    strangers: float
    outages: Sequence[tuple[float, float]]
    faults: str | None
    broken: str | None
    rate_limit: Literal["iqm"] | None
    target: str
    simulate: bool
    seed: int
    most_recorded: int
    clock: Clock


@asynccontextmanager
async def service(
    *,
    service_time: float | None = None,
    service_time_cv: float = 0.0,
    servers: int = 1,
    strangers: float = 0.0,
    outages: Sequence[tuple[float, float]] = (),
    faults: str | None = None,
    broken: str | None = None,
    rate_limit: Literal["iqm"] | None = None,
    target: str = "square20",
    simulate: bool = False,
    seed: int = 0,
    most_recorded: int = MOST_ENTRIES,
    clock: Clock = "real",
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
        broken: Promises that Qoro's dialect breaks, as `qawait serve --broken` takes
            them: "P1,P4"; None breaks none.
        rate_limit: `iqm` for IQM's published limit; None sets none.
        target: The chip that IQM's dialects show, `square20` or `star`.
        simulate: Whether circuits run on the simulator, in processes that live in real
            time; by default results are drawn at random.
        seed: Of all that is drawn: service times, strangers, faults and results.
        most_recorded: Entries of each kind that the ledger keeps.
        clock: `virtual` jumps over a service time when somebody asks for the job, as
            `qawait serve --clock virtual` does, and `manual` when `advance` is called.
            In virtual time there is no need for either.

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
        rate_limit=_rate_limit(rate_limit),
        clock="virtual" if clock == "manual" else clock,
        broken=frozenset() if broken is None else read_promises(broken),
    )
    if not 0 <= strangers < math.inf:
        raise ConfigurationError("strangers are a number of jobs per hour from 0 on")
    _check(outages)
    loop = asyncio.get_running_loop()
    jumping = None if clock == "real" else JumpingClock()
    if jumping is not None and clock_in_use() is not None:
        raise ConfigurationError(
            f"time is virtual here already, and clock={clock!r} is for real event loops"
        )
    ledger = Ledger(most_entries=most_recorded)
    engine = Engine(MemoryStore(), ledger, options, clock=jumping)
    token = ServiceToken()
    switch = FaultSwitch(ledger, faults, seed)
    app = application(
        engine,
        ledger,
        chip=CHIPS[target],
        token=token,
        quotas=Quotas(),
        rate_limit=options.rate_limit,
        broken=options.broken,
    )
    app.middlewares.extend(switch.middlewares())
    if jumping is not None and clock == "virtual":
        app.middlewares.append(moved_on(engine, jumping))
    app.on_response_prepare.append(dated)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    ready = asyncio.Event()
    # A task of its own holds the task group: what the block raises is not wrapped.
    work = _run(engine, runner, ready, strangers, outages, CHIPS[target].alias, seed)
    background = asyncio.create_task(_by(jumping, work), name="qawait.testing service")
    background.add_done_callback(lambda _: ready.set())
    try:
        await ready.wait()
        if not background.done():
            host, port = runner.addresses[0][:2]
            yield LocalService(
                f"http://{host}:{port}",
                token,
                ledger,
                switch,
                target=target,
                clock=jumping and VirtualClock(jumping, engine, loop),
            )
    finally:
        background.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([background])
            await runner.cleanup()
        if not background.cancelled() and (error := background.exception()):
            raise _only(error)


def _only(error: BaseException) -> BaseException:
    """What task groups have wrapped, if it is one thing."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _only(group.exceptions[0]) if len(group.exceptions) == 1 else group


def _rate_limit(name: str | None) -> RateLimit | None:
    if name is not None and name not in RATE_LIMITS:
        raise ConfigurationError(
            f"there is no rate limit {name!r}; there is {', '.join(RATE_LIMITS)}"
        )
    return None if name is None else RATE_LIMITS[name]


async def _by(clock: JumpingClock | None, work: Coroutine[Any, Any, None]) -> None:
    """Do the work by this clock, and leave the caller's as it is."""
    if clock is not None:
        use_clock(clock)
    await work


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
