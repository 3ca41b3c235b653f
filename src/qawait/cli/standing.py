"""How everything in a journal stands, for `qawait status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qawait.cli.text import clean, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qawait.journal.reading import Reading, ReadJob

__all__ = ["tell_journals"]

_MOST_ROWS = 50


def tell_journals(paths: Sequence[Path], *, as_json: bool) -> int:
    """Show how the submissions of journals stand; what is not over one by one."""
    from qawait.journal.reading import read

    readings = [read(path) for path in paths]
    if as_json:
        from qawait.cli.tables import print_json

        print_json({"journals": [_to_json(reading) for reading in readings]})
        return 0
    for reading in readings:
        _show(reading)
    return 0


def _not_over(reading: Reading) -> list[ReadJob]:
    """What is under way, uncertain or missing; the newest first."""
    from qawait.cli.recorded import OVER

    return [job for job in reversed(reading.jobs) if job.standing not in OVER]


def _to_json(reading: Reading) -> dict[str, Any]:
    from qawait.cli.recorded import to_json

    owner, tally = reading.identity, reading.tally
    return {
        "journal": str(reading.path),
        "target": owner.target if owner else None,
        "endpoint": owner.endpoint if owner else None,
        "in_use": reading.alive,
        "at": reading.at.isoformat(),
        "submissions": {name.value: n for name, n in tally.jobs.items()},
        "circuits": {name.value: n for name, n in tally.circuits.items()},
        "shots": {name.value: n for name, n in tally.shots.items()},
        "open": [to_json(job) for job in _not_over(reading)],
    }


def _show(reading: Reading) -> None:
    from qawait.cli.recorded import age, state_of
    from qawait.cli.tables import console, state, table
    from qawait.journal.records import Standing

    owner, tally = reading.identity, reading.tally
    whose = f"{owner.target} at {owner.endpoint}" if owner else "it does not say whose"
    use = f"in use, as of {reading.at:%H:%M:%S} UTC" if reading.alive else "not in use"
    click.echo(clean(f"{reading.path}: {whose}; {use}"))
    numbers = ["submissions", "circuits", "shots"]
    made = table("standing", *numbers, right=numbers)
    for name in Standing:
        if name in tally.jobs:
            counts = (tally.jobs[name], tally.circuits[name], tally.shots[name])
            made.add_row(name.value, *(f"{n:,}" for n in counts))
    console().print(made)
    unfinished = _not_over(reading)
    if unfinished:
        made = table(
            *("job", "state", "service's word", "circuits", "age", ""),
            right=["circuits", "age"],
            whole=["job", "state", "age"],
        )
        for job in unfinished[:_MOST_ROWS]:
            made.add_row(
                clean(job.job_id or f"({job.submission_id})"),
                state(state_of(job)),
                clean(job.raw),
                f"{job.circuits:,}",
                age(job.written_at),
                clean(job.evidence),
            )
        click.echo()
        console().print(made)
    if len(unfinished) > _MOST_ROWS:
        say(f"and {len(unfinished) - _MOST_ROWS:,} more; --json has them all")
