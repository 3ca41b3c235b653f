"""What a lost answer to a submission costs: the vendors' clients and ours, by the ledger.

``python -m tests.conformance.lost_answers`` writes the table of
docs/explanation/lost-answers.md. Every client makes one submission to a service of its own
for every fault; where that raises, the same program runs once more.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.to_thread

import qawait
from qawait import errors
from qawait.testing import service
from tests.conformance.service import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from qawait.testing import LocalService


class Row(NamedTuple):
    """What one fault cost one client."""

    client: str
    fault: str
    gets: str
    """What the caller was given: an id, or the name of an error."""
    once: int
    """Jobs that the service had accepted after one call."""
    again: int
    """The same, after the program ran again where the first call raised."""


class Rival(NamedTuple):
    """A vendor's client."""

    name: str
    environment: str
    judge: str
    dialect: str


IQM = (
    Rival("iqm-client 28", "iqm28", "iqm_turns", "v1"),
    Rival("iqm-client 29", "iqm29", "iqm_turns", "station"),
    Rival("iqm-client 36", "iqm36", "iqm36", "server"),
)
QORO = (
    Rival("qoro-divi 0.14", "divi14", "divi14", "qoro"),
    Rival("qoro-divi 0.15", "divi15", "divi15", "qoro"),
)
IN_ONE_REQUEST = {
    "drop_reply:#1@submit": "accepted, and the answer is lost",
    "504:#1:acted@submit": "accepted, and a gateway says 504",
    "502:#1:acted@submit": "accepted, and a gateway says 502",
    "503:#1@submit": "refused by the service's own 503",
}
IN_TWO_PHASES = {
    "drop_reply:#1@submit": "job opened, and the answer is lost",
    "504:#1:acted@submit": "job opened, and a gateway says 504",
    "502:#1:acted@submit": "job opened, and a gateway says 502",
    "503:#1@submit": "refused by the service's own 503",
    "drop_reply:#1@finish": "last circuits taken, and the answer is lost",
    "504:#1:acted@finish": "last circuits taken, and a gateway says 504",
    "502:#1:acted@finish": "last circuits taken, and a gateway says 502",
}
"""A job that is opened runs when its last circuits have come, and else never."""
FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
AN_ID = "an id"
QASM = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; x q[0]; measure q -> c;'
)


def accepted(there: LocalService) -> int:
    return len(there.ledger()["submissions"])


def connected(there: LocalService, dialect: str) -> qawait.Client:
    return qawait.connect(there.qoro if dialect == "qoro" else there.iqm, pace=FAST)


async def submitted(there: LocalService, dialect: str, folder: str) -> str:
    """One call of ours without a file; what it gives."""
    del folder
    async with connected(there, dialect) as client:
        try:
            await client.submit(QASM, shots=7)
        except errors.Error as error:
            return type(error).__name__
    return AN_ID


async def swept(there: LocalService, dialect: str, folder: str) -> str:
    """A program with a journal, as one would run it; what it gives."""
    path = Path(folder) / f"{there.url.rpartition(':')[2]}.qawait"
    async with (
        connected(there, dialect) as client,
        client.sweep({"x": QASM}, shots=7, journal=path) as sweep,
    ):
        [point] = [point async for point in sweep]
    return AN_ID if point.error is None else type(point.error).__name__


OURS: dict[str, Callable[[LocalService, str, str], Coroutine[Any, Any, str]]] = {
    "qawait, `submit`": submitted,
    "qawait, a sweep with a journal": swept,
}


async def ours(dialect: str, faults: dict[str, str]) -> list[Row]:
    """Our rows: each way of submitting, each fault."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, submit in OURS.items():
            for script, happens in faults.items():
                async with service(faults=script) as there:
                    gets = await submit(there, dialect, folder)
                    once = accepted(there)
                    if gets != AN_ID:
                        await submit(there, dialect, folder)
                    rows.append(Row(name, happens, gets, once, accepted(there)))
    return rows


async def theirs(rival: Rival, faults: dict[str, str]) -> list[Row]:
    """A vendor's rows: one process of its client, a service for each fault."""
    async with AsyncExitStack() as stack:
        there = [await stack.enter_async_context(service(faults=f)) for f in faults]
        # a judge needs an address and a token, which any service has
        first: Any = there[0]
        known = json.dumps([[one.url, one.token] for one in there])
        saw: Any = await anyio.to_thread.run_sync(
            ask,
            *(rival.environment, "lost_answers", rival.judge),
            *(first, rival.dialect, known),
        )
        for one, told in zip(there, saw, strict=True):
            assert accepted(one) == told["again"]
    return [
        Row(
            rival.name,
            happens,
            told["first"].get("error", AN_ID),
            told["once"],
            told["again"],
        )
        for happens, told in zip(faults.values(), saw, strict=True)
    ]


async def measured(rivals: Sequence[Rival], faults: dict[str, str]) -> list[Row]:
    """The rows of one service: the vendors' clients, then ours."""
    rows = [row for rival in rivals for row in await theirs(rival, faults)]
    return rows + await ours(rivals[0].dialect, faults)


def cell(row: Row) -> str:
    """What the first run got, and the jobs of the first and of both runs."""
    gets = row.gets if row.gets == AN_ID else f"`{row.gets}`"
    return f"{gets}: {row.once}, {row.again}"


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, a column for each client."""
    clients = list(dict.fromkeys(row.client for row in rows))
    lines = [
        " | ".join(["what happens", *clients]),
        "|".join("---" for _ in ["", *clients]),
    ]
    for fault in dict.fromkeys(row.fault for row in rows):
        cells = {row.client: cell(row) for row in rows if row.fault == fault}
        lines.append(" | ".join([fault, *(cells[client] for client in clients)]))
    return "\n".join(
        f"|{line}|" if line.startswith("---") else f"| {line} |" for line in lines
    )


SERVICES = {"IQM": (IQM, IN_ONE_REQUEST), "Qoro": (QORO, IN_TWO_PHASES)}


async def main() -> None:
    for name, (rivals, faults) in SERVICES.items():
        print(f"### {name}\n\n{table(await measured(rivals, faults))}\n")


if __name__ == "__main__":
    anyio.run(main)
