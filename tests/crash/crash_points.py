"""Crashes of a whole program at every point at which it has written or sent something.

All of it happens in one process and in virtual time. A program sweeps, and submits a job
by itself; at its n-th point its disk is copied, and from there on nothing of it is written
or sent. The next program finds the copy, and may be crashed at a point of its own. The
last one comes to its end, and the ledger of the service is held against the journal.
"""

from __future__ import annotations

import asyncio
import errno
import io
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from random import Random
from typing import Any

import anyio.to_thread
import msgspec
import pytest

import qawait
from qawait._connection import SUBMISSIONS
from qawait._transport import Transport
from qawait.chaos.address import Ledger
from qawait.chaos.program import keys_of
from qawait.chaos.verdict import Swept, Verdict, judge
from qawait.errors import ConnectFailed, Error, JournalError, SubmissionUncertain
from qawait.iqm import Circuit, Instruction
from qawait.journal import opening, writer
from qawait.journal.reading import read
from qawait.journal.segments import SegmentWriter
from qawait.journal.verifying import verify
from qawait.testing import LocalService, run_virtual, service
from qawait.testing.loop import LATENCY

NAME = "s"
POINTS = 3
IN_FLIGHT = 2
BATCH = 2
SHOTS = 3
_SPARSE = 5
_NATIVE = Circuit("c", (Instruction("measure", ("QB2", "QB5"), {"key": "m"}),))
_QASM = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
)


class Program:
    """One program, which crashes at a point of its own; at 0 it never does.

    Its points are counted by the event loop and by the thread that writes, of which only
    one goes on at a time: the disk is never copied while it is written to.
    """

    def __init__(self, journal: Path, image: Path, crash_at: int) -> None:
        self.journal = journal
        self.image = image
        self.crash_at = crash_at
        self.points: list[str] = []
        self.dead = False
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.one_at_a_time = threading.RLock()

    def reached(self, point: str) -> None:
        """Count a point; the one at which it crashes is its last."""
        with self.one_at_a_time:
            if self.dead:
                return
            self.points.append(point)
            if len(self.points) != self.crash_at:
                return
            self.dead = True
            if self.journal.exists():
                shutil.copytree(
                    self.journal,
                    self.image,
                    ignore=shutil.ignore_patterns("status.json*"),
                )
        self._loop.call_soon_threadsafe(self.over.set)

    def reached_on_disk(self, point: str) -> None:
        self.reached(point)
        if self.dead:
            raise OSError(errno.EIO, "this program is dead")


@contextmanager
def watched(current: Callable[[], Program]) -> Iterator[None]:
    """What is written and sent meanwhile are points of the program of that moment."""
    sound_transact, sound_sync = writer.transact, SegmentWriter.sync
    sound_commits, sound_send = opening.write_commits, Transport.send

    def transact(*about: Any) -> Any:
        program = current()
        with program.one_at_a_time:
            if program.dead:
                raise OSError(errno.EIO, "this program is dead")
            settled = sound_transact(*about)
            if not all(order.is_question for order in about[3]):
                program.reached_on_disk("committed")
            return settled

    def sync(segments: SegmentWriter) -> None:
        sound_sync(segments)
        current().reached_on_disk("results")

    def write_commits(*about: Any) -> None:
        current().reached_on_disk("opened")
        sound_commits(*about)

    async def send(self: Transport, call: Any, *, before_body: Any = None) -> Any:
        program = current()

        async def leaves() -> None:
            if before_body is not None:
                await before_body()
            if program.dead:
                raise ConnectFailed("this program is dead")
            # what leaves at this moment has left, though nobody hears the answer
            await anyio.to_thread.run_sync(program.reached, f"left {call.path}")

        if program.dead:
            raise ConnectFailed("this program is dead")
        answer = await sound_send(self, call, before_body=leaves)
        await anyio.to_thread.run_sync(program.reached, f"answered {call.path}")
        if program.dead:
            raise ConnectFailed("this program is dead")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "transact", transact)
        patch.setattr(SegmentWriter, "sync", sync)
        patch.setattr(opening, "write_commits", write_commits)
        patch.setattr(Transport, "send", send)
        yield


def crashed(protocol: str, *plan: int) -> list[str]:
    """Sweep with a crash at a point of each program in turn, then to the end.

    Args:
        protocol: `iqm` or `qoro`.
        plan: The points, counted from 1.

    Returns:
        The points of the last program that was to crash; fewer than planned if it has
        none with that number.

    Raises:
        AssertionError: A promise was broken.
    """

    async def lived() -> list[str]:
        return await _World(protocol, Path(directory)).lived(plan)

    with (
        tempfile.TemporaryDirectory(prefix="qawait-crashes-") as directory,
        # a program that is dead says there what it could not write
        redirect_stderr(io.StringIO()),
    ):
        return run_virtual(lived)


def explored(
    protocol: str, crashes: int, random: Random | None = None, *before: int
) -> int:
    """Sweep with so many crashes, at every combination of points.

    Args:
        protocol: `iqm` or `qoro`.
        crashes: Programs that crash before one comes to its end.
        random: Draws one of about five points; None takes all.
        before: Where the first programs crash.

    Returns:
        How many combinations there are.

    Raises:
        AssertionError: A promise was broken; it names the combination.
    """
    lived = at = 0
    while True:
        at += 1 if random is None else random.randint(1, 2 * _SPARSE - 1)
        plan = (*before, at)
        try:
            points = crashed(protocol, *plan)
        except AssertionError as error:
            raise AssertionError(f"{protocol}, crashes at {plan}: {error}") from error
        if len(points) < at:
            return lived
        if crashes > 1:
            lived += explored(protocol, crashes - 1, random, *plan)
        else:
            lived += 1


class _World:
    def __init__(self, protocol: str, directory: Path) -> None:
        self.protocol = protocol
        self.directory = directory
        self.seen: set[str] = set()
        self.program = Program(directory / "0", directory / "1", 0)

    async def lived(self, plan: tuple[int, ...]) -> list[str]:
        points: list[str] = []
        async with service() as there:
            with watched(lambda: self.program):
                unknown = 0
                for number, crash_at in enumerate((*plan, 0)):
                    place = self.directory / str(number)
                    image = self.directory / str(number + 1)
                    self.program = Program(place, image, crash_at)
                    outcomes = await self.run(there)
                    if not crash_at:
                        break
                    points = self.program.points
                    if not self.program.dead:
                        # it makes fewer, and has come to its end
                        break
                    after = await anyio.to_thread.run_sync(_unknown, image)
                    assert after - unknown <= SUBMISSIONS, f"{after} are unknown"
                    unknown = after
            ledger = msgspec.json.decode(there._ledger.write(bodies=True), type=Ledger)
        await anyio.to_thread.run_sync(self.judge, ledger, outcomes)
        return points

    async def run(self, there: LocalService) -> list[qawait.Point]:
        outcomes: list[qawait.Point] = []
        task = asyncio.create_task(self.sweep(there, outcomes))
        over = asyncio.create_task(self.program.over.wait())
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not self.program.dead:
            await task
            return outcomes
        # what has left is on its way, and none of it has arrived
        await asyncio.sleep(LATENCY / 2)
        task.cancel()
        with suppress(asyncio.CancelledError, Error):
            await task
        return []

    async def sweep(self, there: LocalService, outcomes: list[qawait.Point]) -> None:
        where = there.qoro if self.protocol == "qoro" else there.iqm
        circuit = _QASM if self.protocol == "qoro" else _NATIVE
        circuits = dict.fromkeys(keys_of(NAME, POINTS), circuit)
        async with (
            qawait.connect(where, journal=self.program.journal, seed=3) as client,
            client.sweep(
                circuits,
                shots=SHOTS,
                batch=BATCH,
                max_in_flight=IN_FLIGHT,
                compile=self.protocol == "qoro",
            ) as sweep,
        ):
            async for point in sweep:
                if self.program.dead:
                    return
                outcomes.append(point)
                if point.job_id is not None:
                    self.seen.add(point.job_id)
                if len(outcomes) == 1:
                    # the sweep goes on beside it
                    alone = f"{NAME}-alone-{self.program.journal.name}"
                    job = await client.submit({alone: circuit}, shots=SHOTS, tag=alone)
                    if self.program.dead:
                        return
                    self.seen.add(job.id)
                    await job

    def judge(self, ledger: Ledger, outcomes: list[qawait.Point]) -> None:
        keys = keys_of(NAME, POINTS)
        assert sorted(point.key for point in outcomes) == keys
        assert not verify(self.program.journal)
        reading = read(self.program.journal)
        verdict = Verdict(protocol=self.protocol, seed=0, faults="")
        judge(verdict, ledger, [Swept(NAME, keys, reading, self.seen)])
        assert verdict.duplicated == 0, "something was accepted twice"
        assert verdict.lost == 0, "something was lost"
        uncertain = {point.key for job in reading.unknown for point in job.points}
        errors = {point.key: point.error for point in outcomes if point.error}
        # whatever is not uncertain has come in
        assert errors.keys() == uncertain, errors
        for error in errors.values():
            assert isinstance(error, SubmissionUncertain), error


def _unknown(image: Path) -> int:
    """How many are uncertain to a program that opens this; 0 if there is nothing yet."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "j"
        if not image.exists():
            return 0
        shutil.copytree(image, copy)
        try:
            return len(read(copy).unknown)
        except JournalError:
            assert not (copy / "journal.sqlite").exists()
            return 0
