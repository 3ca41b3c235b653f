"""A journal on the disk, as the event loop uses it."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from qawait.errors import JournalError
from qawait.journal.figures import keep_figures
from qawait.journal.opening import open_files
from qawait.journal.segments import Segment
from qawait.journal.status_file import NOTE, StatusFile
from qawait.journal.writer import Order, Writer
from qawait.model import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from qawait.errors import Error
    from qawait.journal.figures import Figures
    from qawait.journal.opening import Opened
    from qawait.journal.records import (
        Anomaly,
        Found,
        Identity,
        Intent,
        Point,
        Recorded,
        Standing,
        Tally,
    )
    from qawait.journal.rows import Row
    from qawait.journal.segments import Slot
    from qawait.journal.store import Store
    from qawait.model import Change, Following
    from qawait.results import Result

__all__ = ["FileJournal"]

T = TypeVar("T")

_PATIENCE = 60.0
"""For how many seconds a disk may take to answer."""


class FileJournal:
    """What was sent and what came back, on the disk. Made by `open`.

    Belongs to one event loop, and to one process: a child of a fork cannot use it. What
    is said to be on the disk is there when the method returns, also if the power fails.
    """

    def __init__(self, path: Path, opened: Opened) -> None:
        self.path = path
        self._opened = opened
        self._pid = os.getpid()
        self._loop = asyncio.get_running_loop()
        # a disk works in real time, also for a program whose time is virtual
        self._standing_still: Callable[[], AbstractContextManager[object]] = getattr(
            self._loop, "standing_still", nullcontext
        )
        self._intents: dict[str, Intent] = {}
        """Those that are not on the disk yet."""
        self._held: dict[str, Callable[[Store], Any]] = {}
        """Ids of jobs that run and could not be written."""
        self._segments: dict[int, Segment] = {}
        self._closed = False
        self._writer = Writer(
            opened.connection,
            opened.store,
            opened.segments,
            opened.places,
            StatusFile(opened.places.status),
            self._loop,
        )

    @classmethod
    async def open(
        cls, path: Path, identity: Identity, *, rebind: bool = False
    ) -> FileJournal:
        """Open a journal, or make one; what was being sent in a crash is unknown now.

        Args:
            path: Its directory.
            identity: The service, target and account it must belong to.
            rebind: Whether this account may take the place of the one it belongs to.

        Raises:
            JournalLocked: Another program has it open.
            JournalIdentityMismatch: It belongs to another service or account.
            JournalCorrupt, JournalTooNew, JournalFull, JournalError: It cannot be used.
        """
        opening = partial(open_files, path, identity, rebind=rebind)
        journal: FileJournal | None = None
        # or the lock would be taken with nobody to give it back
        with anyio.CancelScope(shield=True):
            journal = cls(path, await anyio.to_thread.run_sync(opening))
        assert journal is not None
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            await journal.close()
            raise
        return journal

    async def close(self) -> None:
        """Write what is left and close it; more than once if you like."""
        if self._closed:
            return
        self._closed = True
        for act in self._held.values():
            self._writer.put(Order(act, vital=True))
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._opened.close()

    # --- what happens ----------------------------------------------------------------

    async def intend(self, intent: Intent) -> None:
        """Take note of a submission before anything of it is sent.

        It is on the disk when `sending` returns, or the first outcome.
        """
        self._check()
        self._intents[intent.submission_id] = intent

    async def sending(self, submission_id: str) -> None:
        """Write down that the first byte leaves now; on the disk when this returns.

        If it raises, or is cancelled, no byte may leave.

        Raises:
            JournalError: It could not be written.
        """
        await self._write_held()
        await self._ask(self._known(submission_id, "sending"), vital=False)
        self._intents.pop(submission_id, None)

    async def opened(self, submission_id: str, job_id: str) -> None:
        """Write down the id of a job that does not run before its last upload.

        It is on the disk when `sending` returns.
        """
        act = self._known(submission_id, "opened", job_id)
        self._put(Order(act, vital=True))

    async def outcome(
        self,
        submission_id: str,
        delivery: Delivery,
        job_id: str | None = None,
        *,
        evidence: str = "",
    ) -> None:
        """Write down what is known of a submission; on the disk when this returns.

        What was unknown once stays so, until there is an id. An id that cannot be
        written is shown on standard error, kept, and written as soon as it can be.

        Args:
            submission_id: Our own name for it.
            delivery: What became of the last attempt.
            job_id: The service's id; None if it gave none.
            evidence: What is known of it, in words.
        """
        act = self._known(submission_id, "outcome", delivery, job_id, evidence)
        try:
            await self._shielded(act)
        except JournalError as error:
            if delivery is not Delivery.ACCEPTED:
                raise
            self._held[submission_id] = act
            sys.stderr.write(
                f"qawait: job {job_id} runs, and its id could not be written down"
                f" ({error})\n"
            )
            return
        self._intents.pop(submission_id, None)
        self._held.pop(submission_id, None)

    def changed(
        self, submission_id: str, changes: tuple[Change, ...], raw: str
    ) -> None:
        """Take note that a job has come to another state; nobody waits for the disk."""
        self._put(Order(self._known(submission_id, "changed", changes, raw)))

    async def ended(
        self,
        submission_id: str,
        outcome: Result | Error,
        changes: tuple[Change, ...] = (),
        following: Following | None = None,
    ) -> None:
        """Write down how a job ended, with its result; on the disk when this returns.

        The first end counts; a second one that differs is kept as an anomaly. An error
        that is not the job's own end is not written: it will be followed again.

        Raises:
            JournalFull: There is no room for the result; it can be fetched again.
        """
        await self._write_held()
        act = self._known(submission_id, "ended", outcome, changes, following)
        await self._shielded(act, vital=False)

    async def anomaly(self, submission_id: str, kind: str, detail: str) -> None:
        """Write down something that must not happen, and did."""
        await self._shielded(lambda store: store.anomaly(submission_id, kind, detail))

    async def resolve(
        self, submission_id: str, choice: str, job_id: str | None = None
    ) -> None:
        """Write down what its user decided about an unknown or missing submission.

        Args:
            submission_id: Our own name for it.
            choice: "keep" leaves it as it is; "adopt" takes `job_id` for its job, which
                can then be followed; "resubmit" lets its points be sent again.
            job_id: The service's id, to adopt.

        Raises:
            JournalError: It is neither unknown nor missing.
        """
        await self._shielded(lambda store: store.resolve(submission_id, choice, job_id))

    async def retry(self, keys: Sequence[str]) -> None:
        """Let points that ended without a result be sent again.

        Raises:
            JournalError: One has a result, or may still get one.
        """
        await self._shielded(lambda store: store.retry(keys))

    async def note(self, name: str, value: object) -> None:
        """Write down a small value by name, in place of an older one."""
        await self._shielded(
            lambda store: store.facts.set(NOTE + name, value), vital=False
        )

    async def keep_figures(self, found: Figures) -> None:
        """Write down quality figures of the target, unless they are those known.

        Raises:
            JournalError: They could not be written; nothing else depends on them.
        """
        await self._shielded(
            lambda store: keep_figures(store.facts, found), vital=False
        )

    # --- what is asked ---------------------------------------------------------------

    async def find(self, points: Sequence[Point]) -> list[Found | None]:
        """Where each point was last sent; None for one that may be sent.

        Raises:
            PointMismatch: A key stands for another circuit than before.
        """
        return await self._question(lambda store: store.find(points))

    async def recorded(self, *standings: Standing) -> list[Recorded]:
        """The submissions of these standings, oldest first; of none given, all."""
        return await self._question(
            lambda store: [row.recorded() for row in store.rows(standings)]
        )

    async def result(self, submission_id: str) -> Result:
        """The result of a submission that has ended; its arrays are views of the disk.

        Raises:
            JobError: It ended with this error.
            JournalError: It has not ended.
        """
        row, slot = await self._question(lambda store: store.end(submission_id))
        return await anyio.to_thread.run_sync(self._read, row, slot)

    async def tally(self) -> Tally:
        """How many there are, by standing."""
        return await self._question(lambda store: store.tally())

    async def noted(self, name: str) -> Any:
        """What was noted under this name; None if nothing was."""
        return await self._question(lambda store: store.facts.get(NOTE + name))

    async def anomalies(self) -> list[Anomaly]:
        """Everything that must not happen, and did."""
        return await self._question(lambda store: store.anomalies())

    # --- inside ----------------------------------------------------------------------

    def _known(
        self, submission_id: str, happened: str, *about: Any
    ) -> Callable[[Store], None]:
        """An order about a submission that may not be on the disk yet."""
        intent = self._intents.get(submission_id)

        def act(store: Store) -> None:
            if intent is not None:
                store.intend(intent)
            getattr(store, happened)(submission_id, *about)

        return act

    async def _write_held(self) -> None:
        """Before anything new: ids for which there was no room."""
        for submission_id, act in list(self._held.items()):
            await self._shielded(act)
            self._held.pop(submission_id, None)

    def _read(self, row: Row, slot: Slot | None) -> Result:
        from qawait.journal.reading import result_of

        if slot is None:
            raise JournalError(
                f"submission {row.sent.submission_id} has no result: it is"
                f" {row.standing}"
            )
        segment = self._segments.get(slot.segment)
        if segment is None or slot.end > len(segment):
            results = self._opened.places.results
            segment = self._segments[slot.segment] = Segment(results, slot.segment)
        return result_of(segment, slot)

    async def _shielded(self, act: Callable[[Store], T], *, vital: bool = True) -> T:
        """Carry out an order to its end, whatever is cancelled meanwhile."""
        with anyio.CancelScope() as scope:
            scope.shield = True
            return await self._ask(act, vital=vital)
        raise AssertionError("a scope that nobody cancels")

    async def _question(self, act: Callable[[Store], T]) -> T:
        return await self._ask(act, is_question=True)

    async def _ask(
        self,
        act: Callable[[Store], T],
        *,
        vital: bool = True,
        is_question: bool = False,
    ) -> T:
        answer: asyncio.Future[T] = self._loop.create_future()
        self._put(Order(act, answer, vital, is_question))
        try:
            with self._standing_still(), anyio.fail_after(_PATIENCE):
                return await answer
        except TimeoutError:
            raise JournalError(
                f"journal {self.path}: the disk has not answered for"
                f" {_PATIENCE:.0f} seconds"
            ) from None

    def _put(self, order: Order) -> None:
        self._check()
        self._writer.put(order)

    def _check(self) -> None:
        if self._closed:
            raise JournalError(f"journal {self.path} is closed")
        if self._pid != os.getpid():
            raise JournalError(
                f"journal {self.path} was opened by another process, before a fork;"
                " open one of your own"
            )
