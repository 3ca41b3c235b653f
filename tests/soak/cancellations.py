"""Races of a cancellation with a submission, its journal, its polls and its result.

They happen in virtual time. Each race is a task that submits a job and awaits it; at its
n-th pause, or a moment later, it is cancelled in one of the ways of `WAYS`. Some clients
are closed under their tasks, too. Afterwards the ledger of the service and the journals
have to tell the same story.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.to_thread
import msgspec

import qawait
from qawait.chaos.address import Ledger
from qawait.errors import Error
from qawait.iqm import Circuit, Instruction
from qawait.journal.reading import Reading, read
from qawait.journal.records import Standing
from qawait.journal.store import CUT_OFF
from qawait.journal.verifying import verify
from qawait.testing import LocalService, run_virtual, service

WAYS = ("task", "twice", "scope", "later", "close")
"""`Task.cancel()`; the same, and again at the next pause; an anyio scope, which cancels at
every await from then on; a task some milliseconds later; the client is closed by another
task."""
FAULTS = (
    None,
    "drop_reply:0.3@any",
    "504:acted:0.3@submit,reset:0.2@finish",
    "late:2s:0.5@any",
    "503:0.4@any",
)
TOGETHER = 50
"""Races that share a client."""
SHOTS = 3
_MOST_PAUSES = 16
_NATIVE = Circuit("c", (Instruction("measure", ("QB2", "QB5"), {"key": "m"}),))
_QASM = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
)
_RAN = (Standing.ACCEPTED, Standing.TERMINAL)


class Paused:
    """Awaits a coroutine, and counts how often it pauses.

    Args:
        work: The coroutine.
        paused: Called at each pause with its number, from 1 on.
    """

    def __init__(
        self, work: Coroutine[Any, Any, Any], paused: Callable[[int], None]
    ) -> None:
        self._work = work
        self._paused = paused

    def __await__(self) -> Generator[Any, Any, Any]:
        number = 0
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                if thrown is None:
                    waits_for = self._work.send(sent)
                else:
                    waits_for = self._work.throw(thrown)
            except StopIteration as stop:
                return stop.value
            number += 1
            self._paused(number)
            sent = thrown = None
            try:
                sent = yield waits_for
            except BaseException as error:
                thrown = error


class Account:
    """What many races have found."""

    def __init__(self) -> None:
        self.races = 0
        self.ends: Counter[str] = Counter()
        """How the tasks ended."""
        self.standings: Counter[str] = Counter()
        """Where the journals say that the jobs are."""


def raced(races: int, seed: int) -> Account:
    """Live through so many races.

    Raises:
        AssertionError: A promise was broken; it names the seed.
    """

    async def lived() -> Account:
        return await _World(Path(directory), seed).lived(races)

    with tempfile.TemporaryDirectory(prefix="qawait-races-") as directory:
        try:
            return run_virtual(lived)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


class _World:
    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.random = Random(seed)
        self.account = Account()
        self.seen: dict[str, str] = {}
        """The ids that a task was given, by the name of its job."""
        self.compiled: Any = None

    async def lived(self, races: int) -> Account:
        async with service(service_time=0.05, servers=8) as there:
            async with qawait.connect(there.iqm) as client:
                # what is compiled is written in a thread, which has awaits of its own
                self.compiled = await client.compile(_QASM)
            mine = asyncio.all_tasks()
            for number in range(races // TOGETHER):
                await self.together(there, number)
                there.set_faults(None)
                # what comes late has come by now
                await anyio.sleep(300)
                self.check_tasks(mine, number)
            ledger = msgspec.json.decode(there._ledger.write(bodies=True), type=Ledger)
        await anyio.to_thread.run_sync(self.judge, ledger)
        return self.account

    async def together(self, there: LocalService, number: int) -> None:
        """Races over one client, which works as before when they are over."""
        protocol = ("iqm", "qoro")[number % 2]
        where = there.qoro if protocol == "qoro" else there.iqm
        path = self.directory / f"{number:03}-{protocol}"
        client = await qawait.open(where, journal=path, seed=number)
        is_closed_early = number % 5 == 4
        try:
            there.set_faults(self.random.choice(FAULTS), seed=number)
            tasks = [
                asyncio.create_task(self.race(client, f"{number}-{n}", is_closed_early))
                for n in range(TOGETHER)
            ]
            await asyncio.wait(tasks)
            for task in tasks:
                self.account.races += 1
                self.account.ends[task.result()] += 1
            if not is_closed_early:
                there.set_faults(None)
                await self.job(client, f"{number}-afterwards")
        finally:
            await client.close()

    async def race(self, client: qawait.Client, name: str, may_close: bool) -> str:
        way = self.random.choice(WAYS if may_close else WAYS[:-1])
        at = self.random.randint(1, _MOST_PAUSES)
        delay = self.random.uniform(0, 0.2)
        loop, closing = asyncio.get_running_loop(), []
        scope = anyio.CancelScope()

        def paused(number: int) -> None:
            if number == at + 1 and way == "twice":
                task.cancel()
            if number != at:
                return
            match way:
                case "scope":
                    scope.cancel()
                case "close":
                    closing.append(loop.create_task(client.close()))
                case "later":
                    loop.call_later(delay, task.cancel)
                case _:
                    task.cancel()

        async def lived() -> str:
            with scope:
                await Paused(self.job(client, name), paused)
                return "at its end"
            return "cancelled"

        task = loop.create_task(lived(), name=name)
        await asyncio.wait([task])
        if closing:
            await asyncio.wait(closing)
        if task.cancelled():
            return "cancelled"
        error = task.exception()
        if error is None:
            return task.result()
        if not isinstance(error, Error):
            raise error
        return type(error).__name__

    async def job(self, client: qawait.Client, name: str) -> None:
        if client._connection.wire.dialect.vendor == "qoro":
            circuit: Any = _QASM
        else:
            circuit = self.compiled if len(name) % 2 else {name: _NATIVE}
        job = await client.submit(circuit, shots=SHOTS, tag=name, compile=False)
        self.seen[name] = job.id
        await job

    def check_tasks(self, mine: set[asyncio.Task[Any]], number: int) -> None:
        left = [
            task
            for task in asyncio.all_tasks() - mine
            # the service's own, one for each connection
            if "RequestHandler" not in repr(task.get_coro())
        ]
        assert not left, f"after client {number}: {left}"

    # --- the oracle -------------------------------------------------------------------

    def judge(self, ledger: Ledger) -> None:
        ran = {one.job_id for one in ledger.submissions}
        known: dict[str, str] = {}
        uncertain = 0
        for path in sorted(self.directory.iterdir()):
            assert not verify(path), path
            reading = read(path)
            uncertain += self.judge_one(reading, ran, known)
        assert not self.seen.keys() - known.keys(), "a job was given and not recorded"
        for name, job_id in self.seen.items():
            assert known[name] == job_id, name
        # each that ran is known, or one of those that may have run
        lost = ran - set(known.values())
        assert len(lost) <= uncertain, f"{len(lost)} ran, and {uncertain} are unknown"

    def judge_one(self, reading: Reading, ran: set[str], known: dict[str, str]) -> int:
        uncertain = 0
        for job in reading.jobs:
            self.account.standings[job.standing.value] += 1
            about = f"{job} of {reading.path.name}: {job.evidence}"
            # what is found at the next opening only was not written down at all
            assert job.evidence != CUT_OFF, (
                f"nobody wrote down what became of it: {about}"
            )
            if job.standing in _RAN:
                assert job.job_id in ran, f"it never ran: {about}"
                assert job.tag is not None
                assert job.tag not in known, f"it was sent twice: {about}"
                known[job.tag] = str(job.job_id)
            elif job.standing is Standing.UNKNOWN:
                uncertain += 1
            else:
                assert job.job_id not in ran, f"it was accepted: {about}"
        return uncertain
