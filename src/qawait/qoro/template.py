"""One program with placeholders, and the numbers that make many circuits of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.qoro.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CutTemplate", "Template"]

_WORD = r"[A-Za-z0-9_]"


class Template(Struct, frozen=True, kw_only=True):
    """An OpenQASM 2 program with names in place of numbers, and one row for each circuit.

    It travels once for all of its rows. Source: wire reference, Qoro, §1c.
    """

    qasm: str
    names: tuple[str, ...]
    """The placeholders."""
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    """The label of each circuit and its numbers, in the order of the names."""

    def circuits(self) -> Iterator[Circuit]:
        """The circuits that the service makes of it, in order."""
        cut = CutTemplate(self.qasm, self.names)
        for label, values in self.rows:
            yield Circuit(label, cut.with_values(values))


class CutTemplate:
    """A template cut at its placeholders, so that each row only joins the pieces.

    A name is found where it stands as a whole word, the longest one first, so that
    `theta_1` is no part of `theta_10`; a name may hold brackets.
    """

    def __init__(self, qasm: str, names: Sequence[str]) -> None:
        self._pieces = [qasm]
        if names:
            longest_first = sorted(names, key=len, reverse=True)
            found = "|".join(re.escape(name) for name in longest_first)
            pattern = rf"(?<!{_WORD})({found})(?!{_WORD})"
            # Every second piece is a name.
            self._pieces = re.split(pattern, qasm)
        self._place = {name: place for place, name in enumerate(names)}

    def with_values(self, values: Sequence[float]) -> str:
        """The program with these numbers, written as Python writes a float."""
        numbers = [str(float(value)) for value in values]
        pieces = list(self._pieces)
        pieces[1::2] = [numbers[self._place[name]] for name in pieces[1::2]]
        return "".join(pieces)
