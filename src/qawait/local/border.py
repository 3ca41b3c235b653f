"""What every request passes: who may ask, how refusals look, what is recorded.

The service runs circuits for whoever holds its token, on a port that every program and
every page in a browser on this machine can reach; hence the checks.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import math
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import anyio
import msgspec
from aiohttp import web

from qawait.errors import ProtocolError
from qawait.local.rate_limit import Exhausted, RateLimiter, cost
from qawait.qoro.serving import write_detail, write_error

if TYPE_CHECKING:
    from qawait.local.ledger import Ledger
    from qawait.local.rate_limit import RateLimit

__all__ = [
    "HEADERS",
    "JOB_ID",
    "Refused",
    "Unanswered",
    "answer",
    "body_of",
    "guarded",
    "limited",
    "recorded",
    "shaped",
    "with_headers",
]

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

JOB_ID = "{id:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}}"
"""The part of a route that takes a job's id, and nothing else."""

_log = logging.getLogger(__name__)

_BODY_SECONDS = 30.0
"""How long a request body may take to arrive."""
_BYTES_IN: web.RequestKey[int] = web.RequestKey("bytes_in", int)

HEADERS = {
    "Qawait-Simulated": "true",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Refused(Exception):
    """A request is refused: HTTP status, a sentence, and a word for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.status = status
        self.message = message
        self.code = code or _CODES.get(status, "error")


_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "too_many_requests",
    500: "internal_error",
    501: "not_implemented",
    503: "service_unavailable",
}


class Unanswered(web.Response):
    """Stands for an answer where the connection ended without a whole one."""


def answer(body: bytes = b"", status: int = 200) -> web.Response:
    """A response that is JSON, or empty."""
    if not body:
        return web.Response(status=status)
    return web.Response(body=body, status=status, content_type="application/json")


async def body_of(request: web.Request) -> bytes:
    """The whole body, within the limits of size and time.

    Raises:
        Refused: It is compressed, too slow, or not declared as JSON.
    """
    if "Content-Encoding" in request.headers:
        raise Refused(415, "send the body without Content-Encoding")
    try:
        with anyio.fail_after(_BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise Refused(408, f"the body took longer than {_BODY_SECONDS:g} s") from None
    request[_BYTES_IN] = len(body)
    # A page in a browser can post text or a form without asking first, but not JSON.
    if body and request.content_type != "application/json":
        raise Refused(415, "send the body as application/json")
    return body


# --- the shapes of refusals -----------------------------------------------------------


def _in_detail(refused: Refused) -> bytes:
    return msgspec.json.encode({"detail": refused.message})


def _as_station(refused: Refused) -> bytes:
    # clients up to iqm-client 30 read the one name, later ones the other
    return msgspec.json.encode({"detail": refused.message, "message": refused.message})


def _as_server(refused: Refused) -> bytes:
    return msgspec.json.encode(
        {
            "message": refused.message,
            "error_code": refused.code,
            "request_id": str(uuid4()),
        }
    )


def _as_qoro(refused: Refused) -> bytes:
    if refused.status in (401, 403, 404, 405):
        return write_detail(refused.message)
    return write_error(refused.message)


_SHAPES: tuple[tuple[str, Callable[[Refused], bytes]], ...] = (
    ("/cocos/", _in_detail),
    ("/station/", _as_station),
    ("/api/v1/", _as_server),
    ("/api/", _as_qoro),
    ("/", _as_server),
)


@web.middleware
async def shaped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal and every failure in the shape of the dialect that was spoken."""
    try:
        return await handler(request)
    except Refused as error:
        refused = error
    except ProtocolError as error:
        refused = Refused(400, str(error))
    except web.HTTPRequestEntityTooLarge as error:
        refused = Refused(error.status, error.text or error.reason)
    except web.HTTPException as error:
        refused = Refused(error.status, error.reason)
    except sqlite3.Error as error:
        refused = Refused(503, f"the job store cannot be used: {error}")
    except Exception:
        incident = uuid4()
        _log.exception("incident %s: %s %s", incident, request.method, request.path)
        refused = Refused(500, f"internal error, incident {incident}")
    shape = next(shape for prefix, shape in _SHAPES if _under(prefix, request.path))
    response = answer(shape(refused), refused.status)
    response.headers.update(refused.headers)
    return response


def _under(prefix: str, path: str) -> bool:
    return path.startswith(prefix) or path == prefix[:-1]


# --- who may ask ----------------------------------------------------------------------


_OPEN = ("/health", "/info/client-libraries", "/cocos/info/client-libraries")
"""What needs no token. An iqm-client that is refused the last two warns its user of a
version that does not fit, or asks without end (wire reference, IQM, §2)."""


def guarded(
    token: Callable[[], str],
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Lets pass who speaks to this machine by its own name and holds the token.

    Args:
        token: Gives the one that is valid now.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        port = _port_of(request)
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not is_own_host(hosts[0], port):
            raise Refused(403, "the Host header is not a loopback address of this port")
        if not request.raw_path.startswith("/"):
            # The other form of HTTP, for proxies, names a second host beside that one.
            raise Refused(400, "name a path, not a whole address")
        origin = request.headers.get("Origin")
        if origin is not None and not _is_own_origin(origin, port):
            raise Refused(403, "requests of other origins are refused")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise Refused(403, "requests of other sites are refused")
        if request.path not in _OPEN:
            given = request.headers.getall("Authorization", [])
            expected = f"Bearer {token()}".encode()
            if len(given) != 1 or not hmac.compare_digest(
                given[0].encode("utf-8", "surrogateescape"), expected
            ):
                raise Refused(401, "the token is missing or wrong")
        return await handler(request)

    return guard


def limited(limit: RateLimit) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Lets requests pass while there are units for them; all are of one account."""
    limiter = RateLimiter(limit)

    @web.middleware
    async def spend(request: web.Request, handler: Handler) -> web.StreamResponse:
        length = request.content_length or 0
        units = cost(limit, request.method, request.path, length)
        if units is None:
            return await handler(request)
        try:
            left = limiter.spend(units, anyio.current_time())
        except Exhausted as exhausted:
            seconds = math.ceil(exhausted.seconds)
            raise Refused(
                429,
                f"too many requests; ask again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            ) from None
        response = await handler(request)
        response.headers["RateLimit-Limit"] = str(limit.units)
        response.headers["RateLimit-Remaining"] = str(left)
        return response

    return spend


def _port_of(request: web.Request) -> int | None:
    transport = request.transport
    address = transport and transport.get_extra_info("sockname")
    return address[1] if address else None


_HOST = re.compile(
    r"(?P<name>[A-Za-z]+|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


@lru_cache(maxsize=64)
def is_own_host(host: str, port: int | None) -> bool:
    """Whether a Host header names this machine's loopback and this port.

    A page whose name was made to resolve to 127.0.0.1 still sends its own name.
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 80) != port:
        return False
    name = match["name"]
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_own_origin(origin: str, port: int | None) -> bool:
    scheme, _, host = origin.partition("://")
    return scheme == "http" and is_own_host(host, port)


# --- what is kept and what is added ---------------------------------------------------


def recorded(ledger: Ledger) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Writes every request but those for the ledger into the ledger."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.path != "/_ledger":
            answered = not isinstance(response, Unanswered)
            ledger.request(
                request.method,
                request.path,
                response.status if answered else None,
                request.headers.get("User-Agent", ""),
                request.get(_BYTES_IN, request.content_length or 0),
            )
        return response

    return record


async def with_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Adds to every response that it is simulated, and how browsers must treat it."""
    response.headers.update(HEADERS)
