"""`qawait results`: the counts of jobs, from any machine, as soon as they are ready."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qawait.cli.completion import job_ids as known_ids
from qawait.cli.connection import Where, json_option, where, where_options
from qawait.cli.ending import BAD_INPUT, NO_RESULT
from qawait.cli.text import clean, say
from qawait.errors import Error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.cli.outcomes import Outcome
    from qawait.cli.saving import Folder
    from qawait.client import Client

__all__ = ["results"]


@click.command()
@click.argument(
    "job_ids", nargs=-1, required=True, metavar="ID...", shell_complete=known_ids
)
@where_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long to wait for jobs that have not ended  [default: as long as it takes]",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write ID-LABEL.json and, where there are single shots, ID-LABEL.npy.",
)
@click.option("--force", is_flag=True, help="Replace files that are in DIR already.")
@json_option
def results(
    job_ids: tuple[str, ...],
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    timeout: float | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Wait for jobs and show their counts.

    \b
    Examples:
      qawait results ID --service qoro:
      qawait results ID ID --service iqm:https://HOST --out results/

    \b
    Exit codes: 0 all have results, 1 some have none (it says why), 2 an input, a
    setting or the service is at fault.
    """  # noqa: D301
    place = where(service, target, tokens_file, command="results")
    from qawait.cli.saving import Folder

    folder = Folder(out, force=force) if out is not None else None
    fetched = asyncio.run(_fetch(place, dict.fromkeys(job_ids), timeout, folder))
    found = [outcome for outcomes in fetched for outcome in outcomes]
    for outcome in found:
        if not outcome.ready:
            say(f"job {outcome.job_id}: {outcome.state}: {outcome.reason}")
    if as_json:
        from qawait.cli.tables import print_json

        print_json({"circuits": [outcome.to_json() for outcome in found]})
    else:
        _show(found)
    if any(outcome.state == "missing" for outcome in found):
        return BAD_INPUT
    return 0 if all(outcome.ready for outcome in found) else NO_RESULT


async def _fetch(
    place: Where,
    job_ids: dict[str, None],
    timeout: float | None,  # noqa: ASYNC109 (the user's own, for each job)
    folder: Folder | None,
) -> list[list[Outcome]]:
    async with place.client() as client:
        return await asyncio.gather(
            *(_outcomes(client, job_id, timeout, folder) for job_id in job_ids)
        )


async def _outcomes(
    client: Client,
    job_id: str,
    timeout: float | None,  # noqa: ASYNC109
    folder: Folder | None,
) -> list[Outcome]:
    from qawait.cli.outcomes import Outcome, of_error, of_result

    job = client.job(job_id)
    try:
        result = await job.result(timeout)
    except Error as error:
        return [of_error(error, job_id, job=job)]
    except TimeoutError:
        return [
            Outcome(
                label=job_id,
                state=job.state.value,
                job_id=job_id,
                target=job.target,
                reason=f"not ready after {timeout:g} s; the job goes on",
            )
        ]
    found = [of_result(result, index) for index in range(len(result))]
    if folder is not None:
        await asyncio.to_thread(_save, folder, found)
    return found


def _names(outcomes: Sequence[Outcome]) -> list[str]:
    """Names for files: the labels are the service's, so they may well be alike."""
    names = [f"{outcome.job_id}-{outcome.label}" for outcome in outcomes]
    if len(set(names)) < len(names):
        names = [f"{outcome.job_id}-{n}" for n, outcome in enumerate(outcomes)]
    return names


def _save(folder: Folder, outcomes: Sequence[Outcome]) -> None:
    names = _names(outcomes)
    folder.check(names)
    for outcome, name in zip(outcomes, names, strict=True):
        folder.save(outcome, name)


def _show(outcomes: Sequence[Outcome]) -> None:
    from qawait.cli.tables import console, counts

    screen = console()
    for outcome in outcomes:
        if outcome.result is None:
            continue
        where = f" on {outcome.target}" if outcome.target else ""
        simulated = " (simulated)" if outcome.simulated else ""
        line = f"job {outcome.job_id}{where}{simulated}, circuit {outcome.label}"
        screen.print(clean(line), soft_wrap=True)
        screen.print(counts(outcome))
        screen.print()
