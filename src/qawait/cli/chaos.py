"""`qawait chaos`: kill a sweeping program again and again, and count what that cost."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import click

from qawait.chaos.plan import FAULTS, PROTOCOLS, Plan
from qawait.cli.connection import json_option
from qawait.cli.ending import INTERRUPTED, NO_RESULT
from qawait.cli.text import clean, say, with_plural

if TYPE_CHECKING:
    from qawait.chaos.verdict import Verdict

__all__ = ["chaos"]

_SHOWN = 5
"""Things that went wrong, of one kind."""


@click.command()
@click.option(
    "--kills",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How often a program is killed.",
)
@click.option(
    "--faults",
    default=FAULTS,
    metavar="SCRIPT",
    help="What goes wrong at the service besides, as for qawait serve; '' for nothing."
    "  [default: lost answers, failed questions]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Of the faults and the moments.  [default: a new one each time]",
)
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="iqm",
    show_default=True,
    help="iqm submits in one request, qoro in two phases.",
)
@json_option
def chaos(
    kills: int, faults: str, seed: int | None, protocol: str, as_json: bool
) -> int:
    """Kill a program that sweeps, start it again until it is done, and judge it.

    It runs against a local service of its own that loses answers besides. Every circuit
    that the service accepted is then looked for in the program's journal: none may have
    been accepted twice, none may be lost, and what is uncertain must be said to be.

    \b
    Examples:
      qawait chaos
      qawait chaos --kills 1000 --protocol qoro --seed 1
      qawait chaos --faults 'drop_reply:0.3@submit' --json

    \b
    Exit codes: 0 every promise was kept, 1 one was not, 2 a setting is at fault,
    130 interrupted.
    """  # noqa: D301
    from qawait.local.faults import read_faults

    if faults:
        read_faults(faults)
    seed = secrets.randbelow(2**31) if seed is None else seed
    plan = Plan(seed=seed, kills=kills, protocol=protocol, faults=faults)
    from qawait.chaos.running import chaos as carry_out

    # faults that are played are no news here
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    say(f"seed {seed}: {with_plural(kills, 'kill')} of a program that sweeps")
    try:
        verdict = carry_out(plan, _tell)
    except KeyboardInterrupt:
        say("interrupted; nothing was judged")
        raise click.exceptions.Exit(INTERRUPTED) from None
    _show(verdict, as_json=as_json)
    return 0 if verdict.sound else NO_RESULT


def _tell(verdict: Verdict) -> None:
    say(
        f"{with_plural(verdict.kills, 'kill')}, {verdict.submitted:,} submissions so far"
    )


def _show(verdict: Verdict, *, as_json: bool) -> None:
    import msgspec

    from qawait.cli.tables import console, print_json, table

    if as_json:
        document = msgspec.to_builtins(verdict)
        print_json(document | {"bound": verdict.bound, "sound": verdict.sound})
        return
    bound = "" if verdict.bound is None else f"below {verdict.bound:.2%} of the kills"
    made = table("", "count", "", right=["count"])
    for name, count, remark in (
        ("kills", verdict.kills, f"in {with_plural(verdict.sweeps, 'sweep')}"),
        ("faults played", sum(verdict.played.values()), ", ".join(verdict.played)),
        ("submitted", verdict.submitted, "batches that the service accepted"),
        ("duplicated", verdict.duplicated, bound if not verdict.duplicated else ""),
        ("lost", verdict.lost, bound if not verdict.lost else ""),
        (
            "unknown",
            verdict.unknown,
            f"said to be; at most {verdict.most_unknown} after one kill",
        ),
        ("failed", verdict.failed, "points with an error of their own"),
        ("refused", verdict.refused, "second programs with the same journal"),
        ("not refused", verdict.not_refused, ""),
        ("damaged", len(verdict.damaged), "journals after a kill"),
        ("crashed", len(verdict.crashed), "programs that nobody killed"),
    ):
        made.add_row(name, f"{count:,}", remark)
    console().print(made)
    for line in (*verdict.damaged[:_SHOWN], *verdict.crashed[:_SHOWN]):
        say(clean(line))
    if verdict.sound:
        say(f"every promise was kept; the bound is 3 / {verdict.kills:,} kills at 95 %")
    else:
        say(
            f"a promise was broken; --seed {verdict.seed} gives the same faults and"
            " moments again"
        )
