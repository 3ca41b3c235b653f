"""The ledger: what this service received and ran, with times.

Tests and benchmarks read it as the oracle of what happened, so it records and does
nothing else. Requests for the ledger are not in it.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from hashlib import sha256
from sys import intern

import msgspec
from msgspec import Struct

from qawait._clock import epoch

__all__ = ["Ledger", "Script"]

MOST_ENTRIES = 500_000
"""Entries of a kind that are kept; about 150 bytes each."""
MOST_BODY_BYTES = 256 * 2**20
"""Request bodies that are kept, the latest; the others keep their hash."""

_LONGEST_TEXT = 200
"""Characters that are kept of a path or a client's name: anybody may send 8,000."""


class Script(Struct, frozen=True):
    """The faults that a service plays, so that they can be played again."""

    faults: str
    seed: int | None
    """None where there are no faults to draw."""
    broken: tuple[str, ...]
    """Promises that it does not keep, such as `P1`."""


class _Submission(Struct):
    job_id: str
    dialect: str
    body_sha256: str
    circuits: int
    shots: int
    at: float
    body: bytes | None


class _Execution(Struct, frozen=True):
    job_id: str
    circuit: int
    started: float
    ended: float
    worker: int


class _Request(Struct, frozen=True):
    method: str
    path: str
    status: int | None
    user_agent: str
    at: float
    bytes_in: int


class _Fault(Struct, frozen=True):
    fault: str
    kind: str
    dialect: str
    number: int
    job_id: str | None
    path: str
    acted: bool
    at: float


class Ledger:
    """Submissions, executions, requests and faults, in memory and in order.

    Args:
        most_entries: When there are more of a kind the oldest go, and the ledger says
            how many under `dropped`.
        most_body_bytes: When the bodies take more the oldest go; the hashes stay.
        script: The fault script that is played and its seed; None if there is none.
    """

    def __init__(
        self,
        *,
        most_entries: int = MOST_ENTRIES,
        most_body_bytes: int = MOST_BODY_BYTES,
        script: Script | None = None,
    ) -> None:
        self._submissions: deque[_Submission] = deque(maxlen=most_entries)
        self._executions: deque[_Execution] = deque(maxlen=most_entries)
        self._requests: deque[_Request] = deque(maxlen=most_entries)
        self._faults: deque[_Fault] = deque(maxlen=most_entries)
        self._script = script
        self._most_body_bytes = most_body_bytes
        self._seen = {"submissions": 0, "executions": 0, "requests": 0, "faults": 0}
        self._bodies: deque[_Submission] = deque()
        self._body_bytes = 0

    def submission(
        self, job_id: str, dialect: str, body: bytes, *, circuits: int, shots: int
    ) -> None:
        """A batch was accepted.

        Args:
            job_id: The id it was given.
            dialect: The way it came.
            body: All its request bodies, joined by a newline where there are several.
            circuits: How many it has.
            shots: Over all circuits.
        """
        digest = sha256(body).hexdigest()
        entry = _Submission(job_id, dialect, digest, circuits, shots, epoch(), body)
        self._submissions.append(entry)
        self._seen["submissions"] += 1
        self._bodies.append(entry)
        self._body_bytes += len(body)
        while self._body_bytes > self._most_body_bytes:
            oldest = self._bodies.popleft()
            self._body_bytes -= len(oldest.body or b"")
            oldest.body = None

    def execution(
        self, job_id: str, circuit: int, started: float, ended: float, worker: int
    ) -> None:
        """One circuit ran, in seconds since the epoch, in the process `worker`."""
        self._executions.append(_Execution(job_id, circuit, started, ended, worker))
        self._seen["executions"] += 1

    def request(
        self,
        method: str,
        path: str,
        status: int | None,
        user_agent: str,
        bytes_in: int,
    ) -> None:
        """One request was answered; without a status, not with a whole answer."""
        self._requests.append(
            _Request(
                method[:_LONGEST_TEXT],
                path[:_LONGEST_TEXT],
                status,
                intern(user_agent[:_LONGEST_TEXT]),
                epoch(),
                bytes_in,
            )
        )
        self._seen["requests"] += 1

    def fault(
        self,
        fault: str,
        kind: str,
        dialect: str,
        number: int,
        *,
        job_id: str | None,
        path: str,
        acted: bool,
    ) -> None:
        """A fault was played on the n-th request of those that it may fall on.

        Args:
            fault: Its name.
            kind: What was asked for.
            dialect: How.
            number: From 1.
            job_id: The job that was asked about; None for a submission.
            path: Of the request.
            acted: Whether the service did what was asked for.
        """
        self._faults.append(
            _Fault(fault, kind, dialect, number, job_id, path, acted, epoch())
        )
        self._seen["faults"] += 1

    def write(self, *, bodies: bool = False) -> bytes:
        """The whole ledger as JSON; times are ISO 8601 in UTC.

        May be called in a thread, since 100,000 entries take a second: it works on
        copies, and copying a deque is one step for the interpreter.
        """
        submissions = list(self._submissions)
        executions, requests = list(self._executions), list(self._requests)
        faults = list(self._faults)
        kept = {
            "submissions": [_as_dict(s, bodies=bodies) for s in submissions],
            "executions": [
                {
                    "job_id": e.job_id,
                    "circuit": e.circuit,
                    "started": _instant(e.started),
                    "ended": _instant(e.ended),
                    "worker": e.worker,
                }
                for e in executions
            ],
            "requests": [
                {
                    "method": r.method,
                    "path": r.path,
                    "status": r.status,
                    "user_agent": r.user_agent,
                    "at": _instant(r.at),
                    "bytes_in": r.bytes_in,
                }
                for r in requests
            ],
        }
        if self._script is not None or faults:
            kept["faults"] = [
                msgspec.structs.asdict(f) | {"at": _instant(f.at)} for f in faults
            ]
        dropped = {
            kind: self._seen[kind] - len(entries)
            for kind, entries in kept.items()
            if self._seen[kind] > len(entries)
        }
        more: dict[str, object] = {"dropped": dropped} if dropped else {}
        if self._script is not None:
            more["script"] = self._script
        return msgspec.json.encode(kept | more)


def _as_dict(submission: _Submission, *, bodies: bool) -> dict[str, object]:
    entry: dict[str, object] = {
        "job_id": submission.job_id,
        "dialect": submission.dialect,
        "body_sha256": submission.body_sha256,
        "circuits": submission.circuits,
        "shots": submission.shots,
        "at": _instant(submission.at),
    }
    if bodies:
        body = submission.body
        entry["body"] = None if body is None else body.decode("utf-8", "replace")
    return entry


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
