"""One sweep after the other that is killed until it has come to its end."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from qawait.chaos.processes import DONE, REFUSED, Forked
from qawait.chaos.program import CLOSING, JOB, OPEN, POINT, carried_out
from qawait.chaos.verdict import Account
from qawait.errors import Error, JournalError
from qawait.journal.reading import read
from qawait.journal.store import CUT_OFF
from qawait.journal.verifying import wrong_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qawait.chaos.address import Address
    from qawait.chaos.plan import Plan

__all__ = ["LONGEST", "WARM_UP", "torment"]

LONGEST = 120.0
"""Seconds that a program has which nobody kills."""
WARM_UP = 8
"""Points of a sweep that shows how fast one is."""
_MOST_STEPS = 3
"""New ids after which a program is killed at the latest."""


def torment(
    plan: Plan,
    address: Address,
    place: Path,
    name: str,
    kills: int,
    seed: str,
    say: Callable[[str], None],
) -> None:
    """Kill sweeps so often; says an `Account` at the end, as JSON.

    Args:
        plan: What happens to them.
        address: Of the service.
        place: The directory of their journals.
        name: With which their names begin.
        kills: How many.
        seed: Of the moments.
        say: Takes the account.

    Raises:
        Error: A sweep that nobody kills does not come to its end.
    """
    random = Random(seed)
    account = Account()
    tempo = _tempo(plan, address, place / name, name)
    while account.kills < kills and not account.crashed:
        own = f"{name}s{len(account.said)}"
        tormented = _Tormented(plan, address, place / own, own, tempo)
        tormented.run(random, kills, account)
        account.said[own] = tormented.said
    say(msgspec.json.encode(account).decode())


class _Tempo(Struct, frozen=True):
    """How fast a program is that nobody disturbs, in seconds."""

    opening: float
    step: float
    """From one line that it says to the next."""

    def moment(self, random: Random, said: int) -> float:
        """When to kill it, once it has said so many lines."""
        return random.uniform(0.0, 2 * (self.step if said else self.opening))


def _tempo(plan: Plan, address: Address, journal: Path, name: str) -> _Tempo:
    """How fast a sweep is beside those of the other processes."""
    about = (address, plan.protocol, journal, name, 0, WARM_UP, ())
    with Forked(partial(carried_out, *about)) as process:
        if not process.listen(LONGEST) or process.end() != DONE:
            raise Error(f"a sweep that nobody kills fails: {process.lines[-1:]}")
    opened, *others = process.said_at
    return _Tempo(opened - process.began, (others[-1] - opened) / len(others))


class _Tormented:
    """One sweep, started again after each kill until it has come to its end."""

    def __init__(
        self, plan: Plan, address: Address, journal: Path, name: str, tempo: _Tempo
    ) -> None:
        self.said: set[str] = set()
        self._plan = plan
        self._address = address
        self._journal = journal
        self._name = name
        self._tempo = tempo
        self._runs = 0
        self._cut_off: set[str] = set()
        """Submissions that earlier kills have left uncertain."""

    def run(self, random: Random, until: int, account: Account) -> None:
        """Kill it while there are kills left, and let it come to its end."""
        while True:
            with self._started() as process:
                if self._ended(process, random, account, killing=account.kills < until):
                    return
            self._look(account)

    def _ended(
        self, process: Forked, random: Random, account: Account, *, killing: bool
    ) -> bool:
        """Kill it, unless it ends before; whether there is no more to do."""
        if self._worked_on(process, random) if killing else process.listen(LONGEST):
            code = process.end()
            self._hear(process)
            if code != DONE:
                account.crashed.append(f"exit code {code}: {_last(process)}")
            return True
        if killing and random.random() < self._plan.rivals:
            self._let_in_another(process, account)
        process.kill()
        self._hear(process)
        if not killing:
            account.crashed.append(f"sweep {self._name} has not ended")
            return True
        account.kills += 1
        return False

    def _worked_on(self, process: Forked, random: Random) -> bool:
        """Let it come to a random moment; whether it has ended by itself before."""
        steps = random.randint(0, _MOST_STEPS)

        def far_enough() -> bool:
            return len(set(_job_ids(process)) - self.said) >= steps

        return process.listen(LONGEST, far_enough) or process.listen(
            self._tempo.moment(random, steps)
        )

    def _started(self) -> Forked:
        self._runs += 1
        return Forked(
            partial(
                carried_out,
                self._address,
                self._plan.protocol,
                self._journal,
                self._name,
                self._runs,
                self._plan.points,
                frozenset(self.said),
            )
        )

    def _hear(self, process: Forked) -> None:
        self.said.update(_job_ids(process))

    def _let_in_another(self, process: Forked, account: Account) -> None:
        """Start a second one while the first certainly has the journal open."""
        process.freeze()
        if OPEN not in process.lines or CLOSING in process.lines:
            return
        with self._started() as rival:
            refused = rival.listen(LONGEST) and rival.end() == REFUSED
        self._hear(rival)
        account.refused += refused
        account.not_refused += not refused

    def _look(self, account: Account) -> None:
        """Look at the journal that a kill has left, before anybody opens it."""
        if not self._journal.exists():
            return
        try:
            reading = read(self._journal)
        except JournalError as error:
            # killed before there was anything in it
            if self.said:
                account.damaged.append(str(error))
            return
        account.damaged += wrong_in(reading)
        cut_off = {job.submission_id for job in reading.jobs if job.evidence == CUT_OFF}
        account.most_unknown = max(account.most_unknown, len(cut_off - self._cut_off))
        self._cut_off = cut_off


def _job_ids(process: Forked) -> list[str]:
    words = [line.partition(" ") for line in process.lines]
    return [job_id for word, _, job_id in words if word in (POINT, JOB)]


def _last(process: Forked) -> str:
    return process.lines[-1] if process.lines else ""
