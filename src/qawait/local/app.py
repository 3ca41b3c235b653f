"""The application: every dialect on one port."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from anyio import to_thread

from qawait.local import cocos_routes, qoro_routes, server_routes
from qawait.local.border import Refused, answer, guarded, recorded, shaped, with_headers
from qawait.local.submissions import ENGINE, QUOTAS

if TYPE_CHECKING:
    from qawait.local.engine import Engine
    from qawait.local.ledger import Ledger
    from qawait.local.options import Quotas

__all__ = ["application"]


async def _health(request: web.Request) -> web.Response:
    return answer(b'{"status":"ok"}')


async def _not_served(request: web.Request) -> web.Response:
    raise Refused(
        501, "this service does not speak IQM's V2 and station dialects; use api/v1"
    )


def application(
    engine: Engine, ledger: Ledger, *, token: str, quotas: Quotas
) -> web.Application:
    """The routes of all dialects behind one set of checks.

    Args:
        engine: What runs the jobs.
        ledger: Where requests and submissions are recorded.
        token: The bearer token that every request must bring.
        quotas: The limits of a job and of a request body.
    """
    app = web.Application(
        middlewares=[recorded(ledger), shaped, guarded(token)],
        client_max_size=quotas.body_bytes,
    )
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
            web.route("*", "/station/{rest:.*}", _not_served),
        ]
    )
    return app
