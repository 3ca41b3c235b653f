"""Certificates and proxies: what laboratories behind them need."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from tests.fault_server import answering, reply

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._transport import Retry, Transport
from qawait.iqm.dialects import SERVER
from qawait.model import Call

GET = Call(kind="read", method="GET", path="api/v1/jobs/7", repeatable=True)


@contextmanager
def speaking_tls(authority: trustme.CA, host: str) -> Iterator[tuple[str, list[bytes]]]:
    """A server with a certificate for a host, and all bytes that reached it."""
    received: list[bytes] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                stream = context.wrap_socket(self.request, server_side=True)
            except OSError:
                return  # the client refused the certificate
            with stream:
                received.append(stream.recv(65536))
                stream.sendall(reply(200, '{"ok": 1}'))

    class Server(socketserver.ThreadingTCPServer):
        def handle_error(self, *_: object) -> None:
            """A client may hang up at any moment."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


def transport(url: str, ca_file: Path | None, proxy: str | None = None) -> Transport:
    return Transport(
        url,
        FixedToken(Secret("canary")),
        SERVER.read_error,
        retry=Retry(attempts=2),
        ca_file=ca_file,
        proxy=proxy,
    )


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return authority, path


async def test_a_certificate_of_the_given_authority_is_trusted(
    authority: tuple[trustme.CA, Path],
):
    ca, path = authority
    with speaking_tls(ca, "localhost") as (url, received):
        async with transport(url, path) as t:
            assert (await t.ask(GET)).body == b'{"ok": 1}'
    assert b"canary" in received[0]


@pytest.mark.parametrize("wrong", ["unknown authority", "another host"])
async def test_a_wrong_certificate_is_refused_before_the_token_leaves(
    authority: tuple[trustme.CA, Path], wrong: str
):
    ca, path = authority
    host = "elsewhere.example" if wrong == "another host" else "localhost"
    trusted = path if wrong == "another host" else None
    with speaking_tls(ca, host) as (url, received):
        async with transport(url, trusted) as t:
            with pytest.raises(errors.TlsFailed) as caught:
                await t.ask(GET)
    assert not caught.value.sent
    assert received == []


async def test_requests_go_through_the_proxy_that_is_given():
    async with answering(lambda r, n: reply(200, '{"via": "proxy"}')) as proxy:
        async with transport("http://127.0.0.1:9/root", None, proxy.url) as t:
            assert (await t.ask(GET)).body == b'{"via": "proxy"}'
        assert proxy.requests[0].path == "http://127.0.0.1:9/root/api/v1/jobs/7"


async def test_a_proxy_that_is_not_there_delivers_nothing():
    async with answering(lambda r, n: reply()) as proxy:
        gone = proxy.url
    async with transport("http://127.0.0.1:9/", None, gone) as t:
        with pytest.raises(errors.ConnectFailed):
            await t.ask(GET)


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with (
        answering(lambda r, n: reply()) as server,
        transport(server.url, None) as t,
    ):
        await t.ask(GET)
        assert len(server.requests) == 1
