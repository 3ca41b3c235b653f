"""`qawait doctor`: what stands in the way of using a service from this machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qawait.cli.completion import services as known_services
from qawait.cli.completion import targets
from qawait.cli.connection import Where, json_option, where
from qawait.cli.ending import NO_RESULT
from qawait.cli.text import clean, say, with_plural
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.cli.checks import Check

__all__ = ["doctor"]

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command()
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="SERVICE",
    shell_complete=known_services,
    help="iqm:URL, qoro:URL (or qoro:), or local; more than once for several"
    "  [default: QAWAIT_SERVICE, else local]",
)
@click.option(
    "--target",
    metavar="NAME",
    shell_complete=targets,
    help="Machine or cluster to look for.",
)
@click.option(
    "--tokens-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="IQM's tokens file, instead of a token in the environment.",
)
@json_option
def doctor(
    services: tuple[str, ...],
    target: str | None,
    tokens_file: Path | None,
    as_json: bool,
) -> int:
    """Look for what stands in the way of using a service, and say what to do.

    Of this machine: versions, a proxy that is not used, and the disk on which journals
    are kept. Of each service: whether there is a token and when it ends, whether the
    service answers a question or two, and whether its clock goes with this machine's.

    \b
    Examples:
      qawait doctor
      qawait doctor --service iqm:https://HOST --service qoro:
      qawait doctor --json

    \b
    Exit codes: 0 nothing has failed, 1 something has (the line says what to do),
    130 interrupted.
    """  # noqa: D301
    checks = _all(services or (None,), target, tokens_file)
    failed = sum(check.verdict == "fail" for check in checks)
    if as_json:
        import msgspec

        from qawait.cli.tables import print_json

        print_json({"checks": msgspec.to_builtins(checks), "sound": not failed})
    else:
        _show(checks)
        warned = sum(check.verdict == "warn" for check in checks)
        say(
            f"{with_plural(len(checks), 'check')}: {failed} failed,"
            f" {with_plural(warned, 'warning')}"
        )
    return NO_RESULT if failed else 0


def _all(
    services: Sequence[str | None], target: str | None, tokens_file: Path | None
) -> list[Check]:
    from qawait.cli import checks
    from qawait.journal.home import journal_directory

    found = [*checks.versions(), checks.disk(journal_directory()), checks.proxy()]
    # what reads files goes before what is asked side by side
    begun = [_begun(one, target, tokens_file) for one in dict.fromkeys(services)]
    if any(place is not None for _, place in begun):
        asyncio.run(_finished(begun))
    return found + [check for told, _ in begun for check in told]


def _begun(
    service: str | None, target: str | None, tokens_file: Path | None
) -> tuple[list[Check], Where | None]:
    """What is told of a service without asking it; and the service, if it is asked."""
    from qawait._address import checked_root
    from qawait.cli.asking import token_check
    from qawait.cli.checks import FAIL, Check, simulator

    named = service or os.environ.get("QAWAIT_SERVICE") or ""
    # it belongs to those services of several that have such a thing
    own = tokens_file if named.startswith("iqm:") else None
    try:
        place = where(service, target, own)
        if place.service is not None:
            checked_root(place.service.url)
    except ConfigurationError as error:
        told = Check(
            name="setting",
            service=service,
            verdict=FAIL,
            said=str(error),
            advice="`qawait config` shows where each setting comes from",
        )
        return [told], None
    if place.service is None:
        return [simulator()], None
    token = token_check(place, own)
    return [token], None if token.verdict == FAIL else place


async def _finished(begun: Sequence[tuple[list[Check], Where | None]]) -> None:
    """Ask the services, and add what they say to what is told of them."""
    from qawait.cli.asking import answer_checks

    asked = [(told, place) for told, place in begun if place is not None]
    answers = await asyncio.gather(*(answer_checks(place) for _, place in asked))
    for (told, _), found in zip(asked, answers, strict=True):
        told += found


def _show(checks: Sequence[Check]) -> None:
    from rich.text import Text

    from qawait.cli.tables import console

    screen = console()
    width = max(len(check.name) for check in checks)
    about: str | None = None
    for check in checks:
        if check.service != about:
            about = check.service
            screen.print(f"\n{clean(about or '')}", soft_wrap=True)
        line = Text()
        line.append(f"{check.verdict:4}", style=_STYLES[check.verdict])
        line.append(f"  {check.name:{width}}  {clean(check.said)}")
        screen.print(line, soft_wrap=True)
        if check.advice is not None:
            lead = " " * (width + 8)
            screen.print(f"{lead}{clean(check.advice)}", soft_wrap=True)
