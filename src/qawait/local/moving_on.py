"""A virtual clock in front of the routes: questions move it on, answers show it."""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING

from aiohttp import web

from qawait._clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qawait.local.border import Handler
    from qawait.local.engine import Engine
    from qawait.local.pacing import JumpingClock

__all__ = ["dated", "moved_on"]


def moved_on(
    engine: Engine, clock: JumpingClock
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Moves the clock on when somebody asks about a job that has not ended.

    One question, one jump: to the next moment at which the time of a job on a machine
    is over. Nothing is jumped over while something is still computed.
    """

    @web.middleware
    async def move(request: web.Request, handler: Handler) -> web.StreamResponse:
        job_id = request.match_info.get("id", "")
        asks = request.method == "GET" and engine.is_live(job_id)
        if asks and engine.is_at_rest:
            await clock.jump()
        return await handler(request)

    return move


async def dated(request: web.Request, response: web.StreamResponse) -> None:
    """Dates a response by the clock that its times are told by."""
    response.headers["Date"] = format_datetime(utc_now(), usegmt=True)
