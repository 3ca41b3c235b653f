"""Requests that are nearly right: every byte of a good one may be another.

`python -m tests.service.fuzzed_requests COUNT SEED` sends so many to a service of its
own; `benchmarks.nightly` does.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from tests.service.running import FLIPPED, packed, program, run_request, running

if TYPE_CHECKING:
    from tests.service.running import LocalService

_RUN = json.dumps(run_request(FLIPPED))
_OPENING = '{"job_type":"EXECUTE","simulator_cluster":"qoro_maestro"}'
_UPLOAD = json.dumps(
    {
        "circuits": {"c0": packed(program("x q[0];", "measure q -> c;"))},
        "mode": "append",
        "finalized": "true",
        "shots": 10,
    }
)
_ID = "00000000-0000-0000-0000-000000000007"
_GOOD = (
    ("POST", "/cocos/jobs", _RUN),
    ("POST", "/station/circuits", _RUN),
    ("POST", "/api/v1/jobs/square20/circuit", _RUN),
    ("POST", "/api/job/init/", _OPENING),
    ("POST", "/api/job/{open}/add_circuits/", _UPLOAD),
    ("POST", "/api/job/{open}/execution_config/", '{"bond_dimension": 4}'),
    ("GET", "/api/job/{open}/status/", ""),
    ("GET", "/api/job/{open}/resultsV2/?limit=10&offset=0", ""),
    ("GET", f"/api/v1/jobs/{_ID}", ""),
    ("GET", "/api/v1/calibration-sets/square20/default/metrics", ""),
    ("GET", "/cocos/quantum-architecture", ""),
    ("POST", f"/station/jobs/{_ID}/abort", ""),
    ("DELETE", f"/api/job/{_ID}", ""),
)
_ODD = (
    *(b"\0", b"\r\n", b"\r\n\r\n", b"\xff\xfe", b"%00", b"%2e%2e%2f", b"\xc3\xa4"),
    *(b"1e999", b"-1", b"9" * 400, b"[" * 5000, b'{"a":' * 2000, b"null", b'"', b"NaN"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"\t", b"A" * 9000),
)

_PATIENCE = 0.25
"""Seconds until a service that says nothing is taken to wait for the rest."""


def fuzzed(random: Random, service: LocalService, open_job: str) -> bytes:
    """A request with up to four things wrong with it."""
    method, path, body = random.choice(_GOOD)
    parts = [
        f"{method} {path.replace('{open}', open_job)} HTTP/1.1\r\n".encode(),
        f"Host: {urlsplit(service.url).netloc}\r\n"
        f"Authorization: Bearer {service.token}\r\n"
        "Content-Type: application/json\r\n".encode(),
        body.encode(),
    ]
    # mostly in the body: what is wrong with a head is refused before ours is asked
    place = random.choice((0, 0, 1, 2, 2, 2, 2))
    for _ in range(random.randint(0, 4)):
        parts[place] = _changed(random, parts[place])
    head, headers, content = parts
    length = f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head + headers + length.encode() + content


def _changed(random: Random, text: bytes) -> bytes:
    if not text:
        return random.choice(_ODD)
    at = random.randrange(len(text))
    until = min(len(text), at + random.choice((1, 1, 4, 40)))
    match random.randrange(5):
        case 0:
            return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]
        case 1:
            return text[:at] + text[until:]
        case 2:
            return text[:at] + random.choice(_ODD) + text[at:]
        case 3:
            return text[:at] + text[at:until] * random.choice((2, 50)) + text[until:]
        case _:
            return text[:at]


def answer_to(service: LocalService, sent: bytes, patience: float = 30.0) -> bytes:
    """What comes back until the service closes the connection, or waits for more."""
    address = urlsplit(service.url)
    received = b""
    with (
        socket.create_connection((address.hostname, address.port), 30) as connection,
        contextlib.suppress(ConnectionError, TimeoutError),
    ):
        connection.sendall(sent)
        connection.settimeout(patience)
        while piece := connection.recv(65536):
            received += piece
    return received


def refused_line(service: LocalService) -> bytes:
    """A request whose header with the token breaks the rules."""
    return (
        f"GET /health HTTP/1.1\r\nHost: {urlsplit(service.url).netloc}\r\n"
        f'Autho"rization: Bearer {service.token}\r\n\r\n'
    ).encode()


def _opened(service: LocalService) -> str:
    head = (
        f"POST /api/job/init/ HTTP/1.1\r\nHost: {urlsplit(service.url).netloc}\r\n"
        f"Authorization: Bearer {service.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(_OPENING)}\r\nConnection: close\r\n\r\n{_OPENING}"
    )
    return json.loads(answer_to(service, head.encode()).partition(b"\r\n\r\n")[2])[
        "job_id"
    ]


def fuzz(service: LocalService, count: int, seed: int) -> dict[str, int]:
    """Sends so many; how many answers of each status there were, "" being none.

    Raises:
        AssertionError: One was a 5xx, or the service has ended; it names the request.
    """
    statuses: dict[str, int] = {}
    open_job = ""
    for number in range(count):
        random = Random(f"{seed} {number}")
        if number % 50 == 0:
            open_job = _opened(service)
        sent = fuzzed(random, service, open_job)
        received = answer_to(service, sent, _PATIENCE)
        status = received[9:12].decode("latin-1")
        assert not status.startswith("5"), (seed, number, sent[:500], received[:500])
        assert service.process.poll() is None, (seed, number, sent[:500])
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def main(count: int, seed: int) -> dict[str, object]:
    """Fuzzes a service of its own, and looks at its memory halfway and at the end."""
    with running("--null") as service:
        process = psutil.Process(service.process.pid)
        half = fuzz(service, count // 2, seed)
        before = process.memory_info().rss
        other = fuzz(service, count - count // 2, seed + 1)
        grown = process.memory_info().rss - before
    statuses = {one: half.get(one, 0) + other.get(one, 0) for one in half | other}
    return {"statuses": statuses, "grown_bytes": grown}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
