from __future__ import annotations

import json
import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest

from qawait.errors import ProtocolError, ResponseTruncated, UnexpectedContent
from qawait.iqm.run_result import Metadata, RunResult, enc_hook, schema_hook

SAMPLES = Path(__file__).parents[1] / "data" / "iqm" / "v1"
NAMES = sorted(
    path.name for path in SAMPLES.glob("*.json") if path.name != "answers.json"
)


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def test_a_ready_run_has_its_measurements_as_arrays():
    run = RunResult.decode(sample("ready-minimal.json"))
    assert run.status == "ready"
    assert run.measurements is not None
    assert run.measurements[0]["m"].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert run.measurements[0]["m"].dtype == np.uint8
    assert not run.measurements[0]["m"].flags.writeable
    assert (run.message, run.warnings, run.metadata) == (None, None, Metadata())


def test_indices_go_by_circuit_key_shot_and_position():
    run = RunResult.decode(sample("ready-with-request.json"))
    assert run.measurements is not None
    assert run.measurements[0]["m"][1][0] == 1
    assert run.measurements[1]["b_1_1"][0][0] == 1
    assert run.measurements[1]["a_2_0"][2][1] == 2


def test_metadata_is_that_of_the_wire_and_unknown_fields_are_ignored():
    metadata = RunResult.decode(sample("ready-with-request.json")).metadata
    assert metadata.calibration_set_id == "cd4dd889-b88b-4370-ba01-eb8262ad9c53"
    assert metadata.cocos_version == "22.1"
    assert metadata.timestamps is not None
    assert list(metadata.timestamps)[:2] == ["job_start", "compile_start"]
    assert metadata.timestamps["job_end"] == "2026-03-01T12:00:02.100000+00:00"
    assert metadata.request is not None
    assert metadata.request["dd_mode"] == "disabled"
    assert (metadata.parameters, metadata.circuits_batch) == (None, None)
    assert metadata.shots == 3
    assert metadata.heralding_mode == "none"
    assert metadata.circuits is not None
    assert [c["name"] for c in metadata.circuits] == ["bell", "registers"]


def test_newer_metadata_comes_in_parts():
    metadata = Metadata(
        parameters={"shots": 7, "heralding_mode": "zeros"},
        circuits_batch=[{"name": "x"}],
        request={"shots": 8, "circuits": []},
    )
    assert (metadata.shots, metadata.heralding_mode) == (7, "zeros")
    assert metadata.circuits == [{"name": "x"}]


def test_metadata_that_does_not_say_gives_none():
    metadata = Metadata()
    assert (metadata.shots, metadata.heralding_mode, metadata.circuits) == (None,) * 3


def test_warnings_are_kept():
    run = RunResult.decode(sample("ready-with-request.json"))
    assert run.warnings == ["calibration set is older than a day"]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("pending-empty-list.json", "pending compilation", ""),
        ("pending.json", "pending execution", None),
        ("failed.json", "failed", "Circuit 0: QB9 is not on this chip"),
        ("aborted.json", "aborted", None),
    ],
)
def test_a_run_that_is_not_ready_has_no_measurements(name, status, message):
    run = RunResult.decode(sample(name))
    assert (run.status, run.measurements, run.message) == (status, None, message)


def test_a_word_of_a_later_release_is_kept():
    body = b'{"status": "daydreaming", "metadata": {}}'
    assert RunResult.decode(body).status == "daydreaming"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"status": "ready", "metadata": {}}', "no measurements"),
        (b'{"status": "ready", "measurements": null, "metadata": {}}', "no measurem"),
        (
            b'{"status": "failed", "measurements": [{"m": [[0]]}], "metadata": {}}',
            "measurements that is 'failed'",
        ),
        (b'{"metadata": {}}', "missing required field `status`"),
        (
            b'{"status": "ready", "measurements": []}',
            "missing required field `metadata`",
        ),
        (b'{"status": 1, "metadata": {}}', "Expected `str`"),
        (
            b'{"status": "ready", "measurements": [{"m": [[0, 1], [1]]}], "metadata": {}}',
            "rows of different lengths",
        ),
        (b'{"status": "failed", "metadata": {"timestamps": []}}', "Expected `object"),
        (b"[]", "Expected `object`"),
    ],
)
def test_what_is_not_a_run_is_refused(body, says):
    with pytest.raises(ProtocolError, match=says):
        RunResult.decode(body)


def test_no_answer_gets_past_the_border():
    with pytest.raises(UnexpectedContent):
        RunResult.decode(b"<html>")
    with pytest.raises(ResponseTruncated):
        RunResult.decode(sample("ready-minimal.json")[:40])


def test_a_ready_run_of_no_circuits_has_an_empty_list():
    body = b'{"status": "ready", "measurements": [], "metadata": {}}'
    assert RunResult.decode(body).measurements == []


def test_arguments_are_by_keyword_only():
    with pytest.raises(TypeError):
        RunResult("ready", [], None, Metadata())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        RunResult(status="failed")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Metadata("id")  # type: ignore[call-arg]


def test_the_constructor_checks_as_the_decoder_does():
    run = RunResult(
        status="ready",
        measurements=[{"m": [[0, 1], [2, 0]]}],  # type: ignore[dict-item]
        metadata=Metadata(),
    )
    assert run.measurements is not None
    assert run.measurements[0]["m"].tolist() == [[0, 1], [2, 0]]
    with pytest.raises(ProtocolError, match="'aborted'"):
        RunResult(status="aborted", measurements=run.measurements, metadata=Metadata())
    with pytest.raises(ProtocolError, match="no measurements"):
        RunResult(status="ready", metadata=Metadata())


def test_it_cannot_be_changed():
    run = RunResult.decode(sample("failed.json"))
    with pytest.raises(AttributeError):
        run.status = "ready"  # type: ignore[misc]


@pytest.mark.parametrize("name", NAMES)
def test_a_dictionary_of_lists_comes_back_as_the_same_run(name):
    run = RunResult.decode(sample(name))
    plain = run.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == ["status", "measurements", "message", "metadata", "warnings"]
    assert RunResult.from_dict(plain) == run
    assert RunResult.from_dict(json.loads(sample(name))) == run


def test_a_dictionary_may_hold_arrays_and_numpys_numbers():
    rows = np.array([[0, 1], [1, 1]], np.uint8)
    run = RunResult.from_dict(
        {
            "status": "ready",
            "measurements": [{"m": rows}],
            "metadata": {"parameters": {"shots": np.int64(2)}},
        }
    )
    assert run.to_dict()["measurements"] == [{"m": [[0, 1], [1, 1]]}]
    assert run.metadata.shots == 2


@pytest.mark.parametrize(
    "inp",
    [
        {"status": "failed", "metadata": {"request": {"x": object()}}},
        {"status": "ready", "measurements": [{"m": [[float("nan")]]}], "metadata": {}},
        {"status": "ready", "measurements": "m", "metadata": {}},
        {},
    ],
)
def test_a_dictionary_that_is_not_a_run_is_refused(inp):
    with pytest.raises(ProtocolError):
        RunResult.from_dict(inp)


@pytest.mark.parametrize("name", NAMES)
def test_json_goes_there_and_back(name):
    run = RunResult.decode(sample(name))
    body = msgspec.json.encode(run, enc_hook=enc_hook)
    assert RunResult.decode(body) == run


def test_the_fields_are_those_of_the_wire():
    names = [field.name for field in msgspec.structs.fields(RunResult)]
    assert names == ["status", "measurements", "message", "metadata", "warnings"]
    names = [field.name for field in msgspec.structs.fields(Metadata)]
    assert names == [
        "calibration_set_id",
        "request",
        "parameters",
        "circuits_batch",
        "cocos_version",
        "timestamps",
    ]


def test_the_json_schema_describes_arrays_as_rows_of_levels():
    schema = msgspec.json.schema(RunResult, schema_hook=schema_hook)
    run = schema["$defs"]["RunResult"]
    circuits = run["properties"]["measurements"]["anyOf"][0]
    assert circuits["items"]["additionalProperties"] == {
        "type": "array",
        "items": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    }
    assert run["required"] == ["status", "metadata"]


def test_the_hooks_refuse_what_they_do_not_know():
    with pytest.raises(TypeError, match="object"):
        enc_hook(object())
    with pytest.raises(TypeError, match="complex"):
        schema_hook(complex)


def test_equality_is_by_value():
    run = RunResult.decode(sample("ready-with-request.json"))
    plain = run.to_dict()
    assert run == RunResult.from_dict(plain)
    assert not run != RunResult.from_dict(plain)  # noqa: SIM202
    for name, other in [
        ("message", "late"),
        ("warnings", None),
        ("metadata", {}),
        ("measurements", []),
        ("measurements", [plain["measurements"][0], {"m": [[0], [0], [0]]}]),
        (
            "measurements",
            [{"m": [[0, 1], [1, 0], [0, 0]]}, plain["measurements"][1]],
        ),
    ]:
        assert run != RunResult.from_dict({**plain, name: other}), name
        assert not run == RunResult.from_dict({**plain, name: other})  # noqa: SIM201
    assert run != RunResult(status="failed", metadata=run.metadata)
    assert run != plain


def test_it_pickles():
    run = RunResult.decode(sample("ready-with-request.json"))
    again = pickle.loads(pickle.dumps(run))  # noqa: S301
    assert again == run
    assert again.measurements is not None
    assert not again.measurements[0]["m"].flags.writeable
