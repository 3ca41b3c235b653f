"""What is known after each way a submission can go wrong, against real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from threading import get_ident

import anyio
import pytest
from msgspec.structs import replace
from tests.fault_server import (
    Answerer,
    Cut,
    FaultServer,
    Hang,
    Request,
    Reset,
    answering,
    reply,
)

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._delivery import delivery_of
from qawait._service import Opened, Service
from qawait._submission import Patience
from qawait._transport import Limits, Retry, Transport
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import SERVER
from qawait.journal.memory import MemoryJournal
from qawait.model import Call, Delivery, Dialect, Submission, Target
from qawait.qoro.circuit import Circuit as QasmCircuit
from qawait.qoro.dialect import DIALECT as QORO

N, R, A, U = (
    Delivery.NOT_DELIVERED,
    Delivery.REJECTED,
    Delivery.ACCEPTED,
    Delivery.UNKNOWN,
)
ID = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"
NATIVE = Submission(
    circuits=(Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),)),),
    shots=3,
    target=Target(name="q", qubits=1),
)
QASM = Submission(
    circuits=(QasmCircuit("c", "OPENQASM 2.0;"),),
    shots=3,
    target=Target(name="qoro_maestro", kind="simulator", qubits=None),
)


@pytest.mark.parametrize(
    ("error", "delivery"),
    [
        (errors.ConnectFailed("refused"), N),
        (errors.TlsFailed("expired"), N),
        (errors.TransportError("pool", sent=False), N),
        (errors.TransportError("reset", sent=True), U),
        (errors.RequestTimeout("late"), U),
        (errors.ResponseTruncated("half"), U),
        (errors.UnexpectedContent("html"), U),
        (errors.ProtocolError("garbage"), U),
        (errors.RedirectRefused(302, "x"), R),
        (errors.RedirectRefused(303, "x"), U),
        (errors.ResponseError(400, "x"), R),
        (errors.AuthenticationError(401, "x"), R),
        (errors.NotFound(404, "x", recognised=False), R),
        (errors.ResponseError(408, "x"), U),
        (errors.Conflict(409, "x"), R),
        (errors.ResponseError(413, "x"), R),
        (errors.RateLimited(429, "x"), R),
        (errors.ServiceUnavailable(500, "x"), U),
        (errors.ServiceUnavailable(501, "x"), R),
        (errors.ServiceUnavailable(502, "x"), U),
        (errors.ServiceUnavailable(503, "x"), R),
        (errors.ServiceUnavailable(503, "x", recognised=False), U),
        (errors.ServiceUnavailable(503, "x", recognised=False, retry_after=3.0), R),
        (errors.ServiceUnavailable(504, "x"), U),
        (errors.ServiceUnavailable(522, "x"), U),
        (KeyboardInterrupt(), U),
    ],
)
def test_what_an_error_says_about_its_effect(error: BaseException, delivery: Delivery):
    assert delivery_of(error) is delivery


SHORT = Patience(new_job=0.05, lost_finish=0.1)


@asynccontextmanager
async def serving(
    say: Answerer, dialect: Dialect = SERVER, attempts: int = 2
) -> AsyncIterator[tuple[Service, FaultServer, MemoryJournal]]:
    journal = MemoryJournal()
    async with (
        answering(say) as server,
        Transport(
            server.url,
            FixedToken(Secret("t")),
            dialect.read_error,
            limits=Limits(submit_silence=0.1),
            retry=Retry(attempts=attempts),
            random=Random(1),
        ) as transport,
    ):
        yield Service(dialect, transport, journal, SHORT), server, journal


def reset(request: Request, number: int) -> bytes:
    raise Reset


def hang(request: Request, number: int) -> bytes:
    raise Hang


def half(request: Request, number: int) -> bytes:
    raise Cut(reply(200, json.dumps({"id": ID}))[:-9])


@pytest.mark.parametrize(
    "say",
    [
        reset,
        hang,
        half,
        lambda r, n: reply(504, "<html>gateway</html>"),
        lambda r, n: reply(500, '{"message": "oops"}'),
        lambda r, n: reply(200, "<html>log in</html>"),
        lambda r, n: reply(200, '{"id": "../../admin"}'),
        lambda r, n: reply(200, "{}"),
        lambda r, n: b"nonsense\r\n\r\n",
    ],
    ids=["reset", "hang", "half", "504", "500", "html", "hostile id", "no id", "junk"],
)
async def test_an_uncertain_submission_is_sent_once_and_has_a_name(say: Answerer):
    async with serving(say) as (service, server, journal):
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await service.submit(NATIVE, "s-1")
        assert len(server.requests) == 1, "it may be running: never again by itself"
        assert caught.value.submission_id == "s-1"
        assert caught.value.evidence
        assert journal.submissions["s-1"].standing == "unknown"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 302])
async def test_a_refused_submission_is_sent_once_and_tells_the_services_reason(
    status: int,
):
    said = reply(status, '{"message": "at most 1000 shots"}')
    async with serving(lambda r, n: said) as (service, server, journal):
        with pytest.raises(errors.SubmissionRejected) as caught:
            await service.submit(NATIVE, "s-1")
        assert len(server.requests) == 1
        assert isinstance(caught.value.__cause__, errors.ResponseError)
        assert journal.submissions["s-1"].standing == "rejected"
        if status >= 400:
            assert "at most 1000 shots" in str(caught.value)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("dialect", [SERVER, QORO], ids=["one request", "two phases"])
async def test_a_large_batch_is_written_beside_the_event_loop(
    dialect: Dialect, apart: bool
):
    threads: set[int] = set()

    def uploads(job_id: str, submission: Submission) -> Iterator[Call]:
        for call in dialect.uploads(job_id, submission):
            threads.add(get_ident())
            yield call

    def open_job(submission: Submission) -> Call:
        threads.add(get_ident())
        return dialect.open_job(submission)

    noted = replace(dialect, open_job=open_job, uploads=uploads)
    batch = NATIVE if dialect is SERVER else QASM
    async with serving(accepting, noted) as (service, _server, _):
        opened = await service.submit(batch, "s", apart=apart)
    assert opened.job_id == ID
    assert (get_ident() not in threads) is apart


def accepting(request: Request, number: int) -> bytes:
    return reply(200, json.dumps({"id": ID, "job_id": ID}))


@pytest.mark.parametrize(
    "refused",
    [
        reply(429, '{"message": "slow"}', Retry_After="0"),
        reply(425, '{"message": "early"}', Retry_After="0"),
        reply(503, '{"message": "busy"}', Retry_After="0"),
        reply(503, "<html>busy</html>", Retry_After="0"),
    ],
    ids=["429", "425", "503", "503 of a gateway that says when"],
)
async def test_a_submission_refused_for_being_too_many_is_sent_again(refused: bytes):
    def say(request: Request, number: int) -> bytes:
        return refused if number == 0 else reply(201, json.dumps({"id": ID}))

    async with serving(say) as (service, server, journal):
        assert await service.submit(NATIVE, "s-1") == Opened(ID)
        assert len(server.requests) == 2
        assert journal.submissions["s-1"].standing == "accepted"
        assert journal.submissions["s-1"].job_id == ID


async def test_a_submission_that_never_left_raises_its_own_error():
    async with answering(reset) as server:
        gone = server.url
    journal = MemoryJournal()
    async with Transport(
        gone, FixedToken(None), SERVER.read_error, retry=Retry(attempts=2)
    ) as transport:
        with pytest.raises(errors.ConnectFailed):
            await Service(SERVER, transport, journal).submit(NATIVE, "s-1")
    assert journal.submissions["s-1"].standing == "new"


@pytest.mark.parametrize(("status", "known"), [(400, R), (503, U), (500, U), (201, U)])
async def test_an_answer_that_breaks_off_is_judged_by_its_status(
    status: int, known: Delivery
):
    def say(request: Request, number: int) -> bytes:
        raise Cut(reply(status, '{"message": "at most 1000 shots"}')[:-9])

    async with serving(say) as (service, server, journal):
        with pytest.raises(errors.JobError) as caught:
            await service.submit(NATIVE, "s-1")
        assert len(server.requests) == 1
        assert journal.submissions["s-1"].standing == known
        assert isinstance(caught.value, errors.SubmissionRejected) is (known is R)


# --- two phases ----------------------------------------------------------------------

INIT = reply(201, json.dumps({"job_id": ID}))
OK = reply(200, '{"status": "ok"}')


def paths(server: FaultServer) -> list[str]:
    return [f"{r.method} {r.path.replace(ID, 'ID')}" for r in server.requests]


async def test_an_empty_job_that_may_exist_is_simply_opened_again():
    def say(request: Request, number: int) -> bytes:
        if number == 0:
            raise Reset
        return INIT if request.path == "/job/init/" else OK

    async with serving(say, QORO) as (service, server, journal):
        assert await service.submit(QASM, "s-1") == Opened(ID)
        assert paths(server) == [
            "POST /job/init/",
            "POST /job/init/",
            "POST /job/ID/add_circuits/",
        ]
        assert journal.submissions["s-1"].standing == "accepted"


@pytest.mark.parametrize(
    "unknown",
    [reply(200, "<html>log in</html>"), reply(200, "{}"), reply(408), reply(502)],
    ids=["html", "no id", "408", "502"],
)
async def test_an_opening_with_an_answer_of_no_use_is_repeated(unknown: bytes):
    def say(request: Request, number: int) -> bytes:
        if number == 0:
            return unknown
        return INIT if request.path == "/job/init/" else OK

    async with serving(say, QORO) as (service, server, journal):
        assert (await service.submit(QASM, "s-1")).job_id == ID
        assert paths(server).count("POST /job/init/") == 2
        assert journal.submissions["s-1"].standing == "accepted"


async def test_no_more_than_three_empty_jobs_are_left_behind():
    async with serving(reset, QORO, attempts=9) as (service, server, journal):
        with pytest.raises(errors.TransportError):
            await service.submit(QASM, "s-1")
        assert paths(server) == ["POST /job/init/"] * 3
        assert journal.submissions["s-1"].standing == "new"


async def test_a_job_that_cannot_be_opened_is_no_uncertain_submission():
    """An empty job never runs: what went wrong is an ordinary error."""
    async with serving(reset, QORO) as (service, server, journal):
        with pytest.raises(errors.TransportError):
            await service.submit(QASM, "s-1")
        assert paths(server) == ["POST /job/init/"] * 2
        assert journal.submissions["s-1"].standing == "new"


async def test_a_job_that_may_not_be_opened_is_refused():
    said = reply(402, '{"detail": "no credits"}')
    async with serving(lambda r, n: said, QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionRejected, match="no credits"):
            await service.submit(QASM, "s-1")
        assert paths(server) == ["POST /job/init/"]
        assert journal.submissions["s-1"].standing == "rejected"


async def test_a_release_whose_answer_is_lost_is_adopted_if_the_job_runs():
    def say(request: Request, number: int) -> bytes:
        if request.path.endswith("add_circuits/"):
            raise Reset
        if request.path.endswith("status/"):
            return reply(200, '{"status": "RUNNING"}')
        return INIT

    async with serving(say, QORO) as (service, _, journal):
        opened = await service.submit(QASM, "s-1", hold=True)
        await service.release(opened, "s-1")
        assert journal.submissions["s-1"].standing == "accepted"


async def test_a_refused_release_cancels_its_job():
    def say(request: Request, number: int) -> bytes:
        if request.path.endswith("add_circuits/"):
            return reply(400, '{"error": "too wide"}')
        return INIT if request.path == "/job/init/" else OK

    async with serving(say, QORO) as (service, server, _):
        opened = await service.submit(QASM, "s-1", hold=True)
        with pytest.raises(errors.SubmissionRejected, match="too wide"):
            await service.release(opened, "s-1")
        assert paths(server)[-1] == "POST /job/ID/cancel/"


async def test_a_lost_final_upload_is_adopted_if_the_job_runs():
    def say(request: Request, number: int) -> bytes:
        if request.path.endswith("add_circuits/"):
            raise Reset
        if request.path.endswith("status/"):
            return reply(200, '{"status": "RUNNING"}')
        return INIT

    async with serving(say, QORO) as (service, server, journal):
        assert (await service.submit(QASM, "s-1")).job_id == ID
        assert journal.submissions["s-1"].standing == "accepted"
        assert paths(server).count("POST /job/ID/add_circuits/") == 1


class Qoro:
    """A service that loses the answers to the uploads of its first jobs.

    Args:
        cancelled: The circuits it says it has cancelled; None for a 409.
        after: How a job stands after it was to be cancelled.
        before: How it stands until then.
        losing: For how many jobs the answers are lost.
    """

    def __init__(
        self,
        cancelled: int | None = None,
        after: str = "CANCELLED",
        *,
        before: str = "PENDING",
        losing: int = 1,
    ) -> None:
        self.cancelled, self.after, self.losing = cancelled, after, losing
        self.before = before
        self.words: dict[str, str] = {}

    def __call__(self, request: Request, number: int) -> bytes:
        if request.path == "/job/init/":
            job_id = f"job-{len(self.words)}"
            self.words[job_id] = self.before
            return reply(201, json.dumps({"job_id": job_id}))
        _, _, job_id, step, _ = request.path.split("/")
        if step == "add_circuits" and len(self.words) <= self.losing:
            raise Reset
        if step == "cancel":
            self.words[job_id] = self.after
            if self.cancelled is None:
                return reply(409, '{"error": "too late"}')
            return reply(
                200,
                json.dumps({"job_id": job_id, "circuits_cancelled": self.cancelled}),
            )
        return reply(200, json.dumps({"status": self.words[job_id]}))


def steps(server: FaultServer) -> list[str]:
    """What was asked for, and of which job, without the questions how it stands."""
    return [
        path.removeprefix("/job/").strip("/")
        for path in (request.path for request in server.requests)
        if "status" not in path
    ]


async def test_a_lost_finish_is_given_up_for_another_job_if_nothing_had_started():
    """All its circuits were cancelled, so none of them has run."""
    async with serving(Qoro(cancelled=1), QORO) as (service, server, journal):
        assert (await service.submit(QASM, "s-1")).job_id == "job-1"
        assert steps(server) == [
            "init",
            "job-0/add_circuits",
            "job-0/cancel",
            "init",
            "job-1/add_circuits",
        ]
        assert journal.submissions["s-1"].standing == "accepted"
        assert journal.submissions["s-1"].job_id == "job-1"


@pytest.mark.parametrize(
    ("cancelled", "after"),
    [(0, "CANCELLED"), (2, "CANCELLED"), (None, "CANCELLED"), (1, "PENDING")],
    ids=["none of them", "more than there are", "409", "not cancelled after all"],
)
async def test_a_lost_finish_is_uncertain_unless_every_circuit_was_cancelled(
    cancelled: int | None, after: str
):
    """None cancelled may mean that it never arrived, or that all of it has run."""
    async with serving(Qoro(cancelled, after), QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await service.submit(QASM, "s-1")
        assert caught.value.job_id == "job-0"
        known = "it is not known how many" if cancelled is None else cancelled
        told = f"is {after!r}: {known} of 1 circuits were stopped"
        assert told in caught.value.evidence
        assert journal.submissions["s-1"].standing == "unknown"
        assert steps(server) == ["init", "job-0/add_circuits", "job-0/cancel"]


@pytest.mark.parametrize("after", ["RUNNING", "COMPLETED", "FAILED"])
@pytest.mark.parametrize("cancelled", [None, 1])
async def test_a_job_that_started_before_it_could_be_cancelled_is_adopted(
    after: str, cancelled: int | None
):
    async with serving(Qoro(cancelled, after), QORO) as (service, _server, journal):
        assert (await service.submit(QASM, "s-1")).job_id == "job-0"
        assert journal.submissions["s-1"].standing == "accepted"


@pytest.mark.parametrize("before", ["SCHEDULED", "FAILED", "CANCELLED"])
async def test_a_job_that_is_past_pending_has_its_finish_and_is_not_cancelled(
    before: str,
):
    async with serving(Qoro(before=before), QORO) as (service, server, _):
        assert (await service.submit(QASM, "s-1")).job_id == "job-0"
        assert steps(server) == ["init", "job-0/add_circuits"]


async def test_a_job_at_a_word_that_is_not_known_is_neither_adopted_nor_cancelled():
    async with serving(Qoro(1, before="WARMING"), QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await service.submit(QASM, "s-1")
        assert "afterwards the job is 'WARMING'" in caught.value.evidence
        assert journal.submissions["s-1"].evidence == caught.value.evidence
        assert steps(server) == ["init", "job-0/add_circuits"]


async def test_three_jobs_are_given_up_and_then_the_submission_is_uncertain():
    say = Qoro(cancelled=1, losing=9)
    async with serving(say, QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionUncertain):
            await service.submit(QASM, "s-1")
        assert steps(server).count("init") == 3
        assert journal.submissions["s-1"].standing == "unknown"


async def test_a_released_job_is_never_given_up_for_another():
    """Its id is known to its user, and its circuits are not at hand any more."""
    async with serving(Qoro(cancelled=1), QORO) as (service, server, journal):
        opened = await service.submit(QASM, "s-1", hold=True)
        with pytest.raises(errors.SubmissionUncertain):
            await service.release(opened, "s-1")
        assert steps(server) == ["init", "job-0/add_circuits"]
        assert journal.submissions["s-1"].standing == "unknown"


async def test_a_submission_stopped_while_its_fate_is_looked_into_is_uncertain():
    async with serving(Qoro(cancelled=1), QORO) as (service, _server, journal):
        service._submitter.patience = Patience(lost_finish=60)
        with anyio.move_on_after(0.3) as scope:
            await service.submit(QASM, "s-1")
        assert scope.cancelled_caught
        assert journal.submissions["s-1"].standing == "unknown"


def unknown_at_first(misses: int) -> Answerer:
    def say(request: Request, number: int) -> bytes:
        nonlocal misses
        if request.path == "/job/init/":
            return INIT
        if request.path.endswith("add_circuits/") and misses:
            misses -= 1
            return reply(404, '{"detail": "not found"}')
        return OK

    return say


@pytest.mark.parametrize("circuits", [1, 4])
async def test_a_job_that_is_not_known_yet_is_given_time(circuits: int):
    async with serving(unknown_at_first(5), QORO) as (service, server, _journal):
        batch = QASM if circuits == 1 else big(circuits)
        assert (await service.submit(batch, "s-1")).job_id == ID
        assert paths(server).count("POST /job/init/") == 1


async def test_a_job_that_stays_unknown_is_given_up_for_another():
    async with serving(unknown_at_first(6), QORO) as (service, server, journal):
        assert (await service.submit(big(4), "s-1")).job_id == ID
        assert paths(server).count("POST /job/init/") == 2
        assert journal.submissions["s-1"].standing == "accepted"


async def test_a_job_that_is_unknown_when_it_is_finished_is_refused():
    async with serving(unknown_at_first(99), QORO) as (service, _server, journal):
        with pytest.raises(errors.SubmissionRejected):
            await service.submit(QASM, "s-1")
        assert journal.submissions["s-1"].standing == "rejected"


def big(count: int) -> Submission:
    """A batch that takes several uploads: text that gzip cannot shrink."""
    random = Random(5)
    noise = [
        "".join(chr(random.randrange(33, 126)) for _ in range(400_000)) for _ in "ab"
    ]
    return Submission(
        circuits=tuple(
            QasmCircuit(f"c{n}", f"// {noise[n % 2]} {n}") for n in range(count)
        ),
        shots=3,
        target=QASM.target,
    )


async def test_a_lost_upload_before_the_last_leaves_its_job_unfinished_for_a_new_one():
    """The unfinished job never runs, so even a late arrival of the upload is harmless."""
    opened: list[str] = []

    def say(request: Request, number: int) -> bytes:
        if request.path == "/job/init/":
            opened.append(f"job-{len(opened)}")
            return reply(201, json.dumps({"job_id": opened[-1]}))
        if "job-0" in request.path:
            raise Reset
        return OK

    async with serving(say, QORO) as (service, server, _):
        assert (await service.submit(big(4), "s-1")).job_id == "job-1"
        final = [r.path for r in server.requests if b'"finalized":"true"' in r.body]
        assert final == ["/job/job-1/add_circuits/"]


async def test_uploads_that_break_off_again_and_again_leave_nothing_that_runs():
    def say(request: Request, number: int) -> bytes:
        if request.path == "/job/init/":
            return INIT
        raise Reset

    async with serving(say, QORO) as (service, server, journal):
        with pytest.raises(errors.TransportError):
            await service.submit(big(4), "s-1")
        assert paths(server).count("POST /job/init/") == 3
        assert not any(b'"finalized":"true"' in r.body for r in server.requests)
        assert journal.submissions["s-1"].standing == "new"


async def test_a_held_job_runs_only_after_its_release():
    async with serving(lambda r, n: INIT if r.path == "/job/init/" else OK, QORO) as (
        service,
        server,
        _,
    ):
        opened = await service.submit(QASM, "s-1", hold=True)
        assert paths(server) == ["POST /job/init/"]
        await service.release(opened, "s-1")
        assert paths(server)[1:] == ["POST /job/ID/add_circuits/"]


async def test_a_service_with_one_request_cannot_hold_a_job():
    async with serving(lambda r, n: OK) as (service, server, _):
        with pytest.raises(errors.ConfigurationError, match="hold back"):
            await service.submit(NATIVE, "s-1", hold=True)
        assert server.requests == []


async def test_a_refused_upload_cancels_the_job_it_was_for():
    def say(request: Request, number: int) -> bytes:
        if request.path.endswith("add_circuits/"):
            return reply(400, '{"error": "exceeds qubit limit 30"}')
        return INIT if request.path == "/job/init/" else OK

    async with serving(say, QORO) as (service, server, _):
        with pytest.raises(errors.SubmissionRejected, match="qubit limit 30"):
            await service.submit(QASM, "s-1")
        assert paths(server)[-1] == "POST /job/ID/cancel/"


# --- cancelling ----------------------------------------------------------------------


async def test_cancelling_a_job_that_has_ended_is_no_error():
    def say(request: Request, number: int) -> bytes:
        if request.method == "POST":
            return reply(403, '{"error_code": "illegal_job_status", "message": "no"}')
        return reply(200, json.dumps({"id": ID, "status": "completed"}))

    async with serving(say) as (service, _, _):
        await service.cancel(ID)


async def test_cancelling_without_the_right_to_is_an_error():
    def say(request: Request, number: int) -> bytes:
        if request.method == "POST":
            return reply(403, '{"message": "not yours"}')
        return reply(200, json.dumps({"id": ID, "status": "processing"}))

    async with serving(say) as (service, _, _):
        with pytest.raises(errors.PermissionDenied, match="not yours"):
            await service.cancel(ID)


async def test_deleting_what_is_already_gone_is_no_error():
    async with serving(lambda r, n: reply(404)) as (service, server, _):
        await service.delete(ID)
        assert server.requests[0].method == "DELETE"


@pytest.mark.parametrize("hostile", ["../x", "a/b", "a?b", ".", "", "a\x00", "x" * 200])
async def test_a_hostile_id_never_becomes_part_of_an_address(hostile: str):
    async with serving(lambda r, n: OK) as (service, server, _):
        with pytest.raises(errors.ProtocolError):
            await service.status(hostile)
        assert server.requests == []
