"""Every fault that a service can play, on every kind of request, once and once more.

What is asserted of each: how the submission ended for its user, what the journal holds,
and what the service's own ledger counted. The waits of the policy are hours in sum, so
it all happens in virtual time; the same faults on real sockets are in
`test_local_faults.py` and `tests/unit/test_submitting.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import pytest
from msgspec import Struct

import qawait
from qawait import errors
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from qawait.journal.records import Standing
from qawait.model import Delivery
from qawait.testing import LocalService, run_virtual, service

R, A, U = Delivery.REJECTED, Delivery.ACCEPTED, Delivery.UNKNOWN

NATIVE = Circuit("c", (Instruction("measure", ("QB2", "QB5"), {"key": "m"}),))
QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
_RANDOM = Random(5)
_NOISE = "".join(chr(_RANDOM.randrange(33, 126)) for _ in range(400_000))
LONG = [f"{QASM}// {n}{_NOISE}" for n in range(3)]
"""Takes two uploads: text that gzip cannot shrink."""

PROTOCOLS: dict[str, Callable[[LocalService], Any]] = {
    "server": lambda there: there.iqm,
    "v1": lambda there: qawait.IQMService(f"{there.url}/cocos", token=there.token),
    "station": lambda there: qawait.IQMService(
        f"{there.url}/station", token=there.token
    ),
    "qoro": lambda there: there.qoro,
}


class Ending(Struct, frozen=True):
    """How one submission ended."""

    error: errors.Error | None
    delivery: Delivery
    """What the journal holds."""


class Seen(Struct, frozen=True):
    """What is known afterwards, on both sides."""

    endings: list[Ending]
    ledger: dict[str, Any]

    def played(self) -> list[str]:
        return [fault["fault"] for fault in self.ledger.get("faults", ())]

    def asked(self, ending: str, method: str = "POST") -> int:
        """How many requests there were to such a path."""
        return sum(
            request["method"] == method and request["path"].rstrip("/").endswith(ending)
            for request in self.ledger["requests"]
        )


_DELIVERIES = {
    Standing.NEW: Delivery.NOT_DELIVERED,
    Standing.REJECTED: Delivery.REJECTED,
    Standing.UNKNOWN: Delivery.UNKNOWN,
    Standing.ACCEPTED: Delivery.ACCEPTED,
    Standing.TERMINAL: Delivery.ACCEPTED,
    Standing.MISSING: Delivery.ACCEPTED,
}


async def _standings(client: qawait.Client) -> Counter[Standing]:
    """How many submissions stand where in the journal."""
    return Counter((await client._connection.journal.tally()).jobs)


def seen(
    protocol: str,
    faults: str | None,
    *,
    jobs: int = 1,
    circuits: Any = None,
    cancelled: bool = False,
    **settings: Any,
) -> Seen:
    """Submits and awaits jobs, one after the other, in a world of its own."""

    async def world() -> Seen:
        settings.setdefault("service_time", 5.0)
        async with service(faults=faults, **settings) as there:
            async with qawait.connect(PROTOCOLS[protocol](there), seed=3) as client:
                batch = circuits or (QASM if protocol == "qoro" else NATIVE)
                endings = [await _end(client, batch, cancelled) for _ in range(jobs)]
            # what comes late has come by now, and the service knows who is gone
            await anyio.sleep(120)
            return Seen(endings, there.ledger())

    return run_virtual(world)


async def _end(client: qawait.Client, batch: Any, cancelled: bool) -> Ending:
    before, met = await _standings(client), None
    try:
        job = await client.submit(batch, shots=4)
        if cancelled:
            await job.cancel()
        await job
    except errors.Error as error:
        met = error
    [standing] = (await _standings(client)) - before
    return Ending(met, _DELIVERIES[standing])


class Row(Struct, frozen=True):
    """A fault, and what is to become of the submission that meets it."""

    fault: str
    delivery: Delivery
    accepted: int
    """Submissions in the service's ledger."""
    because: type[errors.Error] | None = None
    """What a refusal was caused by."""
    sent: int = 1
    """How often the submission was sent."""


def lost(fault: str, accepted: int = 0) -> Row:
    return Row(fault, U, accepted)


def refused(fault: str, because: type[errors.Error]) -> Row:
    return Row(fault, R, 0, because)


def passing(fault: str) -> Row:
    return Row(fault, A, 1, None, sent=2)


# --- one request ----------------------------------------------------------------------

ROWS = [
    # the connection breaks before, in and after the body, and in the answer
    lost("close_early"),
    lost("reset_early"),
    lost("reset_body"),
    lost("reset"),
    lost("reset:acted", 1),
    lost("drop_reply", 1),
    lost("late:20s", 1),
    lost("reset_reply", 1),
    lost("truncated", 1),
    lost("truncated_silently", 1),
    lost("bad_chunk", 1),
    lost("bad_gzip", 1),
    # it is slow
    lost("hang"),
    lost("hang:acted", 1),
    lost("dribble:20s", 1),
    Row("slow:50s", A, 1),
    # something else answers
    lost("malformed"),
    lost("html"),
    lost("html:acted", 1),
    lost("bomb"),
    lost("bomb:acted", 1),
    # the service says no
    *(refused(str(n), errors.RedirectRefused) for n in (301, 302, 307, 308)),
    lost("303"),
    lost("303:acted", 1),
    refused("401", errors.AuthenticationError),
    refused("402", errors.PermissionDenied),
    refused("403", errors.PermissionDenied),
    refused("404", errors.NotFound),
    refused("409", errors.Conflict),
    *(refused(str(n), errors.ResponseError) for n in (400, 405, 410, 413, 415, 422)),
    refused("501", errors.ServiceUnavailable),
    lost("408"),
    lost("408:acted", 1),
    # it is too busy, and says so
    *(passing(fault) for fault in ("425", "429", "429:7s", "429_date:7s")),
    *(passing(fault) for fault in ("429_nonsense", "503", "503:7s", "503_foreign:7s")),
    # it is out of order, or what stands in front of it
    *(
        lost(fault)
        for fault in ("500", "502", "503_foreign", "504", "520", "522", "530")
    ),
    *(
        lost(f"{fault}:acted", 1)
        for fault in ("500", "502", "503_foreign", "504", "520", "522", "530")
    ),
    # it gives an id that cannot be used
    lost("no_id", 1),
    lost("hostile_id", 1),
]


def named(row: Row) -> str:
    return row.fault


def check_ending(row: Row, ending: Ending) -> None:
    assert ending.delivery is row.delivery
    if row.delivery is A:
        assert ending.error is None
    elif row.delivery is U:
        assert type(ending.error) is errors.SubmissionUncertain
        assert ending.error.evidence
        assert ending.error.submission_id
    else:
        assert type(ending.error) is errors.SubmissionRejected
        assert row.because is not None
        assert isinstance(ending.error.__cause__, row.because)


SUBMITS = {"server": "/circuit", "v1": "/cocos/jobs"}
"""Where each protocol with one request sends it."""


def on(fault: str, kind: str, number: int | str = 1) -> str:
    """The fault on the n-th request of a kind."""
    name, *rest = fault.split(":")
    return ":".join([name, f"#{number}", *rest]) + f"@{kind}"


@pytest.mark.parametrize("protocol", SUBMITS)
@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_submission_in_one_request(row: Row, protocol: str):
    saw = seen(protocol, on(row.fault, "submit"))
    check_ending(row, saw.endings[0])
    assert len(saw.ledger["submissions"]) == row.accepted
    assert len(saw.played()) == 1
    assert saw.asked(SUBMITS[protocol]) == row.sent


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_submission_after_one_that_is_unknown(row: Row):
    """The first one stays unknown, whatever becomes of the second."""
    script = f"drop_reply:#1@submit,{on(row.fault, 'submit', 2)}"
    saw = seen("server", script, jobs=2)
    first, second = saw.endings
    check_ending(lost("drop_reply", 1), first)
    check_ending(row, second)
    assert len(saw.ledger["submissions"]) == 1 + row.accepted


def test_a_service_that_cannot_be_reached_was_sent_nothing():
    async def world() -> None:
        async with service(outages=[(60.0, 1e6)]) as there:
            async with qawait.connect(there.iqm, seed=3) as client:
                await (await client.submit(NATIVE, shots=4))
                await anyio.sleep(100)
                ending = await _end(client, NATIVE, cancelled=False)
            assert isinstance(ending.error, errors.ConnectFailed)
            assert ending.delivery is Delivery.NOT_DELIVERED
            assert len(there.ledger()["submissions"]) == 1

    run_virtual(world)


def test_refusals_without_end_are_a_refusal_in_the_end():
    saw = seen("server", "503@submit")
    check_ending(refused("503", errors.ServiceUnavailable), saw.endings[0])
    assert saw.ledger["submissions"] == []


def test_a_proxy_that_repeats_a_submission_goes_unnoticed():
    """The documented limit: only labels could tell, and one request has none."""
    saw = seen("server", "twice:#1@submit")
    assert saw.endings[0].error is None
    assert len(saw.ledger["submissions"]) == 2


def test_an_id_of_no_job_is_a_job_that_is_missing():
    saw = seen("server", "wrong_id:#1@submit")
    assert type(saw.endings[0].error) is errors.JobMissing
    assert saw.endings[0].delivery is A
    assert len(saw.ledger["submissions"]) == 1


# --- two phases -----------------------------------------------------------------------

ALIKE = ("504", "520", "530", "502:acted", "504:acted", "520:acted", "530:acted")
"""Statuses that are told apart from others nowhere but in one rule, tried above."""

NOTHING_HAPPENS = [
    row.fault
    for row in ROWS
    if row.delivery is U and row.fault not in ALIKE and not row.fault.startswith("late")
]
"""Whether it acts or not: what nobody finished does not run."""


@pytest.mark.parametrize("kind", ["submit", "append"])
@pytest.mark.parametrize("numbers", ["1", "1-2"], ids=["first", "after an unknown"])
@pytest.mark.parametrize("fault", NOTHING_HAPPENS)
def test_what_is_lost_before_the_last_upload_is_sent_again_and_runs_once(
    fault: str, numbers: str, kind: str
):
    if fault in ("no_id", "hostile_id") and kind == "append":
        return  # no upload is answered with an id
    circuits = LONG if kind == "append" else [QASM] * 3
    saw = seen("qoro", on(fault, kind, numbers), circuits=circuits)
    [ending] = saw.endings
    assert (ending.error, ending.delivery) == (None, A)
    [accepted] = saw.ledger["submissions"]
    assert accepted["circuits"] == 3
    assert len(saw.played()) == (2 if numbers == "1-2" else 1)


@pytest.mark.parametrize("kind", ["submit", "append"])
def test_a_job_that_is_lost_three_times_over_has_certainly_not_run(kind: str):
    saw = seen("qoro", f"reset:acted@{kind}", circuits=LONG)
    [ending] = saw.endings
    assert isinstance(ending.error, errors.TransportError)
    assert ending.delivery is Delivery.NOT_DELIVERED
    assert saw.ledger["submissions"] == []
    assert saw.asked("/job/init") == 3


@pytest.mark.parametrize("kind", ["submit", "append", "finish"])
@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.delivery is R and r.fault != "404"], ids=named
)
def test_what_is_refused_in_any_phase_is_refused_and_runs_nothing(row: Row, kind: str):
    saw = seen("qoro", on(row.fault, kind), circuits=LONG)
    check_ending(row, saw.endings[0])
    assert saw.ledger["submissions"] == []
    assert saw.asked("/cancel") == (kind != "submit")


@pytest.mark.parametrize("kind", ["submit", "append", "finish"])
@pytest.mark.parametrize("row", [r for r in ROWS if r.sent == 2], ids=named)
def test_what_had_no_effect_in_any_phase_is_sent_again(row: Row, kind: str):
    saw = seen("qoro", on(row.fault, kind), circuits=LONG)
    [ending] = saw.endings
    assert (ending.error, ending.delivery) == (None, A)
    assert len(saw.ledger["submissions"]) == 1
    assert saw.asked("/job/init") == (2 if kind == "submit" else 1)


@pytest.mark.parametrize("numbers", ["1-5", "1-6"])
@pytest.mark.parametrize("kind", ["append", "finish"])
def test_a_job_that_is_not_known_everywhere_yet_is_given_a_minute(
    kind: str, numbers: str
):
    saw = seen("qoro", on("404", kind, numbers), circuits=LONG)
    [ending] = saw.endings
    if kind == "finish" and numbers == "1-6":
        check_ending(refused("404", errors.NotFound), ending)
        assert saw.ledger["submissions"] == []
        return
    assert (ending.error, ending.delivery) == (None, A)
    assert len(saw.ledger["submissions"]) == 1
    assert saw.asked("/job/init") == (2 if numbers == "1-6" else 1)


@pytest.mark.parametrize("before", [None, "reset:#1@append"], ids=["first", "after"])
@pytest.mark.parametrize(
    "fault", [f for f in [*NOTHING_HAPPENS, "late:20s"] if not f.endswith("_id")]
)
def test_a_lost_finish_is_adopted_if_it_arrived_and_uncertain_if_not(
    fault: str, before: str | None
):
    script = ",".join(filter(None, [before, on(fault, "finish")]))
    saw = seen("qoro", script, circuits=LONG)
    [ending] = saw.endings
    row = next(row for row in ROWS if row.fault == fault)
    assert len(saw.ledger["submissions"]) == row.accepted
    assert saw.asked("/job/init") == (2 if before else 1)
    if row.accepted:
        assert (ending.error, ending.delivery) == (None, A)
        assert saw.asked("/cancel") == 0
    else:
        check_ending(row, ending)
        assert saw.asked("/cancel") == 1


def test_a_finish_that_arrives_after_its_job_was_cancelled_runs_nothing():
    saw = seen("qoro", "late:40s:#1@finish")
    check_ending(lost("late"), saw.endings[0])
    assert saw.ledger["submissions"] == []


def test_a_job_that_waits_too_long_is_cancelled_and_another_one_runs():
    """It had arrived, but does not start: cancelled whole, it certainly never ran."""
    saw = seen("qoro", "drop_reply:#1@finish,backward:#1-9@poll", service_time=600.0)
    [ending] = saw.endings
    assert (ending.error, ending.delivery) == (None, A)
    assert [s["circuits"] for s in saw.ledger["submissions"]] == [1, 1]
    assert saw.asked("/cancel") == 1
    finished = {s["job_id"] for s in saw.ledger["submissions"]}
    assert len(finished) == 2


# --- questions ------------------------------------------------------------------------

PASSING = [
    row.fault
    for row in ROWS
    if row.delivery is not R
    and row.fault not in ALIKE
    and not row.fault.endswith(("_id", "acted"))
] + ["404", "unknown_word", "backward", "stale"]
"""What a question may meet without an end of its job's wait."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["poll", "results"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_question_that_fails_is_asked_again(fault: str, kind: str, protocol: str):
    """The first one, and the one after that, which follows an error."""
    saw = seen(protocol, on(fault, kind, "1-2"))
    assert saw.endings[0].error is None
    assert len(saw.ledger["submissions"]) == 1


@pytest.mark.parametrize("kind", ["poll", "results"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", errors.AuthenticationError),
        ("402", errors.PermissionDenied),
        ("403", errors.PermissionDenied),
        ("html", errors.UnexpectedContent),
        ("forget:#1", errors.JobError),
        ("404", errors.JobError),
    ],
)
def test_a_question_that_can_have_no_answer_ends_the_wait_and_loses_nothing(
    fault: str, error: type[errors.Error], kind: str
):
    saw = seen("server", f"{fault}@{kind}")
    [ending] = saw.endings
    assert isinstance(ending.error, error)
    assert ending.delivery is A
    assert len(saw.ledger["submissions"]) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_job_that_shows_late_is_waited_for(protocol: str):
    saw = seen(protocol, "not_yet:40s@poll")
    assert saw.endings[0].error is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fault", ["one_less", "one_more", "other_labels"])
def test_a_result_that_is_not_that_of_its_job_is_never_taken_for_it(
    fault: str, protocol: str
):
    batch = [QASM, QASM] if protocol == "qoro" else [NATIVE, NATIVE]
    saw = seen(protocol, f"{fault}@results", circuits=batch)
    assert isinstance(saw.endings[0].error, errors.ProtocolError)


# --- cancelling -----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "fault",
    [
        row.fault
        for row in ROWS
        if row.delivery is not R
        and row.fault not in ALIKE
        and not row.fault.endswith("_id")
        and not row.fault.startswith(("303", "bomb", "html", "truncated_silently"))
    ],
)
def test_a_cancellation_that_is_lost_is_sent_again(fault: str, protocol: str):
    saw = seen(protocol, on(fault, "cancel"), cancelled=True, service_time=3600.0)
    assert isinstance(saw.endings[0].error, errors.JobCancelled)
    assert saw.endings[0].delivery is A
