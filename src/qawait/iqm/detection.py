"""Which dialect a service speaks, from its address and a question or two.

Source: wire reference, IQM, §3.2 and §8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qawait.errors import ProtocolError
from qawait.iqm import messages
from qawait.iqm.calls import read
from qawait.iqm.dialects import SERVER, STATION, STATION_30, V1, V2, V2_24
from qawait.wire import decode

if TYPE_CHECKING:
    from qawait.model import Answer, Dialect, Exchange

__all__ = ["candidates", "generation"]


def candidates(url: str) -> tuple[Dialect, ...]:
    """The newest generation of each dialect that an address can mean.

    An address that ends in `cocos` or `station` says it by that; so does a host that
    begins with `cocos.`. Any other is IQM Server's or, where that knows no quantum
    computers, that of V2.
    """
    parts = urlsplit(url)
    last = parts.path.rstrip("/").rpartition("/")[2]
    if last == "station":
        return (STATION,)
    if last == "cocos" or (parts.hostname or "").startswith("cocos."):
        return (V1,)
    return (SERVER, V2)


def generation(dialect: Dialect) -> Exchange[Dialect]:
    """The generation of a dialect that a service speaks, by what it says of itself.

    V2 tells for which clients it is made: where 25 is too new for it, it is the
    generation up to 24. Station tells the version of its own client library: up to
    major 9 it is the generation of full turns. (Release 31.0 had 9 and radians; it
    refuses full turns, and `dialect="station"` serves it.) Whoever says nothing, or
    something else, is taken for the newest. Asks once, and only these two.
    """
    if dialect is V2:
        [answer] = yield [read("info/client-libraries", optional=True)]
        newest = _release(_too_new_client(answer))
        return V2_24 if newest is not None and newest <= (25, 0) else V2
    if dialect is STATION:
        [answer] = yield [read("about", optional=True)]
        library = _release(_station_library(answer))
        return STATION_30 if library is not None and library < (10, 0) else STATION
    return dialect


def _too_new_client(answer: Answer) -> str | None:
    if answer.status >= 300:
        return None
    try:
        libraries = decode(messages.CLIENT_LIBRARIES, answer.body, "client libraries")
    except ProtocolError:
        return None
    library = libraries.get("iqm-client") or libraries.get("iqm_client")
    return library.max if library else None


def _station_library(answer: Answer) -> Any:
    if answer.status >= 300:
        return None
    try:
        about = decode(messages.ABOUT, answer.body, "about")
    except ProtocolError:
        return None
    return about.software_versions.get("iqm-station-control-client")


def _release(version: Any) -> tuple[int, int] | None:
    """Major and minor release; None if this is no version."""
    if not isinstance(version, str):
        return None
    found = re.match(r"(\d{1,4})(?:\.(\d{1,4}))?", version, re.ASCII)
    return (int(found[1]), int(found[2] or 0)) if found else None
