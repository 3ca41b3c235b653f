"""`qawait status` and `qawait cancel`: how jobs stand, from any machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from qawait.cli.completion import job_ids as known_ids
from qawait.cli.connection import Where, json_option, where, where_options
from qawait.cli.ending import BAD_INPUT
from qawait.cli.standing import tell_journals
from qawait.cli.text import clean, say
from qawait.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from qawait.model import Status

__all__ = ["cancel", "status"]

_ids = click.argument(
    "job_ids", nargs=-1, required=True, metavar="ID...", shell_complete=known_ids
)


@click.command()
@click.argument(
    "job_ids",
    nargs=-1,
    required=True,
    metavar="ID|JOURNAL...",
    shell_complete=known_ids,
)
@where_options
@json_option
def status(
    job_ids: tuple[str, ...],
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Say how jobs stand, with one question for each.

    Of a journal it says how everything in it stands, and asks nobody.

    \b
    Examples:
      qawait status ID --service qoro:
      QAWAIT_SERVICE=iqm:https://HOST qawait status ID ID --json
      qawait status night.qawait

    \b
    Exit codes: 0 the service knows them all, whatever their state, 2 it does not.
    """  # noqa: D301
    paths = [Path(name) for name in job_ids if _is_path(name)]
    if paths:
        if len(paths) < len(job_ids):
            raise click.UsageError("name jobs or journals, not both")
        return tell_journals(paths, as_json=as_json)
    place = where(service, target, tokens_file, command="status")
    return asyncio.run(_stand(place, job_ids, as_json=as_json, cancelling=False))


def _is_path(name: str) -> bool:
    """Whether this is meant for a journal; ids have no separators.

    Raises:
        ConfigurationError: It can be neither.
    """
    from qawait.journal.places import is_journal

    path = Path(name)
    if os.sep not in name:
        return is_journal(path)
    if not path.is_dir():
        raise ConfigurationError(
            f"{name!r} cannot be a job id, and there is no such journal"
        )
    return True


@click.command()
@_ids
@where_options
@json_option
def cancel(
    job_ids: tuple[str, ...],
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Ask the service to cancel jobs, and say how they stand afterwards.

    A job that has ended is left as it is.

    \b
    Example:
      qawait cancel ID ID --service iqm:https://HOST

    \b
    Exit codes: 0 the service knows them all, 2 it does not.
    """  # noqa: D301
    place = where(service, target, tokens_file, command="cancel")
    return asyncio.run(_stand(place, job_ids, as_json=as_json, cancelling=True))


class _Standing(Struct, frozen=True):
    job_id: str
    status: Status

    @property
    def state(self) -> str:
        end = self.status.end
        if end is not None:
            return end.value
        return "in progress" if self.status.state is None else self.status.state.value

    def to_json(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "state": self.state,
            "raw": self.status.raw,
            "queue_position": self.status.queue_position,
            "run_time": self.status.run_time,
            "message": self.status.message,
        }


async def _stand(
    place: Where, job_ids: tuple[str, ...], *, as_json: bool, cancelling: bool
) -> int:
    from qawait.cli.tables import console, print_json, state, table

    found: list[_Standing] = []
    unknown = 0
    async with place.client() as client:
        for job_id in dict.fromkeys(job_ids):
            job = client.job(job_id)
            try:
                if cancelling:
                    await job.cancel()
                found.append(_Standing(job_id, await client.status(job_id)))
            except NotFound as error:
                unknown += 1
                say(f"{place.name} does not know the job {job_id} ({error.message})")
    if as_json:
        print_json({"jobs": [standing.to_json() for standing in found]})
    elif found:
        made = table(
            "job", "state", "service's word", "ahead", "", whole=["job", "state"]
        )
        for standing in found:
            ahead = standing.status.queue_position
            made.add_row(
                clean(standing.job_id),
                state(standing.state),
                clean(standing.status.raw),
                "" if ahead is None else str(ahead),
                clean(standing.status.message or ""),
            )
        console().print(made)
    return BAD_INPUT if unknown else 0
