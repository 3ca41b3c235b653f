"""Answers to calls as the transport gives them, without a network."""

from __future__ import annotations

from qawait.model import Answer, Call


def answer_to(call: Call, body: bytes, status: int = 200) -> Answer:
    """What comes back for a call: the body, or what the call's reader makes of it.

    Raises:
        ProtocolError: The reader says that it is not what was asked for.
    """
    if call.reader is None or status >= 300:
        return Answer(status, {}, body, size=len(body))
    reader = call.reader()
    reader.feed(body)
    return Answer(status, {}, b"", reader.close(), len(body))
