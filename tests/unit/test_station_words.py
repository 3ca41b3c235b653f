"""V2 and station: each client gets words, forms and versions that it knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from qawait.iqm.serving import (
    circuits_of,
    write_channels,
    write_error_log,
    write_parameters,
    write_status,
    write_timeline,
)
from qawait.iqm.states import read_timeline, read_word_status, steps
from qawait.local.jobs import Stage
from qawait.local.user_agents import (
    reads_error_as_text,
    station_library,
    station_word,
)
from qawait.model import Answer, State

AGENT = "Linux, python 3.11.7, iqm-client {}, qiskit 1.0"
ENDS = {"ready", "failed", "aborted"}
KNOWN = {
    "18.6.0": {"received", "processing", "pending execution"},
    "22.16.1": {"received", "processing", "pending execution"},
    "24.3.0": {"received", "processing", "pending execution"},
    "25.0.0": {"received", "processing", "pending_execution"},
    "25.5.0": {"received", "processing", "pending_execution"},
    "26.0.0": {
        "received",
        "compilation_started",
        "execution_pending",
        "execution_started",
    },
    "27.1.0": {"received", "processing", "pending_execution"},
    "28.0.0": {"received", "processing", "pending_execution"},
    "29.14.0": {"received", "processing", "pending_execution"},
    "30.2.0": {"received", "processing", "pending_execution"},
    "32.1.1": {"received", "processing", "pending_execution"},
}
"""Of the words that a release accepts those that may be used. Wire reference §4.2, §8."""
NEWEST = {"received", "compilation_started", "pending_execution", "execution_started"}
PROTOBUF = (
    "0a1a0a0a5142315f5f6472697665120c0a0a0a001a03616c6c1a0161"
    "0a120a0a5142325f5f647269766512040a020a00"
)
"""What iqm-client 29.14.0's library writes for the channels of the test below."""
STATES = {
    Stage.RECEIVED: State.PENDING_COMPILATION,
    Stage.COMPILING: State.PENDING_COMPILATION,
    Stage.COMPILED: State.PENDING_EXECUTION,
    Stage.RUNNING: State.PENDING_EXECUTION,
    Stage.READY: State.READY,
    Stage.FAILED: State.FAILED,
    Stage.ABORTED: State.ABORTED,
}


@pytest.mark.parametrize("release", KNOWN)
def test_a_release_gets_no_word_that_stops_it(release: str) -> None:
    words = {station_word(stage, AGENT.format(release)) for stage in STATES}
    assert words == KNOWN[release] | ENDS


@pytest.mark.parametrize(
    "agent", ["", "qawait/1.0", "StationControlClient iqm-station-control-client 9.8.0"]
)
def test_another_agent_gets_the_words_of_the_newest_release(agent: str) -> None:
    assert {station_word(stage, agent) for stage in STATES} == NEWEST | ENDS


@pytest.mark.parametrize("agent", ["", *map(AGENT.format, KNOWN)])
@pytest.mark.parametrize("stage", STATES)
def test_the_client_reads_each_word_as_what_it_stands_for(
    agent: str, stage: Stage
) -> None:
    said = write_status(station_word(stage, agent))
    assert read_word_status(Answer(200, {}, said)).state is STATES[stage]


@pytest.mark.parametrize(
    ("release", "as_text"),
    [("18.6", True), ("25.2", True), ("25.3", False), ("26.0", False), ("32.1", False)],
)
def test_an_error_log_is_text_until_25_2(release: str, as_text: bool) -> None:
    assert reads_error_as_text(AGENT.format(release)) is as_text
    assert not reads_error_as_text("qawait/1.0")
    log = write_error_log('too "hot"', as_text=as_text)
    if as_text:
        assert log == b'too "hot"'
    else:
        assert json.loads(log)["user_error_message"] == 'too "hot"'


@pytest.mark.parametrize(
    ("agent", "version"),
    [
        ("x, StationControlClient iqm-station-control-client 9.8.0", "9.8.0"),
        ("StationControlClient iqm-station-control-client 11.3, mine", "11.3"),
        ("python-requests/2.32.3", "11.3.1"),
        ("iqm-station-control-client x", "11.3.1"),
    ],
)
def test_a_library_is_told_its_own_version(agent: str, version: str) -> None:
    assert station_library(agent) == version


@pytest.mark.parametrize("key", ["stage", "status"])
def test_a_timeline_is_read_as_it_was_written(key: str) -> None:
    times = [datetime(2026, 3, 1, 12, 0, n, tzinfo=UTC) for n in range(3)]
    words = ["received", "pending_execution", "ready"]
    body = write_timeline(zip(words, times, strict=True), key)  # type: ignore[arg-type]
    assert [entry.keys() for entry in json.loads(body)] == [{key, "timestamp"}] * 3
    read = steps(read_timeline(Answer(200, {}, body)).items())
    assert [(step.raw, step.at) for step in read] == list(
        zip(words, times, strict=True)
    )


def test_an_entry_that_comes_twice_counts_at_its_first_time() -> None:
    entries = b"""[{"stage":"received","timestamp":"2026-03-01T12:00:01Z"},
        {"timestamp":"2026-03-01T12:00:02Z"},
        {"stage":"received","timestamp":"2026-03-01T12:00:03Z"}]"""
    assert read_timeline(Answer(200, {}, entries)) == {
        "received": "2026-03-01T12:00:01Z"
    }


def test_parameters_are_told_with_their_defaults_and_under_the_old_names() -> None:
    """Clients stop with a KeyError if one of the first five is missing."""
    assert json.loads(write_parameters(b'{"circuits":[]}')) == {
        "shots": 1,
        "max_circuit_duration_over_t2": None,
        "heralding_mode": "none",
        "move_validation_mode": "strict",
        "move_gate_frame_tracking_mode": "full",
        "active_reset_cycles": None,
        "dd_mode": "disabled",
        "dd_strategy": None,
    }
    asked = {
        "shots": 9,
        "move_gate_validation": "allow_prx",
        "move_gate_frame_tracking": "none",
        "dd_strategy": {"gate_sequences": []},
    }
    told = json.loads(write_parameters(json.dumps(asked).encode()))
    assert told["shots"] == 9
    assert told["move_validation_mode"] == "allow_prx"
    assert told["move_gate_frame_tracking_mode"] == "none"
    assert told["dd_strategy"] == {"gate_sequences": []}


def test_circuits_are_given_back_as_they_were_submitted() -> None:
    circuits = b'[ {"name":"n\\u00e9", "instructions":[]} ]'
    assert circuits_of(b'{"shots":1,"circuits":' + circuits + b"}") == circuits


def test_channels_are_told_in_json_and_in_protobuf() -> None:
    """The bytes are those of IQM's own library for the same two channels."""
    channels = {"QB1__drive": ["all", "a"], "QB2__drive": []}
    assert json.loads(write_channels(channels, as_protobuf=False)) == {
        "QB1__drive": {"fast_feedback_sources": ["all", "a"]},
        "QB2__drive": {"fast_feedback_sources": []},
    }
    assert write_channels(channels, as_protobuf=True) == bytes.fromhex(PROTOBUF)
    for length, head in ((200, "0ad6010ac801"), (300, "0aba020aac02")):
        name = "q" * length
        assert write_channels({name: ["all"]}, as_protobuf=True).startswith(
            bytes.fromhex(head) + name.encode()
        )
