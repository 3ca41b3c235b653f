"""`qawait run`: files in, a table of outcomes out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from qawait.cli.completion import files
from qawait.cli.connection import json_option, where, where_options
from qawait.cli.ending import INTERRUPTED, NO_RESULT
from qawait.cli.text import say

__all__ = ["run"]


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", shell_complete=files
)
@click.option(
    "--shots",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How often each circuit is measured.",
)
@where_options
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write NAME.json (counts) and, where the service gives single shots, NAME.npy"
    " (shots x bits, column j is bit j) for each circuit.",
)
@click.option("--force", is_flag=True, help="Replace files that are in DIR already.")
@click.option(
    "--measure-all",
    is_flag=True,
    help="Measure every qubit of circuits that measure none.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Circuits in one job.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The transpiler's: the same seed compiles to the same circuit.",
)
@json_option
def run(
    files: tuple[str, ...],
    shots: int,
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    out: Path | None,
    force: bool,
    measure_all: bool,
    batch: int,
    seed: int,
    as_json: bool,
) -> int:
    """Run OpenQASM 2 and 3 files, each as a job of its own.

    All files are read, checked and compiled before the first one is sent. Without
    --service they run on a simulator on this machine.

    \b
    Examples:
      qawait run circuits/*.qasm --shots 1000
      qawait run circuits/*.qasm --out results/ --service qoro:
      qawait run a.qasm b.qasm --batch 2 --json --service iqm:https://HOST

    \b
    Exit codes: 0 every circuit has a result, 1 some have none (the table says why),
    2 an input, a setting or the service is at fault and nothing was sent.
    """  # noqa: D301
    place = where(service, target, tokens_file)
    from qawait.cli.inputs import read_files

    sources = read_files(files, measure_all=measure_all)
    from qawait.cli.saving import Folder
    from qawait.cli.work import Work

    folder = None
    if out is not None:
        folder = Folder(out, force=force)
        folder.check(source.label for source in sources)
    work = Work(place, sources, folder)
    try:
        asyncio.run(work.all(shots=shots, batch=batch, seed=seed))
    except KeyboardInterrupt:
        say(work.interrupted(), longest=None)
        if (command := work.to_go_on()) is not None:
            say(command, longest=None)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if as_json:
        from qawait.cli.tables import print_json

        print_json(work.to_json(shots))
    else:
        work.show(shots)
    return 0 if all(outcome.ready for outcome in work.outcomes) else NO_RESULT
