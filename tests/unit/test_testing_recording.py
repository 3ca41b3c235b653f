"""Recorded answers: what is written down, what is not, and what a replay says."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import qawait
from qawait.errors import ConfigurationError
from qawait.testing import record, replay, serving
from qawait.testing.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qawait.testing import LocalService, Recorded

TOKEN = "s3cr3t-token-of-a-user"
JWT = "eyJhbGciOiJub25l.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl"
QASM = """OPENQASM 2.0; include "qelib1.inc";
qreg q[2]; creg c[2]; x q[0]; measure q -> c;"""


class _Real(http.server.BaseHTTPRequestHandler):
    """A service that says what a real one should not, and some that it may."""

    protocol_version = "HTTP/1.1"
    turn = 0

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        place = self.path.partition("?")[0]
        if place == "/counted":
            type(self).turn += 1
            self._say(200, json.dumps({"turn": self.turn}).encode())
        elif place == "/secrets":
            found = {
                "access_token": "tok-1",
                "user": {"Email": "ada@example.org", "api_key": 'a"b\\'},
                "note": f"Bearer {TOKEN}, or {JWT}",
                "signature": "cafe",
                "mine": "keep me out",
                "exact": [1.10, 12345678901234567890123, 1e-7],
                "next": f"{here}/more?page=2&access_token=tok-1",
            }
            # numbers as they are written here, and a name in other capitals
            body = json.dumps(found).replace("1.1,", "1.10,").encode()
            self._say(200, body, {"Set-Cookie": "session=abc123", "X-Own": "no"})
        elif place == "/away":
            self._say(303, b"", {"Location": f"{here}/counted"})
        elif place == "/busy":
            self._say(503, b"{}", {"Retry-After": "7"})
        elif place == "/bytes":
            self._say(200, b"\xff\x00\xfe", {"Content-Type": "image/png"})
        else:
            self._say(404, b'{"detail": "no such thing"}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def _say(self, status: int, body: bytes, headers: Any = None) -> None:
        self.send_response(status)
        given = {"Content-Type": "application/json", **(headers or {})}
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def real() -> Iterator[str]:
    _Real.turn = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Real)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))


def ask(
    url: str, body: bytes | None = None, token: str = TOKEN
) -> tuple[int, Any, Any]:
    """Status, headers and body of what is answered; with `body` it is a POST."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        answer = _OPENER.open(urllib.request.Request(url, body, headers), timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


# --- what is written down -------------------------------------------------------------


def test_no_secret_is_written_and_every_number_stays_as_it_was(
    real: str, tmp_path: Path
):
    path = tmp_path / "deep" / "r.jsonl"
    with record(path, f"iqm:{real}", redact=["mine"]) as there:
        _, headers, body = ask(f"{there.url}/secrets?api_key=in-query&page=1")
    # who asks gets all that the service said, but for cookies
    assert TOKEN.encode() in body
    assert headers["Set-Cookie"] is None
    text = path.read_text()
    for secret in (TOKEN, JWT, "tok-1", "ada@", 'a\\"b', "cafe", "abc123", "in-query"):
        assert secret not in text, secret
    assert "keep me out" not in text
    assert "[1.10,12345678901234567890123,1e-07]" in text
    assert "X-Own" not in text
    with replay(path, redact=["mine"]) as there:
        asked = f"{there.url}/secrets?api_key=another&page=1"
        _, _, body = ask(asked, token="of-somebody-else")
    found = json.loads(body)
    assert found["access_token"] == "***"
    assert found["user"] == {"Email": "***", "api_key": "***"}
    assert found["next"].startswith(f"{there.url}/more?page=2")


def test_its_own_address_is_told_wherever_it_is_replayed(real: str, tmp_path: Path):
    path = tmp_path / "r.jsonl"
    with record(path, f"iqm:{real}") as there:
        status, headers, _ = ask(f"{there.url}/away")
        assert (status, headers["Location"]) == (303, f"{there.url}/counted")
        assert ask(f"{there.url}/bytes")[2] == b"\xff\x00\xfe"
    assert real not in path.read_text().partition("\n")[2]
    with replay(path) as there:
        status, headers, _ = ask(f"{there.url}/away")
        assert (status, headers["Location"]) == (303, f"{there.url}/counted")
        assert ask(f"{there.url}/bytes")[2] == b"\xff\x00\xfe"


def test_what_was_in_the_way_for_a_moment_is_passed_on_and_not_recorded(
    real: str, tmp_path: Path
):
    path = tmp_path / "r.jsonl"
    with record(path, f"iqm:{real}") as there:
        status, headers, _ = ask(f"{there.url}/busy")
    assert (status, headers["Retry-After"]) == (503, "7")
    assert len(path.read_text().splitlines()) == 1


def test_a_service_that_is_away_is_a_502_and_not_recorded(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    with record(path, "iqm:http://127.0.0.1:9") as there:
        status, _, body = ask(f"{there.url}/x")
    assert status == 502
    assert b"cannot be reached" in body
    assert TOKEN.encode() not in body
    assert len(path.read_text().splitlines()) == 1


def test_a_recording_that_breaks_off_leaves_the_one_before(real: str, tmp_path: Path):
    path = tmp_path / "r.jsonl"
    path.write_text("the one before")

    def break_off() -> None:
        with record(path, f"iqm:{real}") as there:
            ask(f"{there.url}/counted")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert path.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [path]


# --- what a replay says ---------------------------------------------------------------


def test_answers_come_in_their_order_and_the_last_of_a_question_again(
    real: str, tmp_path: Path
):
    path = tmp_path / "r.jsonl"
    with record(path, f"iqm:{real}") as there:
        for _ in range(3):
            ask(f"{there.url}/counted")
    with replay(path) as there:
        turns = [json.loads(ask(f"{there.url}/counted")[2])["turn"] for _ in range(5)]
    assert turns == [1, 2, 3, 3, 3]
    assert there.refused == []


def test_what_was_not_recorded_is_refused_with_a_sentence(real: str, tmp_path: Path):
    path = tmp_path / "r.jsonl"
    with record(path, f"iqm:{real}") as there:
        ask(f"{there.url}/counted?n=1", b'{"a": 1}')
        ask(f"{there.url}/nothing")
    with replay(path) as there:
        assert ask(f"{there.url}/nothing")[0] == 404
        assert ask(f"{there.url}/counted?n=1", b'{"a": 1}')[0] == 200
        again = ask(f"{there.url}/counted?n=1", b'{"a": 1}')
        other = ask(f"{there.url}/counted?n=1", b'{"a": 2}')
        query = ask(f"{there.url}/counted?n=2", b'{"a": 1}')
        method = ask(f"{there.url}/counted?n=1")
    assert [answer[0] for answer in (again, other, query, method)] == [400] * 4
    assert there.refused == [
        f"POST /counted?n=1 was recorded 1 times, and is asked once more in {path}; "
        "record it again",
        f"POST /counted?n=1 was recorded with another body in {path}; record it again",
        f"POST /counted?n=2 was not recorded in {path}; record it again",
        f"GET /counted?n=1 was not recorded in {path}; record it again",
    ]
    # where each vendor's client looks for the reason
    said = json.loads(again[2])
    assert set(said) == {"message", "detail", "error"}
    assert set(said.values()) == {there.refused[0]}


def iqm(there: LocalService) -> tuple[object, str]:
    return there.iqm, "/"


def qoro(there: LocalService) -> tuple[object, str]:
    return there.qoro, "/api"


@pytest.mark.parametrize("service", [iqm, qoro])
def test_a_program_gets_the_same_from_a_replay_as_from_the_service(
    service: Callable[[LocalService], tuple[Any, str]], tmp_path: Path
):
    """With other timing, and nobody there."""

    def program(there: Recorded) -> list[dict[str, int]]:
        with there.sync_client() as client:
            jobs = [client.submit(QASM, shots=40 + n) for n in range(3)]
            return [job.result()[0].counts() for job in jobs]

    path = tmp_path / "r.jsonl"
    with serving(seed=5, service_time=0.05) as real:
        with record(path, service(real)[0]) as there:
            before = program(there)
        token = real.token
    assert token not in path.read_text()
    with replay(path) as there:
        assert there.url.endswith(service(real)[1].rstrip("/"))
        assert program(there) == before
        assert there.refused == []
        with pytest.raises(qawait.SubmissionRejected, match="asked once more"):
            program(there)
    assert sorted(sum(counts.values()) for counts in before) == [40, 41, 42]


def test_a_dialect_that_the_address_told_is_told_by_the_recording(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    with serving() as real:
        url = f"{real.url}/station"
        with (
            record(path, qawait.IQMService(url, token=real.token)) as there,
            there.sync_client() as client,
        ):
            before = client.target
    with replay(path) as there, there.sync_client() as client:
        assert client.target == before
        assert there.url.endswith("/station")
    assert there.service.dialect is None  # the path says it
    cocos = qawait.IQMService("http://127.0.0.1:9", dialect="v1", token="t")
    with record(path, cocos) as there:
        assert there.service.dialect == "v1"
    with replay(path) as there:
        assert there.service.dialect == "v1"


def test_variables_lead_to_it(tmp_path: Path, real: str):
    path = tmp_path / "r.jsonl"
    with record(path, f"qoro:{real}/api") as there:
        assert there.environment == {"QAWAIT_SERVICE": f"qoro:{there.url}"}
    with record(path, f"iqm:{real}") as there:
        assert there.environment["IQM_SERVER_URL"] == there.url
        assert there.environment["QAWAIT_SERVICE"] == f"iqm:{there.url}"


# --- files that are none --------------------------------------------------------------


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(ConfigurationError) as caught:
        yield
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_no_recording_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    with refused(str(path), "No such file"), replay(path):
        pass
    head = '{"qawait_recording":1,"service":"iqm:http://x"}'
    for text, said in (
        ("", "damaged in line 1"),
        ("{}", "damaged in line 1"),
        (f"{head}\n{{}}", "damaged in line 2"),
        (f'{head}\n{{"method":"GET","path":"/","status":200}}\nno', "in line 3"),
        (head.replace(":1,", ":2,"), "format 2"),
    ):
        path.write_text(text)
        with refused(str(path), said), replay(path):
            pass


def test_a_recording_that_cannot_be_written_says_so(real: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with refused("cannot be written"), record(tmp_path / "file" / "r", f"iqm:{real}"):
        pass
    with refused("unknown service"), record(tmp_path / "r", "ibm:x"):
        pass


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"token" : "abc"}', '{"token" : "***"}'),
        ('{"my_api_key":"a\\"b","n":1}', '{"my_api_key":"***","n":1}'),
        ('{"accessToken":"abc"}', '{"accessToken":"***"}'),
        ('{"tokens_used":"12"}', '{"tokens_used":"12"}'),
        ('{"tokenizer":"abc"}', '{"tokenizer":"abc"}'),
        ('{"a":"Bearer abcdefgh"}', '{"a":"Bearer ***"}'),
    ],
)
def test_a_name_that_ends_like_a_secret_is_one(text: str, left: str):
    redaction = Redaction()
    assert redaction.text(text) == left
    assert redaction.count == (text != left)
