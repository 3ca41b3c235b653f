"""What goes wrong inside the local service stays inside."""

from __future__ import annotations

import logging
import re
import sqlite3

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from qawait.local.border import shaped

CANARY = "canary-0123456789"


@pytest.mark.parametrize(
    "path", ["/cocos/x", "/station/x", "/api/v1/x", "/api/x", "/x"]
)
async def test_an_answer_to_a_fault_of_ours_holds_a_number_and_nothing_of_the_fault(
    path: str, caplog: pytest.LogCaptureFixture
):
    """The log has the same number, and beside it everything that is to be known."""

    async def fail(request: web.Request) -> web.Response:
        token = CANARY
        raise RuntimeError(f"/home/somebody/{token}")

    app = web.Application(middlewares=[shaped])
    app.add_routes([web.get(path, fail)])
    with caplog.at_level(logging.ERROR):
        async with (
            TestClient(TestServer(app)) as client,
            client.get(path, params={"token": CANARY}) as answer,
        ):
            said = await answer.text()
            assert answer.status == 500
            assert CANARY not in str(answer.headers)
    assert CANARY not in said
    assert "RuntimeError" not in said
    assert "/home" not in said
    found = re.search(r"incident ([0-9a-f-]{36})", said)
    assert found
    [record] = caplog.records
    assert found[1] in record.getMessage()
    assert CANARY not in record.getMessage()
    assert record.exc_info


async def test_a_store_that_cannot_be_used_is_no_incident_and_shows_no_path():
    async def fail(request: web.Request) -> web.Response:
        raise sqlite3.OperationalError("database or disk is full")

    app = web.Application(middlewares=[shaped])
    app.add_routes([web.get("/x", fail)])
    async with TestClient(TestServer(app)) as client, client.get("/x") as answer:
        assert answer.status == 503
        assert "disk is full" in await answer.text()
