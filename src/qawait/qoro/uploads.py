"""How the circuits of a job travel: compressed, and in bodies of a bounded size."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

from msgspec.json import encode

from qawait.errors import CircuitError, ConfigurationError
from qawait.model import Call
from qawait.qoro.circuit import Circuit
from qawait.qoro.messages import Upload
from qawait.wire import checked_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qawait.model import Submission

__all__ = ["LARGEST_BODY_BYTES", "check_circuits", "pack", "uploads"]

LARGEST_BODY_BYTES = int(0.95 * 1024 * 1024)
"""No body is larger, but for that of one circuit that is too large by itself."""

_OPENING = b'{"circuits":{'


def check_circuits(circuits: Sequence[object]) -> None:
    """Refuse circuits that cannot be told apart or cannot be sent.

    Raises:
        ConfigurationError: There are none, or two have the same label.
        CircuitError: One is not a Qoro circuit, or holds text that is not Unicode.
    """
    if not circuits:
        raise ConfigurationError("there are no circuits to submit")
    labels: set[str] = set()
    for number, circuit in enumerate(circuits):
        if not isinstance(circuit, Circuit):
            raise CircuitError(
                f"circuit {number}",
                f"a Qoro service takes qawait.qoro.Circuit, not {type(circuit).__name__}",
            )
        for what, text in (("label", circuit.label), ("program", circuit.qasm)):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise CircuitError(
                    repr(circuit.label), f"its {what} is not valid Unicode"
                ) from None
        if circuit.label in labels:
            raise ConfigurationError(
                f"two circuits have the label {circuit.label!r}; results come back by "
                "label, so each needs its own"
            )
        labels.add(circuit.label)


def pack(qasm: str) -> str:
    """A program as it travels: base64 of gzip, the same bytes for the same program."""
    return base64.b64encode(gzip.compress(qasm.encode(), 9, mtime=0)).decode()


def uploads(job_id: str, submission: Submission) -> Iterator[Call]:
    """The calls that append all circuits, in order; only the last one finalizes."""
    check_circuits(submission.circuits)
    path = f"job/{checked_id(job_id)}/add_circuits/"
    chunk: bytes | None = None
    for following in _chunks(submission.circuits, submission.shots):
        if chunk is not None:
            yield _upload(path, chunk, submission.shots, last=False)
        chunk = following
    if chunk is not None:
        yield _upload(path, chunk, submission.shots, last=True)


def _upload(path: str, entries: bytes, shots: int, *, last: bool) -> Call:
    body = _OPENING + entries + _ending(shots, last=last)
    return Call(kind="submit", method="POST", path=path, body=body)


def _chunks(circuits: Sequence[Circuit], shots: int) -> Iterator[bytes]:
    """The entries of the `circuits` object of each body, as JSON without its braces."""
    room = LARGEST_BODY_BYTES - len(_OPENING) - len(_ending(shots, last=False))
    entries: list[bytes] = []
    size = 0
    for circuit in circuits:
        entry = encode(circuit.label) + b':"' + pack(circuit.qasm).encode() + b'"'
        # A comma stands before every entry but the first.
        if entries and size + 1 + len(entry) > room:
            yield b",".join(entries)
            entries, size = [], 0
        size += len(entry) + bool(entries)
        entries.append(entry)
    if entries:
        yield b",".join(entries)


def _ending(shots: int, *, last: bool) -> bytes:
    """What follows the entries, cut from the message that both halves share."""
    whole = encode(
        Upload(circuits={}, finalized="true" if last else "false", shots=shots)
    )
    return whole.removeprefix(_OPENING)
