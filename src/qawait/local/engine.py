"""Moves jobs from stage to stage: compile, wait, run, end.

Jobs are compiled and run first come, first served. Compiling and running share the
worker processes fairly, so a long queue neither hides what cannot be compiled nor keeps
what is compiled from running.
"""

from __future__ import annotations

import asyncio
import logging
import math
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import anyio
from anyio import (
    BrokenWorkerProcess,
    CancelScope,
    CapacityLimiter,
    to_thread,
)
from msgspec.structs import replace

from qawait.errors import Error
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.pacing import ServiceTimes, SteadyClock
from qawait.local.simulators import OwnProcesses
from qawait.local.work import KINDS, Produced, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskStatus

    from qawait.local.ledger import Ledger
    from qawait.local.memory_store import MemoryStore
    from qawait.local.options import ServeOptions
    from qawait.local.pacing import MachineClock
    from qawait.local.simulators import Simulators
    from qawait.local.store import Store

__all__ = ["Engine"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_UNFINISHED = 0.5
"""Seconds after which an unfinished job runs where P1 is broken."""
_FEW_SHOTS = 10_000
"""Results of more are drawn in a thread, so that other requests go on."""
_REMEMBERED = 10_000
"""Jobs that have ended and are still answered for without reading the store."""


class _Live:
    """A job that has not ended, with what only its run knows."""

    __slots__ = ("compiled", "job", "scope", "ticket")

    def __init__(self, job: Job, ticket: int) -> None:
        self.job = job
        self.ticket = ticket
        self.compiled = asyncio.Event()
        """Set when its turn to run can come, or it has ended."""
        self.scope: CancelScope | None = None
        """Around its work in a worker process."""


class Engine:
    """All jobs of one service. Only one task may be in `run`."""

    def __init__(
        self,
        store: Store | MemoryStore,
        ledger: Ledger,
        options: ServeOptions,
        *,
        clock: MachineClock | None = None,
        simulators: Simulators | None = None,
    ) -> None:
        """Runs nothing yet.

        Args:
            store: Keeps jobs and results.
            ledger: Where everything is written down.
            options: How to run.
            clock: The machines'; None is the event loop's.
            simulators: Where jobs are simulated; None is in processes of its own.
        """
        self._simulators = OwnProcesses() if simulators is None else simulators
        self._clock = SteadyClock() if clock is None else clock
        self._times = ServiceTimes(
            options.service_time or 0.0, options.service_time_cv, options.seed
        )
        self._store = store
        self._ledger = ledger
        self._options = options
        self._live: dict[str, _Live] = {}
        self._ended: OrderedDict[str, Job] = OrderedDict()
        self._equal_jobs: Counter[bytes] = Counter()
        self._tickets = count()
        self._waiting: list[int] = []
        """Tickets of jobs that do not run yet, ascending."""
        self._workers = CapacityLimiter(options.workers)
        self._to_compile: asyncio.Queue[_Live] = asyncio.Queue()
        self._to_run: asyncio.Queue[_Live] = asyncio.Queue()
        self._unfinished: asyncio.Queue[tuple[float, Job, int]] = asyncio.Queue()
        """Uploads after which nothing may come: when, for which job, its how manieth."""
        self._compiling = 0
        self._on_machines = 0

    @property
    def is_instant(self) -> bool:
        """Whether jobs end as they arrive."""
        return self._options.null and self._options.service_time is None

    # --- what the routes ask --------------------------------------------------------

    async def submit(self, job: Job, bodies: Sequence[bytes]) -> None:
        """Takes a new job; it is in the store when this returns."""
        job.parts = len(bodies)
        job.drawn = self._options.null
        if job.stage is not Stage.OPEN:
            await self._give_seed(job, bodies)
        if self.is_instant and job.stage is not Stage.OPEN:
            self._end_at_once(job)
            self._store.add_later(job, bodies)
        else:
            await self._store.add(job, bodies)
            self._follow(job)
        if job.stage is not Stage.OPEN:
            self._record(job, bodies)

    async def append(self, job: Job, body: bytes, *, finished: bool) -> None:
        """Adds a request body to an open job, which may run when it is finished."""
        job.parts += 1
        if finished:
            await self._begin(job, body)
        else:
            await self._store.update(job, part=body)
            if "P1" in self._options.broken:
                self._unfinished.put_nowait((anyio.current_time(), job, job.parts))

    async def _begin(self, job: Job, *last: bytes) -> None:
        """An open job is complete, with or without a last body that comes with it."""
        # At once, so that nothing can be added while this waits for the store.
        job.enter(Stage.RECEIVED)
        bodies = [*await self._store.parts(job.id), *last]
        await self._give_seed(job, bodies)
        if self.is_instant and not job.stage.is_terminal:
            self._end_at_once(job)
        await self._store.update(job, part=last[0] if last else None)
        self._record(job, bodies)
        if not job.stage.is_terminal:
            self._follow(job)

    async def reopen(self, job: Job) -> Job:
        """Takes a job up again that is complete or has ended: it runs anew.

        Only a service that breaks its promises does so.
        """
        # What is still at work for the old one finds that it has ended.
        again = replace(
            job,
            timeline=[*job.timeline, Moment(Stage.OPEN, now())],
            message=None,
            repeats=True,
        )
        if not job.stage.is_terminal:
            job.enter(Stage.ABORTED)
        self._retire(job)
        del self._ended[job.id]
        self._live[job.id] = _Live(again, next(self._tickets))
        return again

    async def configure(self, job: Job) -> None:
        """Writes a changed configuration of a job that is not compiled yet."""
        await self._store.update(job)

    async def find(self, job_id: str) -> Job | None:
        """The job of this id; None if there is none."""
        if (live := self._live.get(job_id)) is not None:
            return live.job
        if (job := self._ended.get(job_id)) is not None:
            return job
        return await self._store.job(job_id)

    async def parts(self, job: Job) -> tuple[bytes, ...]:
        """The bodies of the requests that made a job."""
        return await self._store.parts(job.id)

    async def result(self, job: Job, name: str) -> bytes | None:
        """One result of a job; None unless the job is ready and has it."""
        if job.stage is not Stage.READY:
            return None
        if job.drawn:
            seed = UUID(job.id).int if job.seed is None else job.seed
            work = Work(
                await self._store.parts(job.id),
                job.config,
                seed,
                job.target,
                job.repeats,
            )
            fabricate = KINDS[job.kind].fabricate
            if job.shots <= _FEW_SHOTS:
                return fabricate(work, name)
            return await to_thread.run_sync(fabricate, work, name)
        return await self._store.result(job.id, name)

    async def cancel(self, job: Job) -> bool:
        """Aborts a job, also while it runs; False if it had already ended."""
        if job.stage.is_terminal:
            return False
        job.enter(Stage.ABORTED)
        self._retire(job)
        await self._store.update(job)
        return True

    async def delete(self, job: Job) -> None:
        """Forgets a job; one that runs is stopped."""
        if not job.stage.is_terminal:
            job.enter(Stage.ABORTED)
        self._retire(job)
        self._ended.pop(job.id, None)
        await self._store.delete(job.id)

    def jobs_ahead(self, job: Job) -> int | None:
        """How many jobs run before this one; None once it runs, or is not queued."""
        live = self._live.get(job.id)
        if live is None or job.stage in (Stage.OPEN, Stage.RUNNING):
            return None
        return bisect_left(self._waiting, live.ticket)

    def is_live(self, job_id: str) -> bool:
        """Whether there is a job of this id that has not ended."""
        return job_id in self._live

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing happens until the time of a job on a machine is over."""
        return (
            not self._compiling
            and self._to_compile.empty()
            and self._on_machines == self._clock.waiting
        )

    @property
    def queue_length(self) -> int:
        """Jobs that wait for their turn."""
        return len(self._waiting)

    # --- the life of a job ----------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Works until it is cancelled; has started when jobs can be taken.

        Jobs that the store still holds in progress begin anew; how far they came is
        not written, so they stand there as received, or open.
        """
        options = self._options
        compilers = 1 if options.null else options.workers
        servers = options.workers if options.service_time is None else options.servers
        async with anyio.create_task_group() as group:
            if not options.null:
                await self._simulators.warm_up(options.workers)
            for job in await self._store.in_progress():
                job.drawn = options.null
                self._follow(job)
            for _ in range(compilers):
                group.start_soon(self._compile_jobs)
            for _ in range(servers):
                group.start_soon(self._run_jobs)
            group.start_soon(self._begin_unfinished)
            task_status.started()

    def _record(self, job: Job, bodies: Sequence[bytes]) -> None:
        self._ledger.submission(
            job.id,
            job.dialect,
            b"\n".join(bodies),
            circuits=job.circuits,
            shots=job.shots,
        )

    async def _give_seed(self, job: Job, bodies: Sequence[bytes]) -> None:
        if self._options.seed is None:
            return
        work = Work(tuple(bodies))
        identity = await to_thread.run_sync(KINDS[job.kind].identity, work)
        equal = sha256(identity).digest()
        before = self._equal_jobs[equal]
        self._equal_jobs[equal] += 1
        drawn = sha256(b"%d %b %d" % (self._options.seed, equal, before)).digest()
        job.seed = int.from_bytes(drawn[:4]) >> 1

    def _follow(self, job: Job) -> None:
        live = self._live.setdefault(job.id, _Live(job, next(self._tickets)))
        if job.stage is Stage.OPEN:
            return
        # An open job takes its place in the queue only when it is complete.
        live.ticket = next(self._tickets)
        insort(self._waiting, live.ticket)
        self._to_compile.put_nowait(live)
        self._to_run.put_nowait(live)

    def _end_at_once(self, job: Job) -> None:
        for stage in (Stage.COMPILING, Stage.COMPILED, Stage.RUNNING, Stage.READY):
            job.enter(stage)
        self._retire(job)

    def _retire(self, job: Job) -> None:
        """A job has ended: it leaves the queue, and its worker."""
        live = self._live.pop(job.id, None)
        if live is not None:
            self._leave_queue(live)
            live.compiled.set()
            if live.scope is not None:
                live.scope.cancel()
        self._ended[job.id] = job
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    async def _begin_unfinished(self) -> None:
        """Runs what nobody finished; nothing comes here while P1 is kept."""
        while True:
            since, job, parts = await self._unfinished.get()
            await anyio.sleep_until(since + _UNFINISHED)
            if job.stage is Stage.OPEN and job.parts == parts:
                await self._begin(job)

    def _leave_queue(self, live: _Live) -> None:
        place = bisect_left(self._waiting, live.ticket)
        if place < len(self._waiting) and self._waiting[place] == live.ticket:
            del self._waiting[place]

    async def _compile_jobs(self) -> None:
        while True:
            live = await self._to_compile.get()
            self._compiling += 1
            await self._compile(live)
            self._compiling -= 1

    async def _compile(self, live: _Live) -> None:
        job = live.job
        if job.stage.is_terminal:
            return
        job.enter(Stage.COMPILING)
        if not self._options.null:
            await self._in_worker(live, KINDS[job.kind].compile)
        if not job.stage.is_terminal:
            job.enter(Stage.COMPILED)
            live.compiled.set()

    async def _run_jobs(self) -> None:
        while True:
            live = await self._to_run.get()
            self._on_machines += 1
            await self._run(live)
            self._on_machines -= 1

    async def _run(self, live: _Live) -> None:
        # A job that compiles faster than the one before it does not overtake it.
        await live.compiled.wait()
        job = live.job
        if job.stage.is_terminal:
            return
        self._leave_queue(live)
        job.enter(Stage.RUNNING)
        ends = self._clock.time() + self._times.draw()
        produced = None
        if not self._options.null:
            produced = await self._in_worker(live, KINDS[job.kind].run)
            if produced is None:
                return
            for circuit, (started, ended) in enumerate(produced.times):
                self._ledger.execution(job.id, circuit, started, ended, produced.worker)
        with CancelScope() as live.scope:
            async with self._clock.moment(ends):
                # From here on its end is written, whoever wants to abort it.
                live.scope = None
                await self._end(job, Stage.READY, produced=produced)

    async def _in_worker(self, live: _Live, function: Callable[[Work], T]) -> T | None:
        """Calls a function in a worker; a job that it fails has ended afterwards."""
        job, message, value = live.job, None, None
        limit = min(self._options.quotas.seconds, job.seconds or math.inf)
        with CancelScope() as live.scope:
            async with self._workers:
                parts = await self._store.parts(job.id)
                work = Work(parts, job.config, job.seed, job.target, job.repeats)
                try:
                    with anyio.fail_after(limit):
                        value = await self._simulators.call(function, work)
                except TimeoutError:
                    message = f"it took longer than {limit:g} s, which is its limit"
                except Error as error:
                    message = str(error)
                except BrokenWorkerProcess:
                    message = (
                        "the simulator's process ended unexpectedly; it may have run"
                        " out of memory"
                    )
                except MemoryError:
                    message = "the simulator ran out of memory"
                except Exception as error:
                    # Whatever the simulator raises belongs to this job alone.
                    _log.exception("job %s stopped the simulator", job.id)
                    message = f"the simulator stopped: {type(error).__name__}"
        live.scope = None
        if message is not None:
            await self._end(job, Stage.FAILED, message=message)
        return value if not job.stage.is_terminal else None

    async def _end(
        self,
        job: Job,
        stage: Stage,
        *,
        message: str | None = None,
        produced: Produced | None = None,
    ) -> None:
        """Writes how a job ended, then says so; a job aborted meanwhile stays that."""
        if job.stage.is_terminal:
            return
        ended = replace(
            job, timeline=[*job.timeline, Moment(stage, now())], message=message
        )
        await self._store.update(ended, results=produced and produced.results)
        if not job.stage.is_terminal:
            job.timeline, job.message = ended.timeline, message
            self._retire(job)
