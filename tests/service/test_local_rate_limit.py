"""The rate limit of the local service, and a client that keeps to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import qawait
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from tests.service.running import FLIPPED, LocalService, get, run_request, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVE = """
from qawait.local.options import ServeOptions
from qawait.local.rate_limit import RateLimit
from qawait.local.server import serve
limit = RateLimit(units=300, window=0.5, block=0.9)
serve(ServeOptions(null=True, private_store=True, follow_stdin=True, rate_limit=limit))
"""


@pytest.fixture
def small_allowance() -> Iterator[LocalService]:
    """300 units in half a second; then nothing for most of a second."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield LocalService(process, ready["url"], ready["token"])
        process.stdin.close()


async def test_iqms_limit_is_told_and_kept() -> None:
    with running("--null", "--rate-limit", "iqm") as service:
        async with service.session() as session:
            async with session.get("/api/v1/quantum-computers") as response:
                assert response.headers["RateLimit-Limit"] == "2000"
                assert response.headers["RateLimit-Remaining"] == "1990"
            path = "/api/v1/jobs/square20/circuit"
            body = run_request(FLIPPED)
            left = []
            for _ in range(19):
                async with session.post(path, json=body) as response:
                    assert response.status == 201
                    left.append(int(response.headers["RateLimit-Remaining"]))
            assert left == list(range(1890, 0, -100))
            async with session.post(path, json=body) as response:
                assert response.status == 429
                assert response.headers["Retry-After"] == "30"
                refused = await response.json()
                assert refused["error_code"] == "too_many_requests"
                assert "ask again in 30 s" in refused["message"]
            # The account is blocked for everything, in the words of each dialect.
            async with session.get("/cocos/quantum-architecture") as response:
                assert response.status == 429
                assert "ask again in" in (await response.json())["detail"]
            # Except where it has no say.
            assert (await get(session, "/health"))["status"] == "ok"
            async with session.get("/api/qpusystem/") as response:
                assert response.status == 200


async def test_our_client_waits_as_it_is_told_and_loses_nothing(
    small_allowance: LocalService,
) -> None:
    service = qawait.IQMService(small_allowance.url, token=small_allowance.token)
    circuit = Circuit("c", (Instruction("measure", ("QB2",), {"key": "m"}),))
    begun = time.monotonic()
    async with qawait.connect(service) as client:
        jobs = [await client.submit(circuit, shots=3, compile=False) for _ in range(4)]
        results = [await job for job in jobs]
    assert [result[0].shots for result in results] == [3] * 4
    async with small_allowance.session() as session:
        ledger = await get(session, "/_ledger")
    refused = [r for r in ledger["requests"] if r["status"] == 429]
    # Four submissions cost more than the allowance; one refusal is enough to learn it,
    # and requests that were under way by then may meet the block as well.
    assert 1 <= len(refused) <= 5
    assert time.monotonic() - begun >= 0.9
    assert len(ledger["submissions"]) == 4
