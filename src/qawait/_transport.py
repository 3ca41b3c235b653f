"""The only module that talks to the network: sessions, deadlines, errors, retries."""

from __future__ import annotations

import asyncio
import os
import ssl
from functools import lru_cache, partial
from random import Random
from socket import gaierror
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import aiohttp
import anyio
from aiohttp.payload import BytesPayload
from msgspec import Struct
from yarl import URL

from qawait._address import checked_root, is_loopback
from qawait._bearer import Bearer
from qawait._body import Body, Unreadable, ends_with_its_connection
from qawait._clock import epoch
from qawait._observing import Observing
from qawait._pace import backoff
from qawait._quota import POLITE
from qawait._refusals import error_of, retry_after
from qawait._sessions import Sessions
from qawait._shared_quota import name_of, shared_quota
from qawait._turnstile import Turnstile
from qawait.errors import (
    ConfigurationError,
    ConnectFailed,
    Error,
    ProtocolError,
    RateLimited,
    RequestTimeout,
    ResponseError,
    ResponseTooLarge,
    ResponseTruncated,
    ServiceUnavailable,
    TlsFailed,
    TransportError,
)
from qawait.model import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp.abc import AbstractStreamWriter

    from qawait._auth import Secret, TokenSource
    from qawait._observing import Attempt
    from qawait._quota import Quota
    from qawait._shared_quota import QuotaStore
    from qawait._turnstile import Turn

__all__ = ["Limits", "Retry", "Transport", "Usage", "retryable"]

MiB = 1 << 20

BeforeBody: TypeAlias = "Callable[[], Awaitable[None] | None]"
"""What is done, and awaited, before the first byte of a body leaves."""


class Limits(Struct, frozen=True, kw_only=True):
    """What one client takes of the network. Times in seconds, sizes in bytes."""

    connections: int = 32
    """Connections at once to one service, and so requests under way."""
    connect: float = 10.0
    """For a connection to be made."""
    read_silence: float = 30.0
    """For the next byte of an answer to a question."""
    submit_silence: float = 60.0
    """For the next byte of an answer to a submission."""
    answer_bytes: int = 64 * MiB
    """The largest answer that is no result, decoded."""
    result_bytes: int = 4096 * MiB
    """The largest result, decoded."""


class Retry(Struct, frozen=True, kw_only=True):
    """How often a request is repeated where that is safe. Times in seconds."""

    attempts: int = 4
    """Attempts in all; 1 never repeats."""
    longest_wait: float = 3600.0
    """A longer wait asked for by the service is reported instead of obeyed."""


class Usage(Struct):
    """What a client has used of its service so far."""

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


def retryable(error: Exception, call: Call) -> bool:
    """Whether the same call may be sent again after this error.

    A refusal for being too many (429, or a 503 in the service's own words or with a
    `Retry-After`) and a failure before the first byte may be repeated always, for
    nothing happened. What may
    have taken effect is repeated only if the call has the same effect twice. A refused
    certificate, a refused token, what a service does not do (501) and every other clear
    answer are never repeated.
    """
    match error:
        case RateLimited():
            return True
        case TlsFailed():
            return False
        case TransportError(sent=False):
            return True
        case ServiceUnavailable(status=503) if (
            error.recognised or error.retry_after is not None
        ):
            return True
        case ResponseError(status=408):
            return call.repeatable
        case ServiceUnavailable(status=501):
            return False
        case ServiceUnavailable() | TransportError() | ProtocolError():
            return call.repeatable and not isinstance(error, ResponseTooLarge)
        case _:
            return False


class _WatchedBody(BytesPayload):
    """A request body that tells when its first byte is about to leave.

    Both ways in which aiohttp writes a payload run the hook; an error raised in it
    means that no byte is sent, and is kept, since aiohttp would disguise it.
    """

    def __init__(self, body: bytes, hook: BeforeBody, **kwargs: Any) -> None:
        super().__init__(body, **kwargs)
        self._hook = hook
        self.started = False
        self.refusal: Exception | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self._start()
        await super().write(writer)

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        await self._start()
        await super().write_with_length(writer, content_length)

    async def _start(self) -> None:
        if self.started:
            return
        try:
            pending = self._hook()
            if pending is not None:
                await pending
        except Exception as error:
            self.refusal = error
            raise
        self.started = True


def _nothing() -> None:
    pass


class Transport:
    """One service's sessions, deadlines and repeats.

    Open it with `async with`, in the event loop that uses it.
    """

    def __init__(
        self,
        url: str,
        token: TokenSource,
        read_error: Callable[[Answer], str | None],
        *,
        limits: Limits = Limits(),
        retry: Retry = Retry(),
        quota: Quota = POLITE,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
        random: Random | None = None,
        user_agent: str = "qawait",
        clock: Callable[[], float] = epoch,
        observing: Observing | None = None,
    ) -> None:
        self.root = checked_root(url)
        self._base = str(self.root)
        self.usage = Usage()
        self._bearer = Bearer(token, clock)
        self._read_error = read_error
        self._limits = limits
        self._retry = retry
        self._proxy = proxy
        self._ca_file = ca_file
        self._random = random or Random()
        self._user_agent = user_agent
        self._observing = observing or Observing()
        self.gate = Turnstile(
            quota,
            partial(self._shared, quota, token),
            # a service on this machine has a limit only if it says so
            enforced=not is_loopback(self.root.host),
            longest_block=retry.longest_wait,
        )
        """Where every request waits for its turn."""
        self._turns = asyncio.Semaphore(limits.connections)

    async def __aenter__(self) -> Transport:
        self._sessions = Sessions(self._limits, self._tls(), self._user_agent)
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.gate.close()
            await self._sessions.close()

    def _shared(self, quota: Quota, token: TokenSource) -> QuotaStore:
        """What all clients of this account on this machine may spend."""
        name = partial(name_of, str(self.root.origin()), token.current())
        return shared_quota(quota, name)

    def _tls(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=str(self._ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"ca_file {self._ca_file}: {error.strerror or 'no certificates in it'}"
            ) from None

    async def ask(self, call: Call) -> Answer:
        """Send a call, and again where `retryable` allows it.

        Each attempt has a reader of its own. What a reader raises ends the repeats, but
        for `ResponseTruncated`: the rest of a body may come with the next attempt.

        Raises:
            ResponseError, TransportError, ProtocolError: What the last attempt met.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._once(call, _nothing)
            except Unreadable as unreadable:
                failure = unreadable.error
                break
            except (ResponseError, TransportError, ProtocolError) as error:
                if not await self.wait_to_repeat(error, call, attempt):
                    raise
        raise failure

    async def wait_to_repeat(self, error: Error, call: Call, attempt: int) -> bool:
        """Wait before a call is repeated; False at once if it must not be."""
        return retryable(error, call) and await self.pause(error, attempt)

    async def pause(self, error: Error, attempt: int) -> bool:
        """Wait before a further attempt; False at once if this was the last one."""
        if attempt >= self._retry.attempts:
            return False
        asked = error.retry_after if isinstance(error, ResponseError) else None
        wait = backoff(attempt, self._random) if asked is None else asked
        if wait > self._retry.longest_wait:
            return False
        self._observing.repeated(error)
        await anyio.sleep(wait)
        return True

    async def send(self, call: Call, *, before_body: BeforeBody = _nothing) -> Answer:
        """Send a call once; after a refused token once more with a newer one.

        `before_body` runs, and what it gives is awaited, right before the first byte
        leaves; if it raises, nothing is sent and its error is raised here, as is what
        the call's reader raises.
        """
        try:
            return await self._once(call, before_body)
        except Unreadable as unreadable:
            failure = unreadable.error
        raise failure

    async def _once(self, call: Call, before_body: BeforeBody) -> Answer:
        answer, token = await self._attempt(call, before_body)
        if answer.status == 401 and await self._bearer.renewed(token):
            # refused before anything came of it, so also a submission is sent again
            answer, _ = await self._attempt(call, before_body)
        if answer.status < 200:
            # 101, for aiohttp waits past the others: nobody asked for another protocol
            raise ProtocolError(f"{call.path}: answered {answer.status}, out of place")
        if answer.status >= 300 and answer.status not in call.tolerated:
            raise error_of(answer, self._read_error)
        return answer

    async def _attempt(
        self, call: Call, before_body: BeforeBody
    ) -> tuple[Answer, Secret | None]:
        """One request and its answer, whatever it says; and the token that was sent."""
        # without a token there is nothing to wait for, and no account to share
        await self._bearer.token()
        async with self.gate.turn(call) as turn, self._turns:
            token = await self._bearer.token()
            body = None
            if call.body is not None:
                body = _WatchedBody(
                    call.body, before_body, content_type=call.content_type
                )
            attempt, around = self._observing.attempt(
                call, self._base, self.root.host, self.root.port
            )
            with around:
                try:
                    return await self._exchange(call, body, token, turn, attempt), token
                except (aiohttp.ClientError, OSError) as error:
                    self._sessions.broke(call)
                    if body is not None and body.refusal is not None:
                        failure = body.refusal
                    else:
                        sent = body.started if body is not None else True
                        failure = _translated(error, self.root, sent=sent)
                # neither cause nor context: aiohttp's errors show the Authorization
                # header
                raise failure

    async def _exchange(
        self,
        call: Call,
        body: _WatchedBody | None,
        token: Secret | None,
        turn: Turn,
        attempt: Attempt | None,
    ) -> Answer:
        url = _url(self._base, call.path, call.query)
        limits, session = self._limits, self._sessions.of(call)
        submits = call.kind == "submit"
        silence = limits.submit_silence if submits else limits.read_silence
        self.usage.requests += 1
        self.usage.bytes_sent += len(call.body or b"")
        async with (
            asyncio.timeout(limits.connect + 2 * silence) as deadline,
            session.request(
                call.method,
                url,
                data=body,
                # never bound to a name, which a traceback with locals would show
                headers=_headers(call, token),
                allow_redirects=False,
                proxy=self._proxy,
            ) as response,
        ):
            deadline.reschedule(None)
            self._sessions.answered(call, response.status)
            turn.heard(response.headers)
            if response.status == 429:
                turn.refused(retry_after(response.headers))
            if attempt is not None:
                attempt.answered(response.status, 0)
            answer = await self._read(response, call)
            if attempt is not None:
                attempt.answered(response.status, answer.size)
            return answer

    async def _read(self, response: aiohttp.ClientResponse, call: Call) -> Answer:
        ends_with_its_connection(response)
        good = response.status < 300
        limits = self._limits
        limit = limits.result_bytes if call.result and good else limits.answer_bytes
        if call.most is not None and good:
            limit = min(limit, call.most)
        name = f"{call.method} {call.path}"
        body = Body(response.content, limit, name, response.content_length)
        kept, value = b"", None
        try:
            if good and call.reader is not None:
                value = await body.read_by(call.reader())
            else:
                kept = await body.whole()
        except (aiohttp.ClientError, OSError):
            # a refusal is one by its status, whatever becomes of its explanation
            if good:
                raise
        finally:
            self.usage.bytes_received += body.size
        return Answer(response.status, response.headers, kept, value, body.size)


@lru_cache(maxsize=64)
def _url(base: str, path: str, query: tuple[tuple[str, str], ...]) -> URL:
    """Where a call is sent; every submission to one target, for example, to the same.

    Raises:
        ConfigurationError: The path goes up, out of the service's address.
    """
    # only a dot as it is, or written in hexadecimal, can go up
    may_go_up = "." in path or "%" in path
    if may_go_up and not {".", ".."}.isdisjoint(unquote(path).split("/")):
        raise ConfigurationError(f"{path!r} leaves the service's address")
    url = URL(f"{base}{path}", encoded=True)
    return url.with_query(query) if query else url


def _headers(call: Call, token: Secret | None) -> dict[str, str]:
    headers = {"Accept": call.accept}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.reveal()}"
    if call.method == "POST":
        headers["Content-Type"] = call.content_type
    return headers


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words and without the address."""
    if isinstance(error, gaierror):
        return "no such host"
    return os.strerror(error.errno) if error.errno else "it failed"


def _translated(
    error: Exception, root: URL, *, sent: bool
) -> TransportError | ProtocolError | ConfigurationError:
    """Our error for one of aiohttp's, which show headers and must not escape."""
    where = f"{root.host}:{root.port}"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return TlsFailed(f"{where}: the certificate or TLS handshake was refused")
        case aiohttp.ClientHttpProxyError():
            return ConnectFailed(f"the proxy refused a connection to {where}")
        case aiohttp.ClientConnectorError():
            reason = _reason(error.os_error)
            return ConnectFailed(f"no connection to {where}: {reason}")
        case aiohttp.ConnectionTimeoutError():
            return ConnectFailed(f"no connection to {where} in time")
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return RequestTimeout(f"no answer from {where} in time", sent=sent)
        case aiohttp.ClientPayloadError():
            return ResponseTruncated(f"the answer of {where} broke off")
        case aiohttp.ClientResponseError():
            return ProtocolError(f"{where} does not speak HTTP as it should")
        case aiohttp.InvalidURL():
            return ConfigurationError(f"not an address that can be asked: {where}")
        case _:
            return TransportError(f"the connection to {where} broke", sent=sent)
