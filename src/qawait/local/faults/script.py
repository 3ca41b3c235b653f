"""Fault scripts: what is written, and which fault falls on which request.

Nothing in here waits or draws from the clock: the n-th request of a kind meets the same
fault whenever the seed is the same.
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from qawait.errors import ConfigurationError
from qawait.local.faults.catalogue import NAMES, Place, name_of, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DIALECTS", "KINDS", "Chosen", "Fault", "FaultScript", "read_faults"]

KINDS = ("submit", "append", "finish", "poll", "results", "cancel", "other")
"""What a request may be, and `any` for each of them."""
DIALECTS = ("iqm-server", "iqm-v1", "iqm-station", "qoro")
"""As the ledger names them; `iqm` stands for the first three."""


class Fault(Struct, frozen=True, kw_only=True):
    """One line of a fault script: what happens, how often, and to which requests.

    Raises:
        ConfigurationError: There is no such fault, or it cannot be as it is said.
    """

    name: str
    """As `docs/how-to/inject-faults.md` lists them; a status such as `503` is one."""
    rate: float | None = None
    """The share of the requests that it falls on; None for all of them."""
    first: int = 1
    """The first request of its kind that it may fall on, counted from 1."""
    last: int | None = None
    """The last one; None for no end."""
    seconds: float | None = None
    """Its duration; for a status, what `Retry-After` says."""
    acted: bool = False
    """Whether the service acts on the request all the same."""
    kinds: frozenset[str] = frozenset(KINDS)
    dialects: frozenset[str] = frozenset(DIALECTS)

    def __post_init__(self) -> None:
        known = name_of(self.name)
        if known is None:
            names = ", ".join(NAMES)
            raise ConfigurationError(
                f"there is no fault {self.name!r}; there is every status from 300 to "
                f"599, and {names}"
            )
        if self.rate is not None and not 0 <= self.rate <= 1:
            raise ConfigurationError(f"{self.name}: a rate is between 0 and 1")
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise ConfigurationError(
                f"{self.name}: requests are counted from 1, and the last one is not "
                "before the first"
            )
        self._check_time(known.time)
        if self.acted and known.acts is False:
            raise ConfigurationError(
                f"{self.name}: the service never acts on such a request"
            )
        for what, given, there in (
            ("kind of request", self.kinds, KINDS),
            ("dialect", self.dialects, DIALECTS),
        ):
            if unknown := sorted(given.difference(there)):
                raise ConfigurationError(
                    f"{self.name}: there is no {what} {unknown[0]!r}; there is "
                    f"{', '.join(there)}"
                )

    def _check_time(self, takes: str) -> None:
        if self.seconds is None:
            if takes == "must":
                raise ConfigurationError(
                    f"{self.name}: say how long, such as {self.name}:2s"
                )
        elif takes == "none":
            raise ConfigurationError(f"{self.name}: takes no duration")
        elif not 0 <= self.seconds < float("inf"):
            raise ConfigurationError(f"{self.name}: a duration is not negative")

    @property
    def acts(self) -> bool:
        """Whether the service acts on a request that it falls on."""
        known = name_of(self.name)
        assert known is not None
        return self.acted if known.acts is None else known.acts

    @property
    def place(self) -> Place:
        """Where it takes hold."""
        known = name_of(self.name)
        assert known is not None
        return known.place

    @property
    def status(self) -> tuple[int, bool] | None:
        """The status that it answers with, and whether in the service's own words."""
        return status_of(self.name)

    def __str__(self) -> str:
        """As it is written in a script; `read_faults` reads it back."""
        fields = [self.name]
        if self.rate is not None:
            fields.append(f"{Decimal(repr(self.rate)):f}")
        if (self.first, self.last) != (1, None):
            last = "" if self.last is None else self.last
            fields.append(f"#{self.first}-{last}")
        if self.seconds is not None:
            fields.append(f"{Decimal(repr(self.seconds)):f}s")
        if self.acted:
            fields.append("acted")
        where = "any"
        if self.kinds != frozenset(KINDS):
            where = "+".join(kind for kind in KINDS if kind in self.kinds)
        if self.dialects != frozenset(DIALECTS):
            where += "/" + "+".join(d for d in DIALECTS if d in self.dialects)
        return f"{':'.join(fields)}@{where}"

    def falls_on(self, number: int, drawn: float) -> bool:
        """Whether it falls on the n-th request of its kind.

        Args:
            number: From 1.
            drawn: A number in [0, 1) that belongs to this request.
        """
        if number < self.first or (self.last is not None and number > self.last):
            return False
        return self.rate is None or drawn < self.rate


_WHEN = re.compile(r"#(\d{1,9})(-(\d{1,9})?)?", re.ASCII)
_RATE = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)", re.ASCII)


def read_faults(text: str) -> tuple[Fault, ...]:
    """The faults of a script, such as `drop_reply:0.05@submit,slow:2s@results`.

    Each is `NAME[:RATE|:#N|:#N-M|:#N-][:TIME][:acted][@KIND[+KIND...][/DIALECT...]]`.

    Raises:
        ConfigurationError: It cannot be read; the text names the fault and the reason.
    """
    return tuple(_read_fault(entry.strip()) for entry in text.split(","))


def _read_fault(entry: str) -> Fault:
    what, at, where = entry.partition("@")
    name, *fields = what.split(":")
    given: dict[str, object] = {}
    for field in fields:
        if match := _WHEN.fullmatch(field):
            first, ranged, last = match.groups()
            value: dict[str, object] = {
                "first": int(first),
                "last": int(last or first) if last or not ranged else None,
            }
        elif _RATE.fullmatch(field):
            value = {"rate": float(field)}
        elif match := _TIME.fullmatch(field):
            value = {"seconds": float(match[1]) / (1000 if match[2] == "ms" else 1)}
        elif field == "acted":
            value = {"acted": True}
        else:
            raise ConfigurationError(
                f"fault {entry!r}: {field!r} is no rate such as 0.05, no number such "
                "as #3 or #3-5, no time such as 2s, and not `acted`"
            )
        if given.keys() & value.keys():
            raise ConfigurationError(f"fault {entry!r}: {field!r} is one too many")
        given |= value
    if at:
        kinds, slash, dialects = where.partition("/")
        if kinds != "any":
            given["kinds"] = frozenset(kinds.split("+"))
        if slash:
            given["dialects"] = frozenset(_dialects(dialects))
    return Fault(name=name, **given)  # pyright: ignore[reportArgumentType]


def _dialects(text: str) -> list[str]:
    named: list[str] = []
    for dialect in text.split("+"):
        named += DIALECTS[:3] if dialect == "iqm" else [dialect]
    return named


class Chosen(Struct, frozen=True):
    """A fault, and the number that the request has among those it may fall on."""

    fault: Fault
    number: int


class FaultScript:
    """Says of each request which fault falls on it.

    Args:
        faults: Where several fall on one request, the first one is played.
        seed: With the same one, the n-th request of a kind meets the same fault,
            whatever comes in between.
    """

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self.faults = tuple(faults)
        self.seed = seed
        self._seen = [0] * len(self.faults)

    @property
    def names(self) -> frozenset[str]:
        """The faults that may fall."""
        return frozenset(fault.name for fault in self.faults)

    def choose(self, kind: str, dialect: str) -> Chosen | None:
        """The fault for one more request of this kind; None for none."""
        chosen = None
        for place, fault in enumerate(self.faults):
            if kind not in fault.kinds or dialect not in fault.dialects:
                continue
            # every fault counts every request of its kind, so that what one does
            # never shifts what another falls on
            self._seen[place] += 1
            number = self._seen[place]
            if chosen is None and fault.falls_on(number, self._draw(place, number)):
                chosen = Chosen(fault, number)
        return chosen

    def _draw(self, place: int, number: int) -> float:
        digest = sha256(b"%d/%d/%d" % (self.seed, place, number)).digest()
        return int.from_bytes(digest[:7]) / 2**56
