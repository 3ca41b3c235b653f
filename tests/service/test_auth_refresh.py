"""A token that the service no longer takes, and the one that is in its place by then."""

from __future__ import annotations

import base64
import json
import traceback
from pathlib import Path
from typing import Any

import anyio
import pytest

import qawait
from qawait import IQMService, QoroService, errors
from qawait._auth import TokensFile
from qawait._transport import Retry, Transport
from qawait.iqm import Circuit, Instruction
from qawait.iqm.dialects import SERVER
from qawait.model import Call
from tests.fault_server import FaultServer, Request, answering, reply

OLD, NEW = "canary-old-token", "canary-new-token"
READ = Call(kind="read", method="GET", path="api/v1/jobs/7", repeatable=True)
SUBMIT = Call(kind="submit", method="POST", path="api/v1/jobs/q/circuit", body=b"{}")
JOB = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"


class CountedFile(TokensFile):
    """A tokens file that counts how often it is read."""

    reads = 0

    def renew(self) -> bool:
        self.reads += 1
        return super().renew()


class Doorkeeper:
    """Answers those who bring the right token, and 401 to others."""

    def __init__(self) -> None:
        self.valid = OLD
        self.refused: list[Request] = []
        self.let_in: list[Request] = []

    def __call__(self, request: Request, number: int) -> bytes:
        if request.headers.get("authorization") != f"Bearer {self.valid}":
            self.refused.append(request)
            return reply(401, '{"error_code": "unauthorized", "message": "who?"}')
        self.let_in.append(request)
        return reply(200, self.answer(request))

    def answer(self, request: Request) -> str:
        return "{}"


def write(path: Path, token: str) -> None:
    path.write_text(json.dumps({"access_token": token}))
    path.chmod(0o600)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    write(path, OLD)
    return path


def transport(server: FaultServer, source: TokensFile, **options: Any) -> Transport:
    options.setdefault("retry", Retry(attempts=1))
    return Transport(server.url, source, SERVER.read_error, **options)


async def all_at_once(t: Transport, call: Call, times: int) -> list[int | type]:
    """The status of each, or the kind of its error."""
    ends: list[int | type] = []

    async def one() -> None:
        try:
            ends.append((await t.send(call)).status)
        except errors.Error as error:
            ends.append(type(error))

    async with anyio.create_task_group() as group:
        for _ in range(times):
            group.start_soon(one)
    return ends


@pytest.mark.parametrize("call", [READ, SUBMIT], ids=["reads", "submissions"])
async def test_twenty_refused_requests_read_the_file_once_and_all_succeed(
    call: Call, path: Path
):
    door, source = Doorkeeper(), CountedFile(path)
    async with answering(door) as server, transport(server, source) as t:
        await t.send(READ)
        door.valid = NEW
        write(path, NEW)
        assert await all_at_once(t, call, 20) == [200] * 20
    assert len(door.refused) == 20
    assert len(door.let_in) == 21
    assert source.reads == 2, "once at the start, and once for all twenty"


async def test_what_is_refused_is_not_sent_again_with_the_same_token(path: Path):
    door, source = Doorkeeper(), CountedFile(path)
    async with answering(door) as server, transport(server, source) as t:
        await t.send(READ)
        door.valid = NEW
        ends = await all_at_once(t, READ, 20)
    assert ends == [errors.AuthenticationError] * 20
    assert len(door.refused) == 20


async def test_a_refused_submission_is_sent_again_once_and_no_more(path: Path):
    door, source = Doorkeeper(), CountedFile(path)
    before_body: list[str] = []
    async with answering(door) as server, transport(server, source) as t:
        await t.send(READ)
        door.valid = NEW
        write(path, NEW)
        await t.send(SUBMIT, before_body=lambda: before_body.append("sending"))
        assert [r.method for r in door.refused] == ["POST"]
        assert [r.method for r in door.let_in] == ["GET", "POST"]
        assert before_body == ["sending", "sending"], "each attempt is written down"
        # the file now holds something else again, which the service takes no more
        door.valid = "yet another"
        write(path, "a-third-one")
        with pytest.raises(errors.AuthenticationError, match=r"401: who\?"):
            await t.send(SUBMIT)
    assert [r.method for r in door.refused] == ["POST"] * 3


async def test_a_file_that_vanished_leaves_the_services_own_answer(
    path: Path, caplog: pytest.LogCaptureFixture
):
    door, source = Doorkeeper(), CountedFile(path)
    async with answering(door) as server, transport(server, source) as t:
        await t.send(READ)
        door.valid = NEW
        remove(path)
        with pytest.raises(errors.AuthenticationError) as caught:
            await t.send(READ)
    assert "tokens.json: No such file" in caplog.text
    shown = "".join(
        traceback.TracebackException.from_exception(
            caught.value, capture_locals=True
        ).format()
    )
    assert "canary" not in shown.replace(repr(door.valid), "")


async def test_an_expired_token_is_not_sent(path: Path):
    claims = base64.urlsafe_b64encode(b'{"exp": 1000}').decode().rstrip("=")
    write(path, f"canary.{claims}.signature")
    door = Doorkeeper()
    async with (
        answering(door) as server,
        transport(server, TokensFile(path), clock=lambda: 1000.0) as t,
    ):
        with pytest.raises(errors.ConfigurationError, match="expired at 1970-01-01"):
            await t.send(SUBMIT)
    assert door.refused == door.let_in == []
    assert server.connections == 0


# --- through the client --------------------------------------------------------------

ARCHITECTURE = {
    "calibration_set_id": "cd4dd889-b88b-4370-ba01-eb8262ad9c53",
    "qubits": ["QB1", "QB2"],
    "computational_resonators": [],
    "gates": {
        name: {
            "implementations": {"only": {"loci": [["QB1"], ["QB2"]]}},
            "default_implementation": "only",
            "override_default_implementation": {},
        }
        for name in ("prx", "measure")
    },
}
CIRCUIT = Circuit(
    "flip",
    (
        Instruction("prx", ("QB2",), {"angle": 3.14, "phase": 0.0}),
        Instruction("measure", ("QB2", "QB1"), {"key": "m"}),
    ),
)


class Computer(Doorkeeper):
    """An IQM Server with one quantum computer, whose jobs are ready at once."""

    def answer(self, request: Request) -> str:
        if request.path == "/api/v1/quantum-computers":
            listed = [{"id": JOB, "alias": "q", "display_name": "Q"}]
            return json.dumps({"quantum_computers": listed})
        if request.path.endswith("static-quantum-architectures"):
            return '[{"qubits": ["QB1", "QB2"]}]'
        if request.path.endswith("dynamic-quantum-architecture"):
            return json.dumps(ARCHITECTURE)
        if request.path.endswith("measurements"):
            return '[{"m": [[1, 0]]}]'
        status = "waiting" if request.method == "POST" else "completed"
        return json.dumps({"id": JOB, "type": "circuit", "status": status})


async def test_a_job_survives_two_changes_of_the_token(path: Path):
    """One before the submission, one while its result is waited for."""
    computer = Computer()
    async with answering(computer) as server:
        service = IQMService(
            server.url, tokens_file=path, dialect="server", environment={}
        )
        async with qawait.connect(service) as client:
            await client.architecture()
            computer.valid = NEW
            write(path, NEW)
            job = await client.submit(CIRCUIT, shots=1)
            computer.valid = OLD
            write(path, OLD)
            result = await job
            assert result[0].keys["m"].tolist() == [[1, 0]]
    assert [r.method for r in computer.refused] == ["POST", "GET"]
    assert len([r for r in computer.let_in if r.method == "POST"]) == 1


async def test_a_submission_refused_for_good_says_that_nothing_runs(path: Path):
    computer = Computer()
    async with answering(computer) as server:
        service = IQMService(
            server.url, tokens_file=path, dialect="server", environment={}
        )
        async with qawait.connect(service) as client:
            await client.architecture()
            computer.valid = NEW
            with pytest.raises(errors.SubmissionRejected) as caught:
                await client.submit(CIRCUIT, shots=1)
    assert isinstance(caught.value.__cause__, errors.AuthenticationError)
    assert len(computer.refused) == 1


async def test_qoros_key_is_found_when_the_client_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Qoro(Doorkeeper):
        def answer(self, request: Request) -> str:
            return '[{"name": "qoro_maestro"}]'

    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"export QORO_API_KEY='{OLD}'  # mine\n")
    (tmp_path / ".env").chmod(0o600)
    qoro = Qoro()
    async with (
        answering(qoro) as server,
        qawait.connect(QoroService(server.url, environment={})) as client,
    ):
        assert client.target.name == "qoro_maestro"
        assert qoro.refused == []
        qoro.valid = NEW
        (tmp_path / ".env").write_text(f"QORO_API_KEY={NEW}\n")
        await client.targets()
        assert qoro.refused
        assert "canary" not in repr(client) + repr(client.service)
