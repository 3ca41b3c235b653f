"""Plays a fault script on the requests that come in."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, TypeAlias

import anyio
from aiohttp import web

from qawait.local.border import HEADERS, Refused, Unanswered, body_of
from qawait.local.faults import connection
from qawait.local.faults.asked import Question, is_final, question
from qawait.local.faults.catalogue import Place
from qawait.local.faults.edits import EDITS, edited
from qawait.local.jobs import now
from qawait.local.submissions import engine_of

if TYPE_CHECKING:
    from qawait.local.faults.script import Chosen, Fault, FaultScript
    from qawait.local.ledger import Ledger

__all__ = ["played"]

Answer: TypeAlias = web.StreamResponse
Handler: TypeAlias = Callable[[web.Request], Awaitable[Answer]]

_PAGE = b"<html><head><title>%d %s</title></head><body><h1>%d</h1></body></html>"
_ELSEWHERE = "http://elsewhere.invalid/"
_REMEMBERED = 10_000
"""Jobs whose last answer is kept to be given again."""
_DRIBBLE = 1.0
"""Seconds between two bytes of a dribbled answer."""


def played(
    script: FaultScript, ledger: Ledger
) -> Callable[[web.Request, Handler], Awaitable[Answer]]:
    """Lets each request meet the fault that falls on it.

    It belongs right in front of what gives every answer its shape, so that the handler
    it is given returns a whole answer and never raises a refusal.
    """
    player = _Player(script, ledger)

    @web.middleware
    async def play(request: web.Request, handler: Handler) -> Answer:
        asked = question(request.method, request.path)
        if asked is None:
            return await handler(request)
        if asked.kind == "upload":
            final = is_final(await body_of(request))
            asked = Question(
                asked.dialect, "finish" if final else "append", asked.job_id
            )
        return await player.answer(request, handler, asked)

    return play


class _Player:
    """A script under way."""

    def __init__(self, script: FaultScript, ledger: Ledger) -> None:
        self._script = script
        self._ledger = ledger
        self._remembers = "stale" in script.names
        self._last: OrderedDict[str, bytes] = OrderedDict()
        """What was true at the last status question about a job, by its path."""

    async def answer(
        self, request: web.Request, handler: Handler, asked: Question
    ) -> Answer:
        chosen = self._script.choose(asked.kind, asked.dialect)
        if chosen is None:
            response, _ = await self._act(request, handler, asked)
            return response
        fault = chosen.fault
        if fault.place is Place.EDIT:
            return await self._edit(request, handler, asked, chosen)
        if not await _can_fall(fault, request, asked):
            response, _ = await self._act(request, handler, asked)
            return response
        self._tell(request, asked, chosen)
        if fault.place is Place.ARRIVAL:
            return await _ended_early(fault.name, request)
        if fault.place is Place.HANDLING:
            return await _handled_wrongly(fault.name, request, handler, asked)
        # so that the connection ends after the body and not before
        await body_of(request)
        if fault.name == "late":
            return await self._act_late(request, handler, asked, fault)
        if fault.name == "slow" and not fault.acts:
            await anyio.sleep(fault.seconds or 0.0)
            response, _ = await self._act(request, handler, asked)
            return response
        response = None
        if fault.acts:
            response, _ = await self._act(request, handler, asked)
        return await _instead(fault, request, asked, response)

    def _tell(self, request: web.Request, asked: Question, chosen: Chosen) -> None:
        fault = chosen.fault
        self._ledger.fault(
            fault.name,
            asked.kind,
            asked.dialect,
            chosen.number,
            job_id=asked.job_id,
            path=request.path,
            acted=fault.acts or fault.name == "slow",
        )

    async def _act(
        self, request: web.Request, handler: Handler, asked: Question
    ) -> tuple[Answer, bytes | None]:
        """The true answer, and what was true at the same question before."""
        response = await handler(request)
        before = None
        if self._remembers and asked.kind == "poll" and response.status == 200:
            before = self._last.pop(request.path, None)
            self._last[request.path] = _body_of(response)
            if len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
        return response, before

    async def _act_late(
        self, request: web.Request, handler: Handler, asked: Question, fault: Fault
    ) -> Answer:
        gone = connection.reset(request)
        await anyio.sleep(fault.seconds or 0.0)
        await self._act(request, handler, asked)
        return gone

    async def _edit(
        self, request: web.Request, handler: Handler, asked: Question, chosen: Chosen
    ) -> Answer:
        fault = chosen.fault
        response, before = await self._act(request, handler, asked)
        if not isinstance(response, web.Response) or response.status >= 300:
            return response
        body = _body_of(response)
        if fault.name == "stale":
            changed = before
        elif fault.name in EDITS:
            agent = request.headers.get("User-Agent", "")
            changed = edited(fault.name, asked, body, agent)
        else:
            changed = body or None
        if changed is None:
            return response
        self._tell(request, asked, chosen)
        if fault.name == "stale" or fault.name in EDITS:
            response.body = changed
            return response
        return await _broken(fault, request, response, body)


def _body_of(response: Answer) -> bytes:
    assert isinstance(response, web.Response)
    body = response.body
    return bytes(body) if isinstance(body, bytes | bytearray) else b""


async def _can_fall(fault: Fault, request: web.Request, asked: Question) -> bool:
    """Whether a fault that is about a job concerns this one."""
    if fault.name == "lost_result":
        return asked.kind == "results"
    if fault.name not in ("not_yet", "forget"):
        return True
    job = asked.job_id and await engine_of(request).find(asked.job_id)
    if not job:
        return False
    age = (now() - job.timeline[0].at).total_seconds()
    return fault.name == "forget" or age < (fault.seconds or 0.0)


# --- the connection -------------------------------------------------------------------


async def _ended_early(name: str, request: web.Request) -> Unanswered:
    if name == "reset_body":
        await connection.read_some(request)
    end = connection.close if name == "close_early" else connection.reset
    return end(request)


async def _broken(
    fault: Fault, request: web.Request, response: web.Response, body: bytes
) -> Answer:
    """An answer that breaks off, or cannot be unpacked."""
    length, half = ("Content-Length", str(len(body))), body[: len(body) // 2]
    response.headers.update(HEADERS)
    match fault.name:
        case "bad_gzip":
            response.headers["Content-Encoding"] = "gzip"
            response.body = b"\x1f\x8b" + body
            return response
        case "bad_chunk":
            head = connection.head_of(response, ("Transfer-Encoding", "chunked"))
            raw = head + b"%x\r\n%b\r\nno length\r\n" % (len(half), half)
        case "truncated_silently":
            raw = connection.head_of(response, ("Connection", "close")) + half
        case "dribble":
            connection.say(request, connection.head_of(response, length))
            await connection.dribble(request, body, fault.seconds or _DRIBBLE)
            return connection.close(request)
        case _:
            raw = connection.head_of(response, length) + half
    connection.say(request, raw)
    if fault.name == "reset_reply":
        return connection.reset(request)
    return connection.close(request)


# --- answers of its own ---------------------------------------------------------------


async def _instead(
    fault: Fault, request: web.Request, asked: Question, true: Answer | None
) -> Answer:
    """What comes in place of the true answer."""
    match fault.name:
        case "slow":
            assert true is not None
            await anyio.sleep(fault.seconds or 0.0)
            return true
        case "close" | "drop_reply":
            return connection.close(request)
        case "reset":
            return connection.reset(request)
        case "hang":
            await connection.until_gone(request, fault.seconds)
            return connection.close(request)
        case "malformed":
            connection.say(request, b"HTTP/1.1 two hundred\r\n\r\n")
            return connection.close(request)
        case "html":
            return _page(200, "Please log in")
        case "bomb":
            return await _bomb(request)
        case "not_yet":
            raise Refused(404, f"there is no job {asked.job_id}")
        case "lost_result":
            status = 400 if asked.dialect == "qoro" else 404
            raise Refused(status, "results are not available")
        case "429_nonsense":
            raise Refused(429, "too many requests", headers={"Retry-After": "soon"})
        case "429_date":
            raise _refused_until(fault.seconds or 0.0)
        case _:
            return _status(fault)


def _page(status: int, title: str) -> web.Response:
    body = _PAGE % (status, title.encode(), status)
    return web.Response(body=body, status=status, content_type="text/html")


def _status(fault: Fault) -> web.Response:
    """A status, in the service's words or in those of something in front of it.

    Raises:
        Refused: In the service's words.
    """
    assert fault.status is not None
    status, own = fault.status
    headers: dict[str, str] = {}
    if fault.seconds is not None:
        headers["Retry-After"] = str(math.ceil(fault.seconds))
    if status < 400:
        headers["Location"] = _ELSEWHERE
    if own and status >= 400:
        raise Refused(status, "so says the fault script", headers=headers)
    page = _page(status, "Gateway")
    page.headers.update(headers)
    return page


def _refused_until(seconds: float) -> Refused:
    said = now().replace(microsecond=0)
    until = said + timedelta(seconds=math.ceil(seconds))
    dates = {
        "Date": format_datetime(said, usegmt=True),
        "Retry-After": format_datetime(until, usegmt=True),
    }
    return Refused(429, "too many requests", headers=dates)


async def _bomb(request: web.Request) -> Answer:
    response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
    response.content_type = "application/json"
    try:
        await response.prepare(request)
        for piece in connection.bomb():
            await response.write(piece)
        await response.write_eof()
    except ConnectionError:
        return Unanswered()  # the client has seen enough
    return response


# --- another effect -------------------------------------------------------------------


async def _handled_wrongly(
    name: str, request: web.Request, handler: Handler, asked: Question
) -> Answer:
    if name == "forget":
        engine = engine_of(request)
        job = asked.job_id and await engine.find(asked.job_id)
        if job:
            await engine.delete(job)
        return await handler(request)
    first = await handler(request)
    await handler(request)
    return first
