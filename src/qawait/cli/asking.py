"""What `qawait doctor` asks a service: as little as tells that it can be used."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from qawait.cli.checks import FAIL, OK, WARN, Check
from qawait.cli.ending import remedy
from qawait.cli.settings import token_of
from qawait.errors import Error

if TYPE_CHECKING:
    from pathlib import Path

    from qawait._transport import Transport
    from qawait.cli.connection import Where
    from qawait.model import Answer, Call

__all__ = ["answer_checks", "token_check"]

_SKEWED, _VERY_SKEWED = 5.0, 300.0
"""Seconds. A `Date` is good to one; services refuse tokens of minutes from now."""
_SOON = 3600.0
_CONNECT, _SILENCE = 5.0, 10.0
"""Seconds; who waits for a doctor wants to know soon."""


def token_check(place: Where, tokens_file: Path | None) -> Check:
    """Whether there is a token, and for how long it is good."""
    assert place.service is not None
    name, token = place.name, token_of(place.service, tokens_file)
    where = "" if token.origin is None else f" from {token.origin}"
    verdict, advice, said = OK, None, f"there is one{where}, which {token.ends}"
    kind = name.partition(":")[0]
    variable = "QORO_API_KEY" if kind == "qoro" else "IQM_TOKEN or IQM_TOKENS_FILE"
    in_file = "FILE" in (token.origin or "").upper()
    renew = f"put a new one into {'that file' if in_file else token.origin or variable}"
    if not token.is_there:
        # what qoro:... says of this names what to set
        verdict = FAIL if token.problem else WARN
        said = token.problem or "there is none"
        advice = f"set QAWAIT_TOKEN, {variable}, or give --tokens-file"
        if kind == "qoro":
            advice = f"set QAWAIT_TOKEN or {variable}"
    elif token.ends_at is not None:
        left = token.ends_at - time.time()
        if left <= 0:
            verdict, advice = FAIL, renew
            said = f"the one{where} {token.ends.replace('ends', 'ended')}"
        elif left < _SOON:
            verdict, advice = WARN, renew
            said = f"the one{where} ends in {left / 60:.0f} min"
    return Check(name="token", service=name, verdict=verdict, said=said, advice=advice)


async def answer_checks(place: Where) -> list[Check]:
    """The way to the service, its dialect and target, and its clock."""
    from qawait import Limits, Retry, __version__
    from qawait._connection import found
    from qawait._transport import Transport
    from qawait.journal.memory import MemoryJournal

    service = place.service
    assert service is not None
    transport = Transport(
        service.url,
        service.token,
        service.read_error,
        limits=Limits(connect=_CONNECT, read_silence=_SILENCE),
        retry=Retry(attempts=1),
        quota=service.quota,
        user_agent=f"qawait/{__version__}",
    )
    heard = _Heard(transport)
    checks: list[Check] = []
    try:
        async with transport:
            dialect, target = await found(
                service, place.target, cast("Transport", heard), MemoryJournal()
            )
    except Error as error:
        from qawait.cli.connection import TOKENS

        tokens = " or ".join(TOKENS[place.kind])
        advice = remedy(error, tokens).removeprefix("; ") or None
        checks.append(
            Check(
                name="answer",
                service=place.name,
                verdict=FAIL,
                said=str(error),
                advice=advice,
            )
        )
    else:
        simulated = " (simulated)" if target.simulated else ""
        qubits = f", {target.qubits} qubits" if target.qubits else ""
        away = target.online is False
        checks.append(
            Check(
                name="answer",
                service=place.name,
                verdict=WARN if away else OK,
                said=f"{target.name}{simulated}{qubits}, dialect {dialect.name}, "
                f"in {heard.seconds * 1000:.0f} ms"
                + (", which is not online" if away else ""),
                advice="jobs wait until it is back" if away else None,
            )
        )
    if heard.skew is not None:
        checks.append(_clock(place.name, heard.skew))
    return checks


def _clock(name: str, skew: float) -> Check:
    """Whether this machine's clock goes with the service's."""
    size = abs(skew)
    way = "behind" if skew > 0 else "ahead of"
    said = f"within {_SKEWED:g} s of the service's"
    verdict, advice = OK, None
    if size > _SKEWED:
        verdict = FAIL if size > _VERY_SKEWED else WARN
        said = f"this machine is {size:,.0f} s {way} the service"
        advice = "set the clock, or let it be set (NTP): the end of a token goes by it"
    return Check(name="clock", service=name, verdict=verdict, said=said, advice=advice)


class _Heard:
    """A transport that remembers by what clock it was answered, and how fast."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.skew: float | None = None
        """Seconds by which the service's clock is ahead; None if it has told none."""
        self.seconds = 0.0
        """The fastest answer."""

    async def ask(self, call: Call) -> Answer:
        before, started = time.time(), time.perf_counter()
        answer = await self._transport.ask(call)
        took = time.perf_counter() - started
        self.seconds = min(took, self.seconds) if self.seconds else took
        date = answer.headers.get("Date") or answer.headers.get("date")
        if date is not None:
            try:
                said = parsedate_to_datetime(date).timestamp()
            except ValueError:
                return answer
            # the second that has begun there, half of it over on average
            self.skew = said + 0.5 - (before + took / 2)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
