"""`qawait plot`: a picture of what a journal holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from qawait.cli.connection import json_option
from qawait.cli.text import clean
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from qawait.circuit_result import CircuitResult
    from qawait.journal.reading import Reading

__all__ = ["plot"]

_ENDINGS = (".png", ".svg", ".pdf")
What = Literal["counts", "sweep", "timeline", "polling"]


@click.command()
@click.argument("journal", type=click.Path(path_type=Path), metavar="JOURNAL")
@click.option(
    "--what",
    type=click.Choice(["counts", "sweep", "timeline", "polling"]),
    help="What to draw  [default: the sweep if there is one, else the timeline]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Where the picture goes, in {', '.join(_ENDINGS)}; one that is there is"
    " replaced.  [default: JOURNAL-WHAT.png in this directory]",
)
@click.option(
    "--over",
    multiple=True,
    metavar="NAME",
    help="Sweep: a parameter to draw over; twice for a heat map.  [default: those"
    " whose values differ]",
)
@click.option(
    "--value",
    metavar="PAULI|OUTCOME|parity",
    help='Sweep: the mean of a Pauli label in Qiskit\'s order ("IZZ"), the share of an'
    ' outcome ("011"), or the parity.  [default: the parity]',
)
@click.option(
    "--key",
    metavar="POINT",
    help="Counts: of which point or circuit.  [default: the first with a result]",
)
@json_option
def plot(
    journal: Path,
    what: What | None,
    out: Path | None,
    over: tuple[str, ...],
    value: str | None,
    key: str | None,
    as_json: bool,
) -> int:
    """Draw what a journal holds, also while a program writes it.

    counts: the outcomes of one circuit. sweep: a number over one parameter or two.
    timeline: what each job waited for. polling: when it was asked about, and how late
    its end was known.

    \b
    Examples:
      qawait plot night.qawait
      qawait plot night.qawait --what timeline --out night.svg
      qawait plot night.qawait --what sweep --over gamma --over beta --value ZZ

    \b
    Exit codes: 0 drawn, 2 it cannot be.
    """  # noqa: D301
    from qawait.plot.canvas import require_matplotlib

    require_matplotlib("qawait plot")
    from qawait.journal.reading import read

    reading = read(journal)
    if what is None:
        swept = over or value or any(point.parameters for point in reading)
        what = "sweep" if swept else "timeline"
    _check(what, over, value, key)
    name = f"{journal.absolute().name.removesuffix('.qawait')}-{what}.png"
    picture = _writable(Path(name) if out is None else out)
    # the classes themselves: pyplot would look for a screen and keep global state
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=_SIZES[what], layout="constrained")
    FigureCanvasAgg(figure)
    _draw(what, reading, figure.add_subplot(), over=over, value=value, key=key)
    figure.savefig(picture, dpi=150)
    if as_json:
        from qawait.cli.tables import print_json

        print_json({"journal": str(journal), "what": what, "out": str(picture)})
    else:
        click.echo(clean(str(picture)))
    return 0


_SIZES: dict[What, tuple[float, float]] = {
    "counts": (8.0, 6.0),
    "sweep": (8.0, 6.0),
    "timeline": (10.0, 6.0),
    "polling": (8.0, 6.0),
}


def _draw(
    what: What,
    reading: Reading,
    ax: Any,
    *,
    over: tuple[str, ...],
    value: str | None,
    key: str | None,
) -> None:
    from qawait import plot as drawing

    match what:
        case "counts":
            drawing.counts(_circuit(reading, key), ax)
        case "sweep":
            drawing.sweep(reading, *over, value=value, ax=ax)
        case "timeline":
            drawing.timeline(reading, ax)
        case "polling":
            drawing.polling(reading, ax)


def _check(
    what: What, over: tuple[str, ...], value: str | None, key: str | None
) -> None:
    for given, option, belongs in (
        (over, "--over", "sweep"),
        (value, "--value", "sweep"),
        (key, "--key", "counts"),
    ):
        if given and what != belongs:
            raise click.UsageError(f"{option} belongs to --what {belongs}, not {what}")


def _writable(picture: Path) -> Path:
    if picture.suffix not in _ENDINGS:
        raise ConfigurationError(
            f"{picture}: end its name in one of {', '.join(_ENDINGS)}"
        )
    if not os.access(picture.absolute().parent, os.W_OK):
        raise ConfigurationError(
            f"nothing can be written in {picture.absolute().parent}; name another place"
            " with --out"
        )
    return picture


def _circuit(reading: Reading, key: str | None) -> CircuitResult:
    """The result of a point, or of a circuit of a job without points."""
    if key is not None and key in reading.points:
        return reading.points[key].result()
    for job in reading.jobs:
        if not job.has_result:
            continue
        result = job.result()
        if key is None:
            return result[0]
        if not job.points and key in result:
            return result[key]
    if key is None:
        raise ConfigurationError(f"{reading.path} has no result yet")
    raise ConfigurationError(
        f"{reading.path} has no result of a point or circuit {key!r};"
        " `qawait journal export` lists them"
    )
