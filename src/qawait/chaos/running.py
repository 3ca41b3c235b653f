"""Carries out a plan: rounds of killed sweeps, each judged by its service's ledger."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from qawait.chaos.address import serving
from qawait.chaos.processes import side_by_side
from qawait.chaos.program import keys_of, work
from qawait.chaos.tormented import LONGEST, WARM_UP, torment
from qawait.chaos.verdict import Account, Swept, Verdict, judge
from qawait.errors import Error
from qawait.journal.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.chaos.address import Address
    from qawait.chaos.plan import Plan

__all__ = ["chaos"]

_ROUND = 250
"""Kills with one service and its ledger."""
_FEWEST = 5
"""Kills for which a process of its own is worth while."""


def chaos(
    plan: Plan, told: Callable[[Verdict], None] = lambda verdict: None
) -> Verdict:
    """Carry out a plan; what the ledger and the journals say about it.

    Args:
        plan: What happens.
        told: Hears of the verdict so far, now and then.

    Raises:
        Error: The local service does not start, or a sweep fails before any kill.
    """
    verdict = Verdict(protocol=plan.protocol, seed=plan.seed, faults=plan.faults)
    rounds = 0
    while verdict.kills < plan.kills and not verdict.crashed:
        kills = min(plan.kills - verdict.kills, _ROUND)
        place = Path(tempfile.mkdtemp(prefix="qawait-chaos-"))
        try:
            with serving(plan.faults, plan.seed + rounds) as address:
                _one_round(plan, address, place, rounds, kills, verdict)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        rounds += 1
        told(verdict)
    return verdict


def _one_round(
    plan: Plan,
    address: Address,
    place: Path,
    number: int,
    kills: int,
    verdict: Verdict,
) -> None:
    _warm_up(plan, address, place)
    many = min(plan.side_by_side, -(-kills // _FEWEST))
    shares = [kills // many + (one < kills % many) for one in range(many)]
    said = side_by_side(
        [
            partial(
                torment,
                *(plan, address, place, f"p{one}", share),
                f"{plan.seed} {number} {one}",
            )
            for one, share in enumerate(shares)
        ]
    )
    swept: list[Swept] = []
    for line in said:
        account = msgspec.json.decode(line[-1], type=Account)
        verdict.add(account)
        swept += [
            Swept(name, keys_of(name, plan.points), read(place / name), ids)
            for name, ids in account.said.items()
        ]
    if not verdict.crashed:
        judge(verdict, address.ledger(), swept)


def _warm_up(plan: Plan, address: Address, place: Path) -> None:
    """Load everything, so that forks have it."""

    async def sweep() -> None:
        async with asyncio.timeout(LONGEST):
            await work(
                *(address, plan.protocol, place / "cold", "cold", 0, WARM_UP, ()),
                lambda line: None,
            )

    try:
        asyncio.run(sweep())
    except TimeoutError:
        raise Error(
            f"a sweep under {plan.faults or 'no faults'} does not come to an end"
        ) from None
    # a child that touches no garbage of its parent copies less memory
    gc.collect()
    gc.freeze()
