"""A quantum service that runs inside a test: where it is, and what it is made to do."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Unpack

import msgspec
from aiohttp import web

from qawait._auth import Secret
from qawait._sync import connect_sync
from qawait.connecting import ConnectOptions, connect
from qawait.errors import ConfigurationError
from qawait.local.border import shaped
from qawait.local.faults import FaultScript, read_faults
from qawait.local.faults.border import played
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Mapping
    from contextlib import AbstractContextManager

    from qawait.client import Client
    from qawait.local.border import Handler
    from qawait.local.engine import Engine
    from qawait.local.ledger import Ledger
    from qawait.local.pacing import JumpingClock

__all__ = ["FaultSwitch", "LocalService", "ServiceToken", "VirtualClock"]

_VARIABLES = ("IQM_TOKENS_FILE",)
"""Variables that must be unset beside those of `LocalService.environment`, since IQM's
clients refuse a token from two sources."""


class ServiceToken:
    """The token that the service takes."""

    def __init__(self) -> None:
        self.replace()

    def __call__(self) -> str:
        """What opens the service now."""
        return self._text

    def replace(self) -> None:
        """Draw another one; the old one is taken no more."""
        self._text = secrets.token_urlsafe(24)


class _Holder:
    """A client's source of tokens: the service's own, as it was when last read."""

    name = "qawait.testing"
    unread = False
    expires_at: float | None = None

    def __init__(self, token: ServiceToken) -> None:
        self._token = token
        self._held = Secret(token())

    def current(self) -> Secret | None:
        return self._held

    def renew(self) -> bool:
        before, self._held = self._held, Secret(self._token())
        return before.reveal() != self._held.reveal()


class FaultSwitch:
    """Plays one fault script after another, as a test goes on."""

    def __init__(self, ledger: Ledger, script: str | None, seed: int) -> None:
        self._ledger = ledger
        self.set(script, seed)

    def set(self, script: str | None, seed: int) -> None:
        """Play this script from the next request on, and forget the one before.

        Raises:
            ConfigurationError: It cannot be read; the one before goes on.
        """
        faults = read_faults(script) if script else ()
        self.playing = (
            played(FaultScript(faults, seed), self._ledger) if faults else None
        )

    def middlewares(self) -> list[Any]:
        """What an application needs at the end of its middlewares."""

        @web.middleware
        async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
            playing = self.playing
            answer: Awaitable[web.StreamResponse]
            answer = playing(request, handler) if playing else handler(request)
            return await answer

        # a fault takes a whole answer and not what is raised for it
        return [play, shaped]


class VirtualClock:
    """The clock of a service that can be moved on from outside of its event loop."""

    def __init__(
        self, clock: JumpingClock, engine: Engine, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._clock = clock
        self._engine = engine
        self._loop = loop

    def advance(self, seconds: float) -> None:
        """Move it on, with all that happens meanwhile; returns when it has happened.

        Raises:
            ConfigurationError: This is the service's own event loop.
        """
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                raise ConfigurationError(
                    "the service runs in this event loop, which must not wait for it: "
                    "write `await asyncio.to_thread(there.advance, seconds)`"
                )
        moving = self._advance(seconds)
        asyncio.run_coroutine_threadsafe(moving, self._loop).result()

    async def _advance(self, seconds: float) -> None:
        until = self._clock.time() + seconds
        while True:
            # what one job's end starts belongs to the time before the next one's
            while not self._engine.is_at_rest:  # noqa: ASYNC110 (it has no event)
                await asyncio.sleep(0.001)
            if not await self._clock.jump(until):
                return


class LocalService:
    """A service that runs; made by `service`, `serving` and the fixture."""

    def __init__(
        self,
        url: str,
        token: ServiceToken,
        ledger: Ledger,
        switch: FaultSwitch,
        *,
        target: str,
        clock: VirtualClock | None = None,
    ) -> None:
        self.url = url
        """Its address; below it are the same paths as those of `qawait serve`."""
        self.iqm = IQMService(url, token=token(), environment={})
        """For `qawait.connect`: the IQM dialects."""
        self.qoro = QoroService(f"{url}/api", token=token())
        """For `qawait.connect`: Qoro's dialect."""
        self.target = target
        """The quantum computer that IQM's dialects show."""
        self._token = token
        self._ledger = ledger
        self._switch = switch
        self._clock = clock
        self.iqm.token = _Holder(token)
        self.qoro.token = _Holder(token)

    # --- who it is --------------------------------------------------------------------

    @property
    def token(self) -> str:
        """What opens it now."""
        return self._token()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables by which vendors' clients, `qawait` and this library find it."""
        return {
            "IQM_SERVER_URL": self.url,
            "IQM_QUANTUM_COMPUTER": self.target,
            "IQM_TOKEN": self.token,
            "QORO_API_KEY": self.token,
            "QAWAIT_SERVICE": f"iqm:{self.url}",
            "QAWAIT_TOKEN": self.token,
        }

    @property
    def unset(self) -> tuple[str, ...]:
        """Variables that contradict those of `environment`."""
        return _VARIABLES

    def _service(self, dialect: str) -> IQMService | QoroService:
        if dialect not in ("iqm", "qoro"):
            raise ConfigurationError(f"dialect {dialect!r} is neither iqm nor qoro")
        return self.qoro if dialect == "qoro" else self.iqm

    def client(
        self,
        dialect: Literal["iqm", "qoro"] = "iqm",
        **options: Unpack[ConnectOptions],
    ) -> Client:
        """A client of it, for `async with`; takes what `qawait.connect` takes."""
        return connect(self._service(dialect), **options)

    def sync_client(
        self,
        dialect: Literal["iqm", "qoro"] = "iqm",
        **options: Unpack[ConnectOptions],
    ) -> AbstractContextManager[Any]:
        """A client of it for a plain `with`, as `qawait.connect_sync` gives it."""
        return connect_sync(self._service(dialect), **options)

    # --- what it is made to do --------------------------------------------------------

    def replace_token(self) -> None:
        """Take another token from now on, and the old one no more.

        `iqm` and `qoro` find the new one when they are refused, as clients do that read
        a token from a file which somebody keeps new.
        """
        self._token.replace()

    def set_faults(self, script: str | None, *, seed: int = 0) -> None:
        """Let this go wrong from the next request on; None lets nothing go wrong.

        Args:
            script: As `qawait serve --faults` takes it; its counts begin now.
            seed: Of the requests that a rate falls on.

        Raises:
            ConfigurationError: The script cannot be read; the one before goes on.
        """
        self._switch.set(script, seed)

    @contextmanager
    def faults(self, script: str, *, seed: int = 0) -> Generator[None]:
        """Let this go wrong while the block lasts, and then go on with what did before.

        Raises:
            ConfigurationError: The script cannot be read.
        """
        before = self._switch.playing
        self.set_faults(script, seed=seed)
        try:
            yield
        finally:
            self._switch.playing = before

    def advance(self, seconds: float) -> None:
        """Move its clock on, with all that happens to its jobs in that time.

        Raises:
            ConfigurationError: It goes by the real clock, the time is negative, or this
                is the service's own event loop, as inside of `service`.
        """
        if self._clock is None:
            raise ConfigurationError(
                "this service goes by the clock of its event loop; ask for one with "
                "clock='manual', or in virtual time use `qawait.testing.stall`"
            )
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError("a clock is moved on by seconds from 0 on")
        self._clock.advance(seconds)

    # --- what it was asked ------------------------------------------------------------

    def ledger(self) -> dict[str, Any]:
        """What it received and ran so far, as `GET /_ledger` tells it."""
        return msgspec.json.decode(self._ledger.write())

    def __repr__(self) -> str:
        return f"<a local service at {self.url}>"
