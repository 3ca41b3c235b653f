"""`qawait config`: every setting, and where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qawait.cli.connection import json_option, where, where_options
from qawait.cli.ending import BAD_INPUT
from qawait.cli.text import clean, say
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["config"]


@click.command()
@where_options
@json_option
def config(
    service: str | None,
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Show every setting and where it came from; secrets are hidden.

    A setting is an argument, else a variable, else what a file says, else a default.
    Nothing is asked of a service; `qawait doctor` does that.

    \b
    Examples:
      qawait config
      qawait config --service qoro: --json

    \b
    Exit codes: 0 all can be used, 2 one cannot (it says why).
    """  # noqa: D301
    from qawait.cli.settings import settings

    place, problem = None, None
    try:
        place = where(service, target, tokens_file)
    except ConfigurationError as error:
        problem = str(error)
    found = settings(
        place,
        problem=problem,
        service=service,
        target=target,
        tokens_file=tokens_file,
    )
    if as_json:
        import msgspec

        from qawait.cli.tables import print_json

        print_json({"settings": msgspec.to_builtins(found)})
    else:
        from qawait.cli.tables import console, table

        made = table("setting", "value", "from", whole=["setting"])
        for one in found:
            came = one.source if one.origin is None else f"{one.source} {one.origin}"
            made.add_row(clean(one.name), clean(one.value or "not set"), clean(came))
        console().print(made)
    wrong = [one for one in found if one.problem is not None]
    for one in wrong:
        say(f"{one.name}: {one.problem}")
    return BAD_INPUT if wrong else 0
