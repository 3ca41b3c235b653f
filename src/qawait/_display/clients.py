"""How a client looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait._display.card import Card, Facts, Note
from qawait._display.words import size, with_plural

if TYPE_CHECKING:
    from qawait._transport import Usage
    from qawait.model import Target

__all__ = ["client_card"]


def client_card(
    service: str,
    target: Target | None,
    *,
    closed: bool,
    afterlife: str,
    usage: Usage | None,
    journal: str | None,
    followed: int,
) -> Card:
    """A client.

    Args:
        service: Where it is connected to, in words; without a secret.
        target: None until it is open.
        closed: Whether it is.
        afterlife: What became of its jobs when it was closed.
        usage: None until it is open.
        journal: Where it writes down what it does; None for nowhere.
        followed: Jobs under way.
    """
    if target is None or usage is None:
        note = (
            "write `async with qawait.connect(...) as client`, or "
            "`client = await qawait.open(...)`"
        )
        return Card(
            kind="Client",
            about=f"of {service}",
            state="not open",
            tone="waiting",
            parts=(Note(note),),
        )
    machine = target.name
    if target.qubits is not None:
        machine += f", {with_plural(target.qubits, 'qubit')}"
    machine += f", a {'simulator' if target.simulated else target.kind}"
    facts = [
        ("service", service),
        ("target", machine),
        (
            "requests",
            f"{usage.requests:,}, {size(usage.bytes_sent)} sent, "
            f"{size(usage.bytes_received)} received",
        ),
        ("jobs", f"{followed:,} under way"),
        ("journal", "none" if journal is None else journal),
    ]
    note = "`job = await client.submit(circuit)`; `await client.close()` closes it"
    return Card(
        kind="Client",
        state="closed" if closed else "open",
        tone="muted" if closed else "good",
        parts=(Facts(tuple(facts)), Note(afterlife if closed else note)),
    )
