"""How much of a service's rate limit may be spent now, and by whom: pure, time is given.

An `Account` counts what all clients of one account have spent of a limit that holds for
any window of some seconds. Three rules decide what may be spent next:

- A request counts from the moment it may be sent until one window after its answer came.
  The service counts it somewhere between the two, so the service never counts more than
  this account does, whatever the network's delays are.
- After a first burst, what is left is spread evenly over the time until it comes back: the
  fastest pace that never has to stop.
- Clients take turns by start-time fair queueing: whoever has had least is served first, and
  what it needs is kept for it, so that one dear request is not overtaken for ever by many
  cheap ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from qawait._quota import Quota
    from qawait._rate_headers import Told

__all__ = ["HOLD", "Account", "Grant", "Report"]

HOLD = 1.0
"""For how many seconds a client may use what it was granted."""
_GRACE = 1.0
"""Seconds on top, for a request that was sent at the last moment, to arrive."""
_CLAIM = 0.5
"""For how many seconds a client's wish is kept in mind without being renewed."""
_OFTEN = 0.25
"""A waiting client asks again after at most so many seconds, well within `_CLAIM`."""
_SOON = 0.05
"""And after no less than so many, so that it is granted several requests at once."""
_PROBE = 30.0
"""For how many seconds the one request after a block may take."""
_BURST = 0.5
"""The share of the limit that may be spent at once after a pause."""
_STALL = 0.1
"""For this share of the window a steady pace may have to stop after all."""
_QUANTUM = 0.05
"""The share of the limit that one client gets at once beyond its next request."""
_SPARE = 0.005
"""The share that is never spent: for what the service counts and we do not know of."""
_LATER = 0.002
"""By this share of the window units come back later than they could: clocks differ."""
_BUCKETS = 100
"""In so many parts of a window is it remembered when units come back."""
_TAIL = 1.0
"""For how many seconds units that came back are remembered, for `Told.remaining`."""
_STRANGE = 0.02
"""Strangers that spend more than this share of the limit are noticed."""
_STRANGE_WINDOWS = 5.0
"""And expected for so many windows from then on."""
_MARGIN = 0.1
"""This share of the limit is left to them on top of what they seem to spend."""
_FADES = 0.9
"""With each answer, what strangers seem to spend sinks to no less than this share."""
_LESS = 0.75
"""A service that refuses us has so much of its limit left for us."""
_MORE = 0.05
"""Which grows by this share of the limit in each window without a refusal."""
_LONGEST_BLOCK = 3600.0
"""Seconds; nobody is believed who says that nothing will be answered for longer."""
_AGES = 1e10
"""Seconds; no account is so old."""
_LEAST = 0.05
"""But it never sinks below this share."""


class Report(Struct, kw_only=True):
    """What a client tells its account, and asks of it. Times are on the client's clock."""

    member: str
    """Names the client; each has a name of its own."""
    holding: float = 0.0
    """Units of its requests under way. What it holds beyond them is given back."""
    answered: list[tuple[float, float]] = []
    """When requests were answered, and their units, since the last report."""
    head: float = 0.0
    """Units of the next request; 0 asks for nothing."""
    more: float = 0.0
    """Units that are wanted beyond it, soon."""
    told: Told | None = None
    """What the service said last."""
    told_at: float = 0.0
    """When the question was sent that it answered."""
    refused_until: float | None = None
    """When a refusal ends that has just come; None where none came."""
    probed: bool | None = None
    """How the one request after a block went: True for any answer but another refusal,
    False where no answer came. None where there was no such request."""


class Grant(Struct, frozen=True, kw_only=True):
    """What an account answers."""

    units: float = 0.0
    """To be used within `HOLD` seconds; infinite where no limit is known."""
    probing: bool = False
    """Whether it is for one request only, which finds out whether a block is over."""
    wait: float = math.inf
    """Seconds after which to ask again; infinite if nothing more was wanted."""
    blocked: float = 0.0
    """Seconds for which the service answers nothing."""
    pace: float = math.inf
    """Units a second that can be had for long."""
    slack: float = math.inf
    """Units that nobody wants now, and could be had at once."""


class _Member(Struct):
    """One client that shares the account, as it was when it last reported."""

    seen: float = 0.0
    holding: float = 0.0
    want: float = 0.0
    start: float = 0.0
    """Its place in the fair order: units it has had, on the clock `Account.virtual`."""
    eager: float = 0.0
    """Until when it counts as one that has always wanted more, and keeps its place."""


class Account(Struct, kw_only=True):
    """What one account has spent of a service's limit, and who wants more of it.

    Its clock, `now`, goes on by what has passed between two reports; nothing in it is a
    time of day. So it can be kept in a file, and whatever a client that died has left in
    it decays by itself.
    """

    units: float | None
    """The limit; None where none is known."""
    window: float
    now: float = 0.0
    mono: float | None = None
    """The clocks at the last report; None before the first."""
    wall: float | None = None
    spent: list[tuple[float, float]] = []
    """When units come back, and how many, the earliest first."""
    members: dict[str, _Member] = {}
    strangers: float = 0.0
    """Units of the account that others spend, as far as the service's answers tell."""
    strangers_until: float = 0.0
    strange_until: float = 0.0
    """Until when strangers are expected, since there were some."""
    tokens: float | None = None
    """What is left of the burst; None for all of it."""
    pace: float = 0.0
    virtual: float = 0.0
    scale: float = 1.0
    """The share of the limit that the service seems to leave to us."""
    blocked_until: float = 0.0
    probing: bool = False
    """Whether nothing has been answered since the last block."""
    prober: str = ""
    probe_until: float = 0.0

    @classmethod
    def of(cls, quota: Quota, *, cautious: bool = False) -> Account:
        """An account of which nothing has been spent yet.

        Args:
            quota: The limit.
            cautious: Whether something may have been spent that is not known of: then
                there is no burst at the beginning.
        """
        tokens = 0.0 if cautious else None
        return cls(units=quota.units, window=quota.window, tokens=tokens)

    def is_sound(self) -> bool:
        """Whether its numbers can be what an account has written."""
        latest = self.now + self.window * (1 + _LATER + 2 / _BUCKETS)
        return (
            bool(self.units and self.units > 0)
            and self.window > 0
            and 0 < self.scale <= 1
            and 0 <= self.now < _AGES
            and all(back <= latest and units >= 0 for back, units in self.spent)
            and self.strangers_until <= latest
            and self.strange_until <= latest + _STRANGE_WINDOWS * self.window
            and self.blocked_until - self.now <= _LONGEST_BLOCK
            and self.probe_until - self.now <= _PROBE
            and all(m.seen <= self.now for m in self.members.values())
        )

    def report(
        self, report: Report, now: float, *, mono: float, wall: float | None = None
    ) -> Grant:
        """Take in what a client says, and grant what it may have.

        Args:
            report: What it says and wants.
            now: The time on the client's clock.
            mono: The time on a clock that only rises, the same for all clients as long
                as the machine runs.
            wall: The time of day, seconds since 1970; None trusts `mono` alone.
        """
        self._pass_time(mono, wall)
        member = self.members.setdefault(
            report.member, _Member(seen=self.now, start=self.virtual)
        )
        self._settle(report, member, now)
        self._learn(report, now)
        self._heed(report, now)
        self._forget()
        return self._grant(report, member)

    # --- time ------------------------------------------------------------------------

    def _pass_time(self, mono: float, wall: float | None) -> None:
        passed = self._passed(mono, wall)
        self.mono, self.wall = mono, wall
        self.now += passed
        if self.units is None:
            return
        self.scale = min(1.0, self.scale + _MORE * passed / self.window)
        most = self._most_tokens()
        if self.tokens is None or passed >= self.window:
            self.tokens = most
        else:
            self.tokens = min(most, self.tokens + self.pace * passed)

    def _passed(self, mono: float, wall: float | None) -> float:
        """Seconds since the last report, by the more careful of two clocks.

        Where the time of day jumps ahead, the other clock knows better. That one begins
        anew when the machine starts, and then the time of day knows better. Where the
        time of day went back, nothing has passed this once.
        """
        if self.mono is None:
            return 0.0
        by_mono = mono - self.mono
        if wall is None or self.wall is None:
            return max(0.0, by_mono)
        by_wall = wall - self.wall
        return max(0.0, by_wall if by_mono < 0 else min(by_mono, by_wall))

    # --- what has been spent ---------------------------------------------------------

    def _settle(self, report: Report, member: _Member, now: float) -> None:
        """Count requests from now on by their answers, and take back what was not used."""
        used = report.holding
        for when, units in report.answered:
            self._spend(self.now - max(0.0, now - when), units)
            used += units
        returned = max(0.0, member.holding - used)
        if self.tokens is not None:
            self.tokens = min(self._most_tokens(), self.tokens + returned)
        member.start -= returned
        member.holding = report.holding
        member.seen = self.now

    def _spend(self, when: float, units: float) -> None:
        bucket = self.window / _BUCKETS
        back = math.ceil((when + self.window * (1 + _LATER)) / bucket) * bucket
        place = len(self.spent)
        while place and self.spent[place - 1][0] > back:
            place -= 1
        if place and self.spent[place - 1][0] == back:
            place -= 1
            self.spent[place] = (back, self.spent[place][1] + units)
        else:
            self.spent.insert(place, (back, units))

    def _forget(self) -> None:
        gone = self.now - _TAIL
        while self.spent and self.spent[0][0] < gone:
            self.spent.pop(0)
        longest = self.window * (1 + _LATER) + HOLD + _GRACE
        for name, member in list(self.members.items()):
            silent = self.now - member.seen
            if silent > (longest if member.holding else _CLAIM):
                del self.members[name]

    def _counted(self, since: float) -> float:
        """Units that counted at a time, or are held now."""
        counted = 0.0
        for member in self.members.values():
            counted += member.holding
        for back, units in self.spent:
            if back > since:
                counted += units
        return counted

    def _usable(self) -> float:
        assert self.units is not None
        return self.units * (1 - _SPARE) * self.scale

    def _available(self) -> float:
        strangers = self.strangers if self.now < self.strangers_until else 0.0
        return self._usable() - strangers - self._counted(self.now)

    def _most_tokens(self) -> float:
        if self.units is None:
            return 0.0
        wants = [member.want for member in self.members.values()]
        return max(_BURST * self._usable(), *wants, 0.0)

    def _pace(self, available: float) -> float:
        """Units a second that can be granted from now on without having to stop.

        Until any moment no more may be granted than is left now and comes back before.
        Moments that are near do not count: dear requests come back in lumps.
        """
        pace = math.inf
        near = self.now + _STALL * self.window
        for back, units in self.spent:
            if back > near and available < pace * (back - self.now):
                pace = available / (back - self.now)
            if back > self.now:
                available += units
        return max(0.0, min(pace, available / self.window))

    # --- what the service says -------------------------------------------------------

    def _learn(self, report: Report, now: float) -> None:
        told = report.told
        if told is None or told.limit is None:
            return
        # a service that does not say its window says at least how much of it is left
        window = told.window or max(self.window, told.reset or 0.0)
        if (told.limit, window) != (self.units, self.window):
            self.units, self.window = told.limit, window
            self.tokens = min(self.tokens or 0.0, self._most_tokens())
        if told.remaining is None:
            return
        sent = self.now - max(0.0, now - report.told_at)
        if self.now - sent <= _TAIL:
            self._suspect(told.limit - told.remaining, sent)

    def _suspect(self, spent: int, sent: float) -> None:
        """Reckon what strangers spend, from what the service counted at a time.

        It cannot have counted more of ours than we do ourselves: only if it did, there
        are strangers. Then it is better to take too much for theirs than too little, for
        they will go on: all that is not certainly ours, and some more.
        """
        assert self.units is not None
        if spent - self._counted(sent) > _STRANGE * self.units:
            self.strange_until = sent + _STRANGE_WINDOWS * self.window
        ours = sum(units for back, units in self.spent if back > self.now)
        strange = self.now < self.strange_until
        excess = spent - ours + _MARGIN * self.units if strange else 0.0
        self.strangers = max(0.0, excess, _FADES * self.strangers)
        self.strangers_until = sent + self.window

    def _heed(self, report: Report, now: float) -> None:
        if report.refused_until is not None:
            if self.now >= self.blocked_until:
                self.scale = max(_LEAST, self.scale * _LESS)
            until = self.now + report.refused_until - now
            until = min(until, self.now + _LONGEST_BLOCK)
            self.blocked_until = max(self.blocked_until, until)
            self.probing = True
            self.tokens = 0.0
        if report.member == self.prober:
            if report.probed is not None:
                self.prober = ""
            if report.probed and report.refused_until is None:
                self.probing = False

    # --- who may go on ---------------------------------------------------------------

    def _grant(self, report: Report, member: _Member) -> Grant:
        member.want = 0.0
        blocked = max(0.0, self.blocked_until - self.now)
        if report.head <= 0:
            if member.holding <= 0:
                del self.members[report.member]
            return Grant(blocked=blocked)
        if blocked:
            return Grant(wait=min(blocked, 5.0), blocked=blocked, pace=self.pace)
        if self.probing and self._another_probes(report.member):
            return Grant(wait=_OFTEN, pace=self.pace)
        if self.units is None:
            if self.probing:
                return self._probe(report, report.head)
            return Grant(units=math.inf, wait=0.0)
        return self._share(report, member)

    def _another_probes(self, name: str) -> bool:
        return self.prober not in ("", name) and self.now < self.probe_until

    def _probe(self, report: Report, units: float) -> Grant:
        self.prober = report.member
        self.probe_until = self.now + _PROBE
        return Grant(units=units, probing=True, wait=_OFTEN, pace=self.pace)

    def _share(self, report: Report, member: _Member) -> Grant:
        # a request that costs more than there is goes when nothing else is under way
        need = min(report.head, self._usable())
        if self.now > member.eager:
            # nobody saves up for later by asking for nothing
            member.start = max(member.start, self.virtual)
        mine = (member.start, report.member)
        others = {
            name: other
            for name, other in self.members.items()
            if other is not member and self.now <= other.eager
        }
        ahead = sum(
            other.want for name, other in others.items() if (other.start, name) < mine
        )
        member.want, member.eager = need, self.now + _CLAIM
        self.tokens = min(self._most_tokens(), self.tokens or 0.0)
        available = self._available()
        self.pace = self._pace(available)
        left = min(available, self.tokens)
        most = _QUANTUM * self._usable()
        # nobody gets far ahead of one who wants more as well
        lead = member.start - min((other.start for other in others.values()), default=0)
        if left - ahead < need or (others and lead > most):
            return Grant(
                wait=self._wait(need + ahead - left), pace=self.pace, slack=0.0
            )
        if not report.more:
            member.want = member.eager = 0.0
        wanted = sum(other.want for other in others.values())
        surplus = max(0.0, left - wanted - need)
        if others:
            most = max(0.0, most - lead - report.head)
        extra = min(report.more, most, surplus)
        units = report.head + (0.0 if self.probing else extra)
        self.virtual = max(self.virtual, member.start)
        member.start += units
        member.holding += units
        self.tokens -= units
        if self.probing:
            return self._probe(report, units)
        missing = report.head - (surplus - extra)
        return Grant(
            units=units,
            wait=self._wait(missing),
            pace=self.pace,
            slack=surplus - extra,
        )

    def _wait(self, units: float) -> float:
        """Seconds until so many more units may be there."""
        seconds = units / self.pace if self.pace > 0 else math.inf
        return min(_OFTEN, max(_SOON, seconds))
