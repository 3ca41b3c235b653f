"""The application: every dialect on one port."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from anyio import to_thread

from qawait.local import cocos_routes, qoro_routes, server_routes, station_routes
from qawait.local.border import (
    answer,
    guarded,
    limited,
    recorded,
    shaped,
    with_headers,
)
from qawait.local.faults.border import played
from qawait.local.submissions import BROKEN, CHIP, DENIED, ENGINE, QUOTAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait.local.chip import Chip
    from qawait.local.engine import Engine
    from qawait.local.faults import FaultScript
    from qawait.local.ledger import Ledger
    from qawait.local.options import Quotas
    from qawait.local.rate_limit import RateLimit

__all__ = ["application"]


async def _health(request: web.Request) -> web.Response:
    return answer(b'{"status":"ok"}')


def application(
    engine: Engine,
    ledger: Ledger,
    *,
    chip: Chip,
    token: str | Callable[[], str],
    quotas: Quotas,
    rate_limit: RateLimit | None = None,
    script: FaultScript | None = None,
    broken: frozenset[str] = frozenset(),
) -> web.Application:
    """The routes of all dialects behind one set of checks.

    Args:
        engine: What runs the jobs.
        ledger: Where requests and submissions are recorded.
        chip: The quantum computer that IQM's dialects show.
        token: The bearer token that every request must bring, or what gives it.
        quotas: The limits of a job and of a request body.
        rate_limit: The limit that IQM's dialects set on requests; None sets none.
        script: What goes wrong, and when; None plays nothing.
        broken: Promises that Qoro's dialect does not keep.
    """
    middlewares = [
        recorded(ledger),
        shaped,
        guarded((lambda: token) if isinstance(token, str) else token),
    ]
    if rate_limit is not None:
        middlewares.append(limited(rate_limit))
    if script is not None:
        # a fault takes a whole answer and not what is raised for it
        middlewares += [played(script, ledger), shaped]
    app = web.Application(
        middlewares=middlewares,
        client_max_size=quotas.body_bytes,
    )
    app[CHIP] = chip
    app[BROKEN] = broken
    app[DENIED] = set()
    app[ENGINE] = engine
    app[QUOTAS] = quotas
    app.on_response_prepare.append(with_headers)

    async def read_ledger(request: web.Request) -> web.Response:
        bodies = request.query.get("bodies") == "1"
        return answer(await to_thread.run_sync(partial(ledger.write, bodies=bodies)))

    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/_ledger", read_ledger),
            *cocos_routes.routes(),
            *server_routes.routes(),
            *qoro_routes.routes(),
            *station_routes.routes(),
        ]
    )
    return app
