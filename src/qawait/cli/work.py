"""The work of `qawait run`: circuits sent as jobs, followed, and brought to outcomes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from qawait._connection import SUBMISSIONS
from qawait._resuming import resume_command
from qawait.cli.outcomes import of_error, of_result
from qawait.cli.progress import Progress
from qawait.cli.tables import console, summary
from qawait.cli.text import say, with_plural
from qawait.errors import Error, JobError, ProtocolError, ResponseError, TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qawait._job import Job
    from qawait.circuits import Compiled, Source
    from qawait.cli.connection import Where
    from qawait.cli.outcomes import Outcome
    from qawait.cli.saving import Folder
    from qawait.client import Client

__all__ = ["Work"]


class Work:
    """One run from files to outcomes."""

    def __init__(
        self,
        place: Where,
        sources: Sequence[Source],
        folder: Folder | None,
    ) -> None:
        self._place = place
        self._sources = sources
        self._folder = folder
        self._progress = Progress(len(sources))
        self._found: dict[str, Outcome] = {}
        self._about: dict[str, Any] = {}
        self._stopped: Error | None = None
        self._accepted = 0
        self._sending = 0
        self._journal: Path | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """In the order of the files."""
        return [self._found[source.label] for source in self._sources]

    async def all(self, *, shots: int, batch: int, seed: int) -> None:
        """Compile everything, then send everything, then wait for everything."""
        if self._place.service is None:
            say("running on the local simulator; --service names another service")
        async with self._place.client() as client:
            self._journal = client.journal
            circuits = await client.compile(self._sources, seed=seed)
            with self._progress.shown():
                async with asyncio.TaskGroup() as group:
                    for start in range(0, len(circuits), batch):
                        part = slice(start, start + batch)
                        group.create_task(
                            self._job(
                                client, circuits[part], self._sources[part], shots
                            )
                        )
            self._about = {
                "service": self._place.name,
                "target": client.target.name,
                "simulated": client.target.simulated,
                "requests": client.usage.requests,
                "seconds": round(self._progress.seconds, 3),
            }
            if self._stopped is not None and not self._accepted:
                raise self._stopped

    async def _job(
        self,
        client: Client,
        circuits: Sequence[Compiled],
        sources: Sequence[Source],
        shots: int,
    ) -> None:

        job = None
        try:
            if self._stopped is not None:
                raise self._stopped
            job = await self._send(client, circuits, shots)
            self._progress.follow(job)
            result = await job
        except Error as error:
            if job is None:
                self._progress.lose(len(sources))
                self._accepted += isinstance(error, JobError)
            for source in sources:
                self._found[source.label] = of_error(
                    error, source.label, file=source.origin, job=job
                )
            return
        for index, source in enumerate(sources):
            outcome = of_result(result, index, file=source.origin)
            self._found[source.label] = outcome
            if self._folder is not None:
                await asyncio.to_thread(self._folder.save, outcome, source.label)

    async def _send(
        self, client: Client, circuits: Sequence[Compiled], shots: int
    ) -> Job:
        self._sending += 1
        try:
            job = await client.submit(circuits, shots=shots)
        except (TransportError, ResponseError, ProtocolError) as error:
            # what stands in the way of one job stands in the way of all
            self._stopped = error
            self._sending -= 1
            raise
        except Error:
            self._sending -= 1
            raise
        # not so where it was cancelled: then it may have arrived
        self._sending -= 1
        self._accepted += 1
        return job

    def interrupted(self) -> str:
        """What is to be known after Ctrl-C."""
        if self._place.service is None:
            return "interrupted; the local simulator has ended, and its jobs with it"
        jobs = self._progress.going_on
        uncertain = min(self._sending, SUBMISSIONS)
        under_way = (
            f"; {with_plural(uncertain, 'submission')} under way may have arrived"
            if uncertain
            else ""
        )
        if not jobs:
            return f"interrupted; no known job goes on{under_way}"
        ids = " ".join(job.id for job in jobs)
        one = len(jobs) == 1
        return (
            f"interrupted; {with_plural(len(jobs), 'job')} go{'es' if one else ''} on: "
            f"qawait results {ids} {self._place.option}{under_way}"
        )

    def to_go_on(self) -> str | None:
        """The command that goes on from the journal; None where nothing is in one."""
        if self._journal is None or not (self._progress.going_on or self._sending):
            return None
        return f"the journal has them all; to go on: {resume_command(self._journal)}"

    def to_json(self, shots: int) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            **self._about,
            "shots": shots,
            "states": self._progress.counts(),
            "circuits": [outcome.to_json() for outcome in self.outcomes],
        }

    def show(self, shots: int) -> None:
        """The table, and what it cost."""
        screen = console()
        screen.print(summary(self.outcomes, job_ids=self._place.service is not None))
        about = self._about
        simulated = " (simulated)" if about["simulated"] else ""
        screen.print(
            f"{about['target']}{simulated}, {with_plural(shots, 'shot')} for each circuit,"
            f" {with_plural(about['requests'], 'request')}, {about['seconds']:.1f} s",
            soft_wrap=True,
        )
        if self._folder is not None:
            ready = sum(outcome.ready for outcome in self.outcomes)
            screen.print(
                f"{with_plural(ready, 'result')} in {self._folder.path}", soft_wrap=True
            )
