"""Many requests over real sockets, with faults: what stays behind of them is counted.

``python -m tests.soak.leaks REQUESTS SEED`` prints one JSON document; the service is a
process of its own, so all that is counted here is the client's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
from msgspec import Struct, field, to_builtins

import qawait
from qawait import errors
from tests.service.running import running
from tests.soak.soak import circuit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.running import LocalService

FAULTS = (
    "drop_reply:0.04@submit,close_early:0.02@submit,503:0.005@poll,reset:0.04@poll,"
    "html:0.01@poll,truncated:0.01@results,bad_gzip:0.01@results,503:0.005@results"
)
"""About one request in twenty; few of those after which a client must wait."""
CONNECTIONS = 8
AT_ONCE = 60
"""Jobs under way between two counts."""
COUNTS = 12
"""How often it is counted on the way, at most."""


class Count(Struct, frozen=True):
    """What a process holds while nothing is under way."""

    requests: int
    tasks: int
    descriptors: int
    blocks: int
    """Blocks of memory that Python holds."""
    resident: int
    """Bytes."""


class Account(Struct):
    """What became of a run."""

    before: Count
    after: Count
    """The client is closed."""
    counts: list[Count]
    ends: Counter[str] = field(default_factory=Counter[str])
    warnings: int = 0
    """What was never closed, and what was raised where nobody could catch it."""

    @property
    def blocks_each(self) -> float:
        """Blocks of memory more for each request, after the first quarter."""
        return self._slope("blocks")

    @property
    def bytes_each(self) -> float:
        """Bytes of resident memory more for each request, after the first quarter."""
        return self._slope("resident")

    def _slope(self, what: str) -> float:
        late = self.counts[len(self.counts) // 4 :]
        made = [count.requests for count in late]
        return statistics.linear_regression(
            made, [getattr(count, what) for count in late]
        ).slope


def counted(requests: int) -> Count:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Count(
        requests,
        len(asyncio.all_tasks()),
        len(list(Path("/proc/self/fd").iterdir())),
        sys.getallocatedblocks(),
        pages * os.sysconf("SC_PAGE_SIZE"),
    )


async def soak(there: LocalService, requests: int, seed: int) -> Account:
    """Make so many requests of a service that plays `FAULTS`, and count on the way."""
    random, ends, counts = Random(seed), Counter[str](), list[Count]()
    service = qawait.IQMService(there.url, token=there.token)
    pace = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
    # what is loaded and cached once is no leak
    async with qawait.connect(service, pace=pace) as client:
        await client.submit(circuit(), shots=5, compile=False)
    before = counted(0)
    limits = qawait.Limits(connections=CONNECTIONS)
    client = await qawait.open(service, pace=pace, limits=limits, seed=seed)
    try:
        while client.usage.requests < requests:
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    fate = random.random()
                    group.start_soon(one, client, fate, ends)
            if client.usage.requests >= requests * (len(counts) + 1) / COUNTS:
                counts.append(counted(client.usage.requests))
    finally:
        await client.close()
    made = client.usage.requests
    del client
    # a connection is gone one turn of the loop after it was closed
    await anyio.wait_all_tasks_blocked()
    return Account(before, counted(made), counts, ends)


async def one(client: qawait.Client, fate: float, ends: Counter[str]) -> None:
    """One job: most are waited for, some cancelled, some waits given up."""
    try:
        job = await client.submit(circuit(), shots=5, compile=False)
        if fate < 0.1:
            await job.cancel()
        elif fate < 0.2:
            with anyio.move_on_after(0.02):
                await job
        await job
    except errors.Error as error:
        ends[type(error).__name__] += 1
    else:
        ends["ready"] += 1


def watched(run: Callable[[], Account]) -> Account:
    """A run during which nothing may be left open."""
    raised: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, raised.append
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            account = run()
            gc.collect()
    finally:
        sys.unraisablehook = before
    account.warnings = len(raised) + len(told)
    return account


def main(requests: int, seed: int) -> Account:
    with running("--null", "--faults", FAULTS, "--seed", str(seed)) as there:
        return watched(lambda: anyio.run(soak, there, requests, seed))


if __name__ == "__main__":
    account = main(*map(int, sys.argv[1:]))
    found = {"blocks_each": account.blocks_each, "bytes_each": account.bytes_each}
    json.dump(to_builtins(account) | found, sys.stdout)
