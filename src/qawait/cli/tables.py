"""Tables on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qawait.cli.outcomes import counts_of
from qawait.cli.text import clean, with_plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.cli.outcomes import Outcome

__all__ = ["STYLES", "console", "counts", "moves", "print_json", "summary", "table"]

STYLES = {
    "to send": "bright_black",
    "pending compilation": "yellow",
    "pending execution": "cyan",
    "ready": "green",
    "failed": "red",
    "aborted": "magenta",
}
"""A colour for each state, the same in tables and in the progress display."""

_MOST_FREQUENT = 2
_WIDTH_OF_A_PIPE = 160
_MOST_ROWS = 16


def console(*, stderr: bool = False) -> Console:
    """A console that takes text as it is; a file or a pipe gets wide lines.

    Colours are for terminals; `NO_COLOR` wants none there either, and `FORCE_COLOR`
    wants them everywhere.
    """
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    plain = bool(os.environ.get("NO_COLOR"))
    forced = os.environ.get("FORCE_COLOR", "") not in ("", "0") and not plain
    made = Console(
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
        no_color=plain,
        force_terminal=is_terminal or forced,
    )
    if not is_terminal and not os.environ.get("COLUMNS"):
        made.width = _WIDTH_OF_A_PIPE
    return made


def moves(screen: Console) -> bool:
    """Whether what is shown can be drawn anew: on a terminal, and not on a dumb one."""
    return screen.file.isatty() and not screen.is_dumb_terminal


def print_json(document: Any) -> None:
    """Write one JSON document to standard output, in ASCII, so no terminal is steered."""
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def table(*columns: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """An empty table.

    Args:
        columns: The headings.
        right: Those aligned to the right.
        whole: Those that are never broken over lines, if the width allows.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in whole,
            overflow="fold",
        )
    return made


def state(word: str) -> Text:
    """A state in its colour; what is no state of a job in that of a failure."""
    return Text(clean(word), style=STYLES.get(word, "red"))


def summary(outcomes: Sequence[Outcome], *, job_ids: bool) -> Table:
    """One row for each circuit: what was seen most often, or why there is nothing."""
    columns = ["file", "state", "shots", "most frequent"]
    made = table(
        *columns,
        *(["job"] if job_ids else []),
        right=["shots"],
        whole=["state", "shots", "job"],
    )
    for outcome in outcomes:
        circuit = outcome.result
        shots = "" if circuit is None or circuit.shots is None else f"{circuit.shots:,}"
        row = [
            Text(clean(outcome.file or outcome.label)),
            state(outcome.state),
            Text(shots),
            Text(_seen(outcome)),
        ]
        if job_ids:
            row.append(Text(clean(outcome.job_id or "")))
        made.add_row(*row)
    return made


def _seen(outcome: Outcome) -> str:
    circuit = outcome.result
    if circuit is None:
        return clean(outcome.reason or "")
    found = counts_of(circuit)
    if found is None:
        return clean(", ".join(f"{k} {v:.4f}" for k, v in circuit.values.items()))
    total = sum(found.values())
    if not total:
        return "no shots"
    first = sorted(found.items(), key=lambda item: -item[1])[:_MOST_FREQUENT]
    lines = [f"{outcome} {count / total:6.1%}" for outcome, count in first]
    return "\n".join(lines)


def counts(outcome: Outcome) -> Table:
    """The counts of one circuit, the most frequent first."""
    circuit = outcome.result
    assert circuit is not None
    found = counts_of(circuit)
    if found is None:
        made = table("operator", "value", right=["value"])
        for name, value in circuit.values.items():
            made.add_row(clean(name), f"{value:.6f}")
        return made
    made = table("outcome", "count", "share", right=["count", "share"])
    total = sum(found.values())
    ordered = sorted(found.items(), key=lambda item: -item[1])
    for text, count in ordered[:_MOST_ROWS]:
        made.add_row(text, f"{count:,}", f"{count / total:.1%}")
    if len(ordered) > _MOST_ROWS:
        rest = with_plural(len(ordered) - _MOST_ROWS, "more outcome")
        left = sum(count for _, count in ordered[_MOST_ROWS:])
        made.add_row(f"({rest})", f"{left:,}", f"{left / total:.1%}")
    return made
