"""Runs the service: store, engine and application, from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

import anyio
import msgspec
from aiohttp import web
from msgspec.structs import replace

from qawait._clock import use_clock
from qawait.errors import ConfigurationError, MissingExtra
from qawait.local.app import application
from qawait.local.connections import HTTP_LOG, IDLE_SECONDS, Connections
from qawait.local.engine import Engine
from qawait.local.faults import FaultScript
from qawait.local.ledger import Ledger, Script
from qawait.local.moving_on import dated, moved_on
from qawait.local.pacing import JumpingClock
from qawait.local.simulators import on_cluster
from qawait.local.store import Store, default_path
from qawait.local.targets import CHIPS
from qawait.local.tokens_file import tokens_file

if TYPE_CHECKING:
    from qawait.local.options import ServeOptions
    from qawait.local.simulators import Simulators

__all__ = ["serve"]

_SHUTDOWN = 2.0
"""Seconds that open requests have when the service ends."""


def serve(options: ServeOptions) -> None:
    """Serves until it is told to end: Ctrl-C, SIGTERM, or the end of standard input.

    The token comes from the environment variable QAWAIT_TOKEN; without one a new one of
    192 bits is drawn. When the service is ready, one line on standard output tells the
    address and the token, or where the token is.

    Raises:
        ConfigurationError: The port is taken, or the store cannot be used.
    """
    # inherited by the workers, which would else look for modules where they are started
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        anyio.run(_serve, options)
    except ExceptionGroup as group:
        faults, others = group.split(ConfigurationError)
        if faults is None or others is not None:
            raise
        raise _first(faults) from None


def _first(group: ExceptionGroup[ConfigurationError]) -> ConfigurationError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


async def _serve(options: ServeOptions) -> None:
    token = _token()
    here = not options.null and options.simulate_on is None
    if here and importlib.util.find_spec("qiskit_aer") is None:
        raise MissingExtra("the local service's simulator", "local")
    # Taken first, so that a port in use is known before anything is started; nobody
    # can connect before the application listens.
    with _bound(options) as listener, tokens_file(options.tokens_file, token):
        private = options.private_store or options.clock == "virtual"
        path = None if private else options.store or default_path()
        store = await Store.open(path)
        try:
            await _simulate_and_serve(listener, store, options, token)
        finally:
            with anyio.CancelScope(shield=True):
                await store.close()


async def _simulate_and_serve(
    listener: socket.socket, store: Store, options: ServeOptions, token: str
) -> None:
    if options.simulate_on is None:
        await _serve_at(listener, store, options, token, None)
        return
    async with on_cluster(options.simulate_on) as workers:
        options = replace(options, workers=workers.threads)
        await _serve_at(listener, store, options, token, workers)


async def _serve_at(
    listener: socket.socket,
    store: Store,
    options: ServeOptions,
    token: str,
    simulators: Simulators | None,
) -> None:
    script = _script(options)
    ledger = Ledger(script=_told(script, options))
    clock = JumpingClock() if options.clock == "virtual" else None
    engine = Engine(store, ledger, options, clock=clock, simulators=simulators)
    app = application(
        engine,
        ledger,
        chip=CHIPS[options.target],
        token=token,
        quotas=options.quotas,
        rate_limit=options.rate_limit,
        script=script,
        broken=options.broken,
    )
    if clock is not None:
        use_clock(clock)
        app.middlewares.append(moved_on(engine, clock))
        app.on_response_prepare.append(dated)
    connections = Connections()
    connections.bound(app)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=HTTP_LOG,
        keepalive_timeout=IDLE_SECONDS,
        shutdown_timeout=_SHUTDOWN,
    )
    ending = asyncio.Event()
    _end_with(ending, follow_stdin=options.follow_stdin)
    await runner.setup()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_after, ending, group.cancel_scope)
            await group.start(engine.run)
            group.start_soon(connections.watch, runner)
            await web.SockSite(runner, listener).start()
            _announce(_url_of(listener), token, options)
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


def _script(options: ServeOptions) -> FaultScript | None:
    if not options.faults:
        return None
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    return FaultScript(options.faults, seed)


def _told(script: FaultScript | None, options: ServeOptions) -> Script | None:
    """What the ledger says of the script, so that it can be played again."""
    if script is None and not options.broken:
        return None
    return Script(
        ",".join(map(str, options.faults)),
        None if script is None else script.seed,
        tuple(sorted(options.broken)),
    )


async def _cancel_after(ending: asyncio.Event, scope: anyio.CancelScope) -> None:
    await ending.wait()
    scope.cancel()


def _token() -> str:
    token = os.environ.get("QAWAIT_TOKEN") or secrets.token_urlsafe(24)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("QAWAIT_TOKEN holds characters that no token has")
    return token


def _bound(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family)
    if sys.platform != "win32":
        # There it would let a second program take the same port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    host = "127.0.0.1" if options.host == "localhost" else options.host
    try:
        listener.bind((host, options.port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"port {options.port} cannot be used: {error.strerror}; choose another one,"
            " or 0 for any"
        ) from error
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str, token: str, options: ServeOptions) -> None:
    file = options.tokens_file
    if options.json:
        how = {"token": token} if file is None else {"tokens_file": str(file)}
        line = msgspec.json.encode({"url": url} | how).decode()
    else:
        how = f"token {token}" if file is None else f"token in {file}"
        line = f"qawait serves simulated quantum computers at {url}, {how}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _end_with(ending: asyncio.Event, *, follow_stdin: bool) -> None:
    """Sets the event at Ctrl-C, at SIGTERM, and at the end of standard input."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers on the loop; there Ctrl-C raises KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ending.set)
    if follow_stdin:
        threading.Thread(target=_read_to_end, args=(loop, ending), daemon=True).start()


def _read_to_end(loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    # The file descriptor, because a thread that holds the lock of sys.stdin would
    # stop the interpreter from ending.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(ending.set)
