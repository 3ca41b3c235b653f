"""A client that goes away, or a service that ends, in the middle of a submission."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest

from tests.service.running import (
    FLIPPED,
    ended,
    get,
    run_request,
    running,
    submissions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.running import LocalService

BODY = json.dumps(run_request(FLIPPED)).encode()


def _begun(service: LocalService, body: bytes) -> socket.socket:
    """A connection on which the headers of a submission and this have been sent."""
    address = urlsplit(service.url)
    head = (
        f"POST /api/v1/jobs/square20/circuit HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {service.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    connection = socket.create_connection((address.hostname, address.port), 20)
    connection.sendall(head.encode() + body)
    return connection


async def test_a_client_that_leaves_before_the_answer_leaves_one_whole_job(
    tmp_path: Path,
):
    """Twenty that close after the last byte: twenty jobs, each there and with an end."""
    # With a store and a service time a submission waits for the disk in its middle.
    store = str(tmp_path / "jobs.sqlite")
    with running("--null", "--service-time", "1ms", store=store) as service:
        for _ in range(20):
            _begun(service, BODY).close()
        with anyio.fail_after(20):
            while len(await submissions(service)) < 20:
                pass
        sent = await submissions(service)
        assert len({one["job_id"] for one in sent}) == 20
        async with service.session() as session:
            for one in sent:
                job = await ended(session, f"/api/v1/jobs/{one['job_id']}")
                assert job["status"] == "completed"


async def test_a_client_that_leaves_before_the_end_of_its_body_leaves_no_job(
    counted: LocalService,
):
    for size in (0, 1, len(BODY) // 2, len(BODY) - 1):
        _begun(counted, BODY[:size]).close()
    async with counted.session() as session:
        with anyio.fail_after(20):
            while True:
                requests = (await get(session, "/_ledger"))["requests"]
                if len([r for r in requests if r["method"] == "POST"]) == 4:
                    break
    assert await submissions(counted) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
async def test_what_was_answered_while_the_service_ended_is_there_afterwards(
    tmp_path: Path,
):
    """Twenty submissions, and the signal before the first answer is read."""
    store = str(tmp_path / "jobs.sqlite")
    # With a service time no job ends before the service does.
    with running("--null", "--service-time", "1h", store=store) as service:
        begun = [_begun(service, BODY) for _ in range(20)]
        first = begun[0].recv(65536)
        service.process.send_signal(signal.SIGTERM)
        answers = [first, *[_rest(connection) for connection in begun[1:]]]
        begun[0].close()
        assert service.process.wait(timeout=20) == 0
    answered = [said for said in answers if said]
    assert answered
    assert all(said.startswith(b"HTTP/1.1 201 ") for said in answered), answered
    with running("--null", store=store) as service:
        async with service.session() as session:
            for said in answered:
                job_id = json.loads(said.partition(b"\r\n\r\n")[2])["id"]
                job = await ended(session, f"/api/v1/jobs/{job_id}")
                assert job["status"] == "completed"


def _rest(connection: socket.socket) -> bytes:
    """What comes until the service closes the connection."""
    received = b""
    with connection, contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received
