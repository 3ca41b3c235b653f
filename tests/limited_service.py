"""A service that limits requests as IQM does, on the loop's clock, and clients of it."""

from __future__ import annotations

from collections import Counter
from random import Random

import anyio

from qawait._limiter import Account
from qawait._quota import IQM, Kind, Quota, kind_of
from qawait._shared_quota import OwnQuota
from qawait._turnstile import Turnstile
from qawait.local.rate_limit import Exhausted, RateLimit, RateLimiter
from qawait.model import Call

READ = Call(kind="read", method="GET", path="jobs/1")
SUBMIT = Call(kind="submit", method="POST", path="jobs", body=b"{}")
RESULT = Call(kind="read", method="GET", path="jobs/1/measurements", result=True)
CANCEL = Call(kind="change", method="POST", path="jobs/1/cancel")


class LimitedService:
    """Answers after a random time, counts at another random time before."""

    def __init__(
        self,
        limit: RateLimit | None = None,
        *,
        latency: float = 0.2,
        tells: bool = True,
        policy: str | None = None,
        seed: int = 1,
    ) -> None:
        self.limit = limit or RateLimit()
        self.limiter = RateLimiter(self.limit)
        self.latency = latency
        self.tells = tells
        self.policy = policy
        self.random = Random(seed)
        self.answered: list[tuple[float, Kind, int]] = []
        """When, what, and the units of what was answered."""
        self.refused: list[float] = []

    def price(self, kind: Kind, call: Call) -> int:
        limit = self.limit
        match kind:
            case "cancel":
                return limit.cancel
            case "submit":
                more = len(call.body or b"") // limit.body_bytes
                return limit.submit + more * limit.submit_more
            case _:
                return limit.read

    async def ask(self, gate: Turnstile, call: Call) -> bool:
        """One request through a client's gate; whether it was answered."""
        kind = kind_of(call)
        async with gate.turn(call) as turn:
            await anyio.sleep(self.random.random() * self.latency / 2)
            now = anyio.current_time()
            units = self.price(kind, call)
            headers: dict[str, str] = {}
            refused = None
            try:
                left = self.limiter.spend(units, now)
            except Exhausted as exhausted:
                refused = exhausted.seconds
                self.refused.append(now)
            else:
                self.answered.append((now, kind, units))
                if self.tells:
                    headers["ratelimit-limit"] = str(self.limit.units)
                    headers["ratelimit-remaining"] = str(left)
                if self.policy:
                    headers["ratelimit-policy"] = self.policy
            await anyio.sleep(self.random.random() * self.latency / 2)
            turn.heard(headers)
            if refused is not None:
                turn.refused(refused)
        return refused is None

    async def keep_asking(self, gate: Turnstile, call: Call) -> None:
        while True:
            await self.ask(gate, call)

    def units(self, since: float = 0.0) -> Counter[Kind]:
        spent: Counter[Kind] = Counter()
        for when, kind, units in self.answered:
            if when >= since:
                spent[kind] += units
        return spent

    def share_used(self, seconds: float, since: float = 0.0) -> float:
        """The share of the limit that was spent."""
        allowed = self.limit.units / self.limit.window * seconds
        return self.units(since).total() / allowed


def gates(
    number: int = 1, quota: Quota = IQM, *, enforced: bool = True
) -> list[Turnstile]:
    """Clients that share one account, in the memory of the test."""
    account = Account.of(quota)
    return [
        Turnstile(quota, lambda: OwnQuota(account), enforced=enforced)
        for _ in range(number)
    ]
