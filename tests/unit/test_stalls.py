"""A process that was stopped, or a blocked loop, makes no request fail or uncertain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.service.running import LocalService, running

import qawait
from qawait.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 20
LIMITS = qawait.Limits(read_silence=3.0)
"""A stop of four seconds goes beyond the silence that a question allows; that of a
submission is left as it is."""


def native() -> qawait.iqm.Circuit:
    prx = qawait.iqm.Instruction("prx", ("QB3",), {"angle": 3.0, "phase": 0.0})
    read = qawait.iqm.Instruction("measure", ("QB3",), {"key": "m"})
    return qawait.iqm.Circuit("flip", (prx, read))


async def outcomes(client: qawait.Client, number: int, told: Any) -> list[str]:
    """How so many submissions at once end, each asked about once afterwards."""
    found: list[str] = []

    async def one() -> None:
        try:
            job = await client.submit(native(), shots=1, compile=False)
            await client.status(job.id)
        except Error as error:
            found.append(type(error).__name__)
        else:
            found.append("fine")

    async with anyio.create_task_group() as group:
        for _ in range(number):
            group.start_soon(one)
        await told()
    return found


CLIENT = """
import json, os, sys, anyio, qawait
from tests.unit.test_stalls import LIMITS, outcomes

async def main():
    service = qawait.IQMService(sys.argv[1], token=os.environ["T"], environment={})
    async with qawait.connect(service, limits=LIMITS) as client:
        before = client.usage.requests
        async def in_flight():
            while client.usage.requests < before + int(sys.argv[3]):
                await anyio.sleep(0.001)
            # until the last of them has left
            await anyio.sleep(0.6)
            print("in flight", flush=True)
        print(json.dumps(await outcomes(client, int(sys.argv[2]), in_flight)))

anyio.run(main)
"""


@pytest.fixture(params=["submit", "poll"])
def slow_service(request: pytest.FixtureRequest) -> Iterator[tuple[LocalService, int]]:
    """Takes a second to answer to submissions, or to questions.

    With the number of requests after which as many are under way as can be.
    """
    with running("--null", "--faults", f"slow:1s@{request.param}") as service:
        yield service, 5 if request.param == "submit" else 2 * AT_ONCE


def test_a_real_stop_of_a_real_process_makes_nothing_uncertain(
    slow_service: tuple[LocalService, int],
):
    there, under_way = slow_service
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, there.url, str(AT_ONCE), str(under_way)],
        cwd=ROOT,
        env=os.environ | {"T": there.token},
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "in flight\n"
        os.kill(client.pid, signal.SIGSTOP)
        # real seconds, because the process's own clocks go on
        threading.Event().wait(4.0)
        os.kill(client.pid, signal.SIGCONT)
        assert json.loads(client.stdout.read()) == ["fine"] * AT_ONCE
    assert client.returncode == 0


async def test_a_blocked_loop_makes_nothing_uncertain(
    slow_service: tuple[LocalService, int],
):
    running_one, _ = slow_service
    there = qawait.IQMService(running_one.url, token=running_one.token, environment={})

    async def block() -> None:
        await anyio.sleep(0.3)
        # longer than the deadline of a connection or of an answer
        threading.Event().wait(3.5)

    async with qawait.connect(there, limits=LIMITS) as client:
        assert await outcomes(client, AT_ONCE, block) == ["fine"] * AT_ONCE
