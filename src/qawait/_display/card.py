"""What a notebook shows of a thing, as data: said once, written in two ways."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "Bar",
    "Card",
    "Facts",
    "Note",
    "Part",
    "Row",
    "Segment",
    "Table",
    "Tone",
]

Tone: TypeAlias = Literal["plain", "waiting", "working", "good", "bad", "muted"]
"""What a colour stands for; which one it is, is the writer's business."""


class Facts(Struct, frozen=True):
    """Names and values, one below the other."""

    rows: tuple[tuple[str, str], ...]


class Segment(Struct, frozen=True):
    """A part of a bar."""

    label: str
    amount: int
    tone: Tone


class Bar(Struct, frozen=True):
    """Amounts beside each other, the furthest first, so that it fills from the left."""

    segments: tuple[Segment, ...]
    total: int
    """0 draws an empty bar."""


class Row(Struct, frozen=True):
    """One line of a table."""

    cells: tuple[str, ...]
    tone: Tone = "plain"
    share: float | None = None
    """From 0 to 1, drawn as a bar at the line's end; None draws none."""


class Table(Struct, frozen=True):
    """Lines under headings."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    right: tuple[int, ...] = ()
    """Columns that are numbers, and so stand at the right."""
    code: tuple[int, ...] = ()
    """Columns in which each character counts: bit strings, labels, ids."""


class Note(Struct, frozen=True):
    """A sentence; what stands between backticks is code."""

    text: str
    tone: Tone = "muted"


Part: TypeAlias = Facts | Bar | Table | Note


class Card(Struct, frozen=True, kw_only=True):
    """One thing."""

    kind: str
    """What it is: "Job"."""
    name: str = ""
    """Which one: an id, a label."""
    about: str = ""
    """A few words more, as where it is."""
    state: str = ""
    """In a word; empty shows none."""
    tone: Tone = "plain"
    """Of the state."""
    parts: tuple[Part, ...] = ()
