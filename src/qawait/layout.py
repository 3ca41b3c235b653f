"""Where each classical bit of a circuit is found among its measurement keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.histograms import MAX_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Layout"]

_NUMBER = "(0|[1-9][0-9]{0,6})"
_BIT_KEY = re.compile(f"(.+)_{_NUMBER}_{_NUMBER}_{_NUMBER}", re.DOTALL)
_REGISTER_KEY = re.compile(f"(.+)_{_NUMBER}_{_NUMBER}", re.DOTALL)
_OVERWRITTEN = "overwritten_"


class Layout(Struct, frozen=True):
    """The classical registers of a circuit and where their bits were measured.

    Bits are joined over all registers, the first register first: bit j of the circuit
    is `bits[j]`.
    """

    registers: tuple[tuple[str, int], ...]
    """Name and number of bits of each register, in circuit order."""
    bits: tuple[tuple[str, int] | None, ...]
    """Key and column of each bit; None for one that is never measured and reads 0."""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.registers]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"registers of the same name: {', '.join(names)}")
        if sum(size for _, size in self.registers) != len(self.bits):
            raise ConfigurationError(
                f"registers {self.registers} do not have {len(self.bits)} bits"
            )

    @classmethod
    def of_keys(cls, widths: Mapping[str, int]) -> Layout:
        """One register for each key, in the order given: bit j is its column j."""
        return cls(
            tuple(widths.items()),
            tuple((key, column) for key, n in widths.items() for column in range(n)),
        )

    @classmethod
    def from_keys(cls, widths: Mapping[str, int]) -> Layout | None:
        """The layout that the names of the keys tell, or None if they tell none.

        Two forms are read: `<register>_<length>_<index>_<bit>`, one key per bit, as
        IQM's Qiskit adapter writes them (wire reference, IQM, §3.4), and
        `<register>_<length>_<index>`, one key for a register measured in one place,
        as qawait writes them. All keys must have one of the forms and agree with each
        other; keys that begin with `overwritten_` hold earlier values of bits that were
        measured again, and are ignored. A register that has no key at all has left no
        trace and is missing.

        Args:
            widths: Each key and the number of components it measures.
        """
        registers: dict[int, tuple[str, int]] = {}
        places: dict[tuple[int, int], tuple[str, int]] = {}
        for key, width in widths.items():
            if key.startswith(_OVERWRITTEN):
                continue
            # A key of one component that fits both forms is that of a bit: qawait does
            # not write the other form where it could be taken for this one.
            claim = _of_bit(key, width) or _of_register(key, width)
            if claim is None:
                return None
            register = (claim.name, claim.length)
            if registers.setdefault(claim.index, register) != register:
                return None
            for column, bit in enumerate(claim.bits):
                if (claim.index, bit) in places:
                    return None
                places[claim.index, bit] = (key, column)
        names = {name for name, _ in registers.values()}
        if not registers or len(names) < len(registers):
            return None
        if sum(length for _, length in registers.values()) > MAX_BITS:
            return None
        return cls(
            tuple(register for _, register in sorted(registers.items())),
            tuple(
                places.get((index, bit))
                for index, (_, length) in sorted(registers.items())
                for bit in range(length)
            ),
        )

    def only(self, register: str | None) -> Layout:
        """The part of this layout that one register has; None for all of it.

        Raises:
            KeyError: There is no such register.
        """
        if register is None:
            return self
        start, size = self.place(register)
        return Layout(((register, size),), self.bits[start : start + size])

    def columns(self) -> dict[str, list[int]]:
        """The columns of each key that are bits of this layout, ascending."""
        used: dict[str, set[int]] = {}
        for place in self.bits:
            if place is not None:
                used.setdefault(place[0], set()).add(place[1])
        return {key: sorted(columns) for key, columns in used.items()}

    def among(self, columns: Mapping[str, Sequence[int]]) -> Layout:
        """The same layout where each key has only these of its columns."""
        return Layout(
            self.registers,
            tuple(
                place and (place[0], columns[place[0]].index(place[1]))
                for place in self.bits
            ),
        )

    def unmeasured(self) -> set[int]:
        """The bits that are never measured."""
        return {bit for bit, place in enumerate(self.bits) if place is None}

    def place(self, register: str) -> tuple[int, int]:
        """The first bit of a register among the joined bits, and its number of bits.

        Raises:
            KeyError: There is no such register.
        """
        start = 0
        for name, size in self.registers:
            if name == register:
                return start, size
            start += size
        names = ", ".join(name for name, _ in self.registers) or "none"
        raise KeyError(f"no register {register!r}; there are: {names}")


class _Claim(Struct, frozen=True):
    """What one key says of one register."""

    name: str
    length: int
    index: int
    bits: tuple[int, ...]
    """The bits of the register that the columns of the key hold."""


def _of_bit(key: str, width: int) -> _Claim | None:
    match = _BIT_KEY.fullmatch(key)
    if match is None or width != 1:
        return None
    length, index, bit = map(int, match.groups()[1:])
    return _Claim(match[1], length, index, (bit,)) if bit < length else None


def _of_register(key: str, width: int) -> _Claim | None:
    match = _REGISTER_KEY.fullmatch(key)
    if match is None:
        return None
    length, index = map(int, match.groups()[1:])
    if length != width or not length:
        return None
    return _Claim(match[1], length, index, tuple(range(length)))
