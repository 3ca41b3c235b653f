"""A submission never goes over a connection that the service may be about to close."""

from __future__ import annotations

from random import Random

import pytest
from tests.fault_server import Cut, FaultServer, Request, Reset, answering, reply

from qawait import _sessions, errors
from qawait._auth import FixedToken, Secret
from qawait._transport import Retry, Transport
from qawait.iqm.dialects import SERVER
from qawait.model import Call

GET = Call(kind="read", method="GET", path="api/v1/jobs/7", repeatable=True)
POST = Call(kind="submit", method="POST", path="api/v1/jobs/q/circuit", body=b"{}")


def transport(server: FaultServer) -> Transport:
    return Transport(
        server.url,
        FixedToken(Secret("canary-0123456789")),
        SERVER.read_error,
        random=Random(3),
        retry=Retry(attempts=1),
    )


async def test_submissions_one_after_the_other_share_a_connection():
    """After two answers on one connection: the service keeps them open."""
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        await t.send(GET)
        await t.send(GET)
        for _ in range(3):
            await t.send(POST)
        assert server.connections == 1 + 1


async def test_before_a_service_has_kept_a_connection_each_submission_has_its_own():
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        await t.send(GET)
        for _ in range(3):
            await t.send(POST)
        assert server.connections == 1 + 3


async def test_a_service_that_closes_after_each_answer_without_a_word_loses_nothing():
    def close(request: Request, number: int) -> bytes:
        raise Cut(reply())

    async with answering(close) as server, transport(server) as t:
        for _ in range(5):
            await t.send(GET)
        for _ in range(20):
            await t.send(POST)
        posts = [r for r in server.requests if r.method == "POST"]
        assert len(posts) == 20


async def test_a_connection_that_has_rested_carries_no_submission(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(_sessions, "JUST_NOW", 0.0)
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        await t.send(GET)
        await t.send(GET)
        for _ in range(3):
            await t.send(POST)
        assert server.connections == 1 + 3


async def test_after_a_refusal_a_submission_has_a_connection_of_its_own():
    """Who refuses may close the connection without having read the body."""

    def refuse_once(request: Request, number: int) -> bytes:
        return reply(422 if number == 3 else 200)

    async with answering(refuse_once) as server, transport(server) as t:
        await t.send(GET)
        await t.send(GET)
        await t.send(POST)
        assert server.connections == 2
        with pytest.raises(errors.ResponseError):
            await t.send(POST)
        assert server.connections == 2
        await t.send(POST)
        assert server.connections == 3


async def test_once_a_submission_was_lost_every_other_has_a_connection_of_its_own():
    def lose_one(request: Request, number: int) -> bytes:
        if number == 3:
            raise Reset
        return reply()

    async with answering(lose_one) as server, transport(server) as t:
        await t.send(GET)
        await t.send(GET)
        await t.send(POST)
        with pytest.raises(errors.TransportError) as caught:
            await t.send(POST)
        assert caught.value.sent
        assert server.connections == 2
        for _ in range(3):
            await t.send(POST)
        assert server.connections == 2 + 3
