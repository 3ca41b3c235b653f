"""Lets requests pass as fast as the service's rate limit allows, each kind in its turn."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from msgspec import Struct

from qawait._lanes import Lanes
from qawait._limiter import HOLD, Account, Report
from qawait._quota import kind_of
from qawait._rate_headers import told_by
from qawait._shared_quota import Busy, OwnQuota

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from qawait._limiter import Grant
    from qawait._quota import Kind, Quota
    from qawait._rate_headers import Told
    from qawait._shared_quota import QuotaStore
    from qawait.model import Call

__all__ = ["Turn", "Turnstile"]

log = logging.getLogger("qawait")

_MERGED = 0.02
"""Answers within so many seconds count as one."""
_TICK = 1e-6
"""The shortest wait, in seconds."""
_RETRY = 0.02
"""Seconds until a locked account is tried again."""
_WORTH_SAYING = 1.0
"""Seconds; a pause that is shorter is not told."""


class _Waiter:
    """A request that waits for its turn."""

    __slots__ = ("admitted", "cost", "event", "probe")

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.admitted = False
        self.probe = False
        self.event = anyio.Event()

    def wake(self) -> None:
        self.event.set()


class Turnstile:
    """The one gate through which every request of a client goes to its service.

    A request takes a turn before it is sent and ends it after it was answered:

        async with turnstile.turn(call) as turn:
            response = ...
            turn.heard(response.status, response.headers)

    Of several that wait, kinds share by weight and each kind is served in order. Units
    are taken from the account a few at a time, so that not every request costs a look
    at a file. Waiting may be cancelled at any moment; no units are lost by it.
    """

    def __init__(
        self,
        quota: Quota,
        shared: Callable[[], QuotaStore],
        *,
        enforced: bool = True,
        longest_block: float = 3600.0,
    ) -> None:
        """Asks nobody yet.

        Args:
            quota: What requests cost, and the limit to begin with.
            shared: Makes the store in which the account is kept, once there is a limit.
            enforced: Whether the limit holds from the first request. If not, it begins
                when an answer tells of one; until then only a refusal makes anyone wait.
            longest_block: A service that asks for a longer wait, in seconds, is not
                obeyed: its refusals are reported to whoever asked.
        """
        self._quota = quota
        self._shared = shared
        self._longest_block = longest_block
        self._name = uuid.uuid4().hex[:12]
        self._lanes: Lanes[_Waiter] = Lanes()
        self._leader: _Waiter | None = None
        self._nudge = anyio.Event()
        # a report must not be written before the one before it has been answered
        self._exchanging = anyio.Lock()
        self._one_thread = anyio.CapacityLimiter(1)
        self._store: QuotaStore | None = None
        self._told: Told | None = None
        self._told_at = 0.0
        self._free = 0.0
        self._free_until = 0.0
        self._flying = 0.0
        self._answered: list[tuple[float, float]] = []
        self._usual = 0.0
        self._usual_at = 0.0
        self._refused_until: float | None = None
        self._probing = False
        self._probed: bool | None = None
        self._pace = 0.0
        self._slack = 0.0
        self._blocked_until = 0.0
        self._ask_at = 0.0
        self._time: Callable[[], float] | None = None
        self.enforced = enforced
        """Whether a limit is kept; see `__init__`."""

    def __repr__(self) -> str:
        return f"<Turnstile: {len(self._lanes)} waiting, {self._free:g} units at hand>"

    def turn(self, call: Call) -> Turn:
        """The turn of one request, for `async with`."""
        kind = kind_of(call)
        # nothing is free: what costs nothing would never be asked for
        cost = max(1, self._quota.price(kind, len(call.body or b"")))
        return Turn(self, kind, cost)

    def now(self) -> float:
        """The time on the clock of the event loop in which the gate was used first."""
        # asked for several times in every request: to look for the loop costs more
        if self._time is None:
            self._time = asyncio.get_running_loop().time
        return self._time()

    def earliest(self, kind: Kind = "read") -> float:
        """When a request should join, to wait as little as it can: on the loop's clock.

        As long as one of its kind waits already, a request that joins does but wait, and
        what it is about may be out of date before it goes. Other kinds do not count, for
        kinds take turns; whoever waited for them to be done would never get one.
        """
        now = self.now()
        ahead = self._lanes.units_of(kind)
        wait = ahead / self._pace if self._pace > 0 else 0.0
        return max(now + wait, self._blocked_until)

    async def close(self) -> None:
        """Give back what is not used; whoever still waits goes on waiting."""
        if self._store is None and not self._answered:
            return
        with anyio.CancelScope(shield=True):
            await self.tell()
            close = getattr(self._store, "close", None)
            if close is not None:
                await anyio.to_thread.run_sync(close, limiter=self._one_thread)

    # --- a turn ----------------------------------------------------------------------

    def pass_at_once(self, cost: float, now: float) -> bool:
        """Take a turn if there is one, past no other and asking nobody."""
        free = (
            self._free >= cost
            and now < self._free_until
            and not self._probing
            and not self._lanes
        )
        if free:
            self._take(cost)
        return free

    async def enter(self, kind: Kind, cost: float) -> bool:
        """Wait for a turn; whether it is the one that finds out if a block is over."""
        if self.pass_at_once(cost, self.now()):
            return False
        waiter = _Waiter(cost)
        self._lanes.join(kind, waiter)
        try:
            while not waiter.admitted:
                if self._leader is None:
                    self._leader = waiter
                if self._leader is waiter:
                    await self._lead(waiter)
                else:
                    await waiter.event.wait()
                    waiter.event = anyio.Event()
        except BaseException:
            if waiter.admitted:
                # nothing was sent
                self._flying -= cost
                self._free += cost
                if waiter.probe:
                    self._after_probe(waiter.probe, answered=False)
                    with anyio.CancelScope(shield=True):
                        await self.tell()
            else:
                self._lanes.leave(kind, waiter)
            raise
        finally:
            if self._leader is waiter:
                self._leader = None
            following = self._lanes.head()
            if self._leader is None and following is not None:
                following.wake()
        return waiter.probe

    async def _lead(self, waiter: _Waiter) -> None:
        """Ask the account on behalf of all who wait, until one's own turn has come."""
        while not waiter.admitted:
            wait = self._ask_at - self.now()
            if wait > 0:
                self._nudge = anyio.Event()
                with anyio.move_on_after(wait):
                    await self._nudge.wait()
            with anyio.CancelScope(shield=True):
                await self._ask()
            if not waiter.admitted:
                # where no thread is needed the loop's other tasks must run nevertheless
                await anyio.lowlevel.checkpoint()

    def leave(
        self, cost: float, answered_at: float | None, *, probe: bool, refused: bool
    ) -> None:
        """End a turn; `answered_at` is None where no answer came."""
        now = self.now() if answered_at is None else answered_at
        self._flying -= cost
        if self._answered and now - self._answered[-1][0] < _MERGED:
            cost += self._answered.pop()[1]
        self._answered.append((now, cost))
        self._after_probe(probe, answered=answered_at is not None and not refused)

    def _after_probe(self, probe: bool, *, answered: bool) -> None:
        if probe:
            self._probing = False
            self._probed = answered
            self._ask_soon()

    def _take(self, cost: float) -> None:
        self._free -= cost
        self._flying += cost
        self._usual += cost

    def _hand_out(self) -> None:
        while (head := self._lanes.head()) is not None and head.cost <= self._free:
            self._lanes.serve()
            head.admitted = True
            head.probe = self._probing
            self._take(head.cost)
            head.wake()
            if self._probing:
                self._free = 0.0

    # --- the account -----------------------------------------------------------------

    async def tell(self) -> None:
        """Report without asking for anything; what cannot be told now is told later."""
        async with self._exchanging:
            report = self._report(asking=False)
            try:
                await self._exchange(report)
            except Busy:
                self._not_told(report)

    async def _ask(self) -> None:
        """Report, ask for what those who wait need, and hand it out."""
        async with self._exchanging:
            report = self._report(asking=True)
            asked_at, enforced = self.now(), self.enforced
            try:
                grant = await self._exchange(report)
            except Busy:
                self._not_told(report)
                self._ask_at = self.now() + _RETRY
                return
            if self._refused_until is not None or enforced is not self.enforced:
                # what was just heard makes it void; the next report gives it back
                return
            self._free, self._free_until = grant.units, asked_at + HOLD
            self._probing = grant.probing
            self._pace, self._slack = grant.pace, grant.slack
            # what rounds to nothing beside the time of day is still a wait, and would be
            # asked about for ever by a clock that only moves where one waits
            wait = max(grant.wait, _TICK) if grant.wait > 0 else 0.0
            self._ask_at = self.now() + wait
            self._see_block(grant)
            self._hand_out()

    async def _exchange(self, report: Report) -> Grant:
        store = self._store
        if store is None:
            store = self._store = (
                self._shared()
                if self.enforced
                else OwnQuota(Account(units=None, window=self._quota.window))
            )
        now = self.now()
        if not store.blocking:
            return store.exchange(report, now)
        return await anyio.to_thread.run_sync(
            store.exchange, report, now, limiter=self._one_thread
        )

    def _report(self, *, asking: bool) -> Report:
        head = self._lanes.head() if asking else None
        now = self.now()
        # what was used in the last moments will be used in the next ones
        self._usual *= math.exp((self._usual_at - now) / HOLD)
        self._usual_at = now
        cost = 0.0 if head is None else head.cost
        report = Report(
            member=self._name,
            holding=self._flying,
            answered=self._answered if self.enforced else [],
            head=cost,
            more=max(0.0, self._lanes.units - cost, self._usual - cost),
            told=self._told,
            told_at=self._told_at,
            refused_until=self._refused_until,
            probed=self._probed,
        )
        # units that are not in use yet go back, and come again with the grant
        self._free, self._told = 0.0, None
        # without a limit this is kept: it counts as soon as there is one
        first = math.inf if self.enforced else now - self._quota.window
        self._answered = [each for each in self._answered if each[0] > first]
        self._refused_until = self._probed = None
        return report

    def _not_told(self, report: Report) -> None:
        self._answered = report.answered + self._answered
        if self._told is None:
            self._told, self._told_at = report.told, report.told_at
        if self._refused_until is None:
            self._refused_until = report.refused_until
        if self._probed is None:
            self._probed = report.probed

    def _see_block(self, grant: Grant) -> None:
        until = self.now() + grant.blocked
        if (
            grant.blocked > _WORTH_SAYING
            and until > self._blocked_until + _WORTH_SAYING
        ):
            log.warning(
                "the service refuses more requests of this account for %.0f s",
                grant.blocked,
            )
        self._blocked_until = until

    def _ask_soon(self) -> None:
        self._ask_at = 0.0
        self._nudge.set()

    # --- what answers say ------------------------------------------------------------

    def heard(self, headers: Mapping[str, str], sent_at: float) -> None:
        """Take in what an answer says of the limit."""
        told = told_by(headers)
        if told is None:
            return
        if not self.enforced:
            self.enforced = True
            self._store, self._free = None, 0.0
            self._ask_soon()
        self._told, self._told_at = told, sent_at

    def refused(self, retry_after: float | None) -> None:
        """Let nothing pass until a refusal is over."""
        wait = self._quota.block if retry_after is None else retry_after
        if wait <= self._longest_block:
            until = self.now() + wait
            self._refused_until = max(until, self._refused_until or until)
            self._free = 0.0
            self._ask_soon()


class Turn(Struct):
    """One request's turn; made by `Turnstile.turn`."""

    turnstile: Turnstile
    kind: Kind
    cost: float
    """Units."""
    probe: bool = False
    """Whether its answer shows if a block is over."""
    sent_at: float = 0.0
    answered_at: float | None = None
    was_refused: bool = False

    async def __aenter__(self) -> Turn:
        turnstile = self.turnstile
        self.sent_at = turnstile.now()
        if not turnstile.pass_at_once(self.cost, self.sent_at):
            self.probe = await turnstile.enter(self.kind, self.cost)
            self.sent_at = turnstile.now()
        return self

    def heard(self, headers: Mapping[str, str]) -> None:
        """Say that the answer has begun, and what it tells of the limit.

        Args:
            headers: By names in lower case, or a mapping that ignores case.
        """
        self.answered_at = self.turnstile.now()
        self.turnstile.heard(headers, self.sent_at)

    def refused(self, retry_after: float | None) -> None:
        """Say that the answer was a refusal for being too many.

        Args:
            retry_after: Seconds that the service asks to wait; None if it does not say.
        """
        self.was_refused = True
        self.turnstile.refused(retry_after)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        turnstile = self.turnstile
        turnstile.leave(
            self.cost, self.answered_at, probe=self.probe, refused=self.was_refused
        )
        if self.was_refused or self.probe:
            # others must not run into the same block, or wait for what is known
            with anyio.CancelScope(shield=True):
                await turnstile.tell()
