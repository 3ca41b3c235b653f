"""`qawait resume`: bring in what a journal has sent, and decide what is uncertain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qawait.cli.completion import journal_paths
from qawait.cli.connection import json_option, where, where_options
from qawait.cli.ending import INTERRUPTED, NO_RESULT
from qawait.cli.text import clean, say, with_plural
from qawait.errors import ConfigurationError, SubmissionUncertain

if TYPE_CHECKING:
    from qawait._sweep.point import Point
    from qawait.cli.connection import Where
    from qawait.journal.reading import Reading
    from qawait.journal.records import Identity

__all__ = ["resume"]

_LOCAL = "the local simulator"


@click.command()
@click.argument(
    "journal",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    shell_complete=journal_paths,
)
@click.argument("job_id", required=False, metavar="[ID]")
@click.option(
    "--unknown",
    type=click.Choice(["keep", "adopt", "resubmit"]),
    default="keep",
    show_default=True,
    help="What to do about submissions that may be running: leave them as they are;"
    " take ID for the job of one; or let the program send them again.",
)
@click.option(
    "--submission",
    metavar="ID",
    help="Which of them, by its name in the journal  [default: all]",
)
@where_options
@json_option
def resume(
    journal: Path,
    job_id: str | None,
    unknown: str,
    submission: str | None,
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Follow the jobs of a journal to their end, and show what is uncertain.

    Nothing is submitted. The program that began may hold more circuits: run it again
    with the same journal, and it sends only what is missing. Without --service it is
    the service that the journal names.

    \b
    Examples:
      qawait resume night.qawait
      qawait resume night.qawait --unknown adopt 0af3-77 --submission 5e1c-02
      qawait resume night.qawait --unknown resubmit

    \b
    Exit codes: 0 everything that was sent has a result, 1 something has none,
    2 the journal or the service cannot be used, 130 interrupted.
    """  # noqa: D301
    if (unknown == "adopt") != (job_id is not None):
        raise click.UsageError(
            "--unknown adopt takes the ID of a job, and nothing else"
        )
    from qawait.journal.reading import read

    reading = read(journal)
    identity = reading.identity
    if identity is None:
        raise ConfigurationError(f"{journal} does not say whose it is")
    if unknown != "keep":
        asyncio.run(_resolve(reading, identity, unknown, submission, job_id))
    if identity.endpoint == _LOCAL:
        raise ConfigurationError(
            f"the jobs of {journal} ended with the local simulator they ran on; run the "
            "program again, and it sends what is missing"
        )
    place = _place(identity, service, target, tokens_file)
    try:
        points = asyncio.run(_follow(journal, place))
    except KeyboardInterrupt:
        say("interrupted; jobs already sent go on")
        raise click.exceptions.Exit(INTERRUPTED) from None
    _show(journal, points, as_json=as_json)
    return 0 if all(point.error is None for point in points) else NO_RESULT


def _place(
    identity: Identity,
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
) -> Where:
    if service is None:
        kind = "qoro" if identity.dialect.startswith("qoro") else "iqm"
        service = f"{kind}:{identity.endpoint.rstrip('/')}"
    return where(service, target or identity.target, tokens_file)


async def _resolve(
    reading: Reading,
    identity: Identity,
    choice: str,
    submission: str | None,
    job_id: str | None,
) -> None:
    from qawait.journal.file import FileJournal
    from qawait.journal.records import Standing

    uncertain = (Standing.UNKNOWN, Standing.MISSING)
    known = [job.submission_id for job in reading.jobs if job.standing in uncertain]
    chosen = [name for name in known if submission in (None, name)]
    if not chosen:
        what = "nothing" if submission is None else f"no submission {submission}"
        raise ConfigurationError(f"{what} is uncertain in {reading.path}")
    if choice == "adopt" and len(chosen) > 1:
        names = ", ".join(chosen)
        raise ConfigurationError(
            f"{len(chosen)} submissions are uncertain; choose one with --submission: "
            f"{names}"
        )
    journal = await FileJournal.open(reading.path, identity)
    try:
        for name in chosen:
            await journal.resolve(name, choice, job_id)
    finally:
        await journal.close()


async def _follow(journal: Path, place: Where) -> list[Point]:
    points: list[Point] = []
    async with place.client() as client, client.resume(journal) as sweep:
        async for point in sweep:
            points.append(point)  # noqa: PERF401 (what is here stays, if one raises)
    return points


def _show(journal: Path, points: list[Point], *, as_json: bool) -> None:
    from qawait.cli.tables import console, print_json, state, table

    rows = [_row(point) for point in points]
    if as_json:
        print_json({"journal": str(journal), "points": rows})
        return
    if rows:
        made = table("point", "state", "job", "", whole=["state", "job"])
        for row in rows:
            made.add_row(
                clean(row["key"]),
                state(row["state"]),
                clean(row["job_id"] or ""),
                clean(" ".join(filter(None, (row["error"], row["evidence"])))),
            )
        console().print(made)
    ready = sum(row["error"] is None for row in rows)
    uncertain = len(
        {row["submission_id"] for row in rows if row["state"] == "uncertain"}
    )
    say(
        f"{with_plural(ready, 'result')} brought in; the program may hold more points: "
        "run it again with the same journal"
    )
    if uncertain:
        say(
            f"{with_plural(uncertain, 'submission')} may be running: "
            f"qawait resume {journal} --unknown adopt ID, or --unknown resubmit"
        )


def _row(point: Point) -> dict[str, Any]:
    error = point.error
    from qawait.cli.outcomes import state_after

    uncertain = isinstance(error, SubmissionUncertain)
    return {
        "key": point.key,
        "state": state_after(error),
        "job_id": point.job_id,
        "submission_id": point.submission_id,
        "error": None if error is None else str(getattr(error, "message", error)),
        "evidence": error.evidence if uncertain else None,
    }
