"""Whatever a service answers, what comes out is a value or an error of our own tree.

Every kind of call of every dialect meets every kind of bad answer; a second table says
which error a particular answer gives; a third does it over a socket.
"""

from __future__ import annotations

import gzip
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.fault_server import Cut, Request, answering, reply
from tests.good_answers import (
    ALL,
    BAD,
    DEEP,
    ENDED,
    JOB,
    PAGE,
    RUN,
    SENT,
    UNKNOWN,
    exchanges,
    finished,
    good,
    paths,
    readers,
    replaced,
)

from qawait import errors
from qawait._auth import FixedToken, Secret
from qawait._service import Service
from qawait._transport import Limits, Retry, Transport
from qawait.iqm.dialects import DIALECTS
from qawait.journal.memory import MemoryJournal
from qawait.model import Answer
from qawait.qoro.dialect import DIALECT as QORO

if TYPE_CHECKING:
    from collections.abc import Callable


# --- every call meets every bad answer ------------------------------------------------


def survives(call: Callable[[], Any]) -> None:
    """A value or an error of ours, in one line that a terminal can show."""
    try:
        call()
    except errors.Error as error:
        said = str(error)
        assert said
        assert said.isprintable()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_answer_to_any_call_is_an_error_of_ours(name: str, kind: str):
    dialect = ALL[name]
    for read in readers(dialect).values():
        survives(lambda read=read: read(Answer(200, {}, BAD[kind])))
    for start in exchanges(dialect).values():
        for path in paths(start()):
            survives(lambda start=start, path=path: finished(start(), BAD[kind], path))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_body_of_an_error_does_not_hide_the_error(name: str, kind: str):
    said = ALL[name].read_error(Answer(500, {}, BAD[kind]))
    assert said is None or isinstance(said, str)


@pytest.mark.parametrize("name", ALL)
def test_a_good_answer_with_one_bad_value_is_read_or_an_error_of_ours(name: str):
    """Fields of other types, huge numbers, missing and doubled entries; fixed seed."""
    dialect, random = ALL[name], Random(20261121)
    for what, start in exchanges(dialect).items():
        for path in paths(start()):
            document = json.loads(good(path))
            for _ in range(60):
                body = json.dumps(replaced(document, random)).encode()
                try:
                    survives(
                        lambda start=start, path=path, body=body: finished(
                            start(), body, path
                        )
                    )
                except Exception as error:
                    raise AssertionError(f"{what}, {path}: {body[:300]}") from error


def test_a_good_answer_is_read_everywhere():
    """So that the cases above fail for the reason they say."""
    for dialect in ALL.values():
        for what, start in exchanges(dialect).items():
            assert finished(start(), b"", "nowhere") is not None, what


# --- which error a bad answer gives ---------------------------------------------------

CUT = errors.ResponseTruncated
FOREIGN = errors.UnexpectedContent
WRONG = errors.ProtocolError
OTHER = errors.ResultMismatch

OPENED: dict[str, tuple[bytes, type[errors.Error]]] = {
    "nothing": (b"", FOREIGN),
    "a page": (b"<html>", FOREIGN),
    "cut off": (b'{"id": "', CUT),
    "no id": (b"{}", WRONG),
    "null": (b'{"id": null, "job_id": null}', WRONG),
    "a number": (b'{"id": 7, "job_id": 7}', WRONG),
    "a list": (b'{"id": ["a"], "job_id": ["a"]}', WRONG),
    "empty": (b'{"id": "", "job_id": ""}', WRONG),
    "another path": (b'{"id": "../../x", "job_id": "../../x"}', WRONG),
    "a slash": (b'{"id": "a/b", "job_id": "a/b"}', WRONG),
    "a query": (b'{"id": "a?b=c", "job_id": "a?b=c"}', WRONG),
    "a quoted slash": (b'{"id": "a%2fb", "job_id": "a%2fb"}', WRONG),
    "two dots": (b'{"id": "..", "job_id": ".."}', WRONG),
    "a line break": (b'{"id": "a\\nb", "job_id": "a\\nb"}', WRONG),
    "too long": (
        json.dumps({"id": "a" * 129, "job_id": "a" * 129}).encode(),
        WRONG,
    ),
}
STATUSES: dict[str, tuple[bytes, type[errors.Error]]] = {
    "nothing": (b"", FOREIGN),
    "a page": (b"<html><title>login</title>", FOREIGN),
    "a sentence": (b"Bad gateway", FOREIGN),
    "cut off": (b'{"status":"rea', CUT),
    "a list": (b'["ready"]', WRONG),
    "no word": (b'{"id":"7"}', WRONG),
    "null": (b'{"id":"7","status":null}', WRONG),
    "a number": (b'{"id":"7","status":3}', WRONG),
    "a list of words": (b'{"id":"7","status":["ready"]}', WRONG),
    "nested too deeply": (b"[" * DEEP, WRONG),
    "not UTF-8": (b'{"id":"7","status":"\xff"}', WRONG),
}


def run(measurements: Any, **more: Any) -> bytes:
    return json.dumps(RUN | {"measurements": measurements} | more).encode()


MEASUREMENTS: dict[str, tuple[Any, type[errors.Error]]] = {
    "an object": ({"m": [[0]]}, WRONG),
    "keys that are a list": ([[["m", [[0]]]]], WRONG),
    "rows that are numbers": ([{"m": [0, 1]}], WRONG),
    "rows of words": ([{"m": [["0"]]}], WRONG),
    "rows that are null": ([{"m": None}], WRONG),
    "a level of null": ([{"m": [[None]]}], WRONG),
    "a level of true": ([{"m": [[True]]}], WRONG),
    "a negative level": ([{"m": [[-1]]}], WRONG),
    "half a level": ([{"m": [[0.5]]}], WRONG),
    "a level beyond 32 bits": ([{"m": [[2**32]]}], WRONG),
    "a level beyond every integer": ([{"m": [[10**400]]}], WRONG),
    "ragged rows": ([{"m": [[0, 1], [0]]}], WRONG),
    "keys of different lengths": ([{"m": [[0], [1]], "n": [[0]]}], WRONG),
    "a circuit too many": ([{"m": [[0]]}, {"m": [[0]]}], OTHER),
    "no circuit": ([], OTHER),
}
HISTOGRAMS: dict[str, tuple[Any, type[errors.Error]]] = {
    "null": (None, OTHER),
    "a list": ([], WRONG),
    "nothing": ({}, OTHER),
    "no payload": ({"encoding": "qh1", "n_bits": 1}, OTHER),
    "an unknown encoding": ({"encoding": "qh9", "n_bits": 1, "payload": "AAAA"}, WRONG),
    "not base64": ({"encoding": "qh1", "n_bits": 1, "payload": "!!!!"}, WRONG),
    "not text": ({"encoding": "qh1", "n_bits": 1, "payload": 7}, WRONG),
    "another magic": ({"encoding": "qh2", "n_bits": 1, "payload": "UUgxAQE="}, WRONG),
    "cut off": ({"encoding": "qh1", "n_bits": 2, "payload": "UUgxAgJkAgAD"}, WRONG),
    "another width": (
        {"encoding": "qh1", "n_bits": 3, "payload": "UUgxAQICAgABAwEBAgA="},
        WRONG,
    ),
    "a width beyond all": (
        {"encoding": "qh1", "n_bits": 10**30, "payload": "UUgxAQICAgABAwEBAgA="},
        WRONG,
    ),
    "more gaps than bytes": (
        {"encoding": "qh1", "n_bits": 1, "payload": "UUgxAYCAgIABgICAgAGAgICAAQ=="},
        WRONG,
    ),
    "a word for each count": ({"00": "many"}, OTHER),
}


def expected(call: Callable[[], Any], kind: type[errors.Error]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, errors.ProtocolError)
    assert str(caught.value)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", OPENED)
def test_an_answer_to_a_submission_without_a_usable_id_says_why(name: str, kind: str):
    body, error = OPENED[kind]
    expected(lambda: ALL[name].read_opened(Answer(201, {}, body)), error)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", STATUSES)
def test_a_status_that_is_none_says_why(name: str, kind: str):
    body, error = STATUSES[kind]
    expected(lambda: ALL[name].read_status(Answer(200, {}, body)), error)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("kind", MEASUREMENTS)
def test_measurements_that_are_none_say_why(name: str, kind: str):
    measurements, error = MEASUREMENTS[kind]
    dialect = DIALECTS[name]
    whole = name == "v1"
    body = run(measurements) if whole else json.dumps(measurements).encode()
    at = "" if whole else "measurements"
    expected(lambda: finished(dialect.result(JOB, ENDED, SENT), body, at), error)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"status": "failed"}, WRONG),
        ({"metadata": None}, WRONG),
        ({"metadata": []}, WRONG),
        ({"metadata": {"request": "all of it"}}, WRONG),
        ({"metadata": {"timestamps": ["now"]}}, WRONG),
        ({"metadata": {"request": {"circuits": 3}}}, WRONG),
        ({"measurements": None}, WRONG),
        ({"warnings": "many"}, WRONG),
        ({"message": 5}, WRONG),
    ],
)
def test_a_run_that_is_none_says_why(
    changes: dict[str, Any], error: type[errors.Error]
):
    body = json.dumps(RUN | changes).encode()
    result = DIALECTS["v1"].result(JOB, ENDED, UNKNOWN)
    expected(lambda: finished(result, body), error)


@pytest.mark.parametrize("kind", HISTOGRAMS)
def test_counts_that_are_none_say_why(kind: str):
    results, error = HISTOGRAMS[kind]
    body = json.dumps(PAGE | {"results": [{"label": "c", "results": results}]})
    result = QORO.result(JOB, ENDED, SENT)
    expected(lambda: finished(result, body.encode()), error)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"count": -1}, OTHER),
        ({"count": 0}, OTHER),
        ({"count": 10**12}, OTHER),
        ({"count": "1"}, WRONG),
        ({"count": 10**40}, WRONG),
        ({"results": None}, WRONG),
        ({"results": {}}, WRONG),
        ({"results": []}, OTHER),
        ({"results": [{"label": 7}]}, WRONG),
        ({"results": [{"label": "d", "results": {}}]}, OTHER),
        ({"results": PAGE["results"] * 2}, OTHER),
    ],
)
def test_a_page_that_is_none_says_why(
    changes: dict[str, Any], error: type[errors.Error]
):
    body = json.dumps(PAGE | changes).encode()
    expected(lambda: finished(QORO.result(JOB, ENDED, SENT), body), error)


def test_a_service_that_promises_rows_without_end_is_found_out():
    """Every page holds what it should, and there are a million million of them."""
    body = json.dumps(PAGE | {"count": 10**12})
    result = QORO.result(JOB, ENDED, UNKNOWN)
    expected(lambda: finished(result, body.encode()), OTHER)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    "timestamp",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-13-45T99:99:99Z",
        "yesterday",
        "",
        "9" * 5000,
    ],
)
def test_a_date_that_is_none_is_no_reason_to_lose_a_result(name: str, timestamp: str):
    dialect = DIALECTS[name]
    entry = {"status": "completed", "timestamp": timestamp, "source": "iqm-server"}
    body = json.dumps({"id": JOB, "status": "completed", "timeline": [entry]}).encode()
    assert dialect.read_status(Answer(200, {}, body)).raw == "completed"
    whole = json.dumps(RUN | {"metadata": {"timestamps": {"ready": timestamp}}})
    at, told = ("", whole) if name == "v1" else ("timeline", json.dumps([entry]))
    result = finished(dialect.result(JOB, ENDED, SENT), told.encode(), at or "jobs/")
    assert [step.at for step in dialect.steps_of(result)] in ([], [None])


# --- over a socket --------------------------------------------------------------------

ZIPPED = {"Content_Encoding": "gzip"}
READY = b'{"id":"7","status":"ready"}'
OVER_A_SOCKET: dict[str, tuple[Any, type[errors.Error]]] = {
    "a body cut off": (Cut(reply(body=READY)[:-4]), errors.ProtocolError),
    "headers cut off": (Cut(b"HTTP/1.1 200 OK\r\nContent-Le"), errors.TransportError),
    "nothing at all": (Cut(b""), errors.TransportError),
    "another protocol": (Cut(b"SSH-2.0-OpenSSH_9.6\r\n"), errors.ProtocolError),
    "a length that is a word": (
        Cut(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n{}"),
        errors.ProtocolError,
    ),
    "a chunk of no size": (
        Cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
        errors.Error,
    ),
    "a header without end": (
        Cut(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000),
        errors.Error,
    ),
    "gzip that is none": (reply(body=READY, **ZIPPED), errors.ProtocolError),
    "gzip cut off": (
        reply(body=gzip.compress(READY)[:-10], **ZIPPED),
        errors.ProtocolError,
    ),
    "a bomb": (
        reply(body=gzip.compress(b" " * (8 << 20)), **ZIPPED),
        errors.ResponseTooLarge,
    ),
    "a page with status 200": (reply(body="<html>login</html>"), FOREIGN),
    "an empty 204": (reply(204, ""), FOREIGN),
    "a redirect": (
        reply(302, "", Location="https://evil.example/"),
        errors.RedirectRefused,
    ),
    "a redirect to nowhere": (reply(301, ""), errors.RedirectRefused),
    "a redirect to nonsense": (
        reply(307, "", Location="http://[::1"),
        errors.RedirectRefused,
    ),
    "a refusal that is a page": (
        reply(403, "<html><title>WAF</title></html>"),
        errors.PermissionDenied,
    ),
    "a refusal that is bytes": (
        reply(401, bytes(range(256))),
        errors.AuthenticationError,
    ),
    "a refusal that is nested": (reply(404, "[" * DEEP), errors.NotFound),
    "a refusal with a list": (
        reply(422, '{"detail":[{"loc":["body"],"msg":"required"}]}'),
        errors.ResponseError,
    ),
    "a refusal with numbers": (reply(409, '{"message":5}'), errors.Conflict),
    "a refusal in colour": (
        reply(400, '{"error":"\\u001b[31mred\\n\\u0000"}'),
        errors.ResponseError,
    ),
    "a wait that is a word": (reply(429, "{}", Retry_After="soon"), errors.RateLimited),
    "a wait without end": (
        reply(429, "{}", Retry_After="9" * 40),
        errors.RateLimited,
    ),
    "a wait of no date": (
        reply(503, "{}", Retry_After="Xxx, 99 Foo 99999 99:99:99 GMT"),
        errors.ServiceUnavailable,
    ),
    "a status of 599": (reply(599, ""), errors.ServiceUnavailable),
    "a status of 499": (reply(499, "\x1b[31mred"), errors.ResponseError),
}


@pytest.mark.parametrize("kind", OVER_A_SOCKET)
async def test_a_bad_answer_over_a_socket_is_an_error_of_ours(kind: str):
    answer, error = OVER_A_SOCKET[kind]

    def answered(request: Request, number: int) -> bytes:
        if isinstance(answer, bytes):
            return answer
        raise answer

    async with (
        answering(answered) as server,
        Transport(
            server.url,
            FixedToken(Secret("canary-0123456789")),
            QORO.read_error,
            limits=Limits(answer_bytes=1 << 20),
            retry=Retry(attempts=1),
        ) as transport,
    ):
        with pytest.raises(error) as caught:
            await Service(QORO, transport, MemoryJournal()).status(JOB)
    assert isinstance(caught.value, errors.Error)
    assert str(caught.value).isprintable()
    assert "canary" not in str(caught.value)
