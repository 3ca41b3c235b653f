"""A sweep as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait._display.sweeps import Standing, sweep_card
from qawait._display.writing import bundle

if TYPE_CHECKING:
    from qawait._sweep.assembly import Parts
    from qawait._sweep.sweep import Sweep

__all__ = ["shown"]


def shown(
    sweep: Sweep, parts: Parts | None, *, begun: bool, over: bool
) -> dict[str, str]:
    """A sweep by MIME type, as it stands.

    Args:
        sweep: Which one.
        parts: What it is made of; None for one that is not open.
        begun: Whether anything may have been sent.
        over: Whether it has ended or was closed.
    """
    if parts is None:
        return bundle(sweep_card(None))
    flow, target, outcomes = parts.flow, parts.line.making.target, parts.outcomes
    come = sweep.progress
    all_there = come.total is not None and come.ready + come.failed >= come.total
    held_up = not flow.running and (outcomes.room <= 0 or all_there)
    standing = Standing(
        target=target.name,
        simulated=target.simulated,
        progress=come,
        running=tuple(flow.running.values()),
        begun=begun,
        over=over,
        stopped=flow.stopped,
        failure=None if flow.failure is None else str(flow.failure),
        untaken=outcomes.untaken if held_up else 0,
        eta=sweep.eta,
        requests=sweep.requests,
    )
    return bundle(sweep_card(standing))
