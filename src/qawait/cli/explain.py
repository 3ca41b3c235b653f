"""`qawait explain`: what is open in a journal, why, and the command that goes on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from qawait.cli.completion import journal_paths
from qawait.cli.connection import json_option
from qawait.cli.ending import NO_RESULT
from qawait.cli.text import clean, say, with_plural

if TYPE_CHECKING:
    from qawait.journal.reading import Reading, ReadJob

__all__ = ["explain"]


@click.command()
@click.argument(
    "journal",
    type=click.Path(path_type=Path),
    metavar="JOURNAL",
    shell_complete=journal_paths,
)
@json_option
def explain(journal: Path, as_json: bool) -> int:
    """Say of everything open in a journal what is known of it, and how to go on.

    For each submission without an end three things: the id of its job, what became of
    it, and the command that goes on. Nothing is asked and nothing is changed.

    \b
    Example:
      qawait explain night.qawait

    \b
    Exit codes: 0 nothing is open, 1 something is, 2 the journal cannot be read.
    """  # noqa: D301
    from qawait.journal.reading import read

    reading = read(journal)
    found = open_items(reading)
    if as_json:
        from qawait.cli.tables import print_json

        rows = [one.to_json() for one in found]
        print_json({"journal": str(journal), "in_use": reading.alive, "open": rows})
    else:
        _show(reading, found)
    return NO_RESULT if found else 0


class OpenItem(Struct, frozen=True):
    """A submission that is not over, or that came to nothing."""

    job: ReadJob
    outcome: str
    """`unknown`, `accepted`, `missing` or `rejected`."""
    evidence: str
    """What that means, and by what it is known."""
    resume: str | None = None
    """The command that goes on; None where only the program itself can."""
    otherwise: str | None = None
    """The command for the other case, where the user has to find out which it is."""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "submission_id": self.job.submission_id,
            "job_id": self.job.job_id,
            "outcome": self.outcome,
            "evidence": self.evidence,
            "resume": self.resume,
            "otherwise": self.otherwise,
        }


def open_items(reading: Reading) -> list[OpenItem]:
    """Everything in a journal that is open, the oldest first."""
    found = (_open(reading, job) for job in reading.jobs)
    return [one for one in found if one is not None]


def _open(reading: Reading, job: ReadJob) -> OpenItem | None:
    from qawait._resuming import resume_command
    from qawait.journal.records import EMBEDDED, Standing

    follow = resume_command(reading.path)
    owner = reading.identity
    gone = owner is not None and owner.endpoint == EMBEDDED
    match job.standing:
        case Standing.ACCEPTED if gone and not reading.alive:
            return OpenItem(
                job,
                "accepted",
                "it ended with the local simulator it ran on; run the program again",
            )
        case Standing.ACCEPTED:
            said = f", which last said {job.raw!r}" if job.raw else ""
            return OpenItem(
                job,
                "accepted",
                f"the service has it{said}; its end is not written down yet",
                follow,
            )
        case Standing.UNKNOWN:
            meaning = (
                "it may be running and billed, or may never have arrived; it is not "
                "sent again by itself"
            )
        case Standing.MISSING:
            meaning = (
                "the service accepted it and later did not know it; it may have run"
            )
        case Standing.REJECTED if not _sent_again(reading, job):
            return OpenItem(
                job,
                "rejected",
                "nothing of it runs; correct it and run the program again"
                f"{_because(job)}",
            )
        case _:
            return None
    one = f"{follow} --submission {shlex.quote(job.submission_id)} --unknown"
    return OpenItem(
        job,
        job.standing.value,
        f"{meaning}{_because(job)}",
        f"{one} adopt {shlex.quote(job.job_id) if job.job_id else 'ID'}",
        f"{one} resubmit",
    )


def _sent_again(reading: Reading, job: ReadJob) -> bool:
    """Whether all points of a submission have gone out in another one."""
    points = [reading.points[point.key] for point in job.points]
    return bool(points) and all(
        point.job.submission_id != job.submission_id for point in points
    )


def _because(job: ReadJob) -> str:
    why = job.evidence or ("" if job.error is None else str(job.error))
    return f" ({why})" if why else ""


def _show(reading: Reading, found: list[OpenItem]) -> None:
    from qawait.cli.recorded import age

    for one in found:
        job = one.job
        tag = f", {job.tag!r}" if job.tag else ""
        about = (
            f"submission {job.submission_id}{tag}: {with_plural(job.circuits, 'circuit')}"
            f" to {job.target}, {age(job.written_at)} ago"
        )
        click.echo(clean(about))
        click.echo(f"  job_id   {clean(job.job_id or 'not known')}")
        click.echo(f"  outcome  {clean(f'{one.outcome}: {one.evidence}')}")
        click.echo(f"  resume   {_whole(one.resume or 'by the program itself')}")
        if one.otherwise:
            click.echo(f"  or       {_whole(one.otherwise)}")
    for anomaly in reading.anomalies:
        say(
            f"submission {anomaly.submission_id}: {anomaly.kind} at "
            f"{anomaly.at:%Y-%m-%d %H:%M:%S} UTC: {anomaly.detail}"
        )
    if any(one.otherwise for one in found):
        say("adopt ID: its job is at the service; resubmit: it certainly is not")
    if not found:
        click.echo(f"nothing is open in {clean(str(reading.path))}")
    elif reading.alive:
        say("a program has it open; what goes on works once that has ended")


def _whole(command: str) -> str:
    """A command as it is pasted, harmless: no space of it is lost and nothing cut off."""
    return "".join(c if c.isprintable() else "?" for c in command)
