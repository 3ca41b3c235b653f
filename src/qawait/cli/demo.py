"""`qawait demo`: a whole experiment through the local service, as a user writes it."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qawait.cli.connection import json_option
from qawait.cli.ending import INTERRUPTED
from qawait.cli.text import clean, say, with_plural

if TYPE_CHECKING:
    from rich.console import Console

    from qawait.cli.experiment import Experiment

__all__ = ["demo"]

_MOST_CIRCUITS = 4096


class _Square(click.IntRange):
    name = "square number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        number = super().convert(value, param, ctx)
        if math.isqrt(number) ** 2 != number:
            self.fail(
                f"{number} is no square number; the grid has as many rows as columns, "
                f"so {math.isqrt(number) ** 2} would do",
                param,
                ctx,
            )
        return number


@click.command()
@click.option(
    "--circuits",
    type=_Square(4, _MOST_CIRCUITS),
    default=400,
    show_default=True,
    help="Points of the landscape, a square number.",
)
@click.option(
    "--shots",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="How often each circuit is measured.",
)
@click.option(
    "--png",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("qawait-demo.png"),
    show_default=True,
    help="Where the picture goes; one that is there is replaced.",
)
@click.option("--no-png", is_flag=True, help="Draw no picture.")
@json_option
def demo(circuits: int, shots: int, png: Path, no_png: bool, as_json: bool) -> int:
    """Map the landscape of a QAOA circuit, on this machine and without an account.

    MaxCut on a graph of 6 nodes: one circuit with two angles, compiled once, bound at
    every point of a grid, sent in jobs of 10 circuits over HTTP to a local service that
    simulates a quantum computer.

    \b
    Examples:
      qawait demo
      qawait demo --circuits 100 --shots 200 --no-png
    """  # noqa: D301
    from qawait.cli import heat_map

    picture = None if no_png else png
    if picture is not None:
        if picture.suffix != ".png":
            raise click.BadParameter(
                f"{picture} does not end in .png", param_hint="--png"
            )
        if not os.access(picture.absolute().parent, os.W_OK):
            raise click.BadParameter(
                f"nothing can be written in {picture.absolute().parent}; name another "
                "place, or choose --no-png",
                param_hint="--png",
            )
        heat_map.check_png()
    from qawait.cli.experiment import Experiment
    from qawait.cli.tables import console, print_json

    # what is told on the way must not disturb the document
    screen = console(stderr=as_json)
    experiment = Experiment(math.isqrt(circuits), shots, screen)
    try:
        asyncio.run(experiment.run())
    except KeyboardInterrupt:
        say("interrupted; the local service has ended, and its jobs with it")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if picture is not None:
        caption = (
            f"MaxCut by QAOA, one layer: {circuits} circuits, {shots} shots each"
            f" ({experiment.target}, simulated)"
        )
        heat_map.save_png(experiment.landscape, picture, caption=caption)
    if as_json:
        print_json(_document(experiment, picture))
    else:
        _show(experiment, picture, screen)
    return 0


def _document(experiment: Experiment, picture: Path | None) -> dict[str, Any]:
    from msgspec.structs import asdict

    from qawait.cli.landscape import EDGES, max_cut

    found = experiment.landscape
    row, column = found.best
    return {
        "target": experiment.target,
        "simulated": True,
        "edges": [list(edge) for edge in EDGES],
        "max_cut": max_cut(),
        "best": {
            "gamma": float(found.gammas[column]),
            "beta": float(found.betas[row]),
            "expected_cut": float(found.cuts[row, column]),
            "standard_error": float(found.errors[row, column]),
            "largest_cut_sampled": experiment.best_sampled,
        },
        "gammas": found.gammas.tolist(),
        "betas": found.betas.tolist(),
        "expected_cuts": found.cuts.tolist(),
        "cost": asdict(experiment.cost),
        "png": None if picture is None else str(picture),
    }


def _show(experiment: Experiment, picture: Path | None, screen: Console) -> None:
    """The map, the best point, and what it cost."""
    from qawait.cli.heat_map import draw
    from qawait.cli.landscape import max_cut

    found, cost, most = experiment.landscape, experiment.cost, max_cut()
    row, column = found.best
    cut, error = found.cuts[row, column], found.errors[row, column]
    lines = [
        f"best angles    gamma {found.gammas[column]:.3f} rad,"
        f" beta {found.betas[row]:.3f} rad",
        f"expected cut   {cut:.2f} +- {error:.2f} edges, {cut / most:.0%} of the true"
        f" maximum of {most} (brute force)",
        f"best sample    {with_plural(experiment.best_sampled, 'edge')}",
        f"cost           {with_plural(cost.jobs, 'job')},"
        f" {with_plural(cost.circuits, 'circuit')}, {with_plural(cost.shots, 'shot')},"
        f" {with_plural(cost.requests, 'request')},",
        f"               {cost.bytes_sent / 2**20:.1f} MiB sent,"
        f" {cost.bytes_received / 2**20:.1f} MiB received, {cost.seconds:.1f} s"
        f" ({cost.seconds_in_total:.1f} s with the start)",
    ]
    if picture is not None:
        lines.append(f"picture        {clean(str(picture))}")
    screen.print()
    screen.print(draw(found, screen), soft_wrap=True)
    screen.print("\n".join(lines), soft_wrap=True)
