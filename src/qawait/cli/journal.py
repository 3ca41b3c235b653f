"""`qawait journal`: what a journal holds, whether it is sound, and its data as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qawait.cli.completion import journal_paths
from qawait.cli.connection import json_option
from qawait.cli.ending import BAD_INPUT, NO_RESULT
from qawait.cli.recorded import as_written
from qawait.cli.text import clean, say, with_plural
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from qawait.journal.reading import Reading

__all__ = ["journal"]

_path = click.argument(
    "path",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    shell_complete=journal_paths,
)
_KINDS = {
    ".parquet": "parquet",
    ".npy": "npy",
    ".nc": "netcdf",
    ".zarr": "zarr",
    ".csv": "csv",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def journal() -> None:
    """Look into a journal, with no network and no token.

    \b
    Examples:
      qawait journal ls
      qawait journal ls night.qawait
      qawait journal verify night.qawait
      qawait journal export night.qawait night.parquet
    """  # noqa: D301


@journal.command()
@click.argument(
    "path",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    required=False,
    shell_complete=journal_paths,
)
@json_option
def ls(path: Path | None, as_json: bool) -> int:
    """List the submissions of a journal, also while a program writes it.

    Without a name it lists the journals of clients that were given none.

    \b
    Exit codes: 0 it can be read, 2 it cannot.
    """  # noqa: D301
    if path is None:
        return _list_all(as_json=as_json)
    from qawait.journal.reading import read

    reading = read(path)
    if as_json:
        from qawait.cli.tables import print_json

        print_json(
            {
                "journal": str(path),
                "submissions": [as_written(job) for job in reading.jobs],
            }
        )
        return 0
    _show(reading)
    return 0


def _show(reading: Reading) -> None:
    from qawait.cli.tables import console, table

    made = table(
        *("submission", "standing", "circuits", "shots", "job", ""),
        right=["circuits", "shots"],
        whole=["standing", "job"],
    )
    for job in reading.jobs:
        error = job.error
        made.add_row(
            clean(job.submission_id),
            job.standing.value,
            f"{job.circuits:,}",
            f"{job.shots:,}",
            clean(job.job_id or ""),
            clean(job.evidence if error is None else str(error)),
        )
    console().print(made)
    if reading.alive:
        say(f"a program has it open; this is how it stood at {reading.at:%H:%M:%S} UTC")


def _list_all(*, as_json: bool) -> int:
    from qawait.cli.tables import console, print_json, table
    from qawait.errors import JournalError
    from qawait.journal.home import journal_directory, journals
    from qawait.journal.reading import read

    found: list[tuple[Path, str, dict[str, int]]] = []
    for path in journals(journal_directory()):
        try:
            reading = read(path)
        except JournalError as error:
            say(str(error))
            continue
        target = reading.identity.target if reading.identity else ""
        counts = {name.value: n for name, n in reading.tally.jobs.items()}
        found.append((path, target, counts))
    if as_json:
        print_json(
            {
                "journals": [
                    {"journal": str(path), "target": target, "submissions": counts}
                    for path, target, counts in found
                ]
            }
        )
        return 0
    made = table("journal", "target", "submissions", whole=["journal"])
    for path, target, counts in found:
        told = ", ".join(f"{n:,} {name}" for name, n in counts.items())
        made.add_row(clean(str(path)), clean(target), told)
    console().print(made)
    return 0


@journal.command()
@_path
@json_option
def verify(path: Path, as_json: bool) -> int:
    """Check a journal down to the last byte of its results; nothing is changed.

    \b
    Exit codes: 0 it is sound, 1 something is wrong (one line each), 2 there is none.
    """  # noqa: D301
    from qawait.journal.reading import read
    from qawait.journal.verifying import verify as wrong_with

    wrong = wrong_with(path)
    for line in wrong:
        say(line)
    jobs = () if wrong else read(path).jobs
    results = sum(job.has_result for job in jobs)
    if as_json:
        from qawait.cli.tables import print_json

        counts = {"submissions": len(jobs), "results": results}
        whole = {"journal": str(path), "sound": not wrong, "wrong": list(wrong)}
        print_json(whole | ({} if wrong else counts))
    if wrong or as_json:
        return NO_RESULT if wrong else 0
    click.echo(
        f"{clean(str(path))} is sound: {with_plural(len(jobs), 'submission')},"
        f" {with_plural(results, 'result')}"
    )
    return 0


@journal.command()
@_path
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option(
    "--as",
    "kind",
    type=click.Choice(sorted(_KINDS.values())),
    help="What to write  [default: what the ending of OUT says]",
)
@json_option
def export(path: Path, out: Path, kind: str | None, as_json: bool) -> int:
    """Write the data of a journal: one line for each point that was sent.

    OUT.parquet and OUT.csv are tables with counts; OUT.npy is a directory with the bits
    of each point as a numpy array and a table beside them; OUT.nc and OUT.zarr are
    arrays over the parameters. All but npy need the extra `data`.

    \b
    Examples:
      qawait journal export night.qawait night.parquet
      qawait journal export night.qawait bits --as npy

    \b
    Exit codes: 0 written, 2 it cannot be.
    """  # noqa: D301
    from qawait.journal import tables
    from qawait.journal.reading import read

    kind = kind or _KINDS.get(out.suffix)
    if kind is None:
        endings = ", ".join(_KINDS)
        raise ConfigurationError(
            f"{out}: end its name in one of {endings}, or use --as"
        )
    if out.exists():
        raise ConfigurationError(f"{out} exists; name another one")
    reading = read(path)
    if kind == "parquet":
        written = tables.to_parquet(reading, out)
    elif kind == "npy":
        written = tables.to_npy(reading, out)
    else:
        written = tables.to_other(reading, out, kind)
    if not written:
        say(f"{path} has nothing yet")
        return BAD_INPUT
    if as_json:
        from qawait.cli.tables import print_json

        print_json(
            {"journal": str(path), "out": str(out), "kind": kind, "lines": written}
        )
        return 0
    click.echo(f"{with_plural(written, 'line')} in {clean(str(out))}")
    return 0
