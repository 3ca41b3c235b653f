"""Long stories of one journal, in virtual time, held against what the service has seen.

A story is a list of programs, each of which sweeps, submits or resumes with the journal
that the one before has left, meets faults, and ends in order, by a cancellation or by a
crash. The oracle is small: it counts what the service accepted, and how often its user
has allowed a circuit to be sent again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from hypothesis import strategies as st
from msgspec import Struct

import qawait
from qawait import errors
from qawait._connection import SUBMISSIONS
from qawait.chaos.address import Submission
from qawait.errors import Error
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from qawait.journal.file import FileJournal
from qawait.journal.reading import Reading, read
from qawait.journal.records import Standing
from qawait.testing import (
    START,
    LocalService,
    run_virtual,
    service,
    set_wall_clock,
    stall,
)

NATIVE = Circuit("c", (Instruction("measure", ("QB2", "QB5"), {"key": "m"}),))
QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
SHOTS = 3
KEYS = 8
SETTLED = (Standing.UNKNOWN, Standing.MISSING, Standing.SUPERSEDED)

FAULTS = (
    *("drop_reply", "reset_reply", "truncated", "504", "504:acted", "hang:acted"),
    *("reset", "503", "429:7s", "422", "late:20s", "401"),
)
KINDS = ("submit", "submit+finish", "finish", "poll", "results", "cancel", "any")
ENDS = ("finish", "close", "cancel", "crash")


class Program(Struct, frozen=True):
    """One program of a story."""

    does: str
    """`sweep`, `submit`, `resume`, or what its user does to one that is unknown:
    `adopt`, `resubmit`, `keep`."""
    points: int
    """Of a sweep: so many keys, always the same ones."""
    faults: tuple[tuple[str, float, str], ...]
    """Name, rate, kind of request."""
    ends: str
    after: float
    """Seconds after which it ends, unless it has finished."""
    jump: float
    """Seconds for which the machine is suspended while it runs."""
    years: int
    """By how many the time of day is set forth or back before."""

    @property
    def script(self) -> str | None:
        """What the service plays while it runs."""
        return (
            ",".join(f"{name}:{rate}@{kind}" for name, rate, kind in self.faults)
            or None
        )


def programs() -> st.SearchStrategy[Program]:
    fault = st.tuples(
        st.sampled_from(FAULTS),
        st.sampled_from((0.2, 0.5, 1.0)),
        st.sampled_from(KINDS),
    )
    return st.builds(
        Program,
        does=st.sampled_from(
            ("sweep", "sweep", "sweep", "submit", "resume", "adopt", "resubmit", "keep")
        ),
        points=st.integers(1, KEYS),
        faults=st.lists(fault, max_size=2).map(tuple),
        ends=st.sampled_from(ENDS),
        after=st.sampled_from((0.02, 0.15, 5.0, 45.0, 400.0)),
        jump=st.sampled_from((0.0, 0.0, 30.0, 5000.0)),
        years=st.sampled_from((0, 0, 0, -10, 10)),
    )


def told(protocol: str, story: list[Program], seed: int = 1) -> None:
    """Live through a story, and hold what is left against what the service has seen.

    Raises:
        AssertionError: A promise was broken.
    """
    with tempfile.TemporaryDirectory(prefix="qawait-saga-") as directory:
        run_virtual(lambda: _Saga(protocol, Path(directory), seed).lived(story))


class _Saga:
    """One story under way: the journal as it is now, and what its user has allowed."""

    def __init__(self, protocol: str, directory: Path, seed: int) -> None:
        self.protocol = protocol
        self.directory = directory
        self.seed = seed
        self.journal = directory / "0"
        self.allowed: Counter[str] = Counter()
        """How often its user has had each circuit sent again."""
        self.alone = 0

    async def lived(self, story: list[Program]) -> None:
        async with service(service_time=20.0, servers=3) as there:
            for number, program in enumerate(story, 1):
                set_wall_clock(START + timedelta(days=366 * program.years))
                if program.does in ("adopt", "resubmit", "keep"):
                    await self.decide(there, program.does)
                    continue
                there.set_faults(program.script, seed=self.seed + number)
                await self.run(there, program, number)
            there.set_faults(None)
            # what comes late has come by now
            await anyio.sleep(300)
            await self.judge(there)

    def circuit(self) -> Any:
        return QASM if self.protocol == "qoro" else NATIVE

    def connected(self, there: LocalService) -> qawait.Client:
        where = there.qoro if self.protocol == "qoro" else there.iqm
        return qawait.connect(where, journal=self.journal, seed=3)

    # --- a program -------------------------------------------------------------------

    async def run(self, there: LocalService, program: Program, number: int) -> None:
        clients: list[qawait.Client] = []

        async def whole() -> None:
            try:
                async with self.connected(there) as client:
                    clients.append(client)
                    await self.work(client, program)
            except Error:
                # what was refused or is uncertain is for the journal to tell
                return

        task = asyncio.create_task(whole())
        if program.jump:
            await anyio.sleep(min(program.after, 1.0) / 2)
            stall(program.jump)
        # a sweep waits for a service that refuses everything for as long as it lives
        patience = 1800.0 if program.ends == "finish" else program.after
        await asyncio.wait([task], timeout=patience)
        if program.ends == "crash" and not task.done() and clients:
            await self.crash(there, clients[0], number)
        task.cancel()
        await asyncio.wait([task])

    async def work(self, client: qawait.Client, program: Program) -> None:
        if program.does == "submit":
            self.alone += 1
            name = f"alone-{self.alone}"
            job = await client.submit({name: self.circuit()}, shots=SHOTS, tag=name)
            if program.ends == "cancel":
                await job.cancel()
            await job
            return
        if program.does == "resume":
            sweep = client.resume(self.journal)
        else:
            sweep = self.sweep(client, program.points, program.ends)
        async with sweep:
            async for point in sweep:
                if program.ends == "cancel" and program.after < 10 and point.index:
                    return

    def sweep(self, client: qawait.Client, points: int, ends: str) -> qawait.Sweep:
        circuits = {f"k{n}": self.circuit() for n in range(points)}
        return client.sweep(
            circuits,
            shots=SHOTS,
            batch=2,
            max_in_flight=6,
            compile=self.protocol == "qoro",
            on_exit="cancel" if ends == "cancel" else "detach",
        )

    async def crash(
        self, there: LocalService, client: qawait.Client, number: int
    ) -> None:
        """What is on the disk now is all that is left; what has left has left."""
        before = len((await self.read()).unknown)
        # whatever was given to the journal is in it, or the copy would be torn
        await client._connection.journal.tally()
        image = self.directory / str(number)
        await anyio.to_thread.run_sync(self.copy, image)
        # nothing of the dead program arrives any more
        there.set_faults("reset_early@any")
        self.journal = image
        unknown = len((await self.read()).unknown)
        assert unknown - before <= SUBMISSIONS, f"{unknown - before} are unknown"

    def copy(self, image: Path) -> None:
        ignored = shutil.ignore_patterns("status.json*")
        shutil.copytree(self.journal, image, ignore=ignored)

    async def read(self) -> Reading:
        def looked() -> Reading:
            # a copy, for the program that has the lock tells only what it wants to
            with tempfile.TemporaryDirectory(dir=self.directory) as directory:
                copy = Path(directory) / "j"
                self.copy(copy)
                return read(copy)

        return await anyio.to_thread.run_sync(looked)

    # --- its user --------------------------------------------------------------------

    async def decide(self, there: LocalService, choice: str) -> None:
        """About the oldest submission that is unknown, in the knowledge of the ledger."""
        if not await anyio.Path(self.journal).exists():
            return
        reading = await self.read()
        assert reading.identity is not None
        for job in reading.unknown:
            names = {p.label for p in job.points} or {job.tag}
            ran = [i for i, labels in self.accepted(there) if names <= set(labels)]
            if choice == "adopt" and not ran:
                continue
            journal = await FileJournal.open(self.journal, reading.identity)
            await journal.resolve(job.submission_id, choice, ran[0] if ran else None)
            await journal.close()
            if choice == "resubmit":
                self.allowed.update(names)
            return

    def accepted(self, there: LocalService) -> list[tuple[str, list[str]]]:
        """The jobs that the service has accepted, with the names of their circuits."""
        document = msgspec.json.decode(there._ledger.write(bodies=True))
        submissions = msgspec.convert(document["submissions"], list[Submission])
        return [(one.job_id, one.labels()) for one in submissions]

    # --- the oracle ------------------------------------------------------------------

    async def judge(self, there: LocalService) -> None:
        """Bring in what there is, send what is missing, and count."""
        async with self.connected(there) as client:
            async with self.sweep(client, KEYS, "finish") as sweep:
                outcomes = [point async for point in sweep]
            async with client.resume(self.journal) as rest:
                await rest.finish()
        reading = await anyio.to_thread.run_sync(read, self.journal)
        keys = {f"k{n}" for n in range(KEYS)}
        # every point has come to one end, and to one only
        assert Counter(point.key for point in outcomes) == Counter(keys)
        assert set(reading.points) >= keys
        ran = self.accepted(there)
        times = Counter(label for _, labels in ran for label in labels)
        # a sweep that cancels its jobs has them sent again by the next one
        cancelled = Counter(
            point.label
            for job in reading.jobs
            if isinstance(job.error, errors.JobCancelled)
            for point in job.points
        )
        again = self.allowed + cancelled
        twice = {n: t for n, t in times.items() if t > 1 + again[n]}
        assert not twice, f"accepted more often than allowed: {twice}"
        known = {i for job in reading.jobs for i in (job.job_id, *job.opened) if i}
        uncertain = {
            name
            for job in reading.jobs
            if job.standing in SETTLED
            for name in ([p.label for p in job.points] or [job.tag])
        }
        lost = [i for i, names in ran if i not in known and set(names) - uncertain]
        assert not lost, f"jobs that no journal knows: {lost}"
        labels = dict(ran)
        for job in reading.jobs:
            # nothing is left half way
            assert job.standing not in (Standing.SENDING, Standing.ACCEPTED), job
            if job.has_result:
                assert job.job_id in labels, f"a result of {job} that never ran"
                names = [circuit.label for circuit in job.result()]
                assert sorted(names) == sorted(labels[job.job_id])
            if job.standing is Standing.REJECTED:
                assert job.job_id not in labels, f"{job} was refused, and ran"
        assert reading.anomalies == []
