"""The server's half of Qoro's dialect understands the client's, and recorded clients."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qawait.errors import ProtocolError
from qawait.histograms import Histogram
from qawait.model import Answer, CircuitRecord, End, Manifest, State, Submission, Target
from qawait.qoro import Circuit, ExecutionConfig, Options, Simulator, serving
from qawait.qoro.account import read_execution_config, set_execution_config
from qawait.qoro.dialect import DIALECT
from qawait.qoro.messages import Cluster, Machine, System
from qawait.qoro.unpacking import unpack_all

DATA = Path(__file__).parents[1] / "data/qoro"
JOB = "06b32c55-4065-49b3-b677-8ef92b98bdec"
CLUSTER = Target(name="qoro_maestro", kind="simulator", qubits=None, simulated=True)
SYSTEM = Target(name="square20", kind="quantum computer", qubits=20)
CIRCUITS = (Circuit("a", "OPENQASM 2.0;\n"), Circuit("ü", "// naïve ⟨ψ|\n" * 999))

ON_SYSTEM = {"tag": "x", "job_type": "EXECUTE", "qpu_system_name": "square20"}


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()


def submission(**changes: Any) -> Submission:
    settings = {"circuits": CIRCUITS, "shots": 77, "target": CLUSTER} | changes
    return Submission(**settings)


def packed(program: bytes) -> str:
    return base64.b64encode(gzip.compress(program)).decode()


def upload(**changes: Any) -> bytes:
    body = {"circuits": {}, "mode": "append", "finalized": "true", "shots": 5}
    return dumped(body | changes)


def histogram(n_bits: int, counts: dict[int, int]) -> Histogram:
    outcomes = np.array(list(counts), np.uint64)
    return Histogram(n_bits, outcomes, np.array(list(counts.values()), np.int64))


# --- opening -------------------------------------------------------------------------


def test_an_opening_arrives_as_it_was_meant():
    config = ExecutionConfig(bond_dimension=8, simulator=Simulator.QCSim)
    options = Options(execution_config=config, use_packing=True)
    call = DIALECT.open_job(submission(target=SYSTEM, tag="t1", options=options))
    assert serving.read_init(call.body or b"") == serving.NewJob(
        job_type="EXECUTE",
        tag="t1",
        use_packing=True,
        target="square20",
        kind="quantum computer",
        execution_config=config,
    )


def test_an_opening_of_the_vendors_client_is_read():
    job = serving.read_init(dumped(recorded("init")["request"]))
    assert (job.job_type, job.tag, job.target) == ("EXECUTE", "default", "qoro_maestro")
    assert (job.kind, job.use_packing) == ("simulator", False)
    assert job.execution_config is None


def test_an_empty_configuration_is_one():
    body = recorded("init")["request"] | {"execution_configuration": {}}
    job = serving.read_init(dumped(body))
    assert job.execution_config == ExecutionConfig()


def test_clients_up_to_0_8_simulate_on_a_system():
    body = {"tag": None, "job_type": "SIMULATE", "qpu_system_name": "qoro_maestro"}
    job = serving.read_init(dumped(body))
    assert (job.job_type, job.tag, job.kind) == ("SIMULATE", None, "quantum computer")


def test_configurations_of_newer_clients_are_seen():
    body = recorded("init")["request"]
    job = serving.read_init(dumped(body | {"maestro_config": {"seed": 7}}))
    assert (job.maestro_config, job.device_config) == ({"seed": 7}, None)
    device = ON_SYSTEM | {"device_config": {"TRANSPILE_LEVEL": 3}}
    job = serving.read_init(dumped(device))
    assert (job.maestro_config, job.device_config) == (None, {"TRANSPILE_LEVEL": 3})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"job_type": "CIRCUIT_CUT"}, "CIRCUIT_CUT"),
        ({"job_type": 1}, "job_type"),
        ({"simulator_cluster": None}, "simulator_cluster"),
        ({"qpu_system_name": "square20"}, "exactly one"),
        ({"use_packing": "true"}, "use_packing"),
        ({"execution_configuration": {"bond_dimension": 0}}, "bond_dimension"),
        ({"execution_configuration": {"api_meta": {"foo": 1}}}, "foo"),
        ({"execution_configuration": {"bond": 1}}, "bond"),
        ({"execution_configuration": [1]}, "execution_configuration"),
        ({"execution_configuration": {}, "maestro_config": {}}, "only one"),
        ({"device_config": {"TRANSPILE_LEVEL": 3}}, "device_config is for a qpu"),
    ],
)
def test_an_opening_that_is_not_served_is_refused_in_words(changes: Any, said: str):
    with pytest.raises(ProtocolError, match=said):
        serving.read_init(dumped(recorded("init")["request"] | changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"x", b"\xff", b"[" * 5000])
@pytest.mark.parametrize(
    "read", ["read_init", "read_circuits", "read_execution_config"]
)
def test_a_body_that_is_no_message_is_a_protocol_error(read: str, body: bytes):
    with pytest.raises(ProtocolError):
        getattr(serving, read)(body)


def test_a_simulators_configuration_on_a_quantum_computer_is_refused():
    with pytest.raises(ProtocolError, match="maestro_config is for a simulator"):
        serving.read_init(dumped(ON_SYSTEM | {"maestro_config": {"seed": 1}}))


def test_an_opening_to_characterise_a_qubo_names_no_target():
    job = serving.read_init(dumped({"job_type": "VALIDATE", "tag": "q"}))
    assert (job.job_type, job.tag, job.target) == ("VALIDATE", "q", "")


def test_an_opening_without_target_is_refused():
    with pytest.raises(ProtocolError, match="exactly one"):
        serving.read_init(dumped({"tag": "x", "job_type": "EXECUTE"}))


# --- uploads -------------------------------------------------------------------------


def test_circuits_arrive_as_they_were_sent():
    [call] = DIALECT.uploads(JOB, submission())
    read = serving.read_circuits(call.body or b"")
    assert read == serving.Circuits(circuits=CIRCUITS, finalized=True, shots=77)


def test_circuits_of_many_uploads_arrive_in_order_and_the_last_one_finalizes():
    circuits = tuple(Circuit("l" * 200_000 + str(n), f"// {n}") for n in range(9))
    reads = [
        serving.read_circuits(call.body or b"")
        for call in DIALECT.uploads(JOB, submission(circuits=circuits))
    ]
    assert [len(read.circuits) for read in reads] == [4, 4, 1]
    assert tuple(c for read in reads for c in read.circuits) == circuits
    assert [read.finalized for read in reads] == [False, False, True]


def test_an_upload_of_the_vendors_client_is_read():
    read = serving.read_circuits(dumped(recorded("add_circuits")))
    assert [c.label for c in read.circuits] == ["c0", "c1"]
    assert read.circuits[0].qasm.splitlines()[-3:] == [
        "cx q[0],q[1];",
        "measure q[0] -> c[0];",
        "measure q[1] -> c[1];",
    ]
    assert (read.finalized, read.shots) == (True, 1000)


@pytest.mark.parametrize(
    ("flag", "finalized"),
    [("true", True), ("false", False), (True, True), (False, False)],
    ids=["true", "false", "bool true", "bool false"],
)
def test_finalized_is_a_word_or_a_boolean(flag: Any, finalized: bool):
    assert serving.read_circuits(upload(finalized=flag)).finalized is finalized


def test_no_shots_mean_a_thousand():
    """A choice of ours: what Qoro does is not known."""
    assert serving.read_circuits(upload(shots=None)).shots == 1000
    body = dumped({"circuits": {}, "finalized": "true"})
    assert serving.read_circuits(body).shots == 1000


def test_one_shot_is_enough():
    assert serving.read_circuits(upload(shots=1)).shots == 1


def test_an_upload_may_only_finalize():
    assert serving.read_circuits(upload()).circuits == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (upload(mode="replace"), "mode 'replace' is not supported"),
        (upload(finalized="yes"), "finalized"),
        (upload(shots=0), "shots"),
        (upload(shots=True), "shots"),
        (upload(shots=2.5), "shots"),
        (dumped({"mode": "append", "finalized": "true"}), "no circuits"),
        (upload(circuits=["a"]), "circuits"),
        (upload(circuits={"a": 1}), "circuits"),
    ],
)
def test_an_upload_that_is_not_served_is_refused_in_words(body: bytes, said: str):
    with pytest.raises(ProtocolError, match=said):
        serving.read_circuits(body)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("OPENQASM 2.0;", "'odd': it is not base64"),
        ("ü", "'odd': it is not base64"),
        (packed(b"x")[:-1], "'odd': it is not base64"),
        ("\n" + packed(b"x"), "'odd': it is not base64"),
        (base64.b64encode(b"OPENQASM 2.0;").decode(), "'odd': it is not gzip"),
        ("", "'odd': its gzip ends in the middle"),
        (
            base64.b64encode(gzip.compress(b"x" * 99)[:-1]).decode(),
            "'odd': its gzip ends in the middle",
        ),
        (
            base64.b64encode(gzip.compress(b"x") + gzip.compress(b"y")).decode(),
            "'odd': something follows its gzip",
        ),
        (packed(b"\xff\xfe"), "'odd': it is not UTF-8"),
    ],
    ids=[
        "plain",
        "letters",
        "cut",
        "newline",
        "no gzip",
        "empty",
        "short",
        "two",
        "latin",
    ],
)
def test_a_circuit_that_does_not_unpack_is_refused_by_name(text: str, said: str):
    circuits = {"good": packed(b"OPENQASM 2.0;"), "odd": text}
    with pytest.raises(ProtocolError, match=said):
        serving.read_circuits(upload(circuits=circuits))


def test_a_bomb_is_refused_and_never_unpacked():
    """17 MB of zeros in 17 kB."""
    with pytest.raises(ProtocolError, match="'bomb': it unpacks to more than"):
        serving.read_circuits(upload(circuits={"bomb": packed(b"0" * 17 * 1024**2)}))


def test_a_program_may_be_exactly_as_long_as_the_limit():
    circuits = {"a": packed(b"1234567")}
    assert unpack_all(circuits, largest_circuit_bytes=7) == (Circuit("a", "1234567"),)
    with pytest.raises(ProtocolError, match="6 bytes"):
        unpack_all(circuits, largest_circuit_bytes=6)


def test_many_small_programs_share_one_limit():
    circuits = {label: packed(b"12345") for label in "abc"}
    assert len(unpack_all(circuits, largest_upload_bytes=15)) == 3
    with pytest.raises(ProtocolError, match=r"'c'.*4 bytes"):
        unpack_all(circuits, largest_upload_bytes=14)


# --- answers -------------------------------------------------------------------------


def test_targets_have_exactly_the_keys_that_old_clients_accept():
    """Up to 0.14, another key in a machine stops the client when it is made."""
    machine = Machine("square20", 20, "online", "superconducting")
    systems = json.loads(
        serving.write_systems([System("square20", "PUBLIC", [machine])])
    )
    clusters = json.loads(serving.write_clusters([Cluster("qoro_maestro")]))
    assert systems == [
        {
            "name": "square20",
            "access_level": "PUBLIC",
            "qpus": [
                {
                    "nickname": "square20",
                    "q_bits": 20,
                    "status": "online",
                    "system_kind": "superconducting",
                }
            ],
        }
    ]
    assert clusters == recorded("clusters")


def test_targets_arrive_at_the_client():
    exchange = DIALECT.targets()
    next(exchange)
    systems = [System("square20", "PUBLIC", [Machine("a", 20, "online", "x")])]
    with pytest.raises(StopIteration) as stopped:
        exchange.send(
            [
                Answer(200, {}, serving.write_systems(systems)),
                Answer(200, {}, serving.write_clusters([Cluster("qoro_maestro")])),
            ]
        )
    assert [(t.name, t.qubits, t.online) for t in stopped.value.value] == [
        ("qoro_maestro", None, None),
        ("square20", 20, True),
    ]


def test_the_id_of_a_job_arrives():
    assert json.loads(serving.write_init(JOB)) == recorded("init")["answer"]
    assert DIALECT.read_opened(Answer(201, {}, serving.write_init(JOB))) == JOB


@pytest.mark.parametrize(
    ("state", "word", "end"),
    [
        (State.PENDING_COMPILATION, "PENDING", None),
        (State.PENDING_EXECUTION, "RUNNING", None),
        (State.READY, "COMPLETED", End.READY),
        (State.FAILED, "FAILED", End.FAILED),
        (State.ABORTED, "CANCELLED", End.ABORTED),
    ],
)
def test_every_state_arrives_in_words_that_every_client_knows(
    state: State, word: str, end: End | None
):
    body = serving.write_status(state)
    assert json.loads(body) == {"status": word}
    status = DIALECT.read_status(Answer(200, {}, body))
    assert (status.raw, status.state, status.end) == (word, state, end)


def test_run_time_and_failure_arrive():
    body = serving.write_status(State.FAILED, run_time=1.5, error="21 qubits on 20")
    status = DIALECT.read_status(Answer(200, {}, body))
    assert (status.run_time, status.message) == (1.5, "21 qubits on 20")
    assert json.loads(serving.write_status(State.READY, run_time=0.25)) == recorded(
        "status"
    )


def test_results_arrive():
    """Asymmetric: 001 once, 101 three times, 111 once."""
    row = serving.encode_row("a", histogram(3, {1: 1, 5: 3, 7: 1}))
    page = serving.write_page([row], count=1, limit=100, offset=0, url="/r/")
    exchange = DIALECT.result(
        JOB,
        DIALECT.read_status(Answer(200, {}, serving.write_status(State.READY))),
        Manifest(circuits=(CircuitRecord(label="a", shots=5),)),
    )
    next(exchange)
    with pytest.raises(StopIteration) as stopped:
        exchange.send([Answer(200, {}, page)])
    assert stopped.value.value[0].counts() == {"001": 1, "101": 3, "111": 1}


def test_a_page_has_the_recorded_form():
    bell = histogram(2, {0: 52, 3: 48})
    rows = [serving.encode_row(label, bell) for label in ("c0", "c1")]
    page = serving.write_page(rows, count=2, limit=100, offset=0, url="/r/")
    assert json.loads(page) == recorded("results")
    assert list(json.loads(page)) == list(recorded("results"))


@pytest.mark.parametrize(
    ("offset", "following", "previous"),
    [
        (0, "/r/?limit=100&offset=100", None),
        (100, "/r/?limit=100&offset=200", "/r/?limit=100&offset=0"),
        (200, None, "/r/?limit=100&offset=100"),
        (150, None, "/r/?limit=100&offset=50"),
        (50, "/r/?limit=100&offset=150", "/r/?limit=100&offset=0"),
        (900, None, "/r/?limit=100&offset=800"),
    ],
)
def test_a_page_says_whether_there_are_more(
    offset: int, following: str | None, previous: str | None
):
    page = json.loads(
        serving.write_page([], count=250, limit=100, offset=offset, url="/r/")
    )
    assert (page["next"], page["previous"]) == (following, previous)
    assert page["count"] == 250


def test_exactly_one_full_page_has_no_next():
    page = json.loads(serving.write_page([], count=100, limit=100, offset=0, url="/"))
    assert page["next"] is None


def test_a_cancellation_has_the_recorded_form():
    assert json.loads(serving.write_cancelled(JOB, 1)) == recorded("cancelled")


def test_a_posted_configuration_arrives_and_comes_back():
    config = ExecutionConfig(bond_dimension=8, api_meta={"layout_method": "sabre"})
    call = set_execution_config(JOB, config)
    received = serving.read_execution_config(call.body or b"")
    assert received == config
    body = serving.write_execution_config(JOB, received, posted=False)
    assert json.loads(body) == {
        "job_id": JOB,
        "execution_configuration": config.to_payload(),
    }
    assert read_execution_config(Answer(200, {}, body)) == config


def test_a_posted_configuration_is_answered_as_recorded():
    sample = recorded("execution_config")
    config = serving.read_execution_config(dumped(sample["request"]))
    body = serving.write_execution_config(JOB, config, posted=True)
    assert json.loads(body) == sample["answer"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"bond_dimension": 2.5}, "bond_dimension"),
        ({"api_meta": {"optimization_level": "1"}}, "optimization_level"),
        ({"seed": 1}, "seed"),
    ],
)
def test_a_posted_configuration_that_cannot_be_right_is_refused(body: Any, said: str):
    with pytest.raises(ProtocolError, match=said):
        serving.read_execution_config(dumped(body))


def test_errors_have_the_services_two_shapes():
    assert json.loads(serving.write_detail("Not found.")) == {"detail": "Not found."}
    assert json.loads(serving.write_error("not PENDING")) == {"error": "not PENDING"}
    for write in (serving.write_detail, serving.write_error):
        assert DIALECT.read_error(Answer(400, {}, write("words"))) == "words"
