"""Every dialect of IQM tells the same story about the same small service."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.iqm_samples import ABORTED, FAILED, READY, SampleService

from qawait.errors import ConfigurationError, ProtocolError
from qawait.iqm import DIALECTS, Circuit, DynamicalDecoupling, Instruction, Options
from qawait.iqm.circuit import radians, turns
from qawait.iqm.detection import candidates, generation
from qawait.iqm.dialects import SERVER, STATION, STATION_30, V1, V2, V2_24
from qawait.iqm.serving import read_request
from qawait.iqm.states import WORDS, read_word_status
from qawait.model import Answer, End, Manifest, State, Submission, Target

if TYPE_CHECKING:
    from qawait.model import Dialect

CALIBRATION = "cd4dd889-b88b-4370-ba01-eb8262ad9c53"
REASON = "bell: no calibration for cz on QB1, QB3"
EVERY = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
IN_PARTS = pytest.mark.parametrize(
    "dialect", [V2_24, V2, STATION_30, STATION], ids=lambda d: d.name
)


def second(n: float) -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC).replace(
        second=int(n), microsecond=round(n % 1 * 1e6)
    )


def status_of(dialect: Dialect, service: SampleService, job_id: str) -> Any:
    """What the service layer does with a status."""
    status = dialect.read_status(service.answer(dialect.status(job_id)))
    if dialect.ending is None or status.end in (None, End.READY):
        return status
    return service.exchange(dialect.ending(job_id, status))


# --- the life of a job ----------------------------------------------------------------


@EVERY
def test_the_machine_is_found_with_its_width_and_figures(dialect: Dialect) -> None:
    service = SampleService(dialect.name)
    target = service.exchange(dialect.find_target(None))
    name = "M000_W0_TEST" if dialect in (STATION_30, STATION) else "star5"
    assert (target.name, target.qubits) == (name, 5)
    [listed] = service.exchange(dialect.targets())
    assert (listed.name, listed.qubits) == (name, 5)
    assert listed.calibration_set_id == CALIBRATION
    assert listed.figures == {"metrics.ssro.measure.constant.QB4.fidelity": 0.9812}
    with pytest.raises(ConfigurationError, match=name):
        service.exchange(dialect.find_target("nowhere"))


def test_resonators_among_the_qubits_are_not_counted() -> None:
    service = SampleService("v1")
    chip = service.answers["GET quantum-architecture"]["quantum_architecture"]
    chip["qubits"] += ["COMP_R", "COMPR1"]
    assert service.exchange(V1.find_target(None)).qubits == 5


@EVERY
def test_the_architecture_is_that_of_the_current_calibration(dialect: Dialect) -> None:
    service = SampleService(dialect.name)
    assert dialect.architecture is not None
    name = service.exchange(dialect.find_target(None)).name
    architecture = service.exchange(dialect.architecture(name, None))
    assert architecture.calibration_set_id == CALIBRATION
    assert architecture.loci("cz")[1] == ("QB2", "QB3")


@EVERY
def test_an_adopted_job_has_its_labels_qubits_shots_and_times(dialect: Dialect) -> None:
    service = SampleService(dialect.name)
    status = status_of(dialect, service, READY)
    assert (status.state, status.end) == (State.READY, End.READY)
    result = service.exchange(dialect.result(READY, status, Manifest()))
    assert result[0].label == "bell"
    assert result[0].requested_shots == 3
    assert result[0].qubits == {"m": ("QB1", "QB3")}
    assert result.measurements[0]["m"].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert result.calibration_set_id == CALIBRATION
    steps = status.steps or dialect.steps_of(result)
    assert [(s.state, s.at) for s in steps] == [
        (State.PENDING_COMPILATION, second(0)),
        (State.PENDING_EXECUTION, second(0.3)),
        (State.READY, second(2.5)),
    ]


@EVERY
def test_a_failed_job_tells_why_and_when(dialect: Dialect) -> None:
    status = status_of(dialect, SampleService(dialect.name), FAILED)
    assert (status.end, status.message) == (End.FAILED, REASON)
    assert [(s.state, s.at) for s in status.steps] == [
        (State.PENDING_COMPILATION, second(0)),
        (State.FAILED, second(0.3)),
    ]


@EVERY
def test_an_aborted_job_tells_the_states_it_passed(dialect: Dialect) -> None:
    status = status_of(dialect, SampleService(dialect.name), ABORTED)
    assert status.end is End.ABORTED
    passed = {step.state: step.at for step in status.steps}
    assert passed[State.PENDING_EXECUTION] == second(0.3)


@EVERY
def test_a_job_under_way_is_pending_execution(dialect: Dialect) -> None:
    service = SampleService(dialect.name)
    status = status_of(dialect, service, "pending")
    assert (status.state, status.end) == (State.PENDING_EXECUTION, None)
    assert len(service.asked) == 1


def test_v1_tells_in_one_answer_how_a_job_stands_and_what_it_brought() -> None:
    assert V1.whole is not None
    for job_id in (READY, FAILED, ABORTED):
        service = SampleService("v1")
        status, result = service.exchange(V1.whole(job_id, Manifest()))
        assert len(service.asked) == 1
        apart = status_of(V1, service, job_id)
        assert (status.raw, status.state, status.end, status.message) == (
            apart.raw,
            apart.state,
            apart.end,
            apart.message,
        )
        assert (result is None) == (job_id != READY)
        if result is not None:
            assert result[0].label == "bell"
            timed = [(step.state, step.at) for step in V1.steps_of(result)]
            assert [(step.state, step.at) for step in status.steps] == timed
        elif apart.steps:
            assert status.steps == apart.steps


def test_only_v1_has_status_and_result_in_one_answer() -> None:
    assert [d.name for d in DIALECTS.values() if d.whole] == ["v1"]


@pytest.mark.parametrize(
    ("status", "words", "position", "running"),
    [
        ("waiting", ["created"], 3, False),
        ("waiting", ["created", "compilation_ended"], 0, False),
        ("processing", ["created", "compilation_started"], None, None),
        ("processing", ["created", "execution_started"], None, True),
        (
            "processing",
            ["created", "execution_started", "execution_ended"],
            None,
            False,
        ),
    ],
)
def test_a_timeline_tells_when_a_job_is_on_the_machine(
    status: str, words: list[str], position: int | None, running: bool | None
) -> None:
    timeline = [
        {"source": "s", "status": word, "timestamp": f"2026-03-01T12:00:0{n}Z"}
        for n, word in enumerate(words)
    ]
    job = {"id": READY, "status": status, "timeline": timeline}
    body = json.dumps(job | {"queue_position": position}).encode()
    told = SERVER.read_status(Answer(200, {}, body))
    assert told.running is running
    assert told.queue_position == position
    started = second(1) if "execution_started" in words else None
    finished = second(2) if "execution_ended" in words else None
    assert (told.started_at, told.finished_at) == (started, finished)


@EVERY
def test_a_submission_and_a_cancellation_go_where_the_samples_have_them(
    dialect: Dialect,
) -> None:
    service = SampleService(dialect.name)
    opened = dialect.open_job(submission(target=Target(name="star5", qubits=5)))
    assert dialect.read_opened(service.answer(opened)) == READY
    cancelled = dialect.cancel(READY)
    assert cancelled.repeatable
    service.answer(cancelled)
    assert not list(dialect.uploads(READY, submission()))


@IN_PARTS
def test_a_job_of_ones_own_does_not_ask_for_its_circuits_again(
    dialect: Dialect,
) -> None:
    service = SampleService(dialect.name)
    status = status_of(dialect, service, READY)
    adopted = service.exchange(dialect.result(READY, status, Manifest()))
    before = len(service.asked)
    manifest = msgspec.structs.replace(Manifest(), circuits=(record("mine"),))
    result = service.exchange(dialect.result(READY, status, manifest))
    asked = [key.rpartition("/")[2] for key in service.asked[before:]]
    assert sorted(asked) == [
        "calibration_set_id",
        "measurements",
        "request_parameters",
        "timeline",
    ]
    assert result[0].label == "mine"
    assert result.measurements[0]["m"].tolist() == adopted.measurements[0]["m"].tolist()


def record(label: str) -> Any:
    from qawait.model import CircuitRecord

    return CircuitRecord(label=label, shots=3)


@IN_PARTS
@pytest.mark.parametrize("torn", ["absent", b"<html>", b"[", b'{"no":1}', b'"QB1'])
def test_a_result_survives_whatever_decorates_it(dialect: Dialect, torn: Any) -> None:
    """Only the measurements must be there."""
    service = SampleService(dialect.name)
    status = status_of(dialect, service, READY)
    for key in list(service.answers):
        if key.endswith(
            ("timeline", "request_parameters", "calibration_set_id", "circuits_batch")
        ):
            del service.answers[key]
            if torn != "absent":
                service.answers[key] = torn
    result = service.exchange(dialect.result(READY, status, Manifest()))
    assert result[0].counts() == {"10": 2, "01": 1}
    assert result.calibration_set_id is None
    assert dialect.steps_of(result) == ()


@IN_PARTS
def test_circuits_in_qir_leave_the_result_readable(dialect: Dialect) -> None:
    service = SampleService(dialect.name)
    for key in service.answers:
        if key.endswith("circuits_batch"):
            service.answers[key] = ["; ModuleID = 'bell'"]
    status = status_of(dialect, service, READY)
    result = service.exchange(dialect.result(READY, status, Manifest()))
    assert (result[0].label, result[0].requested_shots) == ("0", 3)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (b'{"user_error_message":"too hot","full_error_log":"stack"}', "too hot"),
        (b'{"user_error_message":"","full_error_log":"stack"}', "stack"),
        (b'{"user_error_message":null}', None),
        (b'"too hot"', "too hot"),
        (b"too hot\n", "too hot"),
        (b"too {hot", "too {hot"),
        (b"None", None),
        (b"", None),
        (b"null", None),
        ("zu heiß".encode(), "zu heiß"),
    ],
)
@IN_PARTS
def test_every_form_of_error_log_is_read(
    dialect: Dialect, log: bytes, message: str | None
) -> None:
    service = SampleService(dialect.name)
    [key] = [key for key in service.answers if key.endswith("error_log")]
    service.answers[key] = log
    assert status_of(dialect, service, FAILED).message == message
    del service.answers[key]
    assert status_of(dialect, service, FAILED).message is None


def test_an_aborted_job_is_not_asked_for_an_error() -> None:
    service = SampleService("v2")
    status_of(V2, service, ABORTED)
    assert not [key for key in service.asked if key.endswith("error_log")]


def test_the_two_generations_of_v2_differ_in_one_path() -> None:
    """The proof that a dialect is data: whatever one asks, so does the other."""
    old, new = SampleService("v2-24"), SampleService("v2")
    for dialect, service in ((V2_24, old), (V2, new)):
        service.exchange(dialect.targets())
        for job_id in (READY, FAILED, ABORTED):
            status = status_of(dialect, service, job_id)
        service.exchange(dialect.result(READY, status, Manifest()))
        service.answer(dialect.open_job(submission()))
    assert new.asked == [
        key.replace("station/circuits/", "station/jobs/") for key in old.asked
    ]
    assert "POST station/circuits" in new.asked


# --- words ----------------------------------------------------------------------------

RELEASES = {
    "1.0-11.8": "pending",
    "12.0-16.x": "pending_compilation pending_execution aborted",
    "17.3-18.5": "pending_deletion deletion_failed deleted",
    "18.6-22.7": "received processing accepted pending_compilation pending_execution "
    "pending_deletion aborted deleted deletion_failed",
    "22.16-24.3": "compiled",
    "25.0-27.1": "received validating processing accepted preparing_calibration "
    "pending_compilation compiling compiled storing_sweep_metadata metadata_stored "
    "pending_execution execution_start execution_end pending_post_processing "
    "post_processing",
    "26.0.0": "received validation_started validation_ended fetch_calibration_started "
    "fetch_calibration_ended compilation_started compilation_ended "
    "save_sweep_metadata_started save_sweep_metadata_ended execution_pending "
    "execution_started execution_ended execution_completed post_processing_started "
    "post_processing_ended",
    "28.0.0-32.1.1": "received processing validation_started validation_ended "
    "fetch_calibration_started fetch_calibration_ended compilation_started "
    "compilation_ended save_sweep_metadata_started save_sweep_metadata_ended "
    "pending_execution execution_started execution_ended post_processing_pending "
    "post_processing_started post_processing_ended",
}
"""Wire reference §4.2, with `_` for a space; ready and failed are in every row."""
AFTER_COMPILING = re.compile(
    "compiled|compilation_ended|.*(metadata|execution|post_processing).*"
)
ENDS = {
    "ready": End.READY,
    "failed": End.FAILED,
    "aborted": End.ABORTED,
    "deleted": End.GONE,
    "deletion_failed": End.GONE,
}


@pytest.mark.parametrize("release", RELEASES)
def test_every_word_of_every_release_has_a_meaning(release: str) -> None:
    """Up to `compiling` a job waits for its compilation, from `compiled` on to run."""
    for word in (*RELEASES[release].split(), "ready", "failed"):
        spellings = {word, word.replace("_", " ")} & WORDS.keys()
        assert spellings, word
        for spelled in spellings:
            said = json.dumps({"status": spelled}).encode()
            status = read_word_status(Answer(200, {}, said))
            assert status.end is ENDS.get(word), word
            if status.end is None:
                runs = AFTER_COMPILING.fullmatch(word) is not None
                assert status.state is (
                    State.PENDING_EXECUTION if runs else State.PENDING_COMPILATION
                ), word


# --- submissions ----------------------------------------------------------------------


def submission(
    options: Options | None = None, target: Target | None = None
) -> Submission:
    circuit = Circuit(
        "asymmetric",
        (
            Instruction(
                "prx",
                ("alice",),
                {"angle": math.pi / 2, "phase": 3 * math.pi / 2},
                "drag_crf",
            ),
            Instruction("cz", ("bob", "alice")),
            Instruction("delay", ("bob",), {"duration": 2e-7}),
            Instruction("measure", ("bob", "alice"), {"key": "k"}),
        ),
        {"experiment": None},
    )
    return Submission(
        circuits=(circuit,),
        shots=7,
        target=target or Target(name="star5", qubits=5),
        options=options,
    )


def body_of(dialect: Dialect, options: Options | None = None) -> dict[str, Any]:
    body = dialect.open_job(submission(options)).body
    assert body is not None
    return json.loads(body)


ALL = Options(
    calibration_set_id=CALIBRATION,
    qubit_mapping={"bob": "QB1", "alice": "QB3"},
    heralding_mode="zeros",
    max_circuit_duration_over_t2=0.0,
    move_validation_mode="allow_prx",
    move_gate_frame_tracking_mode="no_detuning_correction",
    active_reset_cycles=2,
    dd_mode="enabled",
    dd_strategy=DynamicalDecoupling(gate_sequences=((3, ((0.5, 1.5),), "alap"),)),
    custom_settings={"stages": [1, None]},
)
SHORT = [V1, V2_24, V2, STATION_30, STATION]


@pytest.mark.parametrize("dialect", [V1, V2_24, V2, STATION_30], ids=lambda d: d.name)
def test_up_to_30_angles_are_turns_on_qubits(dialect: Dialect) -> None:
    [circuit] = body_of(dialect)["circuits"]
    prx, cz, delay, measure = circuit["instructions"]
    assert prx == {
        "name": "prx",
        "qubits": ["alice"],
        "args": {"angle_t": 0.25, "phase_t": 0.75},
        "implementation": "drag_crf",
    }
    assert cz == {"name": "cz", "qubits": ["bob", "alice"], "args": {}}
    assert delay["args"] == {"duration": 2e-7}
    assert measure["args"] == {"key": "k"}
    assert circuit["metadata"] == {"experiment": None}


def test_31_and_32_write_radians_on_loci_and_leave_out_what_is_not_set() -> None:
    body = body_of(STATION)
    [circuit] = body["circuits"]
    prx, cz, *_ = circuit["instructions"]
    assert prx == {
        "name": "prx",
        "locus": ["alice"],
        "args": {"angle": math.pi / 2, "phase": 3 * math.pi / 2},
        "implementation": "drag_crf",
    }
    assert cz == {"name": "cz", "locus": ["bob", "alice"], "args": {}}
    assert body.keys() == body_of(V1).keys()


@pytest.mark.parametrize("dialect", SHORT, ids=lambda d: d.name)
def test_up_to_32_options_are_written_under_their_old_names(dialect: Dialect) -> None:
    assert {k: v for k, v in body_of(dialect).items() if k != "circuits"} == {
        "shots": 7,
        "heralding_mode": "none",
        "move_validation_mode": "strict",
        "move_gate_frame_tracking_mode": "full",
        "dd_mode": "disabled",
    }
    assert {k: v for k, v in body_of(dialect, ALL).items() if k != "circuits"} == {
        "custom_settings": {"stages": [1, None]},
        "calibration_set_id": CALIBRATION,
        "qubit_mapping": [
            {"logical_name": "bob", "physical_name": "QB1"},
            {"logical_name": "alice", "physical_name": "QB3"},
        ],
        "shots": 7,
        "max_circuit_duration_over_t2": 0.0,
        "heralding_mode": "zeros",
        "move_validation_mode": "allow_prx",
        "move_gate_frame_tracking_mode": "no_detuning_correction",
        "active_reset_cycles": 2,
        "dd_mode": "enabled",
        "dd_strategy": {
            "merge_contiguous_waits": True,
            "skip_leading_wait": True,
            "skip_trailing_wait": True,
            "gate_sequences": [[3, [[0.5, 1.5]], "alap"]],
        },
    }


def test_from_33_on_nothing_is_left_out_and_move_has_two_names() -> None:
    body = body_of(SERVER, ALL)
    assert body["dd_strategy"]["target_qubits"] is None
    for old, new, value in (
        ("move_validation_mode", "move_gate_validation", "allow_prx"),
        (
            "move_gate_frame_tracking_mode",
            "move_gate_frame_tracking",
            "no_detuning_correction",
        ),
    ):
        assert body[old] == body[new] == value
    nothing = body_of(SERVER)
    for name in (
        "calibration_set_id",
        "qubit_mapping",
        "max_circuit_duration_over_t2",
        "active_reset_cycles",
        "dd_strategy",
    ):
        assert nothing[name] is None


def test_a_time_slot_is_asked_for_where_there_is_such_an_option() -> None:
    asked = Options(use_timeslot=True)
    assert SERVER.open_job(submission(asked)).query == (("use_timeslot", "true"),)
    for dialect in SHORT:
        with pytest.raises(ConfigurationError, match="use_timeslot"):
            dialect.open_job(submission(asked))


def test_no_limit_of_duration_is_an_explicit_null_where_that_says_so() -> None:
    limitless = Options(max_circuit_duration_over_t2=math.inf)
    for dialect in SHORT:
        assert body_of(dialect, limitless)["max_circuit_duration_over_t2"] is None
    with pytest.raises(ConfigurationError, match=r"0\.0"):
        SERVER.open_job(submission(limitless))


@EVERY
def test_what_the_client_writes_the_service_reads(dialect: Dialect) -> None:
    body = dialect.open_job(submission(ALL)).body
    assert body is not None
    request = read_request(body)
    [sent], [read] = submission().circuits, request.circuits
    names = {"bob": "QB1", "alice": "QB3"}
    assert [(i.name, i.locus, i.args, i.implementation) for i in read.instructions] == [
        (i.name, tuple(names[q] for q in i.locus), i.args, i.implementation)
        for i in sent.instructions
    ]
    assert (request.shots, request.calibration_set_id) == (7, CALIBRATION)
    assert request.heralding_mode == "zeros"


# --- turns ----------------------------------------------------------------------------


def test_turns_and_radians_are_exact_both_ways() -> None:
    """An angle that came from turns goes back to them, and to itself, to the bit."""
    random = Random(20261121)
    for _ in range(20_000):
        made = radians(random.uniform(-1, 1) * 10 ** random.uniform(-9, 1))
        assert radians(turns(made)) == made


def test_turns_of_few_digits_are_written_as_they_are() -> None:
    for scale in (8, 100, 1000):
        for n in range(-2 * scale, 2 * scale + 1):
            assert turns(radians(n / scale)) == n / scale


def test_an_angle_between_two_turns_takes_the_nearest() -> None:
    random = Random(7)
    angles = [random.uniform(0, 7) for _ in range(2000)]
    missed = [a for a in angles if radians(turns(a)) != a]
    assert 0 < len(missed) < len(angles) / 2
    for angle in missed:
        assert turns(angle) == angle / math.tau
    assert math.isnan(turns(math.nan))
    assert turns(math.inf) == math.inf
    assert turns(1) == 1 / math.tau


def test_an_angle_that_the_nearest_misses_is_missed_by_its_neighbours() -> None:
    """So no turn that would do is overlooked; powers of two are the delicate ones."""
    random = Random(11)
    powers = [math.ldexp(1.0, n) for n in range(-1074, 1024)]
    for angle in [*powers, *(random.uniform(-7, 7) for _ in range(20_000))]:
        nearest = angle / math.tau
        if radians(nearest) != angle:
            for towards in (-math.inf, math.inf):
                assert radians(math.nextafter(nearest, towards)) != angle


def test_what_is_no_number_is_left_as_it_is_under_the_new_name() -> None:
    """Whoever checks a circuit names it; here nothing may break."""
    args = {"phase": "x", "key": "k", "angle": None}
    found = Instruction("prx", ("QB1",), args).args_in_turns()
    assert found == {"phase_t": "x", "key": "k", "angle_t": None}


# --- which dialect --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "dialects"),
    [
        ("https://example.org/cocos", (V1,)),
        ("https://example.org/cocos/", (V1,)),
        ("https://cocos.resonance.meetiqm.com/garnet", (V1,)),
        ("https://cocos.resonance.meetiqm.com/station", (STATION,)),
        ("https://example.org/station", (STATION,)),
        ("https://example.org/a/station/", (STATION,)),
        ("https://example.org", (SERVER, V2)),
        ("https://example.org/cocos/lab", (SERVER, V2)),
        ("https://mycocos.org", (SERVER, V2)),
    ],
)
def test_an_address_names_its_dialect(url: str, dialects: tuple[Dialect, ...]) -> None:
    assert candidates(url) == dialects


@EVERY
def test_a_service_is_found_to_be_of_its_own_generation(dialect: Dialect) -> None:
    newest = {STATION_30: STATION, V2_24: V2}.get(dialect, dialect)
    service = SampleService(dialect.name)
    exchange = generation(newest)
    if newest in (V2, STATION):
        assert service.exchange(exchange) is dialect
        assert len(service.asked) == 1
    else:
        with pytest.raises(StopIteration) as stop:
            next(exchange)
        assert stop.value.value is dialect


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"iqm-client": {"max": "24.9"}}, V2_24),
        ({"iqm-client": {"max": "25.0"}}, V2_24),
        ({"iqm-client": {"max": "25.1"}}, V2),
        ({"iqm_client": {"max": "19"}}, V2_24),
        ({"iqm-client": {"max": "newest"}}, V2),
        ({"iqm-client": {}}, V2),
        ({"other": {"max": "1.0"}}, V2),
        ([], V2),
        (b"<html>", V2),
        ("absent", V2),
    ],
)
def test_v2_is_the_newest_unless_it_says_it_is_older(said: Any, found: Dialect) -> None:
    assert detected(V2, "GET info/client-libraries", said) is found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("9.8.0", STATION_30),
        ("8.1", STATION_30),
        ("10.0.0", STATION),
        ("11.3.1", STATION),
        ("", STATION),
        (None, STATION),
        (9, STATION),
    ],
)
def test_station_is_the_newest_unless_its_library_is_older(
    said: Any, found: Dialect
) -> None:
    about = {"software_versions": {"iqm-station-control-client": said}}
    assert detected(STATION, "GET about", about) is found


@pytest.mark.parametrize("said", [{}, {"software_versions": None}, b"<html>", "absent"])
def test_a_station_that_says_nothing_is_the_newest(said: Any) -> None:
    assert detected(STATION, "GET about", said) is STATION


def detected(newest: Dialect, key: str, said: Any) -> Dialect:
    service = SampleService(newest.name)
    del service.answers[key]
    if said != "absent":
        service.answers[key] = said
    return service.exchange(generation(newest))


def test_an_answer_without_measurements_is_no_result() -> None:
    service = SampleService("v2")
    status = status_of(V2, service, READY)
    service.answers[f"GET station/jobs/{READY}/measurements"] = None
    with pytest.raises(ProtocolError):
        service.exchange(V2.result(READY, status, Manifest()))
