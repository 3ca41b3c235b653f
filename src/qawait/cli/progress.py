"""How many circuits are in which state, live on a terminal, one line elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from qawait.cli.tables import STYLES, console, moves
from qawait.cli.text import say, with_plural

if TYPE_CHECKING:
    from collections.abc import Generator

    from qawait._job import Job

__all__ = ["Progress"]

_BAR = 60
_PER_SECOND = 10


class Progress:
    """Follows the states of jobs for the eye; it asks nothing of a service.

    Args:
        circuits: How many there will be.
    """

    def __init__(self, circuits: int) -> None:
        self._circuits = circuits
        self._jobs: list[Job] = []
        self._lost = 0
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it is shown."""
        return time.perf_counter() - self._started

    def follow(self, job: Job) -> None:
        """Count the circuits of a job that was sent."""
        self._jobs.append(job)

    def lose(self, circuits: int) -> None:
        """Count circuits that no job came of as failed."""
        self._lost += circuits

    def counts(self) -> dict[str, int]:
        """Circuits by state, in the order of a job's life; states without any left out."""
        found = dict.fromkeys(STYLES, 0)
        found["to send"] = self._circuits - self._lost
        found["failed"] = self._lost
        for job in list(self._jobs):
            circuits = len(job.manifest.circuits)
            found[job.state.value] += circuits
            found["to send"] -= circuits
        return {state: count for state, count in found.items() if count}

    @property
    def going_on(self) -> list[Job]:
        """Jobs that were sent and have not ended, as far as is known."""
        return [job for job in self._jobs if not job.state.is_terminal]

    def __str__(self) -> str:
        states = ", ".join(f"{n:,} {state}" for state, n in self.counts().items())
        return f"{with_plural(self._circuits, 'circuit')}: {states or 'none'}"

    def __rich__(self) -> Text:
        counts = self.counts()
        bar = Text("  ")
        drawn = told = 0
        # what is furthest stands first, so that the bar fills from the left
        for state in reversed(counts):
            told += counts[state]
            end = round(_BAR * told / max(1, self._circuits))
            block = "\N{LIGHT SHADE}" if state == "to send" else "\N{FULL BLOCK}"
            bar.append(block * (end - drawn), style=STYLES[state])
            drawn = end
        bar.append(f" {self.seconds:5.1f} s\n  ")
        for state, count in counts.items():
            bar.append(f"{count:,} ", style="bold")
            bar.append(f"{state}   ", style=STYLES[state])
        return bar

    @contextmanager
    def shown(self) -> Generator[None]:
        """Show it for as long as the block lasts; without a terminal, once at the end."""
        screen = console(stderr=True)
        self._started = time.perf_counter()
        if not moves(screen):
            yield
            say(f"{self} ({self.seconds:.1f} s)")
            return
        with Live(
            console=screen,
            get_renderable=self.__rich__,
            refresh_per_second=_PER_SECOND,
            redirect_stdout=False,
        ):
            yield
