"""`qawait sweep`: one circuit at every point of a grid, into a journal."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qawait.cli.completion import files
from qawait.cli.connection import json_option, where, where_options
from qawait.cli.ending import INTERRUPTED, NO_RESULT
from qawait.cli.sharded import named_service, sharded
from qawait.cli.text import clean, say

if TYPE_CHECKING:
    from qawait._sweep.budget import Budget
    from qawait._sweep.estimate import Estimate
    from qawait._sweep.point import Point
    from qawait.cli.connection import Where

__all__ = ["sweep"]

_MOST_VALUES = 100_000
_SHOWN = 4
"""Outcomes of a point in the table."""


class _Values(click.ParamType[tuple[str, list[float]]]):
    """`gamma=0:3.14:20` (from, to, how many) or `gamma=0,0.5,1`."""

    name = "values"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, list[float]]:
        name, equals, text = str(value).partition("=")
        try:
            if not (name and equals):
                raise ValueError
            return name, _numbers(text)
        except ValueError:
            self.fail(
                f"{value!r} is neither NAME=FROM:TO:COUNT nor NAME=NUMBER,NUMBER,...",
                param,
                ctx,
            )


def _numbers(text: str) -> list[float]:
    if ":" not in text:
        numbers = [float(part) for part in text.split(",")]
    else:
        first, last, count = text.split(":")
        low, high, many = float(first), float(last), int(count)
        if not 2 <= many <= _MOST_VALUES:
            raise ValueError
        numbers = [low + (high - low) * n / (many - 1) for n in range(many)]
    if not all(map(math.isfinite, numbers)):
        raise ValueError
    return numbers


@click.command()
@click.argument("file", metavar="FILE", shell_complete=files)
@click.option(
    "--set",
    "axes",
    multiple=True,
    required=True,
    type=_Values(),
    metavar="NAME=VALUES",
    help="A parameter and its values: FROM:TO:COUNT, or numbers with commas. All"
    " combinations of all parameters run.",
)
@click.option(
    "--shots",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How often each circuit is measured.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    help="Where results are kept; run again, only what is missing is sent.",
)
@click.option("--max-jobs", type=click.IntRange(min=0), help="Send no more jobs.")
@click.option("--max-shots", type=click.IntRange(min=0), help="Take no more shots.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Shard the points over the workers of the Dask scheduler at this address, such as"
    " tcp://10.0.0.5:8786. --journal is then a directory that all workers share.",
)
@click.option("--dry-run", is_flag=True, help="Only say what it would take.")
@where_options
@json_option
def sweep(
    file: str,
    axes: tuple[tuple[str, list[float]], ...],
    shots: int,
    journal: Path | None,
    max_jobs: int | None,
    max_shots: int | None,
    dask: str | None,
    dry_run: bool,
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Run one circuit at every point of a grid.

    FILE is OpenQASM 3 with `input float NAME;` for each parameter. Ctrl-C waits for
    the jobs under way; a second one leaves them running.

    \b
    Examples:
      qawait sweep turn.qasm --set gamma=0:3.14:20 --set beta=0,0.5,1
      qawait sweep turn.qasm --set gamma=0:3.14:20 --journal night.qawait
      qawait sweep turn.qasm --set gamma=0:3.14:20 --dry-run --service qoro:
      qawait sweep turn.qasm --set gamma=0:3.14:9999 --journal /shared/night --dask
        tcp://10.0.0.5:8786

    \b
    Exit codes: 0 every point has a result, 1 some have none, 2 an input, a setting
    or the service is at fault, 130 interrupted.
    """  # noqa: D301
    grid = dict(axes)
    if len(grid) < len(axes):
        raise click.UsageError("a parameter is set twice")
    if dask is not None and journal is None:
        raise click.UsageError(
            "--dask needs --journal: a directory that all workers share, under one path"
        )
    place = where(service, target, tokens_file)
    from qawait import Budget
    from qawait.circuits import read

    [source] = read(Path(file), allow_parameters=True)
    budget = Budget(jobs=max_jobs, shots=max_shots)
    runner = _Runner(place, source, grid, shots, journal, budget)
    try:
        if dask is not None and not dry_run:
            asyncio.run(runner.run_on(dask, named_service(service, tokens_file)))
        else:
            asyncio.run(runner.run(dry_run=dry_run))
    except KeyboardInterrupt:
        say("interrupted; jobs already sent go on")
        raise click.exceptions.Exit(INTERRUPTED) from None
    runner.show(as_json=as_json, dry_run=dry_run)
    return 0 if dry_run or runner.complete else NO_RESULT


class _Runner:
    """One sweep and what came of it."""

    def __init__(
        self,
        place: Where,
        source: Any,
        grid: dict[str, list[float]],
        shots: int,
        journal: Path | None,
        budget: Budget,
    ) -> None:
        self._place = place
        self._given = source, grid
        self._shots = shots
        self._journal = journal
        self._budget = budget
        self._points: list[Point] = []
        self._estimate: Estimate | None = None
        self._total = math.prod(map(len, grid.values()))

    @property
    def complete(self) -> bool:
        return self._total == sum(point.error is None for point in self._points)

    async def run(self, *, dry_run: bool) -> None:
        source, grid = self._given
        async with (
            self._place.client() as client,
            client.sweep(
                source,
                grid,
                shots=self._shots,
                journal=self._journal,
                budget=self._budget,
                ordered=True,
            ) as sweep,
        ):
            self._estimate = await sweep.estimate()
            say(str(self._estimate))
            if dry_run:
                return
            async for point in sweep:
                self._points.append(point)
            if sweep.stopped is not None:
                say(f"it has taken no more points: {sweep.stopped}")

    async def run_on(self, address: str, service: Any) -> None:
        """The same on the workers of a Dask cluster."""
        assert self._journal is not None
        self._points, stopped = await sharded(
            address,
            service,
            self._place.target,
            *self._given,
            self._journal,
            shots=self._shots,
            budget=self._budget,
        )
        if stopped is not None:
            say(f"it has taken no more points: {stopped}")

    def show(self, *, as_json: bool, dry_run: bool) -> None:
        from msgspec import to_builtins

        from qawait.cli.outcomes import counts_of, state_after
        from qawait.cli.tables import console, print_json, table

        if dry_run:
            if as_json:
                print_json({"estimate": to_builtins(self._estimate)})
            return
        rows: list[dict[str, Any]] = [
            {
                "key": point.key,
                "parameters": dict(point.params),
                "state": state_after(point.error),
                "job_id": point.job_id,
                "counts": None if point.result is None else counts_of(point.result),
                "error": None if point.error is None else str(point.error),
            }
            for point in self._points
        ]
        if as_json:
            print_json({"points": rows})
            return
        made = table("point", "counts, most frequent first", "job", whole=["job"])
        for row in rows:
            made.add_row(
                clean(row["key"]),
                clean(row["error"] or _most_frequent(row["counts"] or {})),
                clean(row["job_id"] or ""),
            )
        console().print(made)


def _most_frequent(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    seen = "  ".join(f"{text} {count:,}" for text, count in ordered[:_SHOWN])
    more = len(ordered) - _SHOWN
    return f"{seen}  and {more:,} more" if more > 0 else seen
