"""The fault matrix once more, on resume: what an earlier run met, and what this one meets.

A first program submits into a journal, meets the faults of the table one after the other,
and ends while its jobs run. A second one opens the journal, brings in what runs, and meets
the faults again. One world holds a whole column of the table; what differs is told with
its fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from msgspec import Struct

import qawait
from qawait import errors
from qawait.journal.reading import read
from qawait.journal.records import Standing
from qawait.testing import LocalService, run_virtual, service
from tests.service.test_fault_matrix import (
    ALIKE,
    LONG,
    NATIVE,
    PASSING,
    PROTOCOLS,
    QASM,
    ROWS,
    A,
    Ending,
    R,
    Row,
    U,
    check_ending,
    on,
)

DELIVERIES = {
    Standing.ACCEPTED: A,
    Standing.TERMINAL: A,
    Standing.REJECTED: R,
    Standing.UNKNOWN: U,
}


class Cell(Struct, frozen=True):
    """A row of the table as it is met by one kind of request."""

    row: Row
    requests: int
    """Requests of that kind that such a submission takes."""


class Column(Struct, frozen=True):
    """What became of a column of the table."""

    errors: list[errors.Error | None]
    """How each submission ended for its user, first those of the first run."""
    points: list[qawait.Point]
    """What `client.resume` gave."""
    submitted: tuple[int, int, int]
    """In the service's ledger: after the first run, after resuming, at the end."""
    played: int


def script(cells: Sequence[Cell], kind: str) -> str:
    """The fault of each cell in its turn, and then each of them once more."""
    faults: list[str] = []
    number = 1
    for cell in [*cells, *cells]:
        faults.append(on(cell.row.fault, kind, number))
        number += cell.requests
    return ",".join(faults)


def world_of(
    protocol: str,
    faults: str,
    path: Path,
    program: Callable[[LocalService, Callable[[], qawait.Client]], Awaitable[Any]],
    **settings: Any,
) -> Any:
    """Runs a program in a world of its own; its clients write the same journal."""

    async def world() -> Any:
        # jobs run at once, and outlast the first program
        settings.setdefault("servers", 1000)
        settings.setdefault("service_time", 8000.0)
        async with service(faults=faults, **settings) as there:

            def connected() -> qawait.Client:
                return qawait.connect(PROTOCOLS[protocol](there), seed=3, journal=path)

            return await program(there, connected)

    return run_virtual(world)


async def met(client: qawait.Client, circuits: Any) -> errors.Error | None:
    try:
        await client.submit(circuits, shots=4)
    except errors.Error as error:
        return error
    return None


def column(
    protocol: str, cells: Sequence[Cell], kind: str, circuits: Any, path: Path
) -> Column:
    async def program(
        there: LocalService, connected: Callable[[], qawait.Client]
    ) -> Column:
        def submitted() -> int:
            return len(there.ledger()["submissions"])

        async with connected() as client:
            first = [await met(client, circuits) for _ in cells]
        # what comes late has come by now
        await anyio.sleep(120)
        after_first = submitted()
        async with connected() as client:
            async with client.resume(path) as sweep:
                points = [point async for point in sweep]
            after_resume = submitted()
            second = [await met(client, circuits) for _ in cells]
        await anyio.sleep(120)
        return Column(
            [*first, *second],
            points,
            (after_first, after_resume, submitted()),
            len(there.ledger()["faults"]),
        )

    return world_of(protocol, script(cells, kind), path, program)


def check(cells: Sequence[Cell], saw: Column, path: Path) -> None:
    rows = [cell.row for cell in cells]
    jobs = read(path).jobs
    wrong: list[str] = []
    for row, error, job in zip([*rows, *rows], saw.errors, jobs, strict=True):
        try:
            check_ending(row, Ending(error, DELIVERIES[job.standing]))
        except AssertionError as difference:
            wrong.append(f"{row.fault}: {error!r}, {job.standing}: {difference}")
    assert wrong == []
    assert saw.played == 2 * len(rows)
    # to resume submits nothing, and the second run submits no more than the first
    accepted = sum(row.accepted for row in rows)
    assert saw.submitted == (accepted, accepted, 2 * accepted)
    # what runs has come in, and what is unknown is listed with what is known of it
    points = {point.submission_id: point for point in saw.points}
    assert len(points) == sum(row.delivery is not R for row in rows)
    for row, error, job in list(zip(rows, saw.errors, jobs, strict=False)):
        point = points.get(job.submission_id)
        if row.delivery is R:
            assert point is None, row.fault
        elif row.delivery is A:
            assert point is not None, row.fault
            assert point.error is None, row.fault
            assert job.has_result, row.fault
        else:
            assert point is not None, row.fault
            assert isinstance(point.error, errors.SubmissionUncertain), row.fault
            assert isinstance(error, errors.SubmissionUncertain)
            assert point.error.evidence == error.evidence == job.evidence
            assert point.error.submission_id == error.submission_id


@pytest.mark.parametrize("protocol", ["server", "v1"])
def test_submissions_in_one_request(protocol: str, tmp_path: Path):
    cells = [Cell(row, row.sent) for row in ROWS]
    path = tmp_path / "j"
    check(cells, column(protocol, cells, "submit", NATIVE, path), path)


def runs(row: Row) -> Row:
    """The same where a loss is repaired: what nobody finished does not run."""
    return Row(row.fault, A, 1) if row.delivery is U else row


PHASES = {
    # what is lost opens another job
    "submit": [
        Cell(runs(row), 2 if row.delivery is U else row.sent)
        for row in ROWS
        if row.fault not in ALIKE and not row.fault.startswith("late")
    ],
    # that it has arrived shows, and what has not never will
    "finish": [
        Cell(runs(row) if row.accepted else row, row.sent)
        for row in ROWS
        if row.fault not in (*ALIKE, "404") and not row.fault.endswith("_id")
    ],
}


@pytest.mark.parametrize("kind", PHASES)
def test_the_opening_and_the_end_of_a_submission_in_two_phases(
    kind: str, tmp_path: Path
):
    path, cells = tmp_path / "j", PHASES[kind]
    check(cells, column("qoro", cells, kind, QASM, path), path)


def test_an_upload_on_the_way(tmp_path: Path):
    """One fault of each sort: large uploads take their time."""
    chosen = ("reset", "drop_reply", "500", "422", "503")
    cells = [
        Cell(runs(row), 2 if row.delivery is U else row.sent)
        for row in ROWS
        if row.fault in chosen
    ]
    path = tmp_path / "j"
    check(cells, column("qoro", cells, "append", LONG, path), path)


# --- questions ------------------------------------------------------------------------


WORDS = ("unknown_word", "backward", "stale")
"""What only a status can say."""


@pytest.mark.parametrize(
    ("kind", "protocol"),
    # Cocos tells status and result in one answer
    [
        (k, p)
        for k in ("poll", "results")
        for p in PROTOCOLS
        if (k, p) != ("poll", "v1")
    ],
)
def test_questions_of_a_second_program(kind: str, protocol: str, tmp_path: Path):
    """Each fault twice running, on some job or other: every result comes in."""
    path = tmp_path / "j"
    asked = [fault for fault in PASSING if kind == "poll" or fault not in WORDS]

    async def program(
        there: LocalService, connected: Callable[[], qawait.Client]
    ) -> tuple[list[qawait.Point], set[str], int]:
        circuits = QASM if protocol == "qoro" else NATIVE
        async with connected() as client:
            for _ in asked:
                await client.submit(circuits, shots=4)
        async with connected() as client, client.resume(path) as sweep:
            points = [point async for point in sweep]
        ledger = there.ledger()
        played = {fault["fault"] for fault in ledger["faults"]}
        return points, played, len(ledger["submissions"])

    faults = ",".join(
        # three times nonsense for one job would end the wait for it
        on(fault, kind, f"{3 * n + 1}-{3 * n + 2}")
        for n, fault in enumerate(asked)
    )
    points, played, number = world_of(
        protocol, faults, path, program, service_time=600.0
    )
    assert [point.error for point in points] == [None] * len(asked)
    assert number == len(asked)
    # no status is older than the first one
    assert {fault.split(":")[0] for fault in asked} - played <= {"stale"}
    assert all(job.has_result for job in read(path).jobs)


# --- cancelling -----------------------------------------------------------------------

LOST = [
    row.fault
    for row in ROWS
    if row.delivery is not R
    and row.fault not in ALIKE
    and not row.fault.endswith("_id")
    and not row.fault.startswith(("303", "bomb", "html", "truncated_silently"))
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cancellations_by_a_second_program(protocol: str, tmp_path: Path):
    path = tmp_path / "j"

    async def program(
        there: LocalService, connected: Callable[[], qawait.Client]
    ) -> list[type[BaseException]]:
        circuits = QASM if protocol == "qoro" else NATIVE
        async with connected() as client:
            ids = [(await client.submit(circuits, shots=4)).id for _ in LOST]
        ends: list[type[BaseException]] = []
        async with connected() as client:
            for job_id in ids:
                job = client.job(job_id)
                await job.cancel()
                with pytest.raises(errors.JobError) as ended:
                    await job
                ends.append(ended.type)
        assert len(there.ledger()["faults"]) == len(LOST)
        return ends

    faults = ",".join(on(fault, "cancel", 2 * n + 1) for n, fault in enumerate(LOST))
    ends = world_of(protocol, faults, path, program, service_time=1e7)
    assert ends == [errors.JobCancelled] * len(LOST)
