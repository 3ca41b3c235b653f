# pyright: basic
"""A sweep whose points are sharded over the workers of a Dask cluster: the driver."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import anyio
import anyio.to_thread
import msgspec

from qawait._sweep.assembly import source_of
from qawait._sweep.settings import Settings
from qawait._sweep.settling import Progress
from qawait.dask.places import Directory, read_shards
from qawait.dask.referee import Referee
from qawait.dask.shard import Order, run_shard
from qawait.dask.splitting import shared_budget, split
from qawait.errors import ClientClosed, ConfigurationError, Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from distributed import Client, Future

    from qawait._sweep.point import Point
    from qawait._sweep.settings import SweepOptions
    from qawait.connecting import ConnectOptions
    from qawait.dask.outcomes import Outcomes, ShardTable
    from qawait.dask.splitting import Part
    from qawait.journal.tables import Line
    from qawait.services import IQMService, QoroService

__all__ = ["ShardedSweep", "sweep"]

log = logging.getLogger("qawait")

_POINTS = 1000
"""Points of a shard, unless there would be fewer shards than workers can share well."""
_PER_THREAD = 4
"""Shards for each thread of the cluster at least, so that none waits long at the end."""
_ONLY_HERE = {
    "journal": "directory= has a journal for each shard",
    "ordered": "points come as their shards end",
    "on_exit": "jobs under way are left running, and taken up by the next run",
}
"""Settings of a plain sweep that this one does not take, and why."""


def sweep(
    cluster: Client,
    service: str | Callable[[], IQMService | QoroService] | None,
    circuits: Any,
    grid: Any = None,
    *,
    directory: str | Path,
    shards: int | None = None,
    patience: float = 600.0,
    connect: ConnectOptions | None = None,
    **options: Unpack[SweepOptions],
) -> ShardedSweep:
    """Run many circuits on the workers of a Dask cluster: `async with` it, and iterate.

    Each shard of the points is one task of Dask, with a client and a journal of its own.
    A task that Dask moves or repeats goes on where it stopped; nothing is submitted
    twice. The same program run again sends only what is missing.

    Args:
        cluster: A `distributed.Client`, asynchronous in this event loop or not.
        service: `"iqm:URL"` or `"qoro:URL"`, whose token each worker finds in its own
            environment; or a function that makes the service on the worker. None starts
            a local service beside each shard.
        circuits: As `Client.sweep` takes them; the source must have an end.
        grid: As `Client.sweep` takes it.
        directory: Where the journals are: on storage that all workers share, under the
            same path; one that is there is gone on with.
        shards: How many; None takes those of the directory, or some thousand points
            each and four for each thread at least. Cannot be changed later.
        patience: Seconds for which a shard waits for its journal while another worker
            has it.
        connect: Of `qawait.connect`: `target`, `limits`, `ca_file`, ...
        options: Of `Client.sweep`: `shots`, `max_in_flight`, ... A budget's jobs, shots
            and seconds are divided over the shards by their points.

    Raises:
        ConfigurationError: Something cannot be right; nothing was sent.
    """
    return ShardedSweep(
        cluster,
        service,
        circuits,
        grid,
        directory=Directory(Path(directory).expanduser().absolute()),
        shards=shards,
        patience=patience,
        connect=dict(connect or {}),
        options=options,
    )


class ShardedSweep:
    """Many circuits on their way, on many machines; made by `qawait.dask.sweep`.

    An asynchronous iterator over `Point`s. They come shard by shard, as shards end.
    """

    def __init__(
        self,
        cluster: Client,
        service: str | Callable[[], IQMService | QoroService] | None,
        circuits: Any,
        grid: Any,
        *,
        directory: Directory,
        shards: int | None,
        patience: float,
        connect: dict[str, Any],
        options: SweepOptions,
    ) -> None:
        if not (service is None or isinstance(service, str) or callable(service)):
            raise ConfigurationError(
                "a service does not travel to workers, for its token must not: give"
                ' "iqm:URL" and a token in the environment of each worker, or a function'
                " that makes the service there"
            )
        if "journal" in connect or "store" in connect:
            raise ConfigurationError("directory= says where shards keep things")
        for name, reason in _ONLY_HERE.items():
            if name in options:
                raise ConfigurationError(f"a sharded sweep takes no {name}: {reason}")
        # what cannot be right shows here and not on a worker
        self._settings = Settings.of(options)
        budget = self._settings.budget
        if budget is not None and budget.credits is not None:
            raise ConfigurationError(
                "credits cannot be divided: each shard sees what all of them spend"
            )
        self.directory = directory.root
        """Where the journals are."""
        self.progress = Progress()
        """How far the shards that have ended have come."""
        self.stopped: str | None = None
        """Why a shard took no more points; None if none did."""
        self._cluster = cluster
        self._given = circuits, grid
        self._service = service
        self._directory = directory
        self._shards = shards
        self._patience = patience
        self._connect = connect
        self._options = options
        self._run = uuid.uuid4().hex
        self._parts: list[Part] | None = None
        self._template: Any = None
        self._axes: Any = None
        self._futures: dict[int, Future] = {}
        self._ended: asyncio.Queue[int] = asyncio.Queue()
        self._points: Iterator[Point] = iter(())
        self._failure: BaseException | None = None
        self._begun = self._as_tables = False
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- opened and closed -----------------------------------------------------------

    async def __aenter__(self) -> ShardedSweep:
        if self._parts is not None:
            raise ConfigurationError("a sweep is opened once; make another one")
        source = await anyio.to_thread.run_sync(source_of, *self._given)
        threads = await self._threads()
        total = source.items.total
        usual = max(_PER_THREAD * threads, math.ceil((total or 0) / _POINTS))
        if total is not None:
            usual = max(1, min(usual, total))
        number = await anyio.to_thread.run_sync(
            self._directory.begin, self._shards, usual
        )
        self._template, self._axes = source.template, source.axes
        try:
            self._parts = await split(source.items, number)
        finally:
            await source.items.close()
        self.progress.total = sum(map(len, self._parts))
        try:
            await self._call(self._cluster.register_plugin, Referee())
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(
                f"the Dask scheduler cannot load qawait ({error}); install the same"
                " version there and on every worker"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave what has not ended: workers stop within seconds, jobs go on."""
        futures = [f for f in self._futures.values() if f is not None]
        self._futures.clear()
        with anyio.CancelScope(shield=True):
            if futures:
                await self._call(self._cluster.cancel, futures)
            for task in self._tasks:
                task.cancel()

    async def _threads(self) -> int:
        """Of all workers that are there now; 1 where none is yet."""
        ncores = await self._call(self._cluster.ncores)
        return max(1, sum(ncores.values()))

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """A call of Dask's client, which is asynchronous or waits for its own loop."""
        if self._cluster.asynchronous:
            answer = function(*args)
            return await answer if inspect.isawaitable(answer) else answer
        return await anyio.to_thread.run_sync(function, *args)

    # --- shards ----------------------------------------------------------------------

    def _begin(self) -> None:
        if self._parts is None:
            raise ConfigurationError(
                "the sweep is not open: write `async with qawait.dask.sweep(...) as sweep`"
            )
        if self._begun:
            return
        self._begun = True
        loop = asyncio.get_running_loop()
        before = 0
        for shard, part in enumerate(self._parts):
            if not len(part):
                continue
            future = self._cluster.submit(
                run_shard,
                self._order(shard, part, before),
                key=f"qawait-shard-{shard:05}-{self._run}",
                pure=False,
            )
            self._futures[shard] = future
            before += len(part)

            def ended(_: Any, shard: int = shard) -> None:
                loop.call_soon_threadsafe(self._ended.put_nowait, shard)

            future.add_done_callback(ended)
        # from here on the scheduler keeps them
        self._parts = []

    def _order(self, shard: int, part: Part, before: int) -> Order:
        options: dict[str, Any] = dict(self._options)
        if self._settings.budget is not None:
            options["budget"] = shared_budget(
                self._settings.budget, before, len(part), self.progress.total or 1
            )
        return Order(
            run=self._run,
            shard=shard,
            directory=str(self._directory.root),
            part=part,
            template=self._template,
            service=self._service,
            connecting=self._connect,
            sweeping=options,
            patience=self._patience,
            as_table=self._as_tables,
        )

    async def _next_shard(self) -> Outcomes | None:
        """The outcomes of the next shard that ends; None when there is none left."""
        while self._futures:
            future = self._futures.pop(await self._ended.get(), None)
            if future is None:
                continue
            try:
                outcomes = await self._call(future.result)
            except Exception as error:
                self._fail(str(future.key), error)
                continue
            self._add(outcomes)
            return outcomes
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return None

    def _add(self, outcomes: Outcomes) -> None:
        found, all_of_it = outcomes.progress, self.progress
        for name in ("taken", "recorded", "ready", "failed", "uncertain", "jobs"):
            setattr(all_of_it, name, getattr(all_of_it, name) + getattr(found, name))
        if outcomes.stopped is not None and self.stopped is None:
            self.stopped = outcomes.stopped
            # what no other point of the account would escape
            self._tell_to_stop()

    def _fail(self, key: str, error: Exception) -> None:
        log.warning("%s: %s: %s", key, type(error).__name__, error)
        if self._failure is not None:
            return
        if isinstance(error, Error) and not isinstance(error, ClientClosed):
            self._failure = error
            return
        self._failure = Error(
            f"{key} did not end ({type(error).__name__}: {error}); what it has sent is in"
            f" its journal in {self.directory}: run the program again to go on"
        )
        self._failure.__cause__ = error

    def stop(self) -> None:
        """Send nothing more; what is under way still comes out."""
        self.stopped = self.stopped or "it was told to"
        self._tell_to_stop()

    def _tell_to_stop(self) -> None:
        task = asyncio.create_task(self._stop())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        said = msgspec.msgpack.encode(self._run)

        async def tell() -> None:
            scheduler: Any = self._cluster.scheduler
            await scheduler.qawait_stop(said=said)

        if self._cluster.asynchronous:
            await tell()
        else:
            await anyio.to_thread.run_sync(self._cluster.sync, tell)

    # --- points ----------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Point]:
        return self

    async def __anext__(self) -> Point:
        self._begin()
        while True:
            point = next(self._points, None)
            if point is not None:
                return point
            outcomes = await self._next_shard()
            if outcomes is None:
                raise StopAsyncIteration
            self._points = outcomes.unpacked()

    async def finish(self) -> Progress:
        """Run to the end without a loop of one's own; results stay in the journals."""
        async for _ in self:
            pass
        return self.progress

    async def tables(self) -> list[ShardTable]:
        """Run to the end, and leave the outcomes beside the workers as Parquet.

        Returns:
            Where each shard's table is, and what is in it; nothing else comes to this
            program.

        Raises:
            MissingExtra: pyarrow is not installed on a worker.
        """
        if self._begun:
            raise ConfigurationError(
                "tables() takes the place of a loop over the points"
            )
        self._as_tables = True
        self._begin()
        found: list[ShardTable] = []
        while (outcomes := await self._next_shard()) is not None:
            assert outcomes.table is not None
            found.append(outcomes.table)
        return sorted(found, key=lambda table: table.path)

    async def dataset(self) -> Any:
        """The results in the journals as an xarray Dataset, as `Sweep.dataset`.

        Raises:
            MissingExtra: xarray is not installed.
        """
        from qawait.journal.tables import dataset_of

        axes = None
        if self._axes is not None:
            axes = dict(zip(self._axes.names, self._axes.values, strict=True))
        return await anyio.to_thread.run_sync(lambda: dataset_of(self._lines(), axes))

    async def frame(self) -> Any:
        """The results in the journals as a pandas DataFrame, one row for each point.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from qawait.journal.tables import frame_of

        return await anyio.to_thread.run_sync(lambda: frame_of(self._lines()))

    def _lines(self) -> list[Line]:
        from qawait.journal.tables import lines

        return [line for one in read_shards(self.directory) for line in lines(one)]

    def __repr__(self) -> str:
        if self._parts is None:
            return "<ShardedSweep, not open: use `async with`>"
        p = self.progress
        failed = f", {p.failed} failed" if p.failed else ""
        return f"<ShardedSweep: {p.ready} of {p.total} points ready{failed}, in {self.directory}>"
