"""What is known after each way a submission can go wrong, against real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from threading import get_ident

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
from qawait._journal import Journal
from qawait._service import Opened, Service, delivery_of
from qawait._transport import Limits, Retry, Transport
from qawait.iqm.circuit import Circuit, Instruction
from qawait.iqm.dialects import SERVER
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


@asynccontextmanager
async def serving(
    say: Answerer, dialect: Dialect = SERVER, attempts: int = 2
) -> AsyncIterator[tuple[Service, FaultServer, Journal]]:
    journal = Journal()
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
        yield Service(dialect, transport, journal), server, journal


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
        assert journal.entries["s-1"].delivery is U
        assert journal.entries["s-1"].sending


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
        assert journal.entries["s-1"].delivery is R
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


async def test_a_submission_refused_for_being_too_many_is_sent_again():
    def say(request: Request, number: int) -> bytes:
        if number == 0:
            return reply(429, '{"message": "slow"}', Retry_After="0")
        return reply(201, json.dumps({"id": ID}))

    async with serving(say) as (service, server, journal):
        assert await service.submit(NATIVE, "s-1") == Opened(ID)
        assert len(server.requests) == 2
        assert journal.entries["s-1"].delivery is A
        assert journal.entries["s-1"].job_id == ID


async def test_a_submission_that_never_left_raises_its_own_error():
    async with answering(reset) as server:
        gone = server.url
    journal = Journal()
    async with Transport(
        gone, FixedToken(None), SERVER.read_error, retry=Retry(attempts=2)
    ) as transport:
        with pytest.raises(errors.ConnectFailed):
            await Service(SERVER, transport, journal).submit(NATIVE, "s-1")
    assert journal.entries["s-1"].delivery is N
    assert not journal.entries["s-1"].sending


async def test_what_was_unknown_once_stays_so():
    journal = Journal()
    journal.intend("s", target="q", circuits=1, shots=1)
    journal.outcome("s", U)
    journal.outcome("s", R)
    assert journal.entries["s"].delivery is U
    journal.outcome("s", A, ID)
    assert journal.entries["s"].delivery is A


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
        assert journal.entries["s-1"].delivery is A


async def test_a_job_that_cannot_be_opened_is_no_uncertain_submission():
    """An empty job never runs: what went wrong is an ordinary error."""
    async with serving(reset, QORO) as (service, server, journal):
        with pytest.raises(errors.TransportError):
            await service.submit(QASM, "s-1")
        assert paths(server) == ["POST /job/init/"] * 2
        assert journal.entries["s-1"].delivery is N


async def test_a_job_that_may_not_be_opened_is_refused():
    said = reply(402, '{"detail": "no credits"}')
    async with serving(lambda r, n: said, QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionRejected, match="no credits"):
            await service.submit(QASM, "s-1")
        assert paths(server) == ["POST /job/init/"]
        assert journal.entries["s-1"].delivery is R


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
        assert journal.entries["s-1"].delivery is A


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
        assert journal.entries["s-1"].delivery is A
        assert paths(server).count("POST /job/ID/add_circuits/") == 1


async def test_a_lost_final_upload_of_a_pending_job_is_uncertain():
    def say(request: Request, number: int) -> bytes:
        if request.path.endswith("add_circuits/"):
            raise Reset
        if request.path.endswith("status/"):
            return reply(200, '{"status": "PENDING"}')
        return INIT

    async with serving(say, QORO) as (service, server, journal):
        with pytest.raises(errors.SubmissionUncertain) as caught:
            await service.submit(QASM, "s-1")
        assert caught.value.job_id == ID
        assert journal.entries["s-1"].delivery is U
        assert paths(server).count("POST /job/ID/add_circuits/") == 1


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
        assert journal.entries["s-1"].delivery is N


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
