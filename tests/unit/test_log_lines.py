"""What a service says cannot forge a line of the log, nor bring a secret into it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from tests.fault_server import Request, answering, reply

from qawait import connect, errors
from qawait.services import QoroService

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "canary-of-the-token"
SAID = "canary-of-the-service"
JOB = "00000000-0000-0000-0000-000000000007"
PROGRAM = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg canary[1]; creg c[1]; measure canary->c;'
)


def _hostile(words: Iterator[str]):
    """A Qoro service whose texts break lines and colour terminals."""
    forged = f"{SAID}\r\nCRITICAL:root:forged\x1b[2J\u202e"

    def answer(request: Request, number: int) -> bytes:
        path = request.path
        if "simulatorcluster" in path:
            return reply(body='[{"name":"qoro_maestro"}]')
        if path.endswith("/init/"):
            return reply(201, json.dumps({"job_id": JOB, "status": forged}))
        if path.endswith("/add_circuits/"):
            return reply(body=json.dumps({"status": forged}))
        if path.endswith("/status/"):
            word = next(words)
            if not word:
                return reply(503, forged)
            return reply(body=json.dumps({"status": word, "error": forged}))
        return reply(body="[]")

    return answer


async def test_every_record_is_one_line_without_a_secret(
    caplog: pytest.LogCaptureFixture,
):
    """At DEBUG, of every logger, through a whole job whose every answer is hostile."""
    words = iter(
        ["PENDING", "ODD\r\nERROR:root:forged\x1b[2J", "", "RUNNING", "FAILED"]
    )
    caplog.set_level(logging.DEBUG)
    async with answering(_hostile(words)) as server:
        service = QoroService(server.url, token=TOKEN)
        async with connect(service, target="qoro_maestro", journal=None) as client:
            job = await client.submit(PROGRAM, shots=3)
            with pytest.raises(errors.JobFailed):
                await job
    told = [record.getMessage() for record in caplog.records]
    assert any("unknown status" in line for line in told), told
    assert any("JobFailed" in line for line in told), told
    for record, line in zip(caplog.records, told, strict=True):
        assert line.isprintable(), ascii(line)
        for secret in (TOKEN, "canary[1]", "OPENQASM"):
            assert secret not in line
            assert secret not in repr(vars(record))


@pytest.mark.parametrize(
    "address", ["https://me:canary@q.example/", "https://q.example/?key=canary"]
)
async def test_an_address_with_a_secret_in_it_is_refused_unseen(
    address: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.ConfigurationError) as caught:
        async with connect(QoroService(address, token=TOKEN), journal=None):
            pass
    assert "canary" not in repr(caught.value)
    assert "canary" not in caplog.text
