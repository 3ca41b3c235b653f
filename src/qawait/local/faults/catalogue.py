"""Every fault that the local service can play, by name.

The numbers of rows say nothing here; what each fault stands for is in its sentence, and
`docs/how-to/inject-faults.md` shows the same list.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMES", "Name", "Place", "name_of", "status_of"]


class Place(Enum):
    """Where in the life of a request a fault takes hold."""

    ARRIVAL = "before the request's body is read"
    ANSWER = "in place of the answer"
    EDIT = "on the answer, once the service has acted"
    HANDLING = "on how the service acts"


class Name(Struct, frozen=True, kw_only=True):
    """What one fault does."""

    place: Place
    says: str
    """For the documentation: what happens."""
    time: Literal["none", "may", "must"] = "none"
    """Whether it takes a duration."""
    acts: bool | None = None
    """Whether the service has acted; None leaves it to the script (`acted`)."""


def _arrival(says: str) -> Name:
    return Name(place=Place.ARRIVAL, says=says, acts=False)


def _answer(says: str, time: Literal["none", "may", "must"] = "none") -> Name:
    return Name(place=Place.ANSWER, says=says, time=time)


def _edit(says: str, time: Literal["none", "may"] = "none") -> Name:
    return Name(place=Place.EDIT, says=says, time=time, acts=True)


NAMES: Mapping[str, Name] = {
    "close_early": _arrival("closes the connection before the body is read"),
    "reset_early": _arrival("resets the connection before the body is read"),
    "reset_body": _arrival("resets the connection in the middle of the body"),
    "close": _answer("closes the connection without an answer"),
    "reset": _answer("resets the connection without an answer"),
    "hang": _answer(
        "does not answer; closes after TIME, or when the client does", "may"
    ),
    "malformed": _answer("answers with bytes that are not HTTP"),
    "html": _answer("answers 200 with an HTML page, as a login portal does"),
    "bomb": _answer("answers 200 with a gzip body that unpacks to 1 GiB"),
    "429_date": _answer("answers 429 with a date TIME ahead as Retry-After", "must"),
    "429_nonsense": _answer("answers 429 with a Retry-After that is neither"),
    "slow": _answer("takes TIME longer to answer", "must"),
    "drop_reply": Name(
        place=Place.ANSWER,
        says="acts, and closes the connection without an answer",
        acts=True,
    ),
    "late": Name(
        place=Place.ANSWER,
        says="resets the connection at once, and acts TIME later",
        time="must",
        acts=True,
    ),
    "not_yet": Name(
        place=Place.ANSWER,
        says="answers 404 for a job in the first TIME after it was accepted",
        time="must",
        acts=False,
    ),
    "lost_result": Name(
        place=Place.ANSWER,
        says="has no result, though the job is ready (results only)",
        acts=False,
    ),
    "reset_reply": _edit("resets the connection in the middle of the answer's body"),
    "truncated": _edit("closes the connection in the middle of the answer's body"),
    "truncated_silently": _edit("gives half the body and no length to tell it by"),
    "bad_chunk": _edit("gives a chunked body with a chunk that has no length"),
    "bad_gzip": _edit("gives a body that says gzip and is not"),
    "dribble": _edit("gives the body one byte per TIME, else per second", "may"),
    "no_id": _edit("leaves the id out of the answer to a submission"),
    "wrong_id": _edit("gives the id of no job in the answer to a submission"),
    "hostile_id": _edit("gives `../../admin` as the id of a submission"),
    "unknown_word": _edit("gives a status word that no release knows"),
    "backward": _edit("gives the first status word again for a job that went on"),
    "stale": _edit("gives the answer before this one again (poll only)"),
    "other_end": _edit("gives another end for a job that has ended"),
    "one_less": _edit("leaves out the last circuit of a result"),
    "one_more": _edit("gives the first circuit of a result twice"),
    "other_labels": _edit("gives the circuits or keys of a result other names"),
    "fewer_shots": _edit("leaves out a shot of each circuit of a result"),
    "twice": Name(
        place=Place.HANDLING,
        says="acts twice on one request, as a proxy that repeats it does",
        acts=True,
    ),
    "forget": Name(
        place=Place.HANDLING,
        says="has lost the job that is asked about, and so answers 404",
        acts=True,
    ),
}
"""All but the statuses, which are faults too: `503`, `503_foreign`, `502_own`."""

_STATUS = re.compile(r"([345]\d\d)(?:_(own|foreign))?", re.ASCII)
_STATUS_NAME = Name(place=Place.ANSWER, says="answers with that status", time="may")


def status_of(name: str) -> tuple[int, bool] | None:
    """The status that a fault's name is, and whether in the service's own words.

    Gateways and proxies have words of their own for 502, 504 and 52x; everything else
    comes from the service unless the name says `_foreign`.
    """
    match = _STATUS.fullmatch(name)
    if match is None:
        return None
    status = int(match[1])
    own = status not in (502, 504) and not 520 <= status <= 530
    return status, own if match[2] is None else match[2] == "own"


def name_of(name: str) -> Name | None:
    """What is known of a fault; None if there is none of that name."""
    return _STATUS_NAME if status_of(name) else NAMES.get(name)
