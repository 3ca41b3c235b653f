"""A sweep: many circuits, bounded, packed into jobs, settled as they end."""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread
from msgspec.structs import replace

from qawait._forgotten import tells_if_forgotten
from qawait._live import show_live
from qawait._sweep.assembly import assembled, resumed
from qawait._sweep.estimate import Estimate, estimated
from qawait._sweep.forecast import end_of_sweep
from qawait._sweep.interrupt import Interrupts
from qawait._sweep.items import Items
from qawait._sweep.preparing import prepared, read_all
from qawait._sweep.record import resume_command
from qawait._sweep.settings import Settings, checked_exit
from qawait._sweep.settling import Progress
from qawait.errors import ConfigurationError, Error, fresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from qawait._connection import Connection
    from qawait._sweep.assembly import Parts
    from qawait._sweep.axes import Axes
    from qawait._sweep.line import Started
    from qawait._sweep.point import Point
    from qawait._sweep.settings import OnExit, SweepOptions
    from qawait.journal.tables import Line
    from qawait.model import Eta

__all__ = ["Sweep"]

log = logging.getLogger("qawait")

_GRACE = 10.0
"""Seconds that a submission on its way gets for its answer when the sweep is left."""
_SHORT_GRACE = 1.0
"""The same, after a second Ctrl-C."""
_CANCELLING = 30.0
"""Seconds in which cancelled jobs may say that they have ended."""
_SHOWN = 20
"""Ids that are listed at most."""
_SAMPLE = 20
"""Circuits that are compiled for an estimate."""
_CHUNK = 1000
"""Points that are looked up in the journal at once."""


@tells_if_forgotten("sweep")
class Sweep:
    """Many circuits on their way: an asynchronous iterator over their `Point`s.

    Made by `Client.sweep`, for `async with`, or by `await client.start_sweep(...)`.
    Nothing is sent before the first point is asked for. Points come out as they end; a
    point that failed is an outcome like any other, and leaves the others alone.
    """

    def __init__(
        self,
        connection: Connection,
        started: Started,
        circuits: Any,
        grid: Any,
        options: SweepOptions,
        *,
        resume: bool = False,
    ) -> None:
        self._connection = connection
        self._started = started
        self._settings = Settings.of(options)
        self._given = circuits, grid
        self._resume = resume
        self._parts: Parts | None = None
        self._task: asyncio.Task[None] | None = None
        self._scope = anyio.CancelScope()
        self._leaving = asyncio.Event()
        self._interrupts = Interrupts(self._drain, self._leave)
        self._in_block = self._closed = self._raised = False
        self._requests_before = 0

    # --- opened and closed -----------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._open()
        self._in_block = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        how = self._settings.on_exit
        if error is not None and not isinstance(error, Exception) and how == "drain":
            # who is being cancelled cannot wait for a queue of hours
            how = "detach"
        try:
            await self.close("detach" if self._leaving.is_set() else how)
        finally:
            self._interrupts.remove()
        if error is None:
            self._raise_interrupt()

    async def start(self) -> Self:
        """Open it and begin at once, without `async with`; end it with `close()`."""
        await self._open()
        self._begin()
        return self

    async def _open(self) -> None:
        if self._parts is not None:
            raise ConfigurationError("a sweep is opened once; make another one")
        self._connection.check()
        self._requests_before = self._connection.transport.usage.requests
        about = self._connection, self._started, self._settings
        if self._resume:
            self._parts = await resumed(*about)
        else:
            self._parts = await assembled(*about, *self._given)

    @property
    def _open_parts(self) -> Parts:
        if self._parts is None:
            raise ConfigurationError(
                "the sweep is not open: write `async with client.sweep(...) as sweep`, or "
                "`sweep = await client.start_sweep(...)`"
            )
        return self._parts

    def _begin(self) -> Parts:
        parts = self._open_parts
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run(parts), name="qawait sweep")
            if self._in_block:
                # not before: until it runs, and once it is over, Ctrl-C is not its own
                self._interrupts.install()
                self._task.add_done_callback(lambda _: self._interrupts.remove())
        return parts

    async def _run(self, parts: Parts) -> None:
        try:
            with self._scope:
                await parts.flow.run()
        finally:
            parts.outcomes.close()

    async def close(self, on_exit: OnExit | None = None) -> None:
        """End the sweep; more than once if you like.

        Submissions that are on their way get their answer first, so that none is left
        uncertain.

        Args:
            on_exit: "detach" leaves jobs running at the service, "cancel" cancels them,
                "drain" waits for those under way; None is what the sweep was made with.
        """
        parts = self._parts
        if self._closed or parts is None:
            return
        how = checked_exit(self._settings.on_exit if on_exit is None else on_exit)
        self._closed = True
        with anyio.CancelScope(shield=True):
            if self._task is not None and not self._task.done():
                parts.flow.stop("the sweep was left")
                await self._end(self._task, parts, how)
            await parts.source.items.close()
            if parts.written.owned:
                await self._connection.figures.settle(parts.written.journal.path)
                await parts.written.journal.close()

    async def _end(self, task: asyncio.Task[None], parts: Parts, how: OnExit) -> None:
        line, flow = parts.line, parts.flow
        if how == "cancel":
            line.hurry(_GRACE)
            await line.quiet()
            with anyio.move_on_after(_CANCELLING):
                await flow.cancel_jobs()
                await self._until_left(task)
        elif how == "drain":
            await self._until_left(task)
        left = len(flow.running)
        # waits for jobs end at once, submissions that are on their way with their answer
        line.hurry(_SHORT_GRACE if self._leaving.is_set() else _GRACE)
        self._scope.cancel()
        await asyncio.wait([task])
        if left and how != "drain":
            going_on = _counted(left, "goes on", "go on")
            log.warning("%s at the service%s", going_on, self._how_to_go_on(parts))

    async def _until_left(self, task: asyncio.Task[None]) -> None:
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()

    # --- Ctrl-C ----------------------------------------------------------------------

    def _drain(self) -> None:
        parts = self._open_parts
        parts.flow.stop("it was interrupted")
        jobs = len(parts.flow.running) + len(parts.line.sendings)
        _say(
            "Interrupted: nothing more is sent; "
            f"{_counted(jobs, 'is under way and comes in', 'are under way and come in')}. "
            f"Ctrl-C again leaves {'it' if jobs == 1 else 'them'} running"
            f"{self._how_to_go_on(parts)}"
        )

    def _leave(self) -> None:
        parts = self._open_parts
        self._leaving.set()
        parts.line.hurry(_SHORT_GRACE)
        jobs = len(parts.flow.running) + len(parts.line.sendings)
        _say(
            f"Left: {_counted(jobs, 'goes on', 'go on')} at the service"
            f"{self._how_to_go_on(parts)}"
        )

    def _how_to_go_on(self, parts: Parts) -> str:
        command = resume_command(parts.written.journal)
        if command is not None:
            return f".\nTo go on: {command}, or run the same program again."
        service = self._connection.record.resuming.service
        known = sorted(job.id for job in parts.flow.running.values())[:_SHOWN]
        if service is None or not known:
            return "."
        status = shlex.join(["qawait", "status", *known, "--service", service])
        return f".\nTo come back to them: {status}"

    def _raise_interrupt(self) -> None:
        if self._interrupts.count and not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    # --- points ----------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Point]:
        return self

    async def __anext__(self) -> Point:
        parts = self._begin()
        point = await parts.outcomes.take()
        if point is not None:
            return point
        if not self._closed:
            # who was interrupted must not go on as if all points were there
            self._raise_interrupt()
        failure = parts.flow.failure
        if failure is not None and not self._raised:
            self._raised = True
            raise fresh(failure) if isinstance(failure, Error) else failure
        raise StopAsyncIteration

    def stop(self) -> None:
        """Send nothing more; what is under way still comes out."""
        self._begin().flow.stop("it was told to")

    async def finish(self) -> Progress:
        """Run to the end without a loop of one's own; for a data set afterwards."""
        async for _ in self:
            pass
        return self.progress

    # --- what is known ---------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        if self._parts is None:
            return Progress()
        return replace(self._parts.flow.settling.progress)

    @property
    def axes(self) -> Axes | None:
        """The names and values of a grid; None where the points make none."""
        return None if self._parts is None else self._parts.source.axes

    @property
    def stopped(self) -> str | None:
        """Why it took no more points before the end of its source; None if it did not."""
        return None if self._parts is None else self._parts.flow.stopped

    @property
    def requests(self) -> int:
        """Requests of its client since it was opened, those for other jobs included."""
        if self._parts is None:
            return 0
        return self._connection.transport.usage.requests - self._requests_before

    @property
    def eta(self) -> Eta | None:
        """When it is expected to end; None once it has, and while nothing tells.

        Learned from the jobs of this client that have ended, and from how long each
        circuit took. A sweep over a source without a length has the end of what is under
        way.
        """
        if self._parts is None or self._task is None or self._task.done():
            return None
        progress, flow = self.progress, self._parts.flow
        left = 0
        if progress.total is not None and flow.stopped is None:
            left = max(progress.total - progress.taken, 0)
        last = None
        if flow.running:
            jobs = [job.id for job in flow.running.values()]
            last = self._connection.poller.eta(*jobs)
            if last is None:
                return None
        return end_of_sweep(last, left, self._parts.chunks.seconds_per_circuit)

    async def estimate(self) -> Estimate:
        """What the sweep will take, before anything is sent.

        Circuits are read, and a few compiled, to know their sizes. What the journal has
        already is not counted.

        Raises:
            ConfigurationError: The source has no length, or the sweep is not open.
        """
        parts = self._open_parts
        if parts.source.items.total is None:
            raise ConfigurationError(
                "a source without a length cannot be estimated; give a list, or a grid"
            )
        recorded, sizes = await _looked_through(parts)
        dialect = parts.line.making.dialect
        return estimated(
            points=parts.source.items.total,
            recorded=recorded,
            shots=parts.line.shots_of_one,
            circuit_bytes=sum(sizes) / max(len(sizes), 1),
            limits=parts.limits,
            most=self._settings.largest_batch,
            fixed=self._settings.batch,
            two_phases=dialect.two_phases,
            one_answer=dialect.whole is not None,
        )

    async def dataset(self) -> Any:
        """The results so far as an xarray Dataset over the axes, or over `point`.

        Without a loop of one's own before, the sweep is run to its end first.

        Raises:
            MissingExtra: xarray is not installed.
            ConfigurationError: The source has no length, so nothing was kept.
        """
        from qawait.journal.tables import dataset_of

        lines = await self._lines()
        axes = None
        if self.axes is not None:
            axes = dict(zip(self.axes.names, self.axes.values, strict=True))
        return await anyio.to_thread.run_sync(dataset_of, lines, axes)

    async def frame(self) -> Any:
        """The results so far as a pandas DataFrame, one row for each point.

        Without a loop of one's own before, the sweep is run to its end first.

        Raises:
            MissingExtra: pandas is not installed.
            ConfigurationError: The source has no length, so nothing was kept.
        """
        from qawait.journal.tables import frame_of

        lines = await self._lines()
        return await anyio.to_thread.run_sync(frame_of, lines)

    async def _lines(self) -> list[Line]:
        parts = self._open_parts
        if self._task is None:
            await self.finish()
        return await parts.kept.lines(parts.line.making.target.name)

    # --- shown -----------------------------------------------------------------------

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._sweep.shown import shown

        begun, over = self._task is not None, self._closed or self._is_over
        return shown(self, self._parts, begun=begun, over=over)

    def _ipython_display_(self) -> None:
        # one that was not begun may never be: nothing is there to be followed
        show_live(
            self, self._repr_mimebundle_, lambda: self._task is None or self._is_over
        )

    @property
    def _is_over(self) -> bool:
        return self._task is not None and self._task.done()

    def __repr__(self) -> str:
        if self._parts is None:
            return "<Sweep, not open: use `async with`>"
        p = self.progress
        total = "" if p.total is None else f" of {p.total}"
        failed = f", {p.failed} failed" if p.failed else ""
        return f"<Sweep: {p.ready}{total} points ready{failed}, {p.jobs} jobs>"


def _counted(jobs: int, one: str, many: str) -> str:
    """A number of jobs, and what each of them does."""
    return f"1 job {one}" if jobs == 1 else f"{jobs} jobs {many}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


async def _looked_through(parts: Parts) -> tuple[int, list[int]]:
    """How many points the journal has, and the sizes of some of the others."""
    every = Items(parts.source.items.given, parts.source.items.total)
    making, record, flow = parts.line.making, parts.record, parts.flow
    template = await flow.template()
    recorded, sizes = 0, list[int]()
    most = _CHUNK if record.lasting else _SAMPLE
    while items := await every.take(most, 0):
        read = await anyio.to_thread.run_sync(
            read_all, items, making, template, record.point
        )
        given = [one for one in read if not isinstance(one, tuple)]
        found = await record.find(given)
        recorded += sum(one is not None for one in found)
        new = [g for g, f in zip(given, found, strict=True) if f is None]
        if not sizes and new:
            architecture = await parts.line.architecture()
            compiled = await flow.compile_template(architecture)
            made = await anyio.to_thread.run_sync(
                prepared, new[:_SAMPLE], making, architecture, compiled
            )
            sizes = [one.size for one in made if not isinstance(one, tuple)]
        if not record.lasting:
            break
    return recorded, sizes
