"""Kills a sweeping program as `qawait chaos` does, sound or with a promise taken out.

Run as a program: a protocol, a number of kills, a seed, and "sound" or a mutant's name.
"""

from __future__ import annotations

import json
import logging
import sys

import msgspec
from msgspec.structs import replace

from qawait import _submission
from qawait._delivery import Next, Phase, delivery_of
from qawait._submission import Submitter
from qawait._transport import Transport
from qawait.chaos.plan import FAULTS, Plan
from qawait.chaos.running import chaos
from qawait.journal import lock, store
from qawait.journal.file import FileJournal
from qawait.journal.records import Standing
from qawait.journal.writer import Order
from qawait.model import Delivery


def sending_after_the_send() -> None:
    """The mutant: that bytes leave is written down when they have left."""
    sound = Transport.send

    async def send(self, call, *, before_body=None):
        if before_body is None:
            return await sound(self, call)
        answer = await sound(self, call)
        await before_body()
        return answer

    Transport.send = send  # type: ignore[method-assign]


def forget_what_was_being_sent() -> None:
    """The mutant: after a crash, what was being sent is new."""
    store.AFTER_A_CRASH = Standing.NEW


def send_the_unknown_again() -> None:
    """The mutant: a submission without an answer is sent once more."""
    sound = _submission.next_step

    def next_step(phase, error, **counts):
        if phase is Phase.WHOLE and delivery_of(error) is Delivery.UNKNOWN:
            return Next.AGAIN
        return sound(phase, error, **counts)

    async def settle(self, sending):
        return Next.ANOTHER_JOB, ""

    _submission.next_step = next_step
    Submitter._settle = settle  # type: ignore[method-assign]


def leave_the_keys_out() -> None:
    """The mutant: what a submission carries is not written down with it."""
    sound = FileJournal.intend

    async def intend(self, intent):
        await sound(self, replace(intent, points=()))

    FileJournal.intend = intend  # type: ignore[method-assign]


def acknowledge_first() -> None:
    """The mutant: an id is told before it is on the disk."""
    sound = FileJournal.outcome

    async def outcome(self, name, delivery, job_id=None, *, evidence=""):
        if delivery is not Delivery.ACCEPTED:
            return await sound(self, name, delivery, job_id, evidence=evidence)
        act = self._known(name, "outcome", delivery, job_id, evidence)
        self._put(Order(act))
        return None

    FileJournal.outcome = outcome  # type: ignore[method-assign]


def no_lock() -> None:
    """The mutant: nothing but the database keeps a second process out."""
    lock._take = lambda fd, **_: None  # type: ignore[assignment]


MUTANTS = {
    "sound": lambda: None,
    "sending after the send": sending_after_the_send,
    "forget": forget_what_was_being_sent,
    "send the unknown again": send_the_unknown_again,
    "no keys": leave_the_keys_out,
    "acknowledge first": acknowledge_first,
    "no lock": no_lock,
}

if __name__ == "__main__":
    protocol, kills, seed, mutant = sys.argv[1:]
    MUTANTS[mutant]()
    logging.getLogger("qawait").setLevel(logging.CRITICAL)
    plan = Plan(
        seed=int(seed),
        kills=int(kills),
        protocol=protocol,
        faults=FAULTS,
        rivals=0.5 if mutant == "no lock" else 0.05,
    )
    found = chaos(plan)
    print(json.dumps(msgspec.to_builtins(found) | {"sound": found.sound}))
