"""Plain OpenQASM 2 is read at a glance; Qiskit's parser reads all the rest.

A service that takes text needs no circuit of it, only to know that it is right and what
it measures. Nearly all programs are registers, gates of `qelib1.inc` with numbers, and
measurements: one regular expression takes all statements of such a program at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["LARGEST_REGISTER", "Outline", "outline_of"]

LARGEST_REGISTER = 100_000
"""Bits in one declared register; the parsers would take memory for any number."""


class Outline(Struct, frozen=True):
    """What is to be known of a program that measures and has nothing unusual in it."""

    qubits: int
    layout: Layout
    """With an empty key, and the bit's position in the joined registers as column."""


GATES: dict[tuple[int, int], str] = {
    (0, 1): "id x y z h s sdg t tdg sx sxdg",
    (1, 1): "rx ry rz p u1",
    (2, 1): "u2",
    (3, 1): "u u3",
    (0, 2): "cx cy cz ch swap",
    (1, 2): "crx cry crz cp cu1 rxx rzz",
    (3, 2): "cu3",
    (0, 3): "ccx cswap",
}
"""By the number of parameters and of qubits."""

_TAKEN = frozenset(
    [
        *" ".join(GATES.values()).split(),
        *("u0", "csx", "cu", "rccx", "rc3x", "c3x", "c3sqrtx", "c4x"),
        *("pi", "sin", "cos", "tan", "exp", "ln", "sqrt", "qreg", "creg", "gate"),
        *("opaque", "measure", "barrier", "reset", "if", "include"),
    ]
)
"""What no register can be called once `qelib1.inc` is included."""

_S = r"[ \t\n]*+"
_GAP = r"[ \t\n]++"
_NAME = r"[a-z][A-Za-z0-9_]*+"
# Integers have no leading zero, and no number is so long that it could overflow.
_EXPONENT = r"(?:[eE][+-]?[0-9]{1,2})?"
_NUMBER = rf"(?:[0-9]{{1,15}}\.[0-9]{{0,25}}|0|[1-9][0-9]{{0,14}}){_EXPONENT}"
_FACTOR = rf"(?:{_NUMBER}|pi)"
_DIVISOR = r"[1-9][0-9]{0,8}"
_TERM = rf"{_S}-?{_FACTOR}(?:\*{_FACTOR}|/{_DIVISOR}){{0,3}}{_S}"

_COMMENT = re.compile(r"//[^\n]*")
_OPENING = re.compile(
    rf'{_S}OPENQASM{_GAP}2\.0{_S};{_S}include{_GAP}"qelib1\.inc"{_S};'
    rf"(?:{_S}[qc]reg{_GAP}{_NAME}\[[1-9][0-9]{{0,5}}\]{_S};)*+"
)
_DECLARED = re.compile(rf"([qc])reg{_GAP}({_NAME})\[([0-9]+)\]")


def _parameters(number: int) -> str:
    if not number:
        return _GAP
    return rf"{_S}\({','.join([_TERM] * number)}\){_S}"


_BIT = rf"{_NAME}\[(?:0|[1-9][0-9]{{0,5}})\]"
_MORE = rf"{_S},{_S}{_BIT}"
_STATEMENT = "|".join(
    [
        *(
            rf"(?:{'|'.join(names.split())}){_parameters(parameters)}"
            rf"{_BIT}(?:{_MORE}){{{qubits - 1}}}"
            for (parameters, qubits), names in GATES.items()
        ),
        rf"measure{_GAP}{_BIT}{_S}->{_S}{_BIT}",
        rf"barrier{_GAP}{_BIT}(?:{_MORE})*+",
        rf"reset{_GAP}{_BIT}",
    ]
)
_STATEMENTS = re.compile(rf"(?:{_S}(?:{_STATEMENT}){_S};)*+{_S}")
_BITS = re.compile(rf"{_BIT}(?:{_MORE})*+(?:{_S}->{_S}{_BIT})?")
"""The qubits of a statement, and the bit that it writes."""


def outline_of(text: str) -> Outline | None:
    """What a program is, if it is plain and right, and measures something.

    Returns:
        None for any other program, whether it is right or not.
    """
    if not text.isascii():
        return None
    text = text.replace("\r\n", "\n")
    if "//" in text:
        text = _COMMENT.sub("", text)
    opening = _OPENING.match(text)
    if opening is None or not _STATEMENTS.fullmatch(text, opening.end()):
        return None
    sizes: dict[str, dict[str, int]] = {"q": {}, "c": {}}
    for kind, name, size in _DECLARED.findall(opening[0]):
        if name in _TAKEN or name in sizes["q"] or name in sizes["c"]:
            return None
        if int(size) > LARGEST_REGISTER:
            return None
        sizes[kind][name] = int(size)
    measured: set[str] = set()
    # Each once: programs have many statements, and few places to do them at.
    for bits in set(_BITS.findall(text, opening.end())):
        qubits, arrow, bit = bits.partition("->")
        if not _are_right(qubits.split(","), sizes["q"]):
            return None
        if arrow:
            measured.add(bit.strip())
    if not measured or not _are_right(measured, sizes["c"]):
        return None
    joined = [f"{name}[{n}]" for name, size in sizes["c"].items() for n in range(size)]
    layout = Layout(
        tuple(sizes["c"].items()),
        tuple(
            ("", position) if bit in measured else None
            for position, bit in enumerate(joined)
        ),
    )
    return Outline(sum(sizes["q"].values()), layout)


def _are_right(bits: Iterable[str], sizes: Mapping[str, int]) -> bool:
    """Whether all these bits are in registers of these sizes, and none is twice."""
    names = [bit.strip() for bit in bits]
    for bit in names:
        register, _, index = bit[:-1].partition("[")
        if int(index) >= sizes.get(register, 0):
            return False
    return len(set(names)) == len(names)
