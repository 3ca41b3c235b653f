"""A job: an outcome that any number of tasks can await."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from qawait._clock import utc_now
from qawait._forgotten import tells_if_forgotten
from qawait._live import show_live
from qawait.errors import (
    ClientClosed,
    Error,
    InsufficientCredits,
    JobCancelled,
    JobError,
    JobFailed,
    JobTimedOut,
    ResultGone,
    fresh,
)
from qawait.model import (
    Change,
    End,
    Eta,
    Following,
    Manifest,
    State,
    Status,
    Step,
)
from qawait.wire import shown

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterable,
        Sequence,
    )
    from contextvars import Context
    from datetime import datetime

    from qawait.results import Result

__all__ = ["Job", "as_completed", "error_of_end", "new_changes"]

_ORDER = list(State)


def new_changes(
    changes: Sequence[Change],
    status: Status,
    seen_at: datetime,
) -> list[Change]:
    """The changes that a status adds to those already known.

    States never go back and a terminal one absorbs. States that were passed unseen are
    rebuilt: from the service's timeline where it has one, else without a time.
    """
    known = changes[-1].state if changes else None
    if known is not None and known.is_terminal:
        return []
    if status.state is None:
        return []
    if known is not None and _ORDER.index(status.state) <= _ORDER.index(known):
        return []
    told = {step.state: step for step in status.steps}
    path = [
        state
        for state in (State.PENDING_COMPILATION, State.PENDING_EXECUTION)
        if (known is None or _ORDER.index(state) > _ORDER.index(known))
        and _ORDER.index(state) < _ORDER.index(status.state)
        # a job that failed or was aborted may have skipped the queue
        and (status.state in (State.PENDING_EXECUTION, State.READY) or state in told)
    ]
    if known is None and not path and status.state is not State.PENDING_COMPILATION:
        path = [State.PENDING_COMPILATION]
    added = [_inferred(state, told.get(state), seen_at) for state in path]
    step = told.get(status.state)
    added.append(Change(status.state, status.raw, step.at if step else None, seen_at))
    return added


def _inferred(state: State, step: Step | None, seen_at: datetime) -> Change:
    if step is None:
        return Change(state, state.value, None, seen_at, inferred=True)
    return Change(state, step.raw, step.at, seen_at, inferred=True)


def error_of_end(status: Status, job_id: str) -> JobError:
    """The error that awaiting a job raises after this end."""
    kinds: dict[End, tuple[type[JobError], str]] = {
        End.FAILED: (JobFailed, "the service gave no reason"),
        End.ABORTED: (JobCancelled, "it was cancelled"),
        End.TIMED_OUT: (JobTimedOut, "the service's time limit ended it"),
        End.NO_CREDITS: (InsufficientCredits, "the account has not enough credits"),
        End.GONE: (ResultGone, "it was deleted; it may have run"),
    }
    kind, unexplained = kinds[status.end or End.FAILED]
    said = shown(status.message or "") or unexplained
    return kind(said, job_id=job_id, raw=status.raw)


@tells_if_forgotten("job")
class Job:
    """A job at a service: `await job` gives its `Result`, as often as you like.

    Made by `Client.submit` and `Client.job`, never directly. It also works with
    asyncio's own tools: `asyncio.gather`, `asyncio.wait` and `asyncio.timeout`. A
    cancelled waiter leaves the job and its other waiters alone.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_cancel",
        "_ended",
        "_error",
        "_forecast",
        "_news",
        "_release",
        "_result",
        "changes",
        "following",
        "id",
        "manifest",
        "queue_position",
        "raw",
        "run_time",
        "submission_id",
        "tag",
        "trace",
    )

    def __init__(
        self,
        job_id: str,
        *,
        submission_id: str,
        manifest: Manifest,
        cancel: Callable[[str], Awaitable[None]],
        release: Callable[[], Awaitable[None]] | None = None,
        forecast: Callable[[str], Eta | None] = lambda job_id: None,
        tag: str | None = None,
        trace: str | None = None,
    ) -> None:
        self.id = job_id
        """The service's id."""
        self.submission_id = submission_id
        """Our own name for the submission, known before anything was sent."""
        self.manifest = manifest
        """What the job carries."""
        self.tag = tag
        self.changes: tuple[Change, ...] = ()
        """Every state so far, oldest first."""
        self.raw = ""
        """The service's own word for where the job stands; empty before the first."""
        self.queue_position: int | None = None
        """Jobs ahead of this one at the last question; None if not known."""
        self.run_time: float | None = None
        """Seconds on the machine, as the service says; None if it does not."""
        self.following = Following()
        """How it was followed: questions, and when it was on the machine."""
        self.trace = trace
        """The trace context of its submission, as W3C's `traceparent`; None without
        telemetry."""
        self._cancel = cancel
        self._release = release
        self._forecast = forecast
        self._result: Result | None = None
        self._error: Error | None = None
        # made when somebody waits: of ten thousand jobs most have nobody who does
        self._news: asyncio.Event | None = None
        self._ended: asyncio.Event | None = None
        self._callbacks: list[tuple[Callable[[Job], Any], Context]] = []

    # --- what users ask --------------------------------------------------------------

    @property
    def state(self) -> State:
        """The latest state; `pending compilation` before the first answer."""
        return self.changes[-1].state if self.changes else State.PENDING_COMPILATION

    @property
    def eta(self) -> Eta | None:
        """When it is expected to end; None once it has, and while nothing tells.

        Learned from the jobs of this client that have ended: of ten jobs, about one ends
        before `eta.earliest` and one after `eta.latest`.
        """
        return None if self.done() else self._forecast(self.id)

    @property
    def target(self) -> str | None:
        """The name of the machine or cluster; None for a job adopted by id."""
        return self.manifest.target

    def __await__(self) -> Generator[Any, Any, Result]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109
        """Wait for the result.

        Args:
            timeout: Seconds to wait; None waits as long as it takes. The job itself
                goes on when the time is over.

        Raises:
            JobError: The job did not become ready; the class and `message` say why.
            ClientClosed: The client was closed first; the job goes on.
            TimeoutError: `timeout` is over.
        """
        try:
            if timeout is None:
                await self._end()
            else:
                async with asyncio.timeout(timeout):
                    await self._end()
        except TimeoutError:
            raise TimeoutError(
                f"job {self.id} is still {self.state.value} after {timeout:g} s; it "
                "goes on, and can be awaited again"
            ) from None
        if self._error is not None:
            raise fresh(self._error)
        assert self._result is not None
        return self._result

    async def transitions(self) -> AsyncIterator[Change]:
        """Every state once, from the first one on, until the job has ended.

        A job that ended badly ends the iteration too; `await job` tells why.
        """
        told = 0
        while True:
            while told < len(self.changes):
                told += 1
                yield self.changes[told - 1]
            if self.done():
                return
            await self._more()

    async def reached(self, state: State | str) -> Change:
        """Wait until the job has reached a state, or has passed it.

        Raises:
            JobError: The job ended, so that it can no longer reach the state.
        """
        wanted = State(state)
        while True:
            for change in self.changes:
                if change.state is wanted:
                    return change
            if self.done():
                break
            await self._more()
        if self._error is not None:
            raise fresh(self._error)
        raise JobError(
            f"it ended as {self.state.value} and never was {wanted.value}",
            job_id=self.id,
            raw=self.raw,
        )

    async def cancel(self) -> None:
        """Ask the service to cancel the job; whether it did shows in `state`.

        A job that has already ended is left as it is.
        """
        await self._cancel(self.id)

    async def release(self) -> None:
        """Let a job run that was submitted with `hold=True`; otherwise do nothing."""
        if self._release is not None:
            await self._release()
            self._release = None

    # --- what asyncio.wait and gather need -------------------------------------------

    def done(self) -> bool:
        """Whether awaiting the job would return or raise at once."""
        return self._result is not None or self._error is not None

    def cancelled(self) -> bool:
        """Whether the job was aborted at the service."""
        return isinstance(self._error, JobCancelled)

    def exception(self) -> Error | None:
        """The error that awaiting the job raises; None if it is ready.

        Raises:
            asyncio.InvalidStateError: The job has not ended yet.
        """
        if not self.done():
            raise asyncio.InvalidStateError("the job has not ended yet")
        return None if self._error is None else fresh(self._error)

    def add_done_callback(
        self, callback: Callable[[Job], Any], *, context: Context | None = None
    ) -> None:
        """Call `callback(job)` soon after the job has ended, as asyncio's futures do."""
        context = copy_context() if context is None else context
        if self.done():
            self._call_soon(callback, context)
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Callable[[Job], Any]) -> int:
        """Forget a callback; how often it was registered."""
        before = len(self._callbacks)
        self._callbacks = [c for c in self._callbacks if c[0] != callback]
        return before - len(self._callbacks)

    def _call_soon(self, callback: Callable[[Job], Any], context: Context) -> None:
        asyncio.get_running_loop().call_soon(callback, self, context=context)

    # --- what the poller tells -------------------------------------------------------

    def observe(self, status: Status, seen_at: datetime | None = None) -> bool:
        """Take in what an answer said; whether the state is another one now."""
        if self.done():
            return False
        seen_at = utc_now() if seen_at is None else seen_at
        self.raw = status.raw
        self.queue_position = status.queue_position
        self.following = replace(
            self.following,
            started_at=status.started_at or self.following.started_at,
            finished_at=status.finished_at or self.following.finished_at,
        )
        if status.run_time is not None:
            self.run_time = status.run_time
        added = new_changes(self.changes, status, seen_at)
        if added:
            self.changes += tuple(added)
            self._tell()
        return bool(added)

    def asked(self) -> None:
        """It is about to be asked about."""
        self.following = self.following.asked(utc_now())

    def learned(self, *, late: float) -> None:
        """Its end is known, so many seconds after it came."""
        self.following = replace(self.following, late=late)

    def settle(self, outcome: Result | Error) -> None:
        """End the waiting with a result or an error; the first one counts."""
        if self.done():
            return
        if isinstance(outcome, Error):
            self._error = outcome
        else:
            self._result = outcome
        self._tell()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.set()
        callbacks, self._callbacks = self._callbacks, []
        for callback, context in callbacks:
            self._call_soon(callback, context)

    async def _end(self) -> None:
        """Wait until it has ended, and sleep through what comes before."""
        if not self.done():
            if self._ended is None:
                self._ended = asyncio.Event()
            await self._ended.wait()

    async def _more(self) -> None:
        """Wait until there is something new."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()

    # --- shown -----------------------------------------------------------------------

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._display.jobs import job_card
        from qawait._display.writing import bundle

        return bundle(job_card(self, self._error, self.eta))

    def _ipython_display_(self) -> None:
        show_live(self, self._repr_mimebundle_, self.done)

    def __repr__(self) -> str:
        where = f" on {self.target}" if self.target else ""
        simulated = " (simulated)" if self.manifest.simulated else ""
        if isinstance(self._error, ClientClosed):
            standing = f"{self.state.value}, client closed"
        elif self._error is not None and not self.state.is_terminal:
            standing = f"{self.state.value}, {type(self._error).__name__}"
        elif self.done():
            standing = self.state.value
        else:
            standing = f"{self.state.value}; `await job` for the result"
        return f"<Job {self.id}{where}{simulated}: {standing}>"


async def as_completed(jobs: Iterable[Job]) -> AsyncIterator[Job]:
    """Yield each job as soon as it has ended, whichever way; the same objects."""
    jobs = list(jobs)
    ended: asyncio.Queue[Job] = asyncio.Queue()
    try:
        for job in jobs:
            job.add_done_callback(ended.put_nowait)
        for _ in jobs:
            yield await ended.get()
    finally:
        for job in jobs:
            job.remove_done_callback(ended.put_nowait)
