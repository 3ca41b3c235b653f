"""Several processes that use one account of a service with IQM's limit, in real time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import anyio

from tests.service.running import LocalService, get, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ASKING = """
import asyncio, sys
from pathlib import Path

import aiohttp

from qawait._quota import IQM
from qawait._shared_quota import SharedQuota
from qawait._turnstile import Turnstile
from qawait.model import Call

READ = Call(kind="read", method="GET", path="api/v1/quantum-computers")

async def ask(gate, session, call):
    async with gate.turn(call) as turn:
        async with session.request(call.method, call.path) as response:
            turn.heard(response.headers)
            await response.read()
        if response.status == 429:
            turn.refused(float(response.headers["Retry-After"]))

async def keep_asking(gate, session, call):
    while True:
        await ask(gate, session, call)

async def main(url, token, directory):
    account = SharedQuota(IQM, Path(directory), lambda: "account")
    gate = Turnstile(IQM, lambda: account, enforced=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url + "/", headers=headers) as session:
        await ask(gate, session, READ)
        await asyncio.gather(*(keep_asking(gate, session, READ) for _ in range(40)))

asyncio.run(main(*sys.argv[1:]))
"""


@contextlib.contextmanager
def asking(service: LocalService, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in which forty jobs want to be asked about all the time."""
    command = [sys.executable, "-P", "-c", _ASKING, service.url, service.token]
    with subprocess.Popen([*command, str(directory)], env=dict(os.environ)) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_four_processes_use_one_account_up_and_are_never_refused(tmp_path: Path):
    """One of them is killed in the middle, whose share the others have from then on."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(running("--null", "--rate-limit", "iqm"))
        processes = [stack.enter_context(asking(service, tmp_path)) for _ in range(4)]
        seconds: list[float] = []
        async with service.session() as session:
            with anyio.fail_after(50):
                while not seconds or seconds[-1] < 15.5:
                    await anyio.sleep(0.5)
                    requests = (await get(session, "/_ledger"))["requests"]
                    times = [datetime.fromisoformat(r["at"]) for r in requests]
                    seconds = [(at - times[0]).total_seconds() for at in times]
                    if seconds and seconds[-1] > 5:
                        processes[0].send_signal(signal.SIGKILL)
            assert all(process.poll() is None for process in processes[1:])
    assert {request["status"] for request in requests} == {200}
    # after the first burst, and the ten seconds in which it comes back
    asked = [second for second in seconds if 10.5 <= second < 15.5]
    assert 10 * len(asked) / (200 * 5) >= 0.9
