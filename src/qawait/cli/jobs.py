"""`qawait jobs`: what this user's programs have sent, from their journals."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from qawait.cli.connection import json_option
from qawait.cli.text import clean, say
from qawait.errors import JournalError

if TYPE_CHECKING:
    from qawait.journal.reading import ReadJob

__all__ = ["jobs"]

_LIMIT = 50
_COARSE = 1.0
"""Seconds by which a file system's times may be behind."""


@click.command()
@click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path), metavar="[JOURNAL]..."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=_LIMIT,
    show_default=True,
    help="How many are shown.",
)
@click.option("--all", "everything", is_flag=True, help="Show them all.")
@json_option
def jobs(paths: tuple[Path, ...], limit: int, everything: bool, as_json: bool) -> int:
    """List jobs, the newest first, with no network and no token.

    They are read from the journals of clients that were given none, or from those that
    are named, also while a program writes them.

    \b
    Examples:
      qawait jobs
      qawait jobs night.qawait --all --json

    \b
    Exit codes: 0 listed, 2 a journal that was named cannot be read.
    """  # noqa: D301
    wanted = None if everything else limit
    if paths:
        found = [one for path in paths for one in _in(path)]
        found.sort(key=_Listed.when, reverse=True)
        is_all = wanted is None or len(found) <= wanted
        found = found[:wanted]
    else:
        found, is_all = _newest(wanted)
    if as_json:
        from qawait.cli.tables import print_json

        print_json({"jobs": [one.to_json() for one in found], "complete": is_all})
        return 0
    if found:
        _show(found)
    else:
        say("no jobs are written down")
    if not is_all:
        say(f"these are the {len(found)} newest; --all shows the older ones too")
    return 0


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


def _in(path: Path) -> list[_Listed]:
    from qawait.journal.reading import read

    reading = read(path)
    return [_Listed(job, path, reading.alive) for job in reading.jobs]


def _newest(wanted: int | None) -> tuple[list[_Listed], bool]:
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
            found += _in(path)
        except (JournalError, OSError) as error:
            say(str(error))
        found.sort(key=_Listed.when, reverse=True)
    return found[:wanted], wanted is None or len(found) <= wanted


def _show(found: list[_Listed]) -> None:
    from qawait.cli.recorded import age, state_of
    from qawait.cli.tables import console, state, table

    made = table(
        *("job", "target", "state", "circuits", "shots", "age", "tag", "journal"),
        right=["circuits", "shots", "age"],
        whole=["job", "state", "circuits", "shots", "age"],
    )
    for one in found:
        job = one.job
        made.add_row(
            clean(job.job_id or f"({job.submission_id})"),
            clean(job.target),
            state(state_of(job)),
            f"{job.circuits:,}",
            f"{job.shots:,}",
            age(job.written_at),
            clean(job.tag or ""),
            clean(f"{one.journal.name}{', in use' if one.in_use else ''}"),
        )
    console().print(made)
