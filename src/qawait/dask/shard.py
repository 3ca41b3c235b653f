# pyright: basic
"""One shard on its worker: a client, a journal, and a sweep over the shard's points."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from distributed import get_worker
from msgspec import Struct
from msgspec.structs import replace

from qawait._shared_quota import ACCOUNTS_ELSEWHERE
from qawait.connecting import connect
from qawait.dask.lease import Lease, SchedulerLine, SchedulerQuota, machine_name
from qawait.dask.outcomes import Outcomes, ShardTable, outcomes_of
from qawait.dask.places import Directory
from qawait.dask.splitting import Part  # noqa: TC001 (a field, resolved at run time)
from qawait.errors import ClientClosed, JournalLocked
from qawait.journal.file import FileJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.journal.records import Identity
    from qawait.services import IQMService, QoroService

__all__ = ["Order", "run_shard"]

_AGAIN = 0.25
"""Seconds until a journal that another worker has is tried again."""


class Order(Struct, frozen=True, kw_only=True):
    """All that a worker needs to run a shard."""

    run: str
    """Names the sweep among others of the cluster."""
    shard: int
    directory: str
    part: Part
    template: Any
    """A circuit with free parameters; None where each point is a circuit."""
    service: str | Callable[[], IQMService | QoroService] | None
    """As `parse_service` takes it, or a function that makes it; None is a local one."""
    connecting: dict[str, Any]
    """For `connect`."""
    sweeping: dict[str, Any]
    """For `Client.sweep`."""
    patience: float
    """Seconds to wait for a journal that another worker has."""
    as_table: bool = False
    """Whether outcomes are written as Parquet and stay."""


def run_shard(order: Order) -> Outcomes:
    """Run a shard, or go on with it; in a worker's thread, with an event loop of its own.

    The worker's own loop must stay free to tell the scheduler that it lives.
    """
    worker = get_worker()
    key = worker.get_current_task()
    return anyio.run(partial(_run, order, SchedulerLine(worker), str(key)))


async def _run(order: Order, line: SchedulerLine, key: str) -> Outcomes:
    place = Directory(Path(order.directory))
    path = place.journal(order.shard)
    machine = await anyio.to_thread.run_sync(machine_name)
    lease = Lease(line, path, key, order.run, machine)
    # every client of the cluster spends from the account that its scheduler keeps
    ACCOUNTS_ELSEWHERE.set(partial(SchedulerQuota, line))
    service = await anyio.to_thread.run_sync(_service, order)
    connecting = dict(order.connecting)
    if service is None:
        # so that jobs it had taken are there again after a crash
        connecting["store"] = place.store(order.shard)
    connecting["journal"] = partial(_opened, path, lease, order.patience)
    # to the end of the client, which closes the journal
    keeping = asyncio.create_task(lease.keep())
    try:
        async with connect(service, **connecting) as client:
            pairs = await anyio.to_thread.run_sync(lambda: list(order.part.pairs()))
            given = (pairs, None) if order.template is None else (order.template, pairs)
            outcomes = await _swept(
                client.sweep(*given, **order.sweeping), order, lease
            )
        if order.as_table:
            outcomes = await anyio.to_thread.run_sync(_as_table, order, outcomes)
        return outcomes
    finally:
        with anyio.CancelScope(shield=True):
            keeping.cancel()
            await asyncio.wait([keeping])
            await lease.release()


def _service(order: Order) -> IQMService | QoroService | None:
    if order.service is None:
        return None
    if callable(order.service):
        return order.service()
    from qawait.services import parse_service

    # as on the command line, it goes before the vendors' own variables
    return parse_service(order.service, os.environ.get("QAWAIT_TOKEN") or None)


async def _swept(sweep: Any, order: Order, lease: Lease) -> Outcomes:
    points: list[Any] = []
    async with sweep:
        with anyio.CancelScope() as scope:
            lease.stop, lease.leave = sweep.stop, scope.cancel
            if lease.stopped:
                sweep.stop()
            async for point in sweep:
                points.append(point)  # noqa: PERF401 (none may be lost)
        if scope.cancelled_caught:
            raise ClientClosed(f"shard {order.shard} is not this worker's any more")
        return await anyio.to_thread.run_sync(
            outcomes_of, points, order.part.indexes, sweep.progress, sweep.stopped
        )


async def _opened(path: Path, lease: Lease, patience: float, identity: Identity) -> Any:
    """The journal of a shard, as soon as nobody else can have it.

    Raises:
        JournalLocked: Another program has it open for longer than is waited.
        ClientClosed: The shard is not this worker's.
    """
    until = anyio.current_time() + patience
    while True:
        refused = JournalLocked(
            f"journal {path}: a worker on another machine had it until a moment ago"
        )
        try:
            verdict = (await lease.ask()).verdict
            if verdict == "over":
                raise ClientClosed(f"the shard of {path} is another worker's")
            if verdict == "yours":
                return await _taken(path, identity, lease)
        except (OSError, TimeoutError):
            refused = JournalLocked(f"journal {path}: the Dask scheduler is silent")
        except JournalLocked as error:
            refused = error
        if anyio.current_time() > until:
            raise refused
        await anyio.sleep(_AGAIN)


async def _taken(path: Path, identity: Identity, lease: Lease) -> LeasedJournal:
    """Open a journal and tell the scheduler; its file lock is held before and after."""
    journal = await FileJournal.open(path, identity)
    try:
        await lease.ask("take")
        lease.check()
    except BaseException:
        await journal.close()
        raise
    return LeasedJournal(journal, lease)


class LeasedJournal:
    """A journal into which nothing is written once its shard may be another worker's.

    File locks between machines are not to be trusted alone. That something is being
    sent is checked again when it is on the disk, before a byte leaves: who has the shard
    then finds it written.
    """

    _WRITES = frozenset(
        {
            *("intend", "opened", "outcome", "ended", "anomaly"),
            *("resolve", "retry", "note", "keep_figures"),
        }
    )

    def __init__(self, journal: FileJournal, lease: Lease) -> None:
        self._journal = journal
        self._lease = lease

    def __getattr__(self, name: str) -> Any:
        if name in self._WRITES:
            self._lease.check()
        return getattr(self._journal, name)

    def changed(self, *about: Any) -> None:
        """Take note that a job has come to another state, if that is still ours."""
        if self._lease.holds:
            self._journal.changed(*about)

    async def sending(self, submission_id: str) -> None:
        """Write down that the first byte leaves now."""
        self._lease.check()
        await self._journal.sending(submission_id)
        self._lease.check()

    async def close(self) -> None:
        """Close it; one that may be another worker's is left as it is."""
        if self._lease.holds:
            await self._journal.close()


def _as_table(order: Order, outcomes: Outcomes) -> Outcomes:
    """Write the shard's table, and keep only what a driver's index needs."""
    from qawait.journal.reading import read
    from qawait.journal.tables import to_parquet

    place = Directory(Path(order.directory))
    path = place.table(order.shard)
    draft = path.with_suffix(".parquet.new")
    draft.unlink(missing_ok=True)
    to_parquet(read(place.journal(order.shard)), draft)
    draft.replace(path)
    progress = outcomes.progress
    table = ShardTable(
        path=str(path),
        points=len(outcomes.points),
        ready=progress.ready,
        failed=progress.failed,
        uncertain=progress.uncertain,
    )
    return replace(
        outcomes,
        points=(),
        description=b"",
        block=outcomes.block[:0],
        table=table,
    )
