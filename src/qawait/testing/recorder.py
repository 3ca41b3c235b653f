"""A service of a test's own that passes everything on to a real one and writes it down."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp import web

from qawait._address import checked_root
from qawait._clock import utc_now
from qawait.iqm.detection import candidates
from qawait.services import IQMService, QoroService, parse_service
from qawait.testing.listening import listening
from qawait.testing.recording import Exchange, Recording, exchange, write
from qawait.testing.redaction import Redaction
from qawait.testing.replayer import Recorded
from qawait.testing.threads import in_own_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from yarl import URL

__all__ = ["record"]

_NOT_PASSED_ON = frozenset(
    {"host", "connection", "accept-encoding", "content-length", "transfer-encoding"}
)
_ANSWERED = ("Content-Type", "Location")
"""Headers that are given back, and kept. Cookies are not, nor what only holds for the
moment, such as `Retry-After` and the units left of a rate limit."""


class _Recorder:
    """Exchanges as they happen."""

    def __init__(self, root: URL, names: Sequence[str]) -> None:
        self._origin = str(root.origin())
        self._redaction = Redaction(names)
        self.exchanges: list[Exchange] = []
        self.session: aiohttp.ClientSession | None = None
        self.own = ""
        """The address at which it is asked."""

    async def answer(self, request: web.Request) -> web.Response:
        """Ask the service the same, and write down what it says."""
        assert self.session is not None
        sent = await request.read()
        self._redaction.learn(request.headers.get("Authorization"))
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _NOT_PASSED_ON
        }
        try:
            async with self.session.request(
                request.method,
                f"{self._origin}{request.raw_path}",
                data=sent or None,
                headers=headers,
                allow_redirects=False,
            ) as answered:
                body = await answered.read()
        except (aiohttp.ClientError, OSError) as error:
            # its text could show the token
            said = f"{self._origin} cannot be reached ({type(error).__name__})"
            return web.Response(
                status=502,
                body=msgspec.json.encode({"message": said, "detail": said}),
                content_type="application/json",
            )
        kept = {n: answered.headers[n] for n in _ANSWERED if n in answered.headers}
        # a refusal that is over when asked again is none of the recording's business
        if answered.status != 429 and answered.status < 500:
            self.exchanges.append(
                exchange(
                    method=request.method,
                    path=request.raw_path,
                    request=sent,
                    status=answered.status,
                    headers=kept,
                    body=body,
                    service_root=self._origin,
                    redaction=self._redaction,
                )
            )
        passing = dict(kept)
        if wait := answered.headers.get("Retry-After"):
            passing["Retry-After"] = wait
        if "Location" in passing:
            passing["Location"] = passing["Location"].replace(self._origin, self.own)
        body = body.replace(self._origin.encode(), self.own.encode())
        return web.Response(status=answered.status, body=body, headers=passing)


@contextmanager
def record(
    path: str | Path,
    service: IQMService | QoroService | str,
    *,
    redact: Sequence[str] = (),
) -> Generator[Recorded]:
    """Write down what a real service answers while the block lasts, for `replay`.

    Whoever asks the address that this gives asks the service, with a token of its own:
    `qawait`, a vendor's client, or another program on this machine. The file has the
    requests' methods and paths, a hash of their bodies, and the answers' statuses and
    bodies; no token, no cookie, and nothing that is named like a secret.

    Args:
        path: The file; one that is there is replaced at the end of the block, if
            nothing was raised in it.
        service: The service, or text as `--service` takes it.
        redact: Names of further JSON members and query parameters that are secret.

    Raises:
        ConfigurationError: No such service, or the file cannot be written.
    """
    real = parse_service(service) if isinstance(service, str) else service
    root = checked_root(real.url)
    recorder = _Recorder(root, redact)

    @asynccontextmanager
    async def recording_here() -> AsyncGenerator[str]:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            listening(recorder.answer, patience=1.0) as own,
        ):
            recorder.session, recorder.own = session, own
            yield own

    kind = "qoro" if isinstance(real, QoroService) else "iqm"
    with in_own_loop(recording_here, "qawait.testing recorder") as own:
        url = f"{own}{root.path}".rstrip("/")
        dialect = _dialect(real, url)
        yield Recorded.of(kind, url, token=real.token, dialect=dialect, path=Path(path))
    recording = Recording(
        service=f"{kind}:{real.url}", dialect=dialect, exchanges=recorder.exchanges
    )
    write(Path(path), recording, utc_now().isoformat(timespec="seconds"))


def _dialect(real: IQMService | QoroService, url: str) -> str | None:
    """The dialect to be stated, where another address would not tell it."""
    if isinstance(real, QoroService):
        return None
    there = candidates(real.url)
    return real.dialect or (None if there == candidates(url) else there[0].name)
