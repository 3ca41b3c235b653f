"""The local service as a process of its own, whose ledger is the judge."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import msgspec
from msgspec import Struct

from qawait.errors import Error
from qawait.services import IQMService, QoroService

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Address", "Ledger", "Submission", "serving"]

_END = 10.0
"""Seconds for the service to end by itself."""
_READ = 120.0
"""Seconds for the service to give its ledger."""


class Submission(Struct, frozen=True):
    """A batch that the service accepted."""

    job_id: str
    dialect: str
    body: str
    """All its requests, one to a line."""

    def labels(self) -> list[str]:
        """The names of its circuits."""
        if not self.dialect.startswith("qoro"):
            document = msgspec.json.decode(self.body)
            return [circuit["name"] for circuit in document["circuits"]]
        documents = [msgspec.json.decode(line) for line in self.body.splitlines()]
        return [label for one in documents for label in one.get("circuits", ())]


class Fault(Struct, frozen=True):
    """A fault that was played."""

    fault: str


class Ledger(Struct, frozen=True):
    """What the service received and did, whatever it said."""

    submissions: list[Submission]
    faults: list[Fault] = []


class Address(Struct, frozen=True):
    """Where the service is, and what opens it."""

    url: str
    token: str

    def service(self, protocol: str) -> IQMService | QoroService:
        """The service as a client of this protocol sees it."""
        if protocol == "qoro":
            return QoroService(f"{self.url}/api", token=self.token)
        return IQMService(self.url, token=self.token)

    def ledger(self) -> Ledger:
        """The ledger as it stands."""
        request = Request(
            f"{self.url}/_ledger?bodies=1",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urlopen(request, timeout=_READ) as answer:
            return msgspec.json.decode(answer.read(), type=Ledger)


@contextlib.contextmanager
def serving(faults: str, seed: int) -> Generator[Address]:
    """Run a service that answers at once and plays these faults, until the block ends.

    Raises:
        Error: It does not start.
    """
    command = [
        *(sys.executable, "-P", "-m", "qawait.local", "--port", "0", "--json"),
        *("--follow-stdin", "--private-store", "--null", "--seed", str(seed)),
        *(("--faults", faults) if faults else ()),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise Error("the local service did not start; `qawait serve` shows why")
            yield msgspec.json.decode(line, type=Address)
        finally:
            process.stdin.close()
            try:
                process.wait(_END)
            except subprocess.TimeoutExpired:
                process.kill()
