"""The rate limit of the local service, and a client that keeps to it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

import qawait
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from tests.service.running import (
    FLIPPED,
    LocalService,
    get,
    run_request,
    running,
    served_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SERVE = """
from qawait.local.options import ServeOptions
from qawait.local.rate_limit import RateLimit
from qawait.local.server import serve
limit = RateLimit(units=300, window=0.5, block=0.9)
serve(ServeOptions(null=True, private_store=True, follow_stdin=True, rate_limit=limit))
"""


CIRCUIT = Circuit("c", (Instruction("measure", ("QB2",), {"key": "m"}),))


@pytest.fixture
def small_allowance() -> Iterator[LocalService]:
    """300 units in half a second; then nothing for most of a second."""
    with served_by(_SERVE) as service:
        yield service


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
    small_allowance: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else uses the account up; one request of ours finds out."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    service = qawait.IQMService(small_allowance.url, token=small_allowance.token)
    async with (
        small_allowance.session() as session,
        qawait.connect(service) as client,
    ):
        refused = False
        while not refused:
            async with session.get("/api/v1/quantum-computers") as response:
                refused = response.status == 429
        begun = time.monotonic()
        result = await (await client.submit(CIRCUIT, shots=3, compile=False))
        assert time.monotonic() - begun >= 0.8
        ledger = await get(session, "/_ledger")
    assert result[0].shots == 3
    ours = [r for r in ledger["requests"] if "qawait" in r["user_agent"]]
    assert len([r for r in ours if r["status"] == 429]) == 1
    assert len(ledger["submissions"]) == 1


async def test_our_client_reckons_with_iqms_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes down for other processes is what the service has counted."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with running("--null", "--rate-limit", "iqm") as local:
        service = qawait.IQMService(local.url, token=local.token)
        async with qawait.connect(service) as client:
            jobs = [
                await client.submit(CIRCUIT, shots=3, compile=False) for _ in range(5)
            ]
            await asyncio.gather(*jobs)
        async with (
            local.session() as session,
            session.get("/api/v1/quantum-computers") as response,
        ):
            left = int(response.headers["RateLimit-Remaining"])
        ledger = await get_ledger(local)
    (file,) = (tmp_path / "qawait" / "quota").iterdir()
    written = json.loads(file.read_bytes())
    asked = len(ledger["requests"]) - 1
    assert 2000 - left == 5 * 100 + (asked - 5 + 1) * 10
    unmetered = 3 * 10
    spent = sum(units for _, units in written["spent"]) + written["strangers"]
    assert 2000 - left - 10 - unmetered <= spent <= 2000 - left
    assert written["members"] == {}


async def get_ledger(service: LocalService) -> Any:
    async with service.session() as session:
        return await get(session, "/_ledger")
