"""One service's sessions against real sockets that misbehave."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from tests.fault_server import Cut, FaultServer, Hang, Request, Reset, answering, reply

from qawait import errors
from qawait._address import checked_root
from qawait._auth import FixedToken, Secret
from qawait._delivery import delivery_of
from qawait._refusals import error_of
from qawait._transport import (
    Limits,
    Retry,
    Transport,
    retryable,
)
from qawait.iqm.dialects import SERVER
from qawait.model import Answer, Call, Delivery

CANARY = "canary-0123456789"
GET = Call(kind="read", method="GET", path="api/v1/jobs/7", repeatable=True)
POST = Call(kind="submit", method="POST", path="api/v1/jobs/q/circuit", body=b"{}")


def transport(server: FaultServer | str, **options: Any) -> Transport:
    url = server if isinstance(server, str) else server.url
    options.setdefault("retry", Retry(attempts=1))
    return Transport(
        url,
        FixedToken(Secret(CANARY)),
        SERVER.read_error,
        random=Random(3),
        **options,
    )


def no_canary(error: BaseException) -> None:
    """The token is nowhere in an error, in what led to it, or in a frame of ours."""
    seen: list[BaseException | None] = [error]
    while seen:
        one = seen.pop()
        if one is None:
            continue
        assert CANARY not in repr(one)
        assert CANARY not in str(one)
        seen += [one.__cause__, one.__context__]
        told = traceback.TracebackException.from_exception(one, capture_locals=True)
        for frame in told.stack:
            if "/tests/" not in frame.filename:
                assert CANARY not in str(frame.locals), f"{frame.filename} {frame.name}"


# --- the address ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/", "not an http"),
        ("host:80", "not an http"),
        ("", "not an http"),
        ("http://example.org/", "unencrypted"),
        ("http://127.0.0.1.example.org/", "unencrypted"),
        ("https://user:secret@host/", "password"),
        ("https://host/?token=secret", "query"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(url: str, why: str):
    with pytest.raises(errors.ConfigurationError, match=why) as caught:
        checked_root(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://host", "http://localhost:1", "http://127.0.0.1", "http://[::1]:8/x"],
)
def test_an_address_ends_in_a_slash(url: str):
    assert str(checked_root(url)).endswith("/")


async def test_no_call_leaves_the_services_address():
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        for path in ("../admin", "api/../../admin", "%2e%2e/admin", "a/./b"):
            call = Call(kind="read", method="GET", path=path)
            with pytest.raises(errors.ConfigurationError):
                await t.send(call)
        assert server.requests == []


# --- what is sent --------------------------------------------------------------------


async def test_the_token_goes_into_the_header_and_nowhere_else(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        await t.send(GET)
        assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
        assert CANARY not in repr(t)
        assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("method", "said"), [("GET", None), ("DELETE", None), ("POST", "application/json")]
)
async def test_no_type_is_said_of_a_body_that_there_is_not(
    method: str, said: str | None
):
    """Only POST says one, as the vendors' clients do."""
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        await t.send(Call(kind="change", method=method, path="api/v1/jobs/7"))
        assert server.requests[0].headers.get("content-type") == said


async def test_questions_share_a_connection_that_submissions_do_not_take():
    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        for _ in range(3):
            await t.send(GET)
        assert server.connections == 1
        await t.send(POST)
        assert server.connections == 2
        assert (t.usage.requests, t.usage.bytes_sent) == (4, 2)


async def test_a_renewed_token_is_tried_once():
    class Renewable:
        name = "test"
        unread = False
        expires_at = None
        token = Secret("old")

        def current(self) -> Secret:
            return self.token

        def renew(self) -> bool:
            self.token = Secret("new")
            return True

    def say(request: Request, number: int) -> bytes:
        good = request.headers["authorization"] == "Bearer new"
        return reply(200 if good else 401)

    async with answering(say) as server:
        async with Transport(server.url, Renewable(), SERVER.read_error) as t:
            await t.send(GET)
        assert len(server.requests) == 2


# --- what comes back -----------------------------------------------------------------

HTML = "<html><head><title>Please log in</title></head></html>"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, errors.RedirectRefused),
        (307, errors.RedirectRefused),
        (401, errors.AuthenticationError),
        (402, errors.PermissionDenied),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (418, errors.ResponseError),
        (422, errors.ResponseError),
        (425, errors.RateLimited),
        (429, errors.RateLimited),
        (500, errors.ServiceUnavailable),
        (503, errors.ServiceUnavailable),
        (522, errors.ServiceUnavailable),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[errors.Error]):
    said = Answer(status, {}, b'{"message": "no"}')
    error = error_of(said, SERVER.read_error)
    assert type(error) is kind
    assert error.status == status
    assert error.recognised


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"message": "m", "error_code": "c"}', "m"),
        ('{"detail": "d"}', "d"),
        ('{"detail": [{"loc": ["shots"]}]}', '[{"loc":["shots"]}]'),
        ('{"errors": [{"message": "e"}]}', "e"),
        (HTML, "an HTML page ('Please log in'); is the address right?"),
        ("", "no explanation"),
        ("gone\nfishing", "gone fishing"),
    ],
)
def test_the_services_own_words_are_kept(body: str, message: str):
    error = error_of(Answer(400, {}, body.encode()), SERVER.read_error)
    assert error.message == message
    assert error.recognised == body.startswith("{")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 30 "}, 30.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            10.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "١٢٠"}, None),
        ({"retry-after": "9999999999"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_nothing_else(
    headers: dict[str, str], seconds: float | None
):
    error = error_of(Answer(429, headers, b"{}"), SERVER.read_error)
    assert error.retry_after == seconds


async def test_a_redirect_is_never_followed():
    elsewhere: list[Request] = []

    def other(request: Request, number: int) -> bytes:
        elsewhere.append(request)
        return reply()

    async with answering(other) as trap:
        to = f"{trap.url}/x?token=1"
        async with (
            answering(lambda r, n: reply(307, Location=to)) as server,
            transport(server) as t,
        ):
            for call in (GET, POST):
                with pytest.raises(errors.RedirectRefused, match=trap.url):
                    await t.send(call)
    assert elsewhere == []


def reset(request: Request, number: int) -> bytes:
    raise Reset


def hang(request: Request, number: int) -> bytes:
    raise Hang


def nothing(request: Request, number: int) -> bytes:
    raise Cut(b"")


def half(request: Request, number: int) -> bytes:
    raise Cut(reply(200, "x" * 99)[:-50])


FAULTS = {
    "reset": (reset, errors.TransportError),
    "nothing": (nothing, errors.TransportError),
    "garbage": (lambda r, n: b"nonsense\r\n\r\n", errors.ProtocolError),
    "half": (half, errors.ResponseTruncated),
    "huge header": (
        lambda r, n: reply(200, "", Filler="x" * 10000),
        errors.ProtocolError,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broken_answer_is_an_error_of_ours_without_the_token(fault: str):
    say, kind = FAULTS[fault]
    async with answering(say) as server, transport(server) as t:
        with pytest.raises(kind) as caught:
            await t.send(POST)
        no_canary(caught.value)
        if isinstance(caught.value, errors.TransportError):
            assert caught.value.sent, "the body had left, so it may have taken effect"


@pytest.mark.parametrize("call", [GET, POST])
async def test_a_change_of_protocol_is_no_answer(call: Call):
    """Of a submission it says neither yes nor no."""
    changed = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    async with answering(lambda r, n: changed) as server, transport(server) as t:
        with pytest.raises(errors.ProtocolError, match="101") as caught:
            await t.send(call)
    assert delivery_of(caught.value) is Delivery.UNKNOWN


async def test_silence_ends_in_a_timeout():
    limits = Limits(read_silence=0.05, submit_silence=0.05)
    async with answering(hang) as server, transport(server, limits=limits) as t:
        with pytest.raises(errors.RequestTimeout) as caught:
            await t.send(POST)
        assert caught.value.sent
        no_canary(caught.value)


async def test_a_refused_connection_delivers_nothing():
    async with answering(lambda r, n: reply()) as server:
        gone = server.url
    async with transport(gone) as t:
        with pytest.raises(errors.ConnectFailed) as caught:
            await t.send(POST)
        address = gone.removeprefix("http://")
        assert str(caught.value) == f"no connection to {address}: Connection refused"
        assert not caught.value.sent


async def test_a_hook_that_refuses_sends_no_byte_and_keeps_its_own_error():
    class DiskFull(Exception):
        pass

    def refuse() -> None:
        raise DiskFull

    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        with pytest.raises(DiskFull):
            await t.send(POST, before_body=refuse)
        assert server.requests == []


async def test_the_hook_runs_before_the_server_sees_the_body():
    ran: list[str] = []

    def say(request: Request, number: int) -> bytes:
        ran.append("server")
        return reply()

    async with answering(say) as server, transport(server) as t:
        await t.send(POST, before_body=lambda: ran.append("hook"))
    assert ran == ["hook", "server"]


async def test_the_server_sees_the_body_only_after_a_hook_that_takes_time():
    ran: list[str] = []

    async def take_time() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        ran.append("hook")

    def say(request: Request, number: int) -> bytes:
        ran.append("server")
        return reply()

    async with answering(say) as server, transport(server) as t:
        await t.send(POST, before_body=take_time)
    assert ran == ["hook", "server"]


async def test_a_hook_that_refuses_late_sends_no_byte():
    class DiskFull(Exception):
        pass

    async def refuse() -> None:
        await asyncio.sleep(0)
        raise DiskFull

    async with answering(lambda r, n: reply()) as server, transport(server) as t:
        with pytest.raises(DiskFull):
            await t.send(POST, before_body=refuse)
        assert server.requests == []


async def test_a_body_above_the_limit_is_refused_also_when_compressed():
    import gzip

    bomb = gzip.compress(b"0" * 2_000_000)

    def say(request: Request, number: int) -> bytes:
        return reply(200, bomb, Content_Encoding="gzip")

    limits = Limits(answer_bytes=100_000)
    async with answering(say) as server, transport(server, limits=limits) as t:
        with pytest.raises(errors.ResponseTooLarge) as caught:
            await t.send(GET)
        no_canary(caught.value)


async def test_a_call_that_knows_the_largest_answer_takes_no_larger_one():
    """What follows from a submission is a closer bound than what any result may be."""
    call = Call(kind="read", method="GET", path="x", result=True, most=1000)

    def say(request: Request, number: int) -> bytes:
        return reply(200, b"0" * (1000 + number))

    async with answering(say) as server, transport(server) as t:
        assert len((await t.send(call)).body) == 1000
        with pytest.raises(errors.ResponseTooLarge):
            await t.send(call)


async def test_a_compressed_answer_is_decoded():
    import gzip

    body = gzip.compress(b'{"a": 1}')
    async with (
        answering(lambda r, n: reply(200, body, Content_Encoding="gzip")) as server,
        transport(server) as t,
    ):
        assert (await t.send(GET)).body == b'{"a": 1}'


# --- repeating -----------------------------------------------------------------------

NOT_SENT = errors.ConnectFailed("refused")
LOST = errors.TransportError("reset", sent=True)


@pytest.mark.parametrize(
    ("error", "question", "submission"),
    [
        (errors.RateLimited(429, "slow"), True, True),
        (
            errors.ServiceUnavailable(503, "html", recognised=False, retry_after=1.0),
            True,
            True,
        ),
        (errors.ResponseError(408, "slow"), True, False),
        (NOT_SENT, True, True),
        (errors.TlsFailed("expired"), False, False),
        (LOST, True, False),
        (errors.RequestTimeout("late"), True, False),
        (errors.ServiceUnavailable(503, "busy"), True, True),
        (errors.ServiceUnavailable(503, "page", recognised=False), True, False),
        (errors.ServiceUnavailable(501, "does no such thing"), False, False),
        (errors.ServiceUnavailable(504, "gateway"), True, False),
        (errors.UnexpectedContent("html"), True, False),
        (errors.ResponseTooLarge("big"), False, False),
        (errors.AuthenticationError(401, "no"), False, False),
        (errors.NotFound(404, "no"), False, False),
        (errors.ResponseError(400, "no"), False, False),
    ],
    ids=repr,
)
def test_only_what_is_safe_is_repeated(
    error: errors.Error, question: bool, submission: bool
):
    assert retryable(error, GET) is question
    assert retryable(error, POST) is submission


async def test_a_question_is_repeated_until_it_is_answered():
    def say(request: Request, number: int) -> bytes:
        if number < 2:
            raise Reset
        return reply(200, '{"ok": 1}')

    async with (
        answering(say) as server,
        transport(server, retry=Retry(attempts=4)) as t,
    ):
        assert (await t.ask(GET)).body == b'{"ok": 1}'


async def test_a_longer_wait_than_allowed_is_reported_instead():
    async with (
        answering(lambda r, n: reply(429, "{}", Retry_After="7200")) as server,
        transport(server, retry=Retry(attempts=4)) as t,
    ):
        with pytest.raises(errors.RateLimited) as caught:
            await t.ask(GET)
        assert caught.value.retry_after == 7200
        assert len(server.requests) == 1


async def test_a_rate_limit_holds_back_everything_of_this_service():
    """After one 429 with a wait of a second no request leaves before it is over."""
    times: list[float] = []

    def say(request: Request, number: int) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return reply(429, "{}", Retry_After="1") if number == 0 else reply()

    async with answering(say) as server, transport(server) as t:
        with pytest.raises(errors.RateLimited):
            await t.send(GET)
        await t.send(GET)
    assert times[1] - times[0] >= 0.99


async def test_a_limit_that_is_told_is_kept_by_all_clients_of_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In no second more requests than it allows, though two clients want many more."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    times: list[float] = []

    def say(request: Request, number: int) -> bytes:
        times.append(asyncio.get_running_loop().time())
        told = {"RateLimit_Limit": "20", "RateLimit_Policy": "20;w=1"}
        return reply(**told)

    async with (
        answering(say) as server,
        transport(server) as one,
        transport(server) as other,
    ):
        for t in (one, other):
            await t.send(GET)
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon((one, other)[number % 2].send, GET)
    assert len(times) == 52
    assert all(late - early > 1 for early, late in zip(times, times[20:], strict=False))
    (file,) = (tmp_path / "qawait" / "quota").iterdir()
    assert CANARY not in file.name


async def test_submissions_that_wait_for_their_turn_do_not_keep_questions_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told = {"RateLimit_Limit": "20", "RateLimit_Policy": "20;w=2"}
    limits = Limits(connections=2)
    async with (
        answering(lambda r, n: reply(**told)) as server,
        transport(server, limits=limits) as t,
    ):
        await t.send(GET)
        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(t.send, POST)
            with anyio.fail_after(3):
                for _ in range(3):
                    await t.send(GET)
            group.cancel_scope.cancel()


async def test_a_limit_holds_from_the_first_request_but_on_this_machine():
    assert transport("https://example.org").gate.enforced
    assert not transport("http://127.0.0.1:1").gate.enforced


async def test_a_ca_file_that_is_none_is_named(tmp_path: Any):
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(errors.ConfigurationError, match=r"ca\.pem"):
        async with transport("https://localhost:1", ca_file=path):
            pass
