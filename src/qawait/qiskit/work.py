# pyright: basic
"""Everything that one `run` asks for, as sweeps of a client; mostly as one."""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from anyio import create_task_group
from msgspec import Struct
from qiskit.providers import JobStatus

from qawait.errors import ConfigurationError, Error, ResultError, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qawait._batch import Options
    from qawait._sweep.budget import Budget
    from qawait._sweep.sweep import Sweep
    from qawait.circuit_result import CircuitResult
    from qawait.circuits import Compiled
    from qawait.client import Client
    from qawait.qoro.execution_config import ExecutionConfig

__all__ = ["Part", "RunOptions", "Standing", "carry_out", "checked_options"]


class RunOptions(TypedDict, total=False):
    """The keyword arguments of a run that are not Qiskit's own."""

    budget: Budget | None
    max_in_flight: int
    batch: int | None
    tag: str | None
    seed: int
    optimization_level: int
    options: Options | None
    execution_config: ExecutionConfig | None


def checked_options(given: dict[str, Any]) -> RunOptions:
    """The options of a run.

    Raises:
        ConfigurationError: There is no such option.
    """
    for name, value in list(given.items()):
        if name == "seed_simulator":
            # Qiskit's own primitives always pass it on
            if value is not None:
                raise ConfigurationError(
                    "seed_simulator: a service draws its own random numbers; leave it away"
                )
            del given[name]
        elif name not in RunOptions.__annotations__:
            known = ", ".join(RunOptions.__annotations__)
            raise ConfigurationError(f"run has no option {name!r}; there are: {known}")
    return given  # pyright: ignore[reportReturnType]


class _Points(Sized, Protocol):
    def __iter__(self) -> Iterator[tuple[str, Any]]: ...


class Part(Struct, frozen=True, kw_only=True):
    """What goes into one sweep."""

    shots: int
    points: _Points
    """A key each, with a circuit; with the numbers of a template where there is one."""
    take: Callable[[int, CircuitResult], None]
    """Called with the number of a point and its result, in any order."""
    template: Compiled | None = None
    observables: Sequence[str] | None = None
    """Pauli labels, to compute their expectation values instead of taking shots."""


class Standing:
    """How far a run has come; read from any thread."""

    def __init__(self) -> None:
        self.sweeps: list[Sweep] = []
        self.job_ids: dict[str, None] = {}
        """The service's jobs whose results are there, in order of appearance."""

    @property
    def status(self) -> JobStatus:
        """Of one that has not ended."""
        progress = [sweep.progress for sweep in self.sweeps]
        if any(one.ready for one in progress):
            return JobStatus.RUNNING
        if any(one.jobs for one in progress):
            return JobStatus.QUEUED
        return JobStatus.INITIALIZING


async def carry_out(
    client: Client, parts: Sequence[Part], standing: Standing, options: RunOptions
) -> None:
    """Run all parts side by side, until each point of each was taken.

    Without all of them there is no result, so the first error ends the run, and jobs
    under way are cancelled.

    Raises:
        Error: A point has no result.
        ConfigurationError: A budget would not be one.
    """
    if options.get("budget") is not None and len(parts) > 1:
        raise ConfigurationError(
            f"these PUBs take {len(parts)} sweeps, and a budget counts for one: run them "
            "apart, or without a budget"
        )
    failures: list[Exception] = []
    try:
        for part in parts:
            # one after the other: a journal tells them apart by their order
            standing.sweeps.append(await _begun(client, part, options))
        async with create_task_group() as group:

            async def follow(sweep: Sweep, part: Part) -> None:
                try:
                    await _take_all(sweep, part, standing)
                except Exception as error:
                    failures.append(error)
                    group.cancel_scope.cancel()

            for sweep, part in zip(standing.sweeps, parts, strict=True):
                group.start_soon(follow, sweep, part)
    finally:
        for sweep in standing.sweeps:
            await sweep.close("cancel")
    if failures:
        raise failures[0]


async def _begun(client: Client, part: Part, options: RunOptions) -> Sweep:
    what = (part.points,) if part.template is None else (part.template, part.points)
    # the start, not `async with`: Ctrl-C stays the program's own
    return await client.start_sweep(
        *what, shots=part.shots, observables=part.observables, **options
    )


async def _take_all(sweep: Sweep, part: Part, standing: Standing) -> None:
    taken = 0
    async for point in sweep:
        if point.error is not None:
            raise fresh(point.error) if isinstance(point.error, Error) else point.error
        assert point.result is not None
        if point.job_id is not None:
            standing.job_ids[point.job_id] = None
        part.take(point.index, point.result)
        taken += 1
    if taken < len(part.points):
        raise ResultError(
            f"only {taken} of {len(part.points)} points were run: {sweep.stopped}"
        )
