"""Fault scripts: how they are written, and which fault falls on which request."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qawait.errors import ConfigurationError
from qawait.histograms import Histogram, decode_histogram, encode_histogram
from qawait.local.faults import Fault, FaultScript, read_faults
from qawait.local.faults.asked import Question, is_final, question
from qawait.local.faults.catalogue import NAMES
from qawait.local.faults.edits import EDITS, edited
from qawait.local.faults.promises import PROMISES, read_promises
from qawait.local.faults.script import DIALECTS, KINDS
from qawait.local.options import ServeOptions

JOB = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"


# --- how they are written -------------------------------------------------------------


def test_a_script_says_what_how_often_how_long_and_where() -> None:
    script = "drop_reply:0.05@submit, 503:#3-5:2s@poll+results/qoro,slow:250ms"
    assert read_faults(script) == (
        Fault(name="drop_reply", rate=0.05, kinds=frozenset({"submit"})),
        Fault(
            name="503",
            first=3,
            last=5,
            seconds=2.0,
            kinds=frozenset({"poll", "results"}),
            dialects=frozenset({"qoro"}),
        ),
        Fault(name="slow", seconds=0.25),
    )


def test_a_number_alone_is_that_request_and_an_open_range_all_that_follow() -> None:
    alone, following, every = read_faults("500:#3,500:#3-,500:acted@any/iqm")
    assert (alone.first, alone.last) == (3, 3)
    assert (following.first, following.last) == (3, None)
    assert (every.first, every.last, every.rate) == (1, None, None)
    assert every.acted
    assert every.dialects == {"iqm-server", "iqm-v1", "iqm-station"}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("", "there is no fault ''"),
        ("explode", "there is no fault 'explode'"),
        ("200", "there is no fault '200'"),
        ("503:often", "'often' is no rate"),
        ("503:1.5", "a rate is between 0 and 1"),
        ("503:#0", "counted from 1"),
        ("503:#5-3", "counted from 1"),
        ("503:0.1:0.2", "'0.2' is one too many"),
        ("slow", "say how long, such as slow:2s"),
        ("reset:2s", "reset: takes no duration"),
        ("reset_early:acted", "never acts on such a request"),
        ("503@polling", "no kind of request 'polling'; there is submit, append"),
        ("503@any/braket", "no dialect 'braket'; there is iqm-server"),
    ],
)
def test_a_script_that_cannot_be_is_refused_with_the_reason(
    script: str, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_faults(script)
    assert why in str(refused.value)


TIMED = sorted(name for name, known in NAMES.items() if known.time != "none")
FAULTS = st.builds(
    lambda name, rate, first, length, seconds, acted, kinds, dialects: Fault(
        name=name,
        rate=rate,
        first=first,
        last=None if length is None else first + length,
        seconds=seconds,
        acted=acted and NAMES[name].acts is None,
        kinds=frozenset(kinds),
        dialects=frozenset(dialects),
    ),
    st.sampled_from(TIMED),
    st.none() | st.floats(0, 1),
    st.integers(1, 10**6),
    st.none() | st.integers(0, 100),
    st.floats(0, 1e6),
    st.booleans(),
    st.sets(st.sampled_from(KINDS), min_size=1),
    st.sets(st.sampled_from(DIALECTS), min_size=1),
)


@given(st.lists(FAULTS, min_size=1, max_size=3))
def test_what_is_written_is_read_back(faults: list[Fault]) -> None:
    assert read_faults(",".join(map(str, faults))) == tuple(faults)


def test_the_promises_to_break_are_named() -> None:
    assert read_promises("P1, p4") == {"P1", "P4"}
    with pytest.raises(
        ConfigurationError, match="no promise 'P5' to break; there is P1"
    ):
        read_promises("P1,P5")
    with pytest.raises(ConfigurationError, match="no promise 'P9'"):
        ServeOptions(broken=frozenset({"P9"}))


# --- which fault falls ----------------------------------------------------------------


def played(script: FaultScript, kinds: list[str]) -> list[tuple[str, int] | None]:
    chosen = [script.choose(kind, "qoro") for kind in kinds]
    return [None if c is None else (c.fault.name, c.number) for c in chosen]


def test_the_nth_request_is_counted_among_those_of_its_kind() -> None:
    script = FaultScript(read_faults("503:#2@poll,reset:#1@submit/iqm"), seed=1)
    kinds = ["submit", "poll", "results", "poll", "poll"]
    assert played(script, kinds) == [None, None, None, ("503", 2), None]
    chosen = script.choose("submit", "iqm-v1")
    assert chosen is not None, "the submission through qoro was not counted"
    assert chosen.number == 1


def test_the_first_fault_that_falls_is_played_and_the_others_go_on_counting() -> None:
    script = FaultScript(read_faults("503:#1@poll,reset:#2@poll,502@poll"), seed=1)
    assert played(script, ["poll"] * 3) == [("503", 1), ("reset", 2), ("502", 3)]


def test_a_rate_falls_on_its_share_of_the_requests() -> None:
    script = FaultScript(read_faults("503:0.2"), seed=4)
    fallen = sum(found is not None for found in played(script, ["poll"] * 5000))
    assert 900 < fallen < 1100


def test_the_same_seed_meets_the_same_requests_whatever_comes_between() -> None:
    faults = read_faults("503:0.3@poll,reset:0.3@submit")
    random = Random(8)
    mixed = [random.choice(["poll", "results", "submit"]) for _ in range(300)]
    for kind in ("poll", "submit"):
        alone = played(FaultScript(faults, 11), [kind] * mixed.count(kind))
        among = played(FaultScript(faults, 11), mixed)
        assert [
            found for found, asked in zip(among, mixed, strict=True) if asked == kind
        ] == alone
        assert played(FaultScript(faults, 12), [kind] * len(alone)) != alone


def test_two_faults_of_one_rate_do_not_always_fall_together() -> None:
    script = FaultScript(read_faults("503:0.5@poll,502:0.5@poll"), seed=3)
    names = Counter(
        "none" if found is None else found[0]
        for found in played(script, ["poll"] * 2000)
    )
    assert names["503"] > 900
    assert 400 < names["502"] < 600
    assert 400 < names["none"] < 600


# --- what a request asks for ----------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "dialect", "kind"),
    [
        ("POST", "/cocos/jobs", "iqm-v1", "submit"),
        ("GET", f"/cocos/jobs/{JOB}/status", "iqm-v1", "poll"),
        ("GET", f"/cocos/jobs/{JOB}", "iqm-v1", "results"),
        ("POST", f"/cocos/jobs/{JOB}/abort", "iqm-v1", "cancel"),
        ("GET", "/cocos/quantum-architecture", "iqm-v1", "other"),
        ("POST", "/station/circuits", "iqm-station", "submit"),
        ("GET", f"/station/circuits/{JOB}/measurements", "iqm-station", "results"),
        ("POST", "/api/v1/jobs/square20/circuit", "iqm-server", "submit"),
        ("GET", f"/api/v1/jobs/{JOB}", "iqm-server", "poll"),
        ("GET", f"/api/v1/jobs/{JOB}/payload", "iqm-server", "other"),
        (
            "GET",
            f"/api/v1/jobs/{JOB}/artifacts/measurements",
            "iqm-server",
            "results",
        ),
        ("DELETE", f"/api/v1/jobs/{JOB}", "iqm-server", "cancel"),
        ("POST", "/api/job/init/", "qoro", "submit"),
        ("POST", f"/api/job/{JOB}/add_circuits/", "qoro", "upload"),
        ("GET", f"/api/job/{JOB}/status/", "qoro", "poll"),
        ("GET", f"/api/job/{JOB}/resultsV2/", "qoro", "results"),
        ("POST", f"/api/job/{JOB}/cancel/", "qoro", "cancel"),
        ("POST", f"/api/job/{JOB}/execution_config/", "qoro", "other"),
        ("GET", "/api/credits/", "qoro", "other"),
    ],
)
def test_a_request_is_known_by_its_path(
    method: str, path: str, dialect: str, kind: str
) -> None:
    job_id = JOB if JOB in path else None
    assert question(method, path) == Question(dialect, kind, job_id)


@pytest.mark.parametrize("path", ["/health", "/_ledger", "/info/client-libraries"])
def test_what_belongs_to_no_dialect_meets_no_fault(path: str) -> None:
    assert question("GET", path) is None


def test_only_the_body_tells_which_upload_is_the_last() -> None:
    assert is_final(b'{"circuits": {}, "finalized": "true"}')
    assert is_final(b'{"finalized": true}')
    assert not is_final(b'{"finalized": "false"}')
    assert not is_final(b"{}")
    assert not is_final(b"[" * 100_000)


# --- what an answer says instead ------------------------------------------------------


def changed(name: str, kind: str, value: object, dialect: str = "iqm-server") -> object:
    asked = Question(dialect, kind, JOB)
    body = edited(name, asked, json.dumps(value).encode(), "")
    return None if body is None else json.loads(body)


def test_ids_are_changed_where_a_submission_gives_them() -> None:
    answer = {"id": JOB, "status": "waiting"}
    assert changed("no_id", "submit", answer) == {"status": "waiting"}
    assert changed("hostile_id", "submit", answer) == {
        "id": "../../admin",
        "status": "waiting",
    }
    wrong = changed("wrong_id", "submit", {"job_id": JOB}, "qoro")
    assert isinstance(wrong, dict)
    assert list(wrong) == ["job_id"]
    assert wrong["job_id"] != JOB
    assert changed("no_id", "poll", answer) is None


@pytest.mark.parametrize(
    ("dialect", "word", "backward", "other_end"),
    [
        ("iqm-server", "completed", "waiting", "failed"),
        ("iqm-server", "failed", "waiting", "completed"),
        ("iqm-v1", "ready", "received", "failed"),
        ("iqm-station", "aborted", "received", "ready"),
        ("qoro", "COMPLETED", "PENDING", "FAILED"),
    ],
)
def test_a_status_is_another_word_of_its_dialect(
    dialect: str, word: str, backward: str, other_end: str
) -> None:
    answer = {"status": word, "kept": 1}
    for name, expected in (
        ("backward", backward),
        ("other_end", other_end),
        ("unknown_word", "reticulating"),
    ):
        assert changed(name, "poll", answer, dialect) == {"status": expected, "kept": 1}
    assert changed("other_end", "poll", {"status": backward}, dialect) is None
    assert changed("backward", "poll", {"status": backward}, dialect) is None


BATCH = [{"m": [[0, 1], [1, 1]]}, {"k": [[1], [0]]}]


@pytest.mark.parametrize(
    "wrap", [lambda b: b, lambda b: {"measurements": b}], ids=["list", "whole"]
)
def test_measurements_lose_and_gain_what_the_fault_says(
    wrap: Callable[[object], object],
) -> None:
    expected = {
        "one_less": BATCH[:1],
        "one_more": [*BATCH, BATCH[0]],
        "other_labels": [{"m_other": [[0, 1], [1, 1]]}, {"k_other": [[1], [0]]}],
        "fewer_shots": [{"m": [[0, 1]]}, {"k": [[1]]}],
    }
    for name, batch in expected.items():
        assert changed(name, "results", wrap(BATCH)) == wrap(batch)
        assert changed(name, "poll", wrap(BATCH)) is None


def test_rows_of_histograms_lose_and_gain_what_the_fault_says() -> None:
    encoding, payload = encode_histogram(
        Histogram(2, np.array([1, 3], np.uint64), np.array([1, 4]))
    )
    counted = {"encoding": encoding, "n_bits": 2, "payload": payload}
    rows = [{"label": "a", "results": counted}, {"label": "b", "results": counted}]
    page = {"count": 2, "results": rows}
    less = changed("one_less", "results", page, "qoro")
    assert less == {"count": 1, "results": rows[:1]}
    more = changed("one_more", "results", page, "qoro")
    assert more == {"count": 3, "results": [*rows, rows[0]]}
    other = changed("other_labels", "results", page, "qoro")
    assert isinstance(other, dict)
    assert [row["label"] for row in other["results"]] == ["a-other", "b-other"]
    fewer = changed("fewer_shots", "results", page, "qoro")
    assert isinstance(fewer, dict)
    for row in fewer["results"]:
        left = decode_histogram(encoding, 2, row["results"]["payload"])
        assert left.counts.sum() == 4
        assert left.outcomes.tolist() == [3]


def test_an_answer_that_is_not_what_the_fault_is_about_stays() -> None:
    for name in EDITS:
        for value in ([], {}, "text", {"results": []}, [1]):
            assert changed(name, "other", value) is None
        assert edited(name, Question("qoro", "results"), b"no JSON", "") is None


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "inject-faults.md"


def test_every_fault_and_every_promise_is_on_the_page() -> None:
    page = PAGE.read_text()
    for name, known in NAMES.items():
        assert f"| `{name}` | {known.says} |" in page
    for name, says in PROMISES.items():
        assert f"| {name} | {says} |" in page
    listed = re.findall(r"^\| `([a-z0-9_]+)` \|", page, re.MULTILINE)
    assert set(listed) - {"acted"} == set(NAMES)


def test_the_catalogue_is_in_one_order_of_places() -> None:
    """So that the page, which lists it, has one table for each place."""
    places = [known.place for known in NAMES.values()]
    assert sum(one is not other for one, other in pairwise(places)) == 3
