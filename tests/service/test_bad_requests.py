"""Whatever is asked, the local service answers in the shape of the dialect, and lives.

Each case is one request over a real socket. A malformed one gets the right 4xx, never a
500, and the service still answers afterwards.
"""

from __future__ import annotations

import base64
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
from yarl import URL

from tests.service.running import (
    FLIPPED,
    circuit,
    ended,
    measure,
    packed,
    program,
    prx,
    run_request,
    submit,
    submit_programs,
)

if TYPE_CHECKING:
    import aiohttp

    from tests.service.running import LocalService

NOBODY = "00000000-0000-0000-0000-000000000007"
DEEP = 200_000
GOOD = json.dumps(run_request(FLIPPED)).encode()
BODY = run_request(FLIPPED)


def flipped(**changes: Any) -> bytes:
    """A good run request with some fields replaced."""
    return json.dumps(BODY | changes).encode()


def one(**changes: Any) -> bytes:
    """A good run request whose only circuit has some fields replaced."""
    return json.dumps(run_request(FLIPPED | changes)).encode()


def doing(instruction: Any) -> bytes:
    """A run request whose only circuit begins with this instruction."""
    return json.dumps(
        run_request(circuit("odd", instruction, measure("m", "QB1")))
    ).encode()


RUN_REQUESTS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"3",
    "a string": b'"circuits"',
    "an open brace": b"{",
    "a request cut off": GOOD[: len(GOOD) // 2],
    "two documents": GOOD + GOOD,
    "a page": b"<html><title>503</title></html>",
    "a form": b"circuits=1&shots=2",
    "not UTF-8": GOOD.replace(b"flipped", b"\xff\xfe"),
    "a nul": b"\x00" * 64,
    "nested too deeply": b"[" * DEEP,
    "a circuit nested too deeply": b'{"circuits":' + b"[" * DEEP,
    "metadata nested too deeply": GOOD[:-1] + b',"x":' + b'{"a":' * DEEP,
    "no circuits at all": json.dumps({"shots": 3}).encode(),
    "circuits null": flipped(circuits=None),
    "circuits empty": flipped(circuits=[]),
    "circuits an object": flipped(circuits={"0": FLIPPED}),
    "circuits a string": flipped(circuits="flipped"),
    "a circuit that is a number": flipped(circuits=[1]),
    "a circuit that is null": flipped(circuits=[None]),
    "a circuit that is QIR": flipped(circuits=["; ModuleID = 'bell'"]),
    "a circuit without a name": flipped(circuits=[{"instructions": [prx("QB1")]}]),
    "a name that is empty": one(name=""),
    "a name that is a number": one(name=5),
    "no instructions": one(instructions=[]),
    "instructions null": one(instructions=None),
    "instructions an object": one(instructions={"0": prx("QB1")}),
    "an instruction that is a list": doing(["prx", ["QB1"]]),
    "an instruction without a name": doing({"locus": ["QB1"], "args": {}}),
    "an instruction without a locus": doing({"name": "prx", "args": {}}),
    "a locus that is a string": doing(prx("QB1") | {"locus": "QB1"}),
    "a locus of numbers": doing(prx("QB1") | {"locus": [1]}),
    "args that are a list": doing(prx("QB1") | {"args": [1.0, 2.0]}),
    "args that are null": doing(prx("QB1") | {"args": None}),
    "an angle that is not JSON": GOOD.replace(b"3.14", b"NaN3.14"),
    "shots zero": flipped(shots=0),
    "shots negative": flipped(shots=-5),
    "shots a string": flipped(shots="7"),
    "shots a fraction": flipped(shots=1.5),
    "shots true": flipped(shots=True),
    "shots null": flipped(shots=None),
    "shots beyond every integer": GOOD.replace(b": 7", b": 1" + b"0" * 400),
    "shots beyond the quota": flipped(shots=10**9),
    "shots infinite": GOOD.replace(b": 7", b": 1e999"),
    "a mapping that is a string": flipped(qubit_mapping="QB1"),
    "a mapping of strings": flipped(qubit_mapping=["QB1"]),
    "a mapping with one half": flipped(qubit_mapping=[{"logical_name": "a"}]),
    "a mapping that leaves a qubit out": flipped(
        qubit_mapping=[{"logical_name": "a", "physical_name": "QB1"}]
    ),
    "a heralding mode that is none": flipped(heralding_mode="sometimes"),
    "a decoupling mode that is none": flipped(dd_mode="on"),
    "reset cycles that are a word": flipped(active_reset_cycles="two"),
    "a duration that is a word": flipped(max_circuit_duration_over_t2="long"),
    "a calibration set that is a number": flipped(calibration_set_id=7),
}
SUBMISSIONS = ("/cocos/jobs", "/api/v1/jobs/square20/circuit", "/station/circuits")


def opening(**changes: Any) -> bytes:
    """A good opening of a Qoro job with some fields replaced."""
    return json.dumps(
        {
            "tag": "default",
            "job_type": "EXECUTE",
            "use_packing": False,
            "simulator_cluster": "qoro_maestro",
        }
        | changes
    ).encode()


OPENINGS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "cut off": opening()[:-5],
    "a page": b"<html></html>",
    "not UTF-8": b'{"tag": "\xff"}',
    "nested too deeply": b"[" * DEEP,
    "no job type": b'{"tag":"t","simulator_cluster":"qoro_maestro"}',
    "a job type that is none": opening(job_type="DREAM"),
    "a job type that is a number": opening(job_type=1),
    "packing that is a word": opening(use_packing="yes"),
    "no target": b'{"tag":"t","job_type":"EXECUTE","use_packing":false}',
    "two targets": opening(qpu_system_name="x"),
    "a target that is not there": opening(simulator_cluster="moon"),
    "a target that is a list": opening(simulator_cluster=["qoro_maestro"]),
    "a tag that is a number": opening(tag=5),
    "a configuration that is a list": opening(execution_configuration=[]),
    "a configuration with a word": opening(
        execution_configuration={"bond_dimension": "16"}
    ),
    "a bond dimension of nothing": opening(
        execution_configuration={"bond_dimension": 0}
    ),
    "a field that is none": opening(execution_configuration={"colour": "blue"}),
    "a huge bond dimension": opening(
        execution_configuration={"bond_dimension": 10**40}
    ),
}

PROGRAM = packed(program("x q[0];", "measure q -> c;"))
BOMB = base64.b64encode(gzip.compress(b"\0" * (100 << 20))).decode()
"""100 kB that would unpack to 100 MiB."""


def upload(**changes: Any) -> bytes:
    """A good upload to a Qoro job with some fields replaced or, by None, left out."""
    body: dict[str, Any] = {
        "circuits": {"c0": PROGRAM},
        "mode": "append",
        "finalized": "false",
        "shots": 10,
    } | changes
    return json.dumps({k: v for k, v in body.items() if v is not None}).encode()


UPLOADS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "cut off": upload()[:-9],
    "nested too deeply": b'{"circuits":' + b"[" * DEEP,
    "no circuits": upload(circuits=None),
    "circuits that are a list": upload(circuits=[PROGRAM]),
    "a circuit that is a number": upload(circuits={"c0": 5}),
    "not base64": upload(circuits={"c0": "!!!!"}),
    "not gzip": upload(circuits={"c0": base64.b64encode(b"qreg q[2];").decode()}),
    "gzip cut off": upload(circuits={"c0": PROGRAM[: len(PROGRAM) // 8 * 4]}),
    "gzip and more": upload(
        circuits={"c0": base64.b64encode(gzip.compress(b"x") + b"more").decode()}
    ),
    "not text": upload(
        circuits={"c0": base64.b64encode(gzip.compress(b"\xff\xfe")).decode()}
    ),
    "a bomb": upload(circuits={"c0": BOMB}),
    "many bombs": upload(circuits={f"c{n}": BOMB for n in range(5)}),
    "letters beyond ASCII": upload(circuits={"c0": "ÄÄÄÄ"}),
    "a mode that is none": upload(mode="replace"),
    "finalized maybe": upload(finalized="maybe"),
    "finalized a number": upload(finalized=1),
    "shots zero": upload(shots=0),
    "shots negative": upload(shots=-1),
    "shots a word": upload(shots="many"),
    "shots beyond the quota": upload(shots=10**9),
    "shots beyond every integer": upload().replace(b": 10", b": 1" + b"0" * 99),
    "shot groups that overlap": upload(shots=None, shot_groups=[[0, 1, 5], [0, 1, 5]]),
    "shot groups with a gap": upload(shots=None, shot_groups=[[1, 2, 5]]),
    "shot groups of words": upload(shots=None, shot_groups=[["a", "b", "c"]]),
    "a template that is not base64": upload(
        circuits=None,
        circuit_template="!!!!",
        parameter_names=["t"],
        parameter_sets=[{"label": "a", "values": [0.5]}],
    ),
    "a template and circuits": upload(
        circuit_template=PROGRAM,
        parameter_names=[],
        parameter_sets=[{"label": "a", "values": []}],
    ),
    "a row with too few values": upload(
        circuits=None,
        circuit_template=PROGRAM,
        parameter_names=["t", "u"],
        parameter_sets=[{"label": "a", "values": [0.5]}],
    ),
    "observables of a job that counts": upload(shots=None, observables="ZZZ"),
    "a map without observables": upload(circuit_ham_map=[[0, 1]]),
}

CONFIGS: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"[]",
    "cut off": b'{"bond_dimension": 4',
    "a word for a number": b'{"bond_dimension": "4"}',
    "a negative number": b'{"truncation_threshold": -1.0}',
    "not a number": b'{"truncation_threshold": NaN}',
    "a scale beyond 1": b'{"noise_scaling_factor": 1.5}',
    "metadata that is a list": b'{"api_meta": []}',
    "metadata with a key that is none": b'{"api_meta": {"colour": "blue"}}',
    "metadata of the wrong type": b'{"api_meta": {"optimization_level": "high"}}',
}

PLACES: list[tuple[str, str, int]] = [
    ("GET", f"/cocos/jobs/{NOBODY}", 404),
    ("GET", f"/cocos/jobs/{NOBODY}/status", 404),
    ("GET", f"/cocos/jobs/{NOBODY}/counts", 404),
    ("POST", f"/cocos/jobs/{NOBODY}/abort", 404),
    ("DELETE", f"/cocos/jobs/{NOBODY}", 404),
    ("GET", "/cocos/jobs/../../etc/passwd", 404),
    ("GET", "/cocos/jobs/%2e%2e%2f%2e%2e", 404),
    ("GET", "/cocos/jobs/%00", 404),
    ("GET", "/cocos/jobs/" + "a" * 4000, 404),
    ("GET", "/cocos/jobs/NOT-A-JOB/status", 404),
    ("GET", f"/cocos/jobs/{NOBODY.upper()}'--/status", 404),
    ("GET", "/cocos/jobs/{qoro}", 404),
    ("GET", "/cocos/api/v1/calibration/latest/gates", 404),
    ("GET", f"/cocos/api/v1/calibration/{NOBODY}", 404),
    ("GET", "/cocos/calibration/metrics/%27%20OR%201=1", 404),
    ("PUT", "/cocos/jobs", 405),
    ("DELETE", "/cocos/quantum-architecture", 405),
    ("GET", f"/station/jobs/{NOBODY}/status", 404),
    ("GET", f"/station/jobs/{NOBODY}/measurements", 404),
    ("GET", f"/station/jobs/{NOBODY}/error_log", 404),
    ("GET", f"/station/circuits/{NOBODY}/counts", 404),
    ("POST", f"/station/jobs/{NOBODY}/abort", 404),
    ("GET", "/station/jobs/{iqm}/secrets", 404),
    ("GET", "/station/jobs/{qoro}/status", 404),
    ("GET", f"/station/calibration-sets/{NOBODY}/dynamic-quantum-architecture", 404),
    ("GET", "/station/static-quantum-architectures/moon", 404),
    ("GET", f"/station/observation-sets/{NOBODY}", 404),
    ("PATCH", "/station/circuits", 405),
    ("GET", f"/api/v1/jobs/{NOBODY}", 404),
    ("GET", f"/api/v1/jobs/{NOBODY}/payload", 404),
    ("GET", "/api/v1/jobs/{iqm}/artifacts/secrets", 404),
    ("GET", "/api/v1/jobs/{iqm}/artifacts/..%2fpayload", 404),
    ("POST", f"/api/v1/jobs/{NOBODY}/cancel", 404),
    ("POST", "/api/v1/jobs/{iqm}/cancel", 403),
    ("DELETE", f"/api/v1/jobs/{NOBODY}", 404),
    ("GET", "/api/v1/jobs/{qoro}", 404),
    ("GET", "/api/v1/quantum-computers/moon/health", 404),
    ("GET", "/api/v1/quantum-computers/square20/artifacts/secrets", 404),
    ("GET", "/api/v1/quantum-computers/..%2f..%2f/health", 404),
    ("GET", "/api/v1/calibration-sets/moon/default/metrics", 404),
    ("GET", f"/api/v1/calibration-sets/square20/{NOBODY}", 404),
    ("GET", "/api/v1/calibration-sets/square20/%ff%fe/metrics", 404),
    ("PUT", "/api/v1/quantum-computers", 405),
    ("GET", "/api/v1/jobs", 404),
    ("GET", f"/api/job/{NOBODY}/status/", 404),
    ("GET", f"/api/job/{NOBODY}/resultsV2/", 404),
    ("POST", f"/api/job/{NOBODY}/cancel/", 404),
    ("DELETE", f"/api/job/{NOBODY}", 404),
    ("GET", f"/api/job/{NOBODY}/execution_config/", 404),
    ("GET", "/api/job/{iqm}/status/", 404),
    ("POST", "/api/job/{qoro}/cancel/", 409),
    ("GET", "/api/job/{open}/resultsV2/", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?limit=0", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?limit=-1&offset=0", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?limit=ten", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?limit=%D9%A3", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?offset=-3", 400),
    ("GET", "/api/job/{qoro}/resultsV2/?offset=" + "9" * 400, 400),
    ("GET", "/api/nothing/", 404),
    ("DELETE", "/api/job/init/", 405),
    ("GET", "/%ff%fe", 404),
    ("GET", "/nothing", 404),
]

RAW: dict[str, bytes] = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "half a request line": b"GET /\r\n\r\n",
    "a version of the future": b"GET /health HTTP/9.9\r\nHost: {host}\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost: {host}\r\nodd\r\n\r\n",
    "a header too long": b"GET /health HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "a path too long": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /cocos/jobs HTTP/1.1\r\nHost: {host}\r\n"
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length that is a word": b"POST /cocos/jobs HTTP/1.1\r\nHost: {host}\r\n"
    b"Content-Length: ten\r\n\r\n{}",
    "a negative length": b"POST /cocos/jobs HTTP/1.1\r\nHost: {host}\r\n"
    b"Content-Length: -1\r\n\r\n",
    "a length and chunks": b"POST /cocos/jobs HTTP/1.1\r\nHost: {host}\r\n"
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": b"POST /cocos/jobs HTTP/1.1\r\nHost: {host}\r\n"
    b"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "control characters": b"GET /hea\x01lth HTTP/1.1\r\nHost: {host}\r\n\r\n",
}


@pytest.fixture(scope="module")
def jobs() -> dict[str, str]:
    """Filled by the first case: one ended job of each vendor, and one still open."""
    return {}


async def known(jobs: dict[str, str], session: aiohttp.ClientSession) -> dict[str, str]:
    if not jobs:
        iqm = await submit(session, run_request(FLIPPED))
        qoro = await submit_programs(session, {"c": program("measure q -> c;")})
        async with session.post(
            "/api/job/init/", data=opening(), headers=JSON
        ) as answer:
            still_open = (await answer.json())["job_id"]
        await ended(session, f"/api/v1/jobs/{iqm}")
        await ended(session, f"/api/job/{qoro}/status/")
        jobs |= {"iqm": iqm, "qoro": qoro, "open": still_open}
    return jobs


JSON = {"Content-Type": "application/json"}


def check_shape(path: str, status: int, body: bytes) -> None:
    """The sentence stands where clients of this dialect look for it."""
    answer = json.loads(body)
    if path.startswith("/cocos/"):
        said = answer["detail"]
    elif path.startswith("/station/"):
        assert answer["detail"] == answer["message"]
        said = answer["message"]
    elif path.startswith("/api/") and not path.startswith("/api/v1/"):
        [(name, said)] = answer.items()
        assert name == ("detail" if status in (401, 403, 404, 405) else "error")
    else:
        assert answer.keys() == {"message", "error_code", "request_id"}
        said = answer["message"]
    assert isinstance(said, str)
    assert said
    assert "\n" not in said
    assert len(said) < 1000


async def refused(
    service: LocalService,
    jobs: dict[str, str],
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    **headers: str,
) -> None:
    async with service.session() as session:
        ids = await known(jobs, session)
        for name, job_id in ids.items():
            path = path.replace("{" + name + "}", job_id)
        url = URL(service.url + path, encoded=True)
        sent = None if body is None else headers or JSON
        async with session.request(method, url, data=body, headers=sent) as answer:
            said = await answer.read()
            assert answer.status == status, said
            assert answer.headers["Qawait-Simulated"] == "true"
        check_shape(path, status, said)
        async with session.get("/health") as answer:
            assert answer.status == 200


@pytest.mark.parametrize("path", SUBMISSIONS)
@pytest.mark.parametrize("name", RUN_REQUESTS)
async def test_a_run_request_that_is_none_is_refused(
    local_service: LocalService, jobs: dict[str, str], name: str, path: str
) -> None:
    await refused(local_service, jobs, "POST", path, RUN_REQUESTS[name], 400)


@pytest.mark.parametrize("name", OPENINGS)
async def test_an_opening_that_is_none_is_refused(
    local_service: LocalService, jobs: dict[str, str], name: str
) -> None:
    await refused(local_service, jobs, "POST", "/api/job/init/", OPENINGS[name], 400)


@pytest.mark.parametrize("name", UPLOADS)
async def test_an_upload_that_is_none_is_refused(
    local_service: LocalService, jobs: dict[str, str], name: str
) -> None:
    path = "/api/job/{open}/add_circuits/"
    await refused(local_service, jobs, "POST", path, UPLOADS[name], 400)


@pytest.mark.parametrize("name", ["a bomb", "many bombs", "nested too deeply"])
async def test_a_bomb_is_refused_within_a_second_and_in_little_memory(
    local_service: LocalService, jobs: dict[str, str], name: str
) -> None:
    """A second on its processor: 100 MiB would take several hundred ms, and five more."""
    path = "/api/job/{open}/add_circuits/"
    await refused(local_service, jobs, "POST", path, upload(mode="none"), 400)
    process = psutil.Process(local_service.process.pid)
    before, worked = process.memory_info().rss, process.cpu_times()
    await refused(local_service, jobs, "POST", path, UPLOADS[name], 400)
    now = process.cpu_times()
    assert now.user + now.system - worked.user - worked.system < 1.0
    assert process.memory_info().rss - before < 100 << 20


async def test_an_upload_to_a_job_that_is_complete_is_refused(
    local_service: LocalService, jobs: dict[str, str]
) -> None:
    path = "/api/job/{qoro}/add_circuits/"
    await refused(local_service, jobs, "POST", path, upload(), 409)


@pytest.mark.parametrize("name", CONFIGS)
async def test_a_configuration_that_is_none_is_refused(
    local_service: LocalService, jobs: dict[str, str], name: str
) -> None:
    path = "/api/job/{open}/execution_config/"
    await refused(local_service, jobs, "POST", path, CONFIGS[name], 400)


@pytest.mark.parametrize(
    ("method", "path", "status"), PLACES, ids=[f"{m} {p[:60]}" for m, p, _ in PLACES]
)
async def test_a_place_that_is_none_is_refused(
    local_service: LocalService,
    jobs: dict[str, str],
    method: str,
    path: str,
    status: int,
) -> None:
    await refused(local_service, jobs, method, path, None, status)


@pytest.mark.parametrize("path", [*SUBMISSIONS, "/api/job/init/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "nonsense"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
async def test_a_body_that_is_not_plain_json_is_refused(
    local_service: LocalService,
    jobs: dict[str, str],
    path: str,
    headers: dict[str, str],
) -> None:
    body = gzip.compress(GOOD) if "Content-Encoding" in headers else GOOD
    await refused(local_service, jobs, "POST", path, body, 415, **headers)


@pytest.mark.parametrize("name", RAW)
async def test_what_is_not_http_ends_the_connection_only(
    local_service: LocalService, name: str
) -> None:
    address = urlsplit(local_service.url)
    sent = RAW[name].replace(b"{host}", address.netloc.encode())
    sent = sent.replace(b"{token}", local_service.token.encode())
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    first = received.split(b"\r\n")[0]
    assert first == b"" or first.split()[1].startswith(b"4"), first
    async with local_service.session() as session, session.get("/health") as answer:
        assert answer.status == 200
