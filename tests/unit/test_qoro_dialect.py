"""What the client's half of Qoro's dialect asks, and how it reads the answers."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from qawait.errors import (
    CircuitError,
    ConfigurationError,
    Error,
    ProtocolError,
    ResultMismatch,
)
from qawait.layout import Layout
from qawait.model import (
    Answer,
    Call,
    CircuitRecord,
    End,
    Manifest,
    State,
    Status,
    Submission,
    Target,
)
from qawait.qoro import Circuit, ExecutionConfig, Options, SimulationMethod, Simulator
from qawait.qoro.account import (
    get_execution_config,
    read_execution_config,
    set_execution_config,
)
from qawait.qoro.dialect import DIALECT
from qawait.qoro.pages import PAGES_AT_ONCE
from qawait.qoro.uploads import LARGEST_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")
DATA = Path(__file__).parents[1] / "data/qoro"
JOB = "06b32c55-4065-49b3-b677-8ef92b98bdec"
BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0],q[1];
measure q[0] -> c[0];
measure q[1] -> c[1];
"""
CLUSTER = Target(name="qoro_maestro", kind="simulator", qubits=None, simulated=True)
SYSTEM = Target(name="test_qpu", kind="quantum computer", qubits=7)
COMPLETED = Status(raw="COMPLETED", state=State.READY, end=End.READY)
HISTOGRAM = {"encoding": "qh1", "n_bits": 3, "payload": "UUgxAwMFAwEEAgUDAQEBAQEB"}
"""{"001": 1, "101": 3, "111": 1}, wire reference §3, example 2."""


def recorded(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def answer(
    body: Any, headers: dict[str, str] | None = None, status: int = 200
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers or {}, raw)


def carry(
    exchange: Generator[list[Call], list[Answer], T], service: Callable[[Call], Answer]
) -> tuple[T, list[list[Call]]]:
    """The value of an exchange with a service, and what was asked side by side."""
    asked: list[list[Call]] = []
    answers: list[Answer] | None = None
    while True:
        try:
            calls = next(exchange) if answers is None else exchange.send(answers)
        except StopIteration as stop:
            return stop.value, asked
        asked.append(calls)
        answers = [service(call) for call in calls]


def submission(*circuits: Any, **changes: Any) -> Submission:
    settings = {"shots": 1000, "target": CLUSTER} | changes
    return Submission(circuits=circuits, **settings)


# --- targets -------------------------------------------------------------------------


def listing(
    systems: Any = None, clusters: Any = None, headers: dict[str, str] | None = None
) -> Callable[[Call], Answer]:
    lists = {
        "qpusystem/": recorded("systems") if systems is None else systems,
        "simulatorcluster/": recorded("clusters") if clusters is None else clusters,
    }
    return lambda call: answer(lists[call.path], headers)


def test_targets_are_asked_for_side_by_side():
    _, asked = carry(DIALECT.targets(), listing())
    assert [[(c.kind, c.method, c.path) for c in calls] for calls in asked] == [
        [("read", "GET", "qpusystem/"), ("read", "GET", "simulatorcluster/")]
    ]


def test_targets_are_clusters_without_width_and_systems_as_wide_as_their_widest():
    targets, _ = carry(DIALECT.targets(), listing())
    assert targets == [
        CLUSTER,
        Target(name="test_qpu", kind="quantum computer", qubits=7, online=True),
    ]


def test_the_default_target_is_the_simulator_cluster():
    target, _ = carry(DIALECT.find_target(None), listing())
    assert target == CLUSTER


def test_a_target_is_found_by_its_name():
    target, _ = carry(DIALECT.find_target("test_qpu"), listing())
    assert (target.name, target.kind, target.simulated) == (
        "test_qpu",
        "quantum computer",
        False,
    )


@pytest.mark.parametrize("name", ["garnet", "", "qoro_maestro "])
def test_an_unknown_target_is_refused_with_the_known_ones(name: str):
    with pytest.raises(ConfigurationError, match="qoro_maestro, test_qpu") as caught:
        carry(DIALECT.find_target(name), listing())
    assert repr(name) in str(caught.value)


def test_a_service_without_the_default_target_says_what_it_has():
    with pytest.raises(ConfigurationError, match=r"qoro_maestro.*it has test_qpu"):
        carry(DIALECT.find_target(None), listing(clusters=[]))


def test_a_service_without_targets_says_so():
    with pytest.raises(ConfigurationError, match="it has none"):
        carry(DIALECT.find_target(None), listing(systems=[], clusters=[]))


@pytest.mark.parametrize(
    ("words", "online"),
    [
        (["offline", "ACTIVE"], True),
        (["offline", "maintenance"], False),
        (["offline", "strange"], None),
        ([], None),
    ],
)
def test_a_system_is_online_if_one_of_its_machines_is(
    words: list[str], online: bool | None
):
    qpus = [{"nickname": w, "q_bits": 3, "status": w, "system_kind": ""} for w in words]
    [target], _ = carry(
        DIALECT.targets(), listing([{"name": "s", "qpus": qpus}], clusters=[])
    )
    assert target.online is online


def test_keys_of_newer_services_are_ignored_and_dropped_ones_not_missed():
    qpus = [{"nickname": "a", "q_bits": 4, "vendor_type": "x"}, {"nickname": "b"}]
    [target], _ = carry(
        DIALECT.targets(), listing([{"name": "s", "qpus": qpus}], clusters=[])
    )
    assert target.qubits == 4


def test_an_old_service_lists_its_simulator_as_a_system():
    listed = [{"name": "qoro_maestro", "access_level": "PUBLIC", "qpus": []}]
    target, _ = carry(DIALECT.find_target(None), listing(listed, clusters=[]))
    assert (target.kind, target.simulated) == ("quantum computer", True)


def test_a_system_of_a_local_service_is_simulated():
    targets, _ = carry(DIALECT.targets(), listing(headers={"qawait-simulated": "true"}))
    assert [t.simulated for t in targets] == [True, True]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"results": []}', b'[{"qpus":[]}]'])
def test_a_list_that_is_none_is_a_protocol_error(body: bytes):
    with pytest.raises(ProtocolError):
        carry(DIALECT.targets(), lambda call: Answer(200, {}, body))


# --- opening -------------------------------------------------------------------------


def opening(**changes: Any) -> Any:
    call = DIALECT.open_job(submission(Circuit("a", BELL), **changes))
    assert (call.kind, call.method, call.path) == ("submit", "POST", "job/init/")
    # An empty job never runs, so one too many does no harm.
    assert call.repeatable
    return json.loads(call.body or b"")


def test_a_job_is_opened_as_the_vendors_client_does():
    body = opening()
    assert body == recorded("init")["request"]
    assert list(body) == list(recorded("init")["request"])


def test_a_quantum_computer_is_named_under_its_own_key():
    body = opening(target=SYSTEM, tag="t1", options=Options(use_packing=True))
    assert body == {
        "tag": "t1",
        "job_type": "EXECUTE",
        "use_packing": True,
        "qpu_system_name": "test_qpu",
    }


def test_a_configuration_travels_with_the_opening():
    config = ExecutionConfig(
        bond_dimension=8,
        simulator=Simulator.GpuSim,
        simulation_method=SimulationMethod.MatrixProductState,
    )
    assert opening(options=Options(execution_config=config)) == {
        "tag": "default",
        "job_type": "EXECUTE",
        "use_packing": False,
        "simulator_cluster": "qoro_maestro",
        "execution_configuration": {
            "bond_dimension": 8,
            "simulator_type": 4,
            "simulation_type": 1,
        },
    }


def test_an_empty_configuration_is_sent_as_one():
    body = opening(options=Options(execution_config=ExecutionConfig()))
    assert body["execution_configuration"] == {}
    assert "execution_configuration" not in opening(options=Options())


def test_options_of_another_service_are_refused():
    with pytest.raises(ConfigurationError, match="dict"):
        opening(options={"use_packing": True})


@pytest.mark.parametrize("name", ["execution_config", "use_packing"])
def test_options_refuse_other_types_by_name(name: str):
    with pytest.raises(ConfigurationError, match=name):
        Options(**{name: "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("circuits", "said"),
    [
        ([], "no circuits"),
        ([Circuit("a", BELL), Circuit("b", BELL), Circuit("a", "")], "label 'a'"),
        ([Circuit("a", BELL), "OPENQASM 2.0;"], "circuit 1: .*str"),
        ([Circuit("a\ud800", BELL)], "label is not valid"),
        ([Circuit("a", "\udfff")], "program is not valid"),
    ],
    ids=["none", "twice", "text", "bad label", "bad program"],
)
def test_what_could_not_be_uploaded_is_refused_before_a_job_is_opened(
    circuits: list[Any], said: str
):
    batch = submission(*circuits)
    with pytest.raises(ConfigurationError, match=said):
        DIALECT.open_job(batch)
    with pytest.raises(ConfigurationError, match=said):
        next(DIALECT.uploads(JOB, batch))


def test_a_bad_circuit_is_named():
    with pytest.raises(CircuitError) as caught:
        DIALECT.open_job(submission(Circuit("a", "\ud800")))
    assert "a" in caught.value.circuit


def test_the_id_of_an_opened_job_is_read():
    assert DIALECT.read_opened(answer(recorded("init")["answer"], status=201)) == JOB


@pytest.mark.parametrize(
    "job_id",
    ["", ".", "..", "../../admin", "a/b", "a%2fb", "a?b", "a b", "a\n", "x" * 129, 7],
)
def test_a_hostile_id_is_refused(job_id: Any):
    with pytest.raises(ProtocolError):
        DIALECT.read_opened(answer({"job_id": job_id}))


@pytest.mark.parametrize("job_id", ["..", "a/b", "../../admin", "a?b=c"])
def test_no_call_is_made_about_a_hostile_id(job_id: str):
    makers: list[Callable[[str], Any]] = [
        DIALECT.status,
        DIALECT.cancel,
        get_execution_config,
        lambda i: set_execution_config(i, ExecutionConfig()),
        lambda i: next(DIALECT.uploads(i, submission(Circuit("a", BELL)))),
        lambda i: next(DIALECT.result(i, COMPLETED, Manifest())),
    ]
    assert DIALECT.delete is not None
    for make in [*makers, DIALECT.delete]:
        with pytest.raises(ProtocolError):
            make(job_id)


# --- uploads -------------------------------------------------------------------------


def unpacked(text: str) -> str:
    return gzip.decompress(base64.b64decode(text, validate=True)).decode()


def test_a_small_batch_is_one_upload_that_finalizes():
    [call] = DIALECT.uploads(
        JOB, submission(Circuit("c0", BELL), Circuit("c1", BELL), shots=77)
    )
    assert (call.kind, call.method) == ("submit", "POST")
    assert call.path == f"job/{JOB}/add_circuits/"
    assert not call.repeatable
    body, sample = json.loads(call.body or b""), recorded("add_circuits")
    assert list(body) == list(sample)
    assert {label: unpacked(c) for label, c in body.pop("circuits").items()} == {
        label: unpacked(c) for label, c in sample["circuits"].items()
    }
    assert body == {"mode": "append", "finalized": "true", "shots": 77}


def test_the_same_circuit_is_always_the_same_bytes():
    batch = submission(Circuit("a", BELL))
    [first], [second] = DIALECT.uploads(JOB, batch), DIALECT.uploads(JOB, batch)
    assert first.body == second.body


def sizes_and_bodies(*circuits: Circuit) -> tuple[list[int], list[Any]]:
    raw = [c.body or b"" for c in DIALECT.uploads(JOB, submission(*circuits))]
    return [len(body) for body in raw], [json.loads(body) for body in raw]


def labels_of(bodies: list[Any]) -> list[str]:
    return [label for body in bodies for label in body["circuits"]]


def test_nine_thousand_circuits_fit_into_bodies_within_the_limit():
    """The vendor's client up to 0.14 exceeds the limit here: it forgets the envelope."""
    circuits = [Circuit(f"c{n}", BELL) for n in range(9000)]
    sizes, bodies = sizes_and_bodies(*circuits)
    assert LARGEST_BODY_BYTES == 996_147
    assert max(sizes) <= LARGEST_BODY_BYTES
    assert labels_of(bodies) == [c.label for c in circuits]
    flags = [body["finalized"] for body in bodies]
    assert flags == ["false"] * (len(bodies) - 1) + ["true"]
    # every body but the last is as full as it can be
    entry = len(f'"c1000":"{bodies[0]["circuits"]["c0"]}",')
    assert all(LARGEST_BODY_BYTES - size < entry + 2 for size in sizes[:-1])


def noise(n_bytes: int, seed: int) -> str:
    """Text that gzip can hardly shorten."""
    return base64.b85encode(random.Random(seed).randbytes(n_bytes)).decode()


def test_a_circuit_that_is_too_large_goes_alone():
    huge = noise(LARGEST_BODY_BYTES, seed=1)
    circuits = [Circuit("a", BELL), Circuit("huge", huge), Circuit("z", BELL)]
    sizes, bodies = sizes_and_bodies(*circuits)
    assert [list(body["circuits"]) for body in bodies] == [["a"], ["huge"], ["z"]]
    assert [size > LARGEST_BODY_BYTES for size in sizes] == [False, True, False]
    assert [body["finalized"] for body in bodies] == ["false", "false", "true"]
    assert unpacked(bodies[1]["circuits"]["huge"]) == huge


def test_labels_count_with_the_bytes_they_have_on_the_wire():
    """Quotes are escaped, umlauts take two bytes."""
    circuits = [Circuit(f'"ä\\{"ü" * 3000}{n}', "x") for n in range(330)]
    sizes, bodies = sizes_and_bodies(*circuits)
    assert max(sizes) <= LARGEST_BODY_BYTES
    assert len(bodies) == 3
    assert labels_of(bodies) == [c.label for c in circuits]


def test_a_body_may_be_exactly_as_large_as_the_limit():
    def bodies(label_length: int) -> tuple[list[int], list[Any]]:
        return sizes_and_bodies(Circuit("a", BELL), Circuit("l" * label_length, BELL))

    [spare], _ = bodies(1)
    # "false" is one byte longer than "true" and may have to stand there instead
    longest = LARGEST_BODY_BYTES - spare
    [size], _ = bodies(longest)
    assert size == LARGEST_BODY_BYTES - 1
    pair = [Circuit("l" * longest, BELL), Circuit("a", BELL)]
    again = [Circuit("m" * longest, BELL), Circuit("b", BELL)]
    assert sizes_and_bodies(*pair, *again)[0] == [LARGEST_BODY_BYTES, size]
    assert len(bodies(longest + 1)[0]) == 2


# --- following -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state", "end"),
    [
        ("PENDING", State.PENDING_COMPILATION, None),
        ("SCHEDULED", State.PENDING_EXECUTION, None),
        ("RUNNING", State.PENDING_EXECUTION, None),
        ("PAUSED", State.PENDING_EXECUTION, None),
        ("COMPLETED", State.READY, End.READY),
        ("FAILED", State.FAILED, End.FAILED),
        ("CANCELLED", State.ABORTED, End.ABORTED),
        ("cancelled", State.ABORTED, End.ABORTED),
        ("INSUFFICIENT_CREDITS", State.FAILED, End.NO_CREDITS),
        ("TIMED_OUT", State.FAILED, End.TIMED_OUT),
        ("BREWING", None, None),
        ("", None, None),
    ],
)
def test_a_status_word_is_a_state_and_the_word_is_kept(
    word: str, state: State | None, end: End | None
):
    status = DIALECT.read_status(answer({"status": word}))
    assert (status.raw, status.state, status.end) == (word, state, end)


def test_the_recorded_status_is_read():
    status = DIALECT.read_status(answer(recorded("status")))
    assert status == Status(
        raw="COMPLETED", state=State.READY, end=End.READY, run_time=0.25
    )


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(2, 2.0), ("1.5", 1.5), (None, None), ("soon", None), ("nan", None), (-1, None)],
)
def test_a_run_time_is_seconds_or_none(sent: Any, seconds: float | None):
    status = DIALECT.read_status(answer({"status": "RUNNING", "run_time": sent}))
    assert status.run_time == seconds


def test_a_failure_of_our_own_service_has_words():
    status = DIALECT.read_status(answer({"status": "FAILED", "error": "too wide"}))
    assert status.message == "too wide"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"status": 3}', b"<html>", b"[]"])
def test_a_status_that_is_none_is_a_protocol_error(body: bytes):
    with pytest.raises(ProtocolError):
        DIALECT.read_status(Answer(200, {}, body))


def test_calls_about_a_job_have_the_services_paths():
    assert DIALECT.delete is not None
    calls = [DIALECT.status(JOB), DIALECT.cancel(JOB), DIALECT.delete(JOB)]
    assert [(c.kind, c.method, c.path, c.body) for c in calls] == [
        ("read", "GET", f"job/{JOB}/status/", None),
        ("change", "POST", f"job/{JOB}/cancel/", None),
        ("change", "DELETE", f"job/{JOB}", None),
    ]
    assert all(c.repeatable for c in calls)
    assert DIALECT.two_phases


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "Not found."}', "Not found."),
        (b'{"error": "bond_dimension above 32"}', "bond_dimension above 32"),
        (b'{"error": {"a": [1]}}', '{"a":[1]}'),
        (b'{"shots": ["required"]}', None),
        (b"<html>", None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_the_services_own_words_are_found_in_an_error(body: bytes, said: str | None):
    assert DIALECT.read_error(Answer(400, {}, body)) == said


# --- execution configuration ---------------------------------------------------------


def test_a_configuration_is_posted_as_the_vendors_client_does():
    sample = recorded("execution_config")
    config = ExecutionConfig.from_response(sample["request"])
    call = set_execution_config(JOB, config)
    assert (call.kind, call.method) == ("change", "POST")
    assert call.path == f"job/{JOB}/execution_config/"
    assert json.loads(call.body or b"") == sample["request"]
    assert call.repeatable
    assert read_execution_config(answer(sample["answer"])) == config


def test_a_configuration_is_asked_for():
    call = get_execution_config(JOB)
    assert (call.kind, call.method) == ("read", "GET")
    assert call.path == f"job/{JOB}/execution_config/"
    assert call.repeatable


def test_a_service_of_the_next_era_has_no_such_configuration():
    body = {"job_id": JOB, "maestro_config": {"seed": 7}, "device_config": None}
    with pytest.raises(ProtocolError, match="maestro_config"):
        read_execution_config(answer(body))


# --- results -------------------------------------------------------------------------


def manifest(*labels: str, shots: int | None = 5) -> Manifest:
    return Manifest(
        circuits=tuple(CircuitRecord(label=label, shots=shots) for label in labels),
        target="qoro_maestro",
        simulated=True,
    )


def rows(*labels: str) -> list[Any]:
    return [{"label": label, "results": HISTOGRAM} for label in labels]


def paged(
    every: list[Any],
    *,
    count: int | None = None,
    largest: int = 100,
    spoil: Callable[[int, dict[str, Any]], None] = lambda offset, page: None,
) -> Callable[[Call], Answer]:
    """A service with these rows; `spoil` changes the page at an offset."""

    def give(call: Call) -> Answer:
        assert (call.kind, call.method) == ("read", "GET")
        assert call.path == f"job/{JOB}/resultsV2/"
        assert call.result
        assert call.repeatable
        query = dict(call.query)
        offset, limit = int(query["offset"]), min(largest, int(query["limit"]))
        some = every[offset : offset + limit]
        whole = len(every) if count is None else count
        more = "https://evil.example/" if offset + limit < whole else None
        page = {"count": whole, "next": more, "previous": None, "results": some}
        spoil(offset, page)
        return answer(page)

    return give


def test_the_recorded_result_is_read():
    result, [[call]] = carry(
        DIALECT.result(JOB, COMPLETED, manifest("c0", "c1", shots=100)),
        lambda call: answer(recorded("results")),
    )
    assert call.query == (("limit", "100"), ("offset", "0"))
    assert [r.counts() for r in result] == [{"00": 52, "11": 48}] * 2
    assert (result.kind, result.job_id) == ("histogram", JOB)
    assert (result.simulated, result.target) == (True, "qoro_maestro")


def test_counts_are_in_qiskits_order():
    """Wire reference §2: the rightmost character is classical bit 0."""
    result, _ = carry(DIALECT.result(JOB, COMPLETED, manifest("a")), paged(rows("a")))
    assert result[0].counts() == {"001": 1, "101": 3, "111": 1}


def test_250_rows_are_three_pages_the_last_two_side_by_side():
    labels = [f"c{n}" for n in range(250)]
    shuffled = labels[:]
    random.Random(5).shuffle(shuffled)
    result, asked = carry(
        DIALECT.result(JOB, COMPLETED, manifest(*labels)), paged(rows(*shuffled))
    )
    assert [[dict(c.query)["offset"] for c in calls] for calls in asked] == [
        ["0"],
        ["100", "200"],
    ]
    assert [r.label for r in result] == labels


def test_a_job_adopted_by_its_id_has_its_rows_in_the_services_order():
    result, _ = carry(DIALECT.result(JOB, COMPLETED, Manifest()), paged(rows("b", "a")))
    assert [r.label for r in result] == ["b", "a"]


def test_exactly_one_hundred_rows_are_one_page():
    labels = [f"c{n}" for n in range(100)]
    result, asked = carry(
        DIALECT.result(JOB, COMPLETED, manifest(*labels)), paged(rows(*labels))
    )
    assert len(result) == 100
    assert len(asked) == 1


def test_a_service_with_smaller_pages_loses_no_row():
    labels = [f"c{n}" for n in range(70)]
    result, asked = carry(
        DIALECT.result(JOB, COMPLETED, manifest(*labels)),
        paged(rows(*labels), largest=30),
    )
    assert len(result) == 70
    assert [[dict(c.query)["offset"] for c in calls] for calls in asked] == [
        ["0"],
        ["30", "60"],
    ]


def test_other_numbers_of_shots_than_asked_for_are_a_warning_that_names_the_circuit():
    result, _ = carry(
        DIALECT.result(JOB, COMPLETED, manifest("a", "b", shots=6)),
        paged(rows("a", "b")),
    )
    assert [w[:2] for w in result.warnings] == ["a:", "b:"]
    assert "5 shots" in result.warnings[0]
    assert "6" in result.warnings[0]


@pytest.mark.parametrize("shots", [5, None])
def test_the_shots_asked_for_are_no_warning(shots: int | None):
    result, _ = carry(
        DIALECT.result(JOB, COMPLETED, manifest("a", shots=shots)), paged(rows("a"))
    )
    assert not result.warnings


def grown(offset: int, page: dict[str, Any]) -> None:
    page["count"] += offset > 0


def shortened(offset: int, page: dict[str, Any]) -> None:
    if offset:
        page["results"].pop()


def repeated(offset: int, page: dict[str, Any]) -> None:
    if offset:
        page["results"] = rows(*[f"c{n}" for n in range(len(page["results"]))])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(grown, "from 150 to 151"), (shortened, "150 results"), (repeated, "label 'c0'")],
)
def test_pages_that_do_not_make_up_the_whole_are_refused(spoil: Any, said: str):
    labels = [f"c{n}" for n in range(150)]
    for known in (manifest(*labels), Manifest()):
        with pytest.raises(ResultMismatch, match=said):
            carry(
                DIALECT.result(JOB, COMPLETED, known),
                paged(rows(*labels), spoil=spoil),
            )


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a", "b"], "3 circuits were sent, but the service has 2"),
        (["a", "b", "c", "d"], "3 circuits.* has 4"),
        (["a", "b", "x"], "no result for 'c', but one for 'x'"),
        (["a", "b", "b"], "two results have the label 'b'"),
        ([], "3 circuits"),
    ],
)
def test_results_of_other_circuits_are_refused(labels: list[str], said: str):
    with pytest.raises(ResultMismatch, match=said):
        carry(
            DIALECT.result(JOB, COMPLETED, manifest("a", "b", "c")),
            paged(rows(*labels)),
        )


@pytest.mark.parametrize("count", [10**12, -1, 2])
def test_a_count_that_is_not_true_is_found_out_soon(count: int):
    asked = 0

    def counted(call: Call) -> Answer:
        nonlocal asked
        asked += 1
        return paged(rows("a"), count=count)(call)

    with pytest.raises(ResultMismatch):
        carry(DIALECT.result(JOB, COMPLETED, Manifest()), counted)
    assert asked <= 1 + PAGES_AT_ONCE


@pytest.mark.parametrize(
    "results",
    [
        None,
        {},
        {"encoding": "qh1", "n_bits": 3, "payload": ""},
        {"encoding": "qh1", "n_bits": 3},
        {"ZZ": 1.0},
    ],
)
def test_a_row_without_counts_is_refused_by_name(results: Any):
    row = {"label": "odd", "results": results}
    with pytest.raises(ResultMismatch, match="odd"):
        carry(DIALECT.result(JOB, COMPLETED, manifest("odd")), paged([row]))


@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "qh9"},
        {"encoding": "qh2"},
        {"n_bits": 4},
        {"payload": "!!!!"},
        {"payload": HISTOGRAM["payload"][:-4]},
    ],
)
def test_a_histogram_that_is_none_is_a_protocol_error_with_the_label(changes: Any):
    row = {"label": "odd", "results": HISTOGRAM | changes}
    with pytest.raises(ProtocolError, match="odd"):
        carry(DIALECT.result(JOB, COMPLETED, manifest("odd")), paged([row]))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"count":1}', b'{"count":1,"results":[{"label":1}]}'],
)
def test_a_page_that_is_none_is_a_protocol_error(body: bytes):
    with pytest.raises(Error) as caught:
        carry(
            DIALECT.result(JOB, COMPLETED, Manifest()), lambda c: Answer(200, {}, body)
        )
    assert isinstance(caught.value, ProtocolError)


@pytest.mark.parametrize(
    ("word", "running"),
    [("PENDING", False), ("SCHEDULED", False), ("RUNNING", True), ("PAUSED", None)],
)
def test_the_word_tells_whether_a_job_is_on_the_machine(
    word: str, running: bool | None
) -> None:
    body = json.dumps({"status": word}).encode()
    assert DIALECT.read_status(Answer(200, {}, body)).running is running


def test_a_page_is_no_larger_than_the_histograms_of_all_shots_can_be():
    layout = Layout.of_keys({"m": 20})
    record = CircuitRecord(label="a", shots=1000, layout=layout)
    known = Manifest(circuits=(record, record))
    [call] = next(DIALECT.result(JOB, COMPLETED, known))
    assert call.most is not None
    assert 2 * 1000 * 20 * 4 < call.most < 2**21
    for unknown in (
        Manifest(),
        Manifest(circuits=(record, CircuitRecord(label="b", shots=5))),
        Manifest(circuits=(record, CircuitRecord(label="b", layout=layout))),
    ):
        [call] = next(DIALECT.result(JOB, COMPLETED, unknown))
        assert call.most is None
