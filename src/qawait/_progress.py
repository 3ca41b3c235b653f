"""A bar for programs that run in a terminal; a live view where they run in a notebook."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from qawait._display.words import clock_time, zone
from qawait._job import Job
from qawait._live import kernel_shell
from qawait._sweep.sweep import Sweep
from qawait.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.progress import Progress, TaskID

__all__ = ["progress"]

_PAUSE = 0.2
"""Seconds between two looks."""


@asynccontextmanager
async def progress(*subjects: Sweep | Job) -> AsyncGenerator[None]:
    """Show how far sweeps and jobs have come, while a block runs.

    ```python
    async with client.sweep(...) as sweep, qawait.progress(sweep):
        async for point in sweep:
            ...
    ```

    It is a bar for each sweep and one for all the jobs, on standard error; nothing where
    that is no terminal. In a notebook it is the live view that showing a sweep or a job
    gives.

    Args:
        subjects: Sweeps and jobs of clients that are open.

    Raises:
        ConfigurationError: One of them is neither.
        MissingExtra: It is a terminal, and rich is not installed.
    """
    for subject in subjects:
        if not isinstance(subject, Sweep | Job):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"progress takes sweeps and jobs, not {type(subject).__name__}"
            )
    if kernel_shell() is not None:
        from IPython.core import display_functions

        show: Any = display_functions
        show.display(*subjects)
        yield
        return
    bars = None
    if sys.stderr.isatty():
        # rich is read from the disk the first time
        bars = await anyio.to_thread.run_sync(_Bars, subjects)
    if bars is None or bars.is_dumb:
        yield
        return
    with bars.drawn:
        drawing = asyncio.create_task(bars.renewed(), name="qawait progress")
        try:
            yield
        finally:
            drawing.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([drawing])
            bars.renew()


class _Bars:
    """The bars of one block."""

    def __init__(self, subjects: tuple[Sweep | Job, ...]) -> None:
        try:
            from rich import progress as rich
            from rich.console import Console
        except ImportError:
            raise MissingExtra("a progress bar in a terminal", "cli") from None
        screen = Console(stderr=True)
        self.is_dumb = screen.is_dumb_terminal
        self.drawn: Progress = rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[told]}", markup=False),
            rich.TimeElapsedColumn(),
            console=screen,
            auto_refresh=False,
            # what the program prints stands above the bar, if it goes to the same place
            redirect_stdout=sys.stdout.isatty(),
        )
        self._sweeps = [one for one in subjects if isinstance(one, Sweep)]
        self._jobs = [one for one in subjects if isinstance(one, Job)]
        self._of_sweeps = [
            self.drawn.add_task("points", total=None, told="") for _ in self._sweeps
        ]
        self._of_jobs: TaskID | None = None
        if self._jobs:
            self._of_jobs = self.drawn.add_task("jobs", total=len(self._jobs), told="")

    async def renewed(self) -> None:
        """Draw them until cancelled."""
        while True:
            self.renew()
            await asyncio.sleep(_PAUSE)

    def renew(self) -> None:
        """Draw them as things stand."""
        for bar, sweep in zip(self._of_sweeps, self._sweeps, strict=True):
            come = sweep.progress
            told = _told(come.failed, sweep.eta)
            done = come.ready + come.failed
            self.drawn.update(bar, completed=done, total=come.total, told=told)
        if self._of_jobs is not None:
            ended = sum(job.done() for job in self._jobs)
            failed = sum(
                job.done() and job.exception() is not None for job in self._jobs
            )
            etas = [eta for job in self._jobs if (eta := job.eta) is not None]
            last = max(etas, key=lambda eta: eta.likely, default=None)
            told = _told(failed, last)
            self.drawn.update(self._of_jobs, completed=ended, told=told)
        self.drawn.refresh()


def _told(failed: int, eta: Any) -> str:
    parts = [f"{failed:,} failed"] if failed else []
    if eta is not None:
        parts.append(f"expected {clock_time(eta.likely)} {zone(eta.likely)}")
    return ", ".join(parts)
