"""A way to a local service that refuses some submissions, and counts all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

_HOP = {"content-length", "transfer-encoding", "content-encoding", "host", "connection"}


class Picky:
    """Where it is, and the bodies of all submissions that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refused: list[bytes] = []
        self.passed: list[bytes] = []


@asynccontextmanager
async def picky(
    url: str, refuse: Callable[[bytes], int | None]
) -> AsyncIterator[Picky]:
    """Pass requests on to a service, but for submissions that are refused.

    Args:
        url: The service's.
        refuse: Gives the status for a body that is refused, None for one that passes.
    """
    async with aiohttp.ClientSession(url, auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            submission = request.method == "POST" and body.startswith(b'{"circuits"')
            if submission:
                status = refuse(body)
                (found.passed if status is None else found.refused).append(body)
                if status is not None:
                    told = {"code": "refused", "message": "it refuses this body"}
                    return web.json_response(told, status=status)
            headers = {
                k: v for k, v in request.headers.items() if k.lower() not in _HOP
            }
            async with session.request(
                request.method, request.rel_url, data=body, headers=headers
            ) as answer:
                kept = {
                    k: v for k, v in answer.headers.items() if k.lower() not in _HOP
                }
                if "Content-Encoding" in answer.headers:
                    kept["Content-Encoding"] = answer.headers["Content-Encoding"]
                content = await answer.read()
                return web.Response(body=content, status=answer.status, headers=kept)

        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        found = Picky(f"http://{host}:{port}")
        try:
            yield found
        finally:
            await runner.cleanup()
