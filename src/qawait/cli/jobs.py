"""`qawait jobs`: what this user's programs have sent, from their journals."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from qawait.cli.completion import journal_paths
from qawait.cli.connection import json_option
from qawait.cli.text import clean, say, with_plural
from qawait.errors import JournalError

if TYPE_CHECKING:
    from qawait.journal.reading import ReadJob
    from qawait.journal.records import Standing

__all__ = ["jobs"]

_LIMIT = 50
_COARSE = 1.0
"""Seconds by which a file system's times may be behind."""


@click.command()
@click.argument(
    "paths",
    nargs=-1,
    type=click.Path(path_type=Path),
    metavar="[JOURNAL]...",
    shell_complete=journal_paths,
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="How many are shown.",
)
@click.option(
    "--open",
    "only_open",
    is_flag=True,
    help="Only those whose end is not written down: under way, uncertain, missing.",
)
@click.option("--all", "everything", is_flag=True, help="Show them all.")
@json_option
def jobs(
    paths: tuple[Path, ...],
    limit: int,
    only_open: bool,
    everything: bool,
    as_json: bool,
) -> int:
    """List jobs, the newest first, with no network and no token.

    They are read from the journals of clients that were given none, or from those that
    are named, also while a program writes them.

    \b
    Examples:
      qawait jobs
      qawait jobs --open
      qawait jobs night.qawait --all --json

    \b
    Exit codes: 0 listed, 2 a journal that was named cannot be read.
    """  # noqa: D301
    wanted = None if everything else limit
    if paths:
        found = [one for path in paths for one in _in(path, only_open=only_open)]
        found.sort(key=_Listed.when, reverse=True)
        is_all = wanted is None or len(found) <= wanted
        found = found[:wanted]
    else:
        found, is_all = _newest(wanted, only_open=only_open)
    if as_json:
        from qawait.cli.tables import print_json

        print_json({"jobs": [one.to_json() for one in found], "complete": is_all})
        return 0
    if found:
        _show(found)
    else:
        say(_nothing(paths, only_open=only_open))
    uncertain = [one for one in found if one.job.standing in _uncertain()]
    if uncertain:
        path = uncertain[0].journal
        say(
            f"{with_plural(len(uncertain), 'submission')} may be running and billed:"
            f" qawait explain {shlex.quote(str(path))}"
        )
    if not is_all:
        say(f"these are the {len(found)} newest; --all shows the older ones too")
    return 0


def _nothing(paths: tuple[Path, ...], *, only_open: bool) -> str:
    from qawait.journal.home import journal_directory

    where = ", ".join(map(str, paths)) or str(journal_directory())
    if only_open:
        return f"no job is open in {where}"
    if paths:
        return f"no jobs are written down in {where}"
    return (
        f"no jobs are written down in {where}; programs keep a journal there of what "
        "they send to a service that is not on this machine"
    )


def _uncertain() -> frozenset[Standing]:
    from qawait.journal.records import Standing

    return frozenset({Standing.UNKNOWN, Standing.MISSING})


class _Listed(Struct, frozen=True):
    job: ReadJob
    journal: Path
    in_use: bool

    def when(self) -> float:
        return self.job.written_at.timestamp()

    def to_json(self) -> dict[str, Any]:
        from qawait.cli.recorded import to_json

        about = to_json(self.job)
        return {**about, "journal": str(self.journal), "in_use": self.in_use}


def _in(path: Path, *, only_open: bool) -> list[_Listed]:
    from qawait.cli.recorded import OVER
    from qawait.journal.reading import read

    reading = read(path)
    return [
        _Listed(job, path, reading.alive)
        for job in reading.jobs
        if not (only_open and job.standing in OVER)
    ]


def _newest(wanted: int | None, *, only_open: bool) -> tuple[list[_Listed], bool]:
    """So many jobs of all journals, the newest first, and whether there are no more.

    The journals are read from the one that was written last; none of their jobs can be
    newer than that.
    """
    from qawait.journal.home import journal_directory, journals, last_written

    found: list[_Listed] = []
    paths: list[tuple[float, Path]] = []
    for path in journals(journal_directory()):
        with contextlib.suppress(OSError):
            paths.append((last_written(path), path))
    for until, path in sorted(paths, reverse=True):
        if (
            wanted is not None
            and len(found) >= wanted
            and found[wanted - 1].when() > until + _COARSE
        ):
            return found[:wanted], False
        try:
            found += _in(path, only_open=only_open)
        except (JournalError, OSError) as error:
            say(str(error))
        found.sort(key=_Listed.when, reverse=True)
    return found[:wanted], wanted is None or len(found) <= wanted


_WIDE, _MIDDLE = 120, 95
"""Columns from which all is shown, and all but the journal; ids are never broken."""


def _show(found: list[_Listed]) -> None:
    from qawait.cli.recorded import age, state_of
    from qawait.cli.tables import console, state, table

    screen = console()
    wide, middle = screen.width >= _WIDE, screen.width >= _MIDDLE
    numbers = ["circuits", "shots"] if middle else []
    made = table(
        *("job", "state", *numbers, "age", "target"),
        *(["tag"] if middle and any(one.job.tag for one in found) else []),
        *(["journal"] if wide else []),
        right=[*numbers, "age"],
        whole=["job", "state", *numbers, "age"],
    )
    for one in found:
        job = one.job
        row = {
            "job": clean(job.job_id or f"({job.submission_id})"),
            "state": state(state_of(job)),
            "circuits": f"{job.circuits:,}",
            "shots": f"{job.shots:,}",
            "age": age(job.written_at),
            "target": clean(job.target),
            "tag": clean(job.tag or ""),
            "journal": clean(f"{one.journal.name}{', in use' if one.in_use else ''}"),
        }
        made.add_row(*(row[str(column.header)] for column in made.columns))
    screen.print(made)
