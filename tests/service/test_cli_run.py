"""The command line against the local service, over real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from qawait.cli import main
from tests.service.running import LocalService, running

if TYPE_CHECKING:
    from collections.abc import Iterator

QAWAIT = str(Path(sys.executable).with_name("qawait"))
HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
CIRCUITS = {
    # bit 0 is the rightmost character, the last register the leftmost
    "first": (
        HEADER + "qreg q[3]; creg a[2]; creg b[1]; x q[0];"
        "measure q[0] -> a[0]; measure q[1] -> a[1]; measure q[2] -> b[0];",
        "001",
    ),
    "last": (HEADER + "qreg q[4]; creg c[4]; x q[3]; measure q -> c;", "1000"),
    "three": (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
        "qubit[3] q; bit[3] c; x q[0]; x q[1]; c = measure q;",
        "011",
    ),
}
WIDE = HEADER + "qreg q[30]; creg c[30]; h q; measure q -> c;"


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("QAWAIT_SERVICE", "IQM_TOKEN", "QORO_API_KEY", "IQM_TOKENS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, (text, _) in CIRCUITS.items():
        Path(f"{name}.qasm").write_text(text)
    Path("wide.qasm").write_text(WIDE)


FILES = [f"{name}.qasm" for name in CIRCUITS]


@pytest.fixture
def token(local_service: LocalService, monkeypatch: pytest.MonkeyPatch) -> str:
    """The service's token, where the command looks for it."""
    monkeypatch.setenv("QAWAIT_TOKEN", local_service.token)
    return local_service.token


def named(service: LocalService, dialect: str) -> str:
    paths = {"server": "iqm:", "v1": "iqm:", "qoro": "qoro:"}
    endings = {"server": "", "v1": "/cocos", "qoro": "/api"}
    return paths[dialect] + service.url + endings[dialect]


def ledger(service: LocalService) -> dict[str, list[dict[str, Any]]]:
    request = Request(f"{service.url}/_ledger")
    request.add_header("Authorization", f"Bearer {service.token}")
    with urlopen(request) as answer:
        return json.load(answer)


def submissions(service: LocalService) -> list[dict[str, Any]]:
    return ledger(service)["submissions"]


def followed(service: LocalService) -> set[str]:
    """The jobs that somebody has asked about, and so knows."""
    asked = {entry["path"] for entry in ledger(service)["requests"]}
    ids = {submission["job_id"] for submission in submissions(service)}
    return {job_id for job_id in ids if f"/api/v1/jobs/{job_id}" in asked}


def told(
    capsys: pytest.CaptureFixture[str], code: int, *arguments: str
) -> tuple[str, str]:
    """What a command writes to both streams, having ended with this code."""
    ended = main(arguments)
    said = capsys.readouterr()
    assert ended == code, said.err
    assert "Traceback" not in said.err
    return said.out, said.err


@contextlib.contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[str]:
    """A server that answers everything alike, as a login page or a proxy does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has seen enough hangs up on the others it has asked."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# --- run ------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["server", "v1", "qoro"])
def test_files_become_counts_in_one_order_on_every_service(
    dialect: str,
    local_service: LocalService,
    token: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = named(local_service, dialect)
    arguments = ["run", *FILES, "--shots", "17", "--json", "--service", service]
    out, err = told(capsys, 0, *arguments)
    document = json.loads(out)
    assert document["service"] == service
    assert document["simulated"] is True
    assert document["states"] == {"ready": 3}
    assert [circuit["file"] for circuit in document["circuits"]] == FILES
    assert [circuit["counts"] for circuit in document["circuits"]] == [
        {outcome: 17} for _, outcome in CIRCUITS.values()
    ]
    assert document["circuits"][0]["registers"] == {"a": 2, "b": 1}
    assert len({circuit["job_id"] for circuit in document["circuits"]}) == 3
    assert re.fullmatch(r"qawait: 3 circuits: 3 ready \(\d+\.\d s\)\n", err)
    assert token not in out + err


def test_the_table_shows_outcomes_and_jobs(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = named(local_service, "server")
    out, _ = told(capsys, 0, "run", "last.qasm", "--shots", "9", "--service", service)
    job_id = submissions(local_service)[-1]["job_id"]
    row = rf"last\.qasm +ready +9 +1000 100\.0% +{job_id} *\n"
    assert re.search(row, out)
    assert "square20 (simulated), 9 shots for each circuit" in out


def test_a_batch_is_one_job(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(submissions(local_service))
    service = named(local_service, "server")
    told(capsys, 0, "run", *FILES, "--batch", "2", "--shots", "3", "--service", service)
    sent = submissions(local_service)[before:]
    assert sorted(submission["circuits"] for submission in sent) == [1, 2]


def test_a_circuit_that_fails_leaves_its_siblings(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Qoro's cluster states no width, so this one fails there and not here."""
    service = named(local_service, "qoro")
    arguments = ["run", "wide.qasm", "last.qasm", "--json", "--service", service]
    out, err = told(capsys, 1, *arguments)
    wide, last = json.loads(out)["circuits"]
    assert wide["state"] == "failed"
    assert "30 qubits" in wide["error"]
    assert last["counts"] == {"1000": 1000}
    assert "1 ready, 1 failed" in err


def test_out_writes_counts_and_bits_and_replaces_only_by_force(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = named(local_service, "server")
    arguments = [
        "run",
        *FILES,
        "--shots",
        "5",
        "--service",
        service,
        "--out",
        "new/out",
    ]
    out, _ = told(capsys, 0, *arguments)
    assert "3 results in new/out" in out
    written = {path.name for path in Path("new/out").iterdir()}
    assert written == {f"{n}{e}" for n in CIRCUITS for e in (".json", ".npy")}
    saved = json.loads(Path("new/out/last.json").read_bytes())
    assert saved["counts"] == {"1000": 5}
    assert saved["registers"] == {"c": 4}
    assert saved["bits"] == "last.npy"
    bits = np.load("new/out/last.npy")
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[0, 0, 0, 1]] * 5

    before = len(submissions(local_service))
    _, err = told(capsys, 2, *arguments)
    assert "exists; --force replaces it" in err
    assert len(submissions(local_service)) == before
    told(capsys, 0, *arguments, "--force", "--shots", "6")
    assert np.load("new/out/last.npy").shape == (6, 4)


def test_a_histogram_is_written_without_bits(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = named(local_service, "qoro")
    told(capsys, 0, "run", "last.qasm", "--service", service, "--out", "out")
    assert [path.name for path in Path("out").iterdir()] == ["last.json"]
    assert "bits" not in json.loads(Path("out/last.json").read_bytes())


def test_a_terminal_sees_the_states_and_a_pipe_does_not(
    null_service: LocalService,
) -> None:
    """Standard error is a terminal here, standard output is not."""
    terminal, end = pty.openpty()
    variables = {**os.environ, "QAWAIT_TOKEN": null_service.token, "TERM": "xterm"}
    service = named(null_service, "server")
    with subprocess.Popen(
        [QAWAIT, "run", *FILES, "--json", "--service", service],
        stdout=subprocess.PIPE,
        stderr=end,
        env=variables,
    ) as process:
        os.close(end)
        shown = b""
        # the terminal's other end closes with an error, not with an empty read
        with contextlib.suppress(OSError):
            while part := os.read(terminal, 4096):
                shown += part
        os.close(terminal)
        assert process.stdout is not None
        document = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert document["states"] == {"ready": 3}
    assert re.search(r"3 .{0,20}ready", shown.decode())
    # the cursor is hidden while the display lives, and comes back
    assert shown.index(b"\x1b[?25l") < shown.index(b"\x1b[?25h")


# --- bad input ------------------------------------------------------------------------


def test_a_circuit_wider_than_the_target_is_named_and_nothing_is_sent(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(submissions(local_service))
    service = named(local_service, "server")
    out, err = told(capsys, 2, "run", *FILES, "wide.qasm", "--service", service)
    assert out == ""
    assert err == (
        "qawait: wide.qasm: needs 30 qubits, square20 has 20; nothing was sent\n"
    )
    assert len(submissions(local_service)) == before


@pytest.mark.parametrize("dialect", ["server", "v1", "qoro"])
def test_a_wrong_token_is_one_line_that_says_where_to_put_the_right_one(
    dialect: str,
    local_service: LocalService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("QAWAIT_TOKEN", "wr0ng")
    before = len(submissions(local_service))
    service = named(local_service, dialect)
    out, err = told(capsys, 2, "run", "last.qasm", "--service", service)
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"qawait: {service}: the service answered 401: ")
    assert "QAWAIT_TOKEN or " in err
    assert "wr0ng" not in err
    assert len(submissions(local_service)) == before


@pytest.mark.parametrize("kind", ["iqm:{}", "iqm:{}/cocos", "qoro:{}/api"])
def test_a_server_that_is_not_there_is_one_line(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QAWAIT_TOKEN", "t")
    with answering(b"") as url:
        service = kind.format(url)
    out, err = told(capsys, 2, "run", "last.qasm", "--service", service)
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"qawait: {service}: no connection to 127.0.0.1:")


@pytest.mark.parametrize("kind", ["iqm:{}", "iqm:{}/cocos", "qoro:{}/api"])
@pytest.mark.parametrize("status", [200, 404])
def test_an_html_answer_is_one_line_without_its_escapes(
    kind: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("QAWAIT_TOKEN", "t")
    page = b"<!doctype html><html><title>\x1b[31mLog in\x07</title></html>"
    with answering(page, status) as url:
        out, err = told(capsys, 2, "run", "last.qasm", "--service", kind.format(url))
    assert out == ""
    assert err.count("\n") == 1
    assert err.isprintable() or err[:-1].isprintable()
    assert url in err


def test_an_unknown_target_is_one_line_with_those_there_are(
    local_service: LocalService, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service = named(local_service, "server")
    arguments = ["run", "last.qasm", "--service", service, "--target", "garnet"]
    _, err = told(capsys, 2, *arguments)
    assert err == "qawait: the service has no target 'garnet'; it has square20\n"


# --- jobs by their ids ----------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["server", "v1", "qoro"])
def test_a_job_is_found_again_by_its_id(
    dialect: str,
    local_service: LocalService,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("QAWAIT_SERVICE", named(local_service, dialect))
    out, _ = told(capsys, 0, "run", "first.qasm", "--shots", "8", "--json")
    job_id = json.loads(out)["circuits"][0]["job_id"]

    out, _ = told(capsys, 0, "status", job_id, "--json")
    (job,) = json.loads(out)["jobs"]
    assert (job["job_id"], job["state"]) == (job_id, "ready")
    out, _ = told(capsys, 0, "cancel", job_id)
    assert re.search(rf"{job_id} +ready ", out)

    out, _ = told(capsys, 0, "results", job_id, "--out", "out")
    assert re.search(r"\n001 +8 +100\.0% *\n", out)
    (path,) = Path("out").glob("*.json")
    assert path.name.startswith(f"{job_id}-")
    assert json.loads(path.read_bytes())["counts"] == {"001": 8}


@pytest.mark.parametrize("command", ["status", "results", "cancel"])
def test_an_unknown_job_is_one_line(
    command: str,
    local_service: LocalService,
    token: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = named(local_service, "server")
    unknown = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    out, err = told(capsys, 2, command, unknown, "--service", service)
    assert out == ""
    assert err.count("\n") == 1
    assert unknown in err
    _, err = told(capsys, 2, command, "../secrets", "--service", service)
    assert "'../secrets' cannot be a job id" in err


@pytest.mark.timeout(120)
def test_after_ctrl_c_the_jobs_that_go_on_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command in the message is the one that fetches the results."""
    with running("--null", "--service-time", "4s", "--servers", "9") as service:
        monkeypatch.setenv("QAWAIT_TOKEN", service.token)
        name = named(service, "server")
        process = subprocess.Popen(
            [QAWAIT, "run", *FILES, "--service", name, "--shots", "5"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while len(followed(service)) < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert out == ""
        assert "Traceback" not in err
        (line,) = (line for line in err.splitlines() if "interrupted" in line)
        head, command = line.split("go on: qawait ")
        assert head == "qawait: interrupted; 3 jobs "
        sent = {submission["job_id"] for submission in submissions(service)}
        words = command.split()
        assert set(words[1:4]) == sent
        out, _ = told(capsys, 0, *words, "--json")
        assert len(json.loads(out)["circuits"]) == 3


def test_results_that_take_too_long_are_left_to_the_service(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("--null", "--service-time", "60s") as service:
        monkeypatch.setenv("QAWAIT_TOKEN", service.token)
        monkeypatch.setenv("QAWAIT_SERVICE", named(service, "v1"))
        process = subprocess.Popen(
            [QAWAIT, "run", "last.qasm"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not submissions(service):
            assert process.poll() is None
        process.kill()
        process.wait()
        job_id = submissions(service)[0]["job_id"]
        out, err = told(capsys, 1, "results", job_id, "--timeout", "0.3")
        assert out == ""
        assert err.count("\n") == 1
        assert re.search(r"not ready after 0\.3 s; the job goes on$", err.rstrip())

        out, _ = told(capsys, 0, "cancel", job_id, "--json")
        assert json.loads(out)["jobs"][0]["state"] == "aborted"
        _, err = told(capsys, 1, "results", job_id)
        assert f"job {job_id}: aborted: " in err


# --- with a service of its own --------------------------------------------------------


def alone(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The installed command, as a user starts it, with nothing in its environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QAWAIT", "IQM"))}
    return subprocess.run(
        [QAWAIT, *arguments],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.mark.timeout(120)
def test_without_a_service_files_run_on_this_machine() -> None:
    done = alone("run", *FILES, "--shots", "11", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "running on the local simulator" in done.stderr
    for name, (_, outcome) in CIRCUITS.items():
        assert re.search(
            rf"{name}\.qasm +ready +11 +{outcome} 100\.0% *\n", done.stdout
        )
    assert "square20 (simulated)" in done.stdout


@pytest.mark.timeout(120)
def test_the_demonstration_draws_a_landscape_and_tells_its_cost() -> None:
    done = alone("demo", "--circuits", "16", "--shots", "40", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.count("><") == 2
    assert re.search(r"best angles    gamma \d\.\d+ rad, beta \d\.\d+ rad", done.stdout)
    assert "% of the true maximum of 7 (brute force)" in done.stdout
    assert "cost           2 jobs, 16 circuits, 640 shots, " in done.stdout
    assert Path("qawait-demo.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.timeout(120)
def test_the_demonstration_measures_what_theory_predicts() -> None:
    """Every point of a small grid lies within five standard errors of the ideal."""
    from qiskit.quantum_info import Statevector

    from qawait.cli.landscape import NODES, cut_sizes, template

    done = alone("demo", "--circuits", "9", "--shots", "2000", "--no-png", "--json")
    assert done.returncode == 0, done.stderr
    assert not Path("qawait-demo.png").exists()
    document = json.loads(done.stdout)
    assert document["cost"]["shots"] == 18_000
    partitions = (np.arange(2**NODES)[:, None] >> np.arange(NODES)) & 1
    cuts = cut_sizes(partitions)
    for beta, row in zip(document["betas"], document["expected_cuts"], strict=True):
        for gamma, measured in zip(document["gammas"], row, strict=True):
            bound = template().assign_parameters({"gamma": gamma, "beta": beta})
            bound.remove_final_measurements()
            chances = Statevector(bound).probabilities()
            mean = chances @ cuts
            error = np.sqrt((chances @ cuts**2 - mean**2) / 2000)
            assert abs(measured - mean) < 5 * error + 1e-9
