"""Who may speak to the local service, and what others get."""

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tests.service.running import FLIPPED, get, run_request

if TYPE_CHECKING:
    from tests.service.running import LocalService

COMPUTERS = "/api/v1/quantum-computers"


def _raw(service: LocalService, *head: str, version: str = "HTTP/1.1") -> bytes:
    """What comes back for a request written by hand, up to the end."""
    address = urlsplit(service.url)
    lines = [f"GET {COMPUTERS} {version}", *head, "Connection: close", "", ""]
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_service_answers_to_its_own_names(
    local_service: LocalService, host: str
) -> None:
    port = urlsplit(local_service.url).port
    token = f"Authorization: Bearer {local_service.token}"
    answer = _raw(local_service, f"Host: {host}:{port}", token)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "localhost.:{port}",
        "127.0.0.1.:{port}",
        "0.0.0.0:{port}",
        "2130706433:{port}",
        "0x7f.1:{port}",
        "127.1:{port}",
        "127.0.0.1:1",
        "127.0.0.1",
        "[::]:{port}",
        "192.168.0.1:{port}",
        "user@127.0.0.1:{port}",
        "127.0.0.1:{port}#",
        "",
    ],
)
def test_another_host_is_refused_before_anything_else(
    local_service: LocalService, host: str
) -> None:
    """A page whose name was made to resolve here cannot even try tokens."""
    name = host.format(port=urlsplit(local_service.url).port)
    token = f"Authorization: Bearer {local_service.token}"
    answer = _raw(local_service, f"Host: {name}", token)
    status = answer.split(b" ", 2)[1]
    assert status in (b"403", b"400"), answer
    assert b"quantum_computers" not in answer


def test_no_host_and_two_hosts_are_refused(local_service: LocalService) -> None:
    port = urlsplit(local_service.url).port
    token = f"Authorization: Bearer {local_service.token}"
    own = f"Host: 127.0.0.1:{port}"
    for head in ([token], [own, "Host: evil.example", token]):
        assert b"quantum_computers" not in _raw(local_service, *head)
    assert b" 403 " in _raw(local_service, token, version="HTTP/1.0")


def test_an_address_that_names_another_host_is_refused(
    local_service: LocalService,
) -> None:
    """HTTP's form for proxies, which has a host of its own, beside a good Host header."""
    address = urlsplit(local_service.url)
    head = f"Host: {address.netloc}\r\nAuthorization: Bearer {local_service.token}\r\n"
    for target in (f"http://evil.example{COMPUTERS}", f"evil.example{COMPUTERS}"):
        with socket.create_connection((address.hostname, address.port), 10) as sent:
            first = f"GET {target} HTTP/1.1\r\n"
            sent.sendall(f"{first}{head}Connection: close\r\n\r\n".encode())
            answer = b""
            while piece := sent.recv(65536):
                answer += piece
        assert answer.split(b" ", 2)[1] == b"400", answer
        assert b"quantum_computers" not in answer


def test_a_request_of_the_oldest_http_is_refused(local_service: LocalService) -> None:
    """Version 0.9 has no headers, and so no Host and no token."""
    address = urlsplit(local_service.url)
    with socket.create_connection((address.hostname, address.port), 10) as sent:
        sent.sendall(f"GET {COMPUTERS}\r\n\r\n".encode())
        answer = sent.recv(65536)
    assert b" 403 " in answer
    assert b"quantum_computers" not in answer


def test_it_listens_on_the_loopback_only_and_says_its_number(
    local_service: LocalService,
) -> None:
    """A name such as localhost may lead to ::1, where somebody else can listen."""
    process = psutil.Process(local_service.process.pid)
    inventory = [
        (socket_.laddr.ip, socket_.laddr.port)
        for one in (process, *process.children(recursive=True))
        for socket_ in one.net_connections()
        if socket_.status == psutil.CONN_LISTEN
    ]
    address = urlsplit(local_service.url)
    assert inventory == [("127.0.0.1", address.port)]
    assert address.hostname == "127.0.0.1"


def _listen(other: socket.socket, port: int | None) -> None:
    other.bind(("127.0.0.1", port))
    other.listen()


def test_nobody_else_can_listen_on_its_port(local_service: LocalService) -> None:
    """Whoever could would be sent the tokens of its clients."""
    port = urlsplit(local_service.url).port
    for name in ("SO_REUSEADDR", "SO_REUSEPORT"):
        if not hasattr(socket, name):
            continue
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
            with pytest.raises(OSError, match="in use"):
                _listen(other, port)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer {token}x",
        "Bearer {short}",
        "bearer{token}",
        "Basic {token}",
        "{token}",
        "Bearer t\u00f6ken",
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/v1/quantum-computers", "/api/", "/cocos/jobs/x"]
)
async def test_every_route_needs_the_whole_token(
    local_service: LocalService, authorization: str | None, path: str
) -> None:
    token = local_service.token
    async with local_service.session() as session:
        del session.headers["Authorization"]
        headers = {}
        if authorization is not None:
            value = authorization.format(token=token, short=token[:-1])
            headers["Authorization"] = value
        async with session.get(path, headers=headers) as response:
            assert response.status == 401
            assert token not in await response.text()


async def test_the_token_may_come_only_once(local_service: LocalService) -> None:
    port = urlsplit(local_service.url).port
    good = f"Authorization: Bearer {local_service.token}"
    answer = _raw(local_service, f"Host: 127.0.0.1:{port}", good, good)
    assert b"quantum_computers" not in answer


@pytest.mark.parametrize("path", ["/_ledger", "/about", "/nowhere"])
async def test_only_health_and_client_libraries_are_open(
    local_service: LocalService, path: str
) -> None:
    async with local_service.session() as session:
        del session.headers["Authorization"]
        async with session.get(path) as response:
            assert response.status == 401
        assert await get(session, "/health") == {"status": "ok"}
        for root in ("", "/cocos"):
            assert await get(session, f"{root}/info/client-libraries")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_origins_are_refused(
    local_service: LocalService, headers: dict[str, str]
) -> None:
    async with local_service.session() as session:
        async with session.get(COMPUTERS, headers=headers) as response:
            assert response.status == 403
        async with session.options(COMPUTERS, headers=headers) as response:
            assert response.status == 403
        async with session.options(COMPUTERS) as response:
            assert response.status == 405
            assert not [h for h in response.headers if h.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=UTF-8", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
async def test_only_json_is_taken(
    local_service: LocalService, content_type: str, status: int
) -> None:
    body = json.dumps(run_request(FLIPPED)).encode()
    headers = {"Content-Type": content_type}
    async with (
        local_service.session() as session,
        session.post(
            "/api/v1/jobs/square20/circuit", data=body, headers=headers
        ) as response,
    ):
        assert response.status == status


async def test_a_compressed_body_is_refused(local_service: LocalService) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    async with (
        local_service.session() as session,
        session.post("/cocos/jobs", data=b"x", headers=headers) as response,
    ):
        assert response.status in (400, 415)


@pytest.mark.parametrize(
    "path",
    ["/health", "/nowhere", "/api/v1/nowhere", "/cocos/nowhere", "/api/nowhere", "/"],
)
async def test_every_answer_says_that_it_is_simulated_and_is_no_page(
    local_service: LocalService, path: str
) -> None:
    async with local_service.session() as session, session.get(path) as response:
        assert response.headers["Qawait-Simulated"] == "true"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.content_type == "application/json"
        await response.json()


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/api/v1/jobs/x", {"message", "error_code", "request_id"}),
        ("/cocos/jobs/x", {"detail"}),
        ("/api/job/x/status/", {"detail"}),
        ("/station/jobs/x", {"detail", "message"}),
    ],
)
async def test_refusals_have_the_shape_of_their_dialect(
    local_service: LocalService, path: str, keys: set[str]
) -> None:
    async with local_service.session() as session:
        async with session.get(path) as response:
            assert response.status == 404
            assert set(await response.json()) == keys
        del session.headers["Authorization"]
        async with session.get(path) as response:
            assert response.status == 401
            assert set(await response.json()) == keys


@pytest.mark.parametrize(
    "job_id",
    [
        "..%2f..%2fetc",
        "%00",
        "a%0d%0ab",
        "x" * 300,
        "6E3BA0AD-01C5-4009-A147-BC7E75DB592C",
    ],
)
async def test_only_an_id_of_ours_reaches_the_jobs(
    local_service: LocalService, job_id: str
) -> None:
    port = urlsplit(local_service.url).port
    token = f"Authorization: Bearer {local_service.token}"
    address = urlsplit(local_service.url)
    head = (
        f"GET /api/v1/jobs/{job_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{token}\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall((head + "Connection: close\r\n\r\n").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")


async def test_a_body_beyond_the_limit_is_refused(local_service: LocalService) -> None:
    async with local_service.session(**{"Content-Type": "application/json"}) as session:
        body = io.BytesIO(b" " * (64 * 2**20 + 1))
        async with session.post("/cocos/jobs", data=body) as response:
            assert response.status == 413
            assert str(64 * 2**20) in (await response.json())["detail"]
