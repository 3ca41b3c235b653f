"""A service that knows a recording, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from msgspec import Struct

from qawait._auth import TokenSource, fixed
from qawait._sync import connect_sync
from qawait.connecting import ConnectOptions, connect
from qawait.services import IQMService, QoroService
from qawait.testing.listening import listening
from qawait.testing.recording import Exchange, digest_of, read
from qawait.testing.redaction import Redaction
from qawait.testing.threads import in_own_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from qawait.client import Client

__all__ = ["ANY_TOKEN", "Recorded", "replay"]

ANY_TOKEN = "a-recording-needs-no-token"
"""A recording asks for no token; clients that need one may send this."""


class Recorded(Struct, kw_only=True):
    """A service that is recorded, or whose recording is replayed."""

    url: str
    """Its address, for clients of every kind."""
    service: IQMService | QoroService
    """For `qawait.connect`."""
    path: Path
    """The file."""
    refused: list[str] = []
    """What was asked and is not in the recording, in sentences."""

    @classmethod
    def of(
        cls, kind: str, url: str, *, token: TokenSource, dialect: str | None, path: Path
    ) -> Recorded:
        """One at this address, of the kind `iqm` or `qoro`."""
        service: IQMService | QoroService
        if kind == "qoro":
            service = QoroService(url, token=ANY_TOKEN)
        else:
            service = IQMService(url, dialect=dialect, environment={})
        service.token = token
        return cls(url=url, service=service, path=path)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables by which vendors' clients, `qawait` and this library find it."""
        if isinstance(self.service, QoroService):
            return {"QAWAIT_SERVICE": f"qoro:{self.url}"}
        return {"IQM_SERVER_URL": self.url, "QAWAIT_SERVICE": f"iqm:{self.url}"}

    def client(self, **options: Unpack[ConnectOptions]) -> Client:
        """A client of it, for `async with`; takes what `qawait.connect` takes."""
        return connect(self.service, **options)

    def sync_client(
        self, **options: Unpack[ConnectOptions]
    ) -> AbstractContextManager[Any]:
        """A client of it for a plain `with`, as `qawait.connect_sync` gives it."""
        return connect_sync(self.service, **options)


class _Replayer:
    """Answers with what was recorded, each time with the next of the same request."""

    def __init__(
        self, path: Path, exchanges: Sequence[Exchange], names: Sequence[str]
    ) -> None:
        self._path = path
        self._redaction = Redaction(names)
        self._answers: dict[tuple[str, str, str], list[Exchange]] = defaultdict(list)
        for one in exchanges:
            self._answers[one.method, one.path, one.request].append(one)
        self._given: dict[tuple[str, str, str], int] = defaultdict(int)
        self._bodies = {(one.method, one.path) for one in exchanges}
        self.refused: list[str] = []
        self.own = ""

    async def answer(self, request: web.Request) -> web.Response:
        """The recorded answer, or a refusal."""
        self._redaction.learn(request.headers.get("Authorization"))
        path = self._redaction.path(request.raw_path)
        digest = digest_of(await request.read(), self._redaction)
        key = (request.method, path, digest)
        answers = self._answers.get(key, [])
        number = self._given[key]
        # what only asks may be asked more often, of a job for example, than it was
        asks = request.method in ("GET", "HEAD")
        if not answers or (number >= len(answers) and not asks):
            return self._refuse(request.method, path, len(answers))
        self._given[key] += 1
        one = answers[min(number, len(answers) - 1)]
        headers = dict(one.headers)
        if "Location" in headers:
            location = one.headers["Location"]
            headers["Location"] = (
                Exchange(method="", path="", status=0, text=location)
                .body(self.own)
                .decode()
            )
        return web.Response(status=one.status, body=one.body(self.own), headers=headers)

    def _refuse(self, method: str, path: str, times: int) -> web.Response:
        if times:
            why = f"was recorded {times} times, and is asked once more"
        elif (method, path) in self._bodies:
            why = "was recorded with another body"
        else:
            why = "was not recorded"
        said = f"{method} {path} {why} in {self._path}; record it again"
        self.refused.append(said)
        # 400: no client repeats it, or takes it for an address that is not there
        body = msgspec.json.encode({"message": said, "detail": said, "error": said})
        return web.Response(status=400, body=body, content_type="application/json")


@contextmanager
def replay(path: str | Path, *, redact: Sequence[str] = ()) -> Generator[Recorded]:
    """Answer with what `record` has written down while the block lasts, and nothing else.

    A request is known by its method, path, query and body. Where it was recorded more
    than once, the answers come in their order; the last one of a GET is given again
    as often as it is asked for. Everything else is refused with status 400 and a
    sentence, which `refused` lists too. Any token will do.

    Args:
        path: The file.
        redact: What `record` was given.

    Raises:
        ConfigurationError: There is no such recording, or it is damaged.
    """
    path = Path(path)
    recording = read(path)
    replayer = _Replayer(path, recording.exchanges, redact)

    @asynccontextmanager
    async def replaying_here() -> AsyncGenerator[str]:
        async with listening(replayer.answer, patience=0.0) as own:
            replayer.own = own
            yield own

    kind, _, real = recording.service.partition(":")
    with in_own_loop(replaying_here, "qawait.testing replayer") as own:
        url = f"{own}{urlsplit(real).path}".rstrip("/")
        made = Recorded.of(
            kind, url, token=fixed(ANY_TOKEN), dialect=recording.dialect, path=path
        )
        made.refused = replayer.refused
        yield made
