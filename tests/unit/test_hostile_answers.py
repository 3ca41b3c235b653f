"""Ten thousand hostile answers over sockets: a value or an error of ours, and no trace.

A server answers one request of each case against the rules of HTTP, of compression or of
JSON. Whatever the client makes of it, a good question on the same connections is then
answered with its own answer and no other, a submission that was accepted is never taken
for one that was not, and nothing stays open. A failure names its case and its seed;
`HOSTILE_SEED` sets another one.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.good_answers import ALL, JOB, exchanges, paths
from tests.hostile_answers import KINDS, Hostile, hostile
from tests.hostile_server import hostile_server

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._service import Service
from qawait._transport import Limits, Retry, Transport
from qawait.iqm import Circuit, Instruction
from qawait.journal.memory import MemoryJournal
from qawait.journal.records import Standing
from qawait.model import Call, Submission, Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.hostile_server import HostileServer

    from qawait.model import Dialect

SEED = int(os.environ.get("HOSTILE_SEED", "20261121"))
CASES = 10_000
SLICES = 8
STRANDS = 48
"""Clients at once, each with connections of its own."""
LIMITS = Limits(
    connect=3.0,
    read_silence=0.5,
    submit_silence=0.5,
    answer_bytes=1 << 20,
    result_bytes=1 << 20,
)
PATIENCE = 40.0
"""Seconds after which a case hangs, on however busy a machine."""
CANARY = "canary-0123456789"
MEASURED = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))
BATCH = Submission(circuits=(MEASURED,), shots=2, target=Target(name="q", qubits=1))


class Asked(NamedTuple):
    """One thing that a client does, and how many requests it takes when all is well."""

    name: str
    act: Callable[[Service[Any]], Awaitable[Any]]
    requests: int = 1


def all_asked(dialect: Dialect) -> list[Asked]:
    asked = [
        Asked(
            name,
            lambda service, start=start: service.exchange(start(), repeat=False),
            len(paths(start())),
        )
        for name, start in exchanges(dialect).items()
    ]
    # some dialects know an answer without a request
    asked = [one for one in asked if one.requests]
    asked.append(Asked("status", lambda service: service.status(JOB)))
    if not dialect.two_phases:
        asked += [Asked("submit", lambda service: service.submit(BATCH, "s"))] * 3
    return asked


class Strand:
    """One client and its cases, one after the other."""

    def __init__(self, server: HostileServer, number: int, seen: Counter[str]) -> None:
        self.dialect = ALL[sorted(ALL)[number % len(ALL)]]
        self.server = server.strands[number]
        self.url = server.url(number)
        self.asked = all_asked(self.dialect)
        self.seen = seen

    async def run(self, cases: list[str]) -> None:
        async with Transport(
            self.url,
            FixedToken(Secret(CANARY)),
            self.dialect.read_error,
            limits=LIMITS,
            # an answer that asks for a pause is obeyed for so long
            retry=Retry(attempts=1, longest_wait=0.01),
        ) as transport:
            for case in cases:
                await self.one(transport, case)

    async def one(self, transport: Transport, case: str) -> None:
        random = Random(f"{SEED} {case}")
        asked = random.choice(self.asked)
        self.server.begin(
            lambda body: hostile(random, body), random.randrange(asked.requests)
        )
        journal = MemoryJournal()
        error: errors.Error | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                await asked.act(Service(self.dialect, transport, journal))
        except errors.Error as raised:
            error = raised
        except Exception as raised:
            raise AssertionError(self.told(case, asked)) from raised
        answered = self.server.answered
        if answered is None:
            # the case before has left a connection that only seemed to be open
            refused = isinstance(error, errors.ResponseError)
            assert not refused, f"{error!r}: {self.told(case, asked)}"
            self.seen["not reached"] += 1
            return
        self.seen["an error" if error else "a value"] += 1
        self.seen[answered.kind] += 1
        if error is not None:
            said = str(error)
            fine = said and said.isprintable() and CANARY not in said
            assert fine, f"{said!r}: {self.told(case, asked)}"
        if asked.name == "submit":
            self.check_submission(journal, error, answered, self.told(case, asked))
        await self.next_question(transport, case, asked)

    def check_submission(
        self,
        journal: MemoryJournal,
        error: errors.Error | None,
        answered: Hostile,
        about: str,
    ) -> None:
        """It was sent once, and what the journal says of it can be true."""
        assert self.server.posts == 1, about
        standing = journal.submissions["s"].standing
        self.seen[f"submission {standing}"] += 1
        if error is None:
            assert standing is Standing.ACCEPTED, f"{standing}: {about}"
        elif isinstance(error, errors.SubmissionUncertain):
            assert standing is Standing.UNKNOWN, f"{standing}: {about}"
        else:
            # only a service that says no may be taken to have refused
            refused = isinstance(
                error, errors.SubmissionRejected | errors.ResponseError
            )
            assert refused, f"{error!r}: {about}"
            assert not answered.accepts, f"{error!r}: {about}"

    async def next_question(
        self, transport: Transport, case: str, asked: Asked
    ) -> None:
        """Its answer is its own; where the connection was bad, it may have none."""
        nonce = case.replace(" ", "-")
        call = Call(kind="read", method="GET", path=f"nonce/{nonce}", repeatable=True)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await transport.ask(call)
        except errors.Error:
            self.seen["no next answer"] += 1
            return
        except Exception as raised:
            raise AssertionError(self.told(case, asked)) from raised
        expected = b'{"nonce":"%b"}' % nonce.encode()
        assert answer.body == expected, f"{answer}: {self.told(case, asked)}"
        self.seen["a next answer"] += 1

    def told(self, case: str, asked: Asked) -> str:
        return (
            f"seed {SEED}, case {case}, {self.dialect.name}, {asked.name}:"
            f" {self.server.answered!r}"
        )


async def carry_out(slice_number: int, seen: Counter[str]) -> None:
    loop = asyncio.get_running_loop()
    stray: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: stray.append(context))
    before = asyncio.all_tasks()
    each = CASES // SLICES
    async with hostile_server(STRANDS) as server:
        strands = [Strand(server, number, seen) for number in range(STRANDS)]
        async with asyncio.TaskGroup() as group:
            for number, strand in enumerate(strands):
                cases = range(number, each, STRANDS)
                group.create_task(
                    strand.run([f"{slice_number} {case}" for case in cases])
                )
        # every client has closed all that it had
        async with asyncio.timeout(PATIENCE):
            await server.empty.wait()
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before, f"seed {SEED}"
    assert stray == [], f"seed {SEED}"


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", range(SLICES))
def test_a_hostile_answer_is_a_value_or_an_error_of_ours_and_leaves_nothing(
    number: int, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.ERROR)
    seen: Counter[str] = Counter()
    asyncio.run(_nothing())
    before = descriptors()
    asyncio.run(carry_out(number, seen))
    gc.collect()
    assert descriptors() == before, f"seed {SEED}"
    assert caplog.messages == [], f"seed {SEED}"
    print(f"seed {SEED}, slice {number}: {dict(seen)}")
    each = CASES // SLICES
    assert seen["a value"] + seen["an error"] + seen["not reached"] == each
    # neither is left untried, and the connections are mostly used again or anew
    assert each * 0.1 < seen["a value"] < each * 0.6
    assert seen["a next answer"] > each * 0.5
    assert min(seen[kind] for kind in KINDS) > 0
    for standing in (Standing.ACCEPTED, Standing.UNKNOWN, Standing.REJECTED):
        assert seen[f"submission {standing}"] > 0


async def _nothing() -> None:
    """What a first event loop opens for good is open before anything is counted."""
