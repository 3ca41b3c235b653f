"""Quality figures of a target as they held when circuits were sent, with their units."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from qawait.errors import JournalCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qawait.journal.facts import Facts

__all__ = ["Figure", "Figures", "keep_figures", "kept_figures", "that_held"]

_PREFIX = "figures "


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number that a service says of its machine."""

    value: float
    unit: str = ""
    """As the service writes it; empty for a plain number such as a fidelity."""
    uncertainty: float | None = None
    """In the same unit; None if the service gives none."""
    measured_at: datetime | None = None
    """By the service (aware, UTC); None if it does not say."""


class Figures(Struct, frozen=True, kw_only=True):
    """All that a service says of its machine under one calibration set, at one time.

    They are written once, and again when they have changed; every submission that was
    sent under the set in between belongs to them.
    """

    calibration_set_id: str
    metric_set_id: str | None = None
    """The service's id of the figures themselves; None if it gives none."""
    asked_at: datetime
    """When the service was asked for them (aware, UTC)."""
    figures: Mapping[str, Figure]
    """By the service's own names."""


def keep_figures(facts: Facts, found: Figures) -> None:
    """Write figures down, unless they are those that are known."""
    before = [
        known
        for known in kept_figures(facts)
        if known.calibration_set_id == found.calibration_set_id
    ]
    if before and before[-1].figures == found.figures:
        return
    name = f"{_PREFIX}{found.asked_at.isoformat()} {found.calibration_set_id}"
    facts.set(name, msgspec.to_builtins(found))


def kept_figures(facts: Facts) -> list[Figures]:
    """All that were written down, oldest first.

    Raises:
        JournalCorrupt: They are damaged.
    """
    return sorted(map(_figures, facts.all(_PREFIX).values()), key=_asked_at)


def that_held(
    figures: Iterable[Figures], calibration_set_id: str | None, at: datetime
) -> Figures | None:
    """Those that held under a calibration set at a time; None if none are known.

    The service is asked while the first submission is under way, and its answer may be a
    little younger than that.

    Args:
        figures: Oldest first.
        calibration_set_id: The set; None is none.
        at: The time (aware).
    """
    of_set = [f for f in figures if f.calibration_set_id == calibration_set_id]
    before = [f for f in of_set if f.asked_at <= at]
    return before[-1] if before else next(iter(of_set), None)


def _figures(plain: Any) -> Figures:
    try:
        return msgspec.convert(plain, Figures)
    except msgspec.ValidationError as error:
        raise JournalCorrupt(f"figures in the journal: {error}") from error


def _asked_at(figures: Figures) -> datetime:
    return figures.asked_at
