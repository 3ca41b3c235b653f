"""How things look in a notebook: in HTML, and the same in plain text."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import qawait
from qawait import ExecutionConfig, RunResult, SimulationMethod
from qawait._display.card import Bar, Card, Facts, Note, Row, Segment, Table
from qawait._display.clients import client_card
from qawait._display.sweeps import Standing, sweep_card
from qawait._display.words import clock_time, in_the_middle, one_line, seconds, size
from qawait._display.writing import as_html, as_text
from qawait._job import Job
from qawait._sweep.settling import Progress
from qawait._transport import Usage
from qawait.circuit_result import CircuitResult
from qawait.errors import ClientClosed, JobFailed
from qawait.histograms import Histogram
from qawait.layout import Layout
from qawait.model import CircuitRecord, Eta, Manifest, State, Status, Step, Target
from qawait.results import Result
from qawait.services import IQMService

EVIL = '<script>alert(1)</script><img src=x onerror="a()">&amp;\x1b[31m'
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Reader(HTMLParser):
    """What a browser would see: elements and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.text += f" {data}"


def shown(thing: Any) -> tuple[str, Reader]:
    """Its plain text, and its HTML as a browser reads it."""
    bundle = thing._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html"}
    return bundle["text/plain"], Reader(bundle["text/html"])


def widths_in(html: str) -> list[float]:
    """How wide its bars are, in per cent."""
    return [float(width) for width in re.findall(r'style="width:([\d.]+)%"', html)]


def a_job(job_id: str = "j-1", **about: Any) -> Job:
    async def cancel(job_id: str) -> None: ...

    records = (CircuitRecord(label="a", shots=300), CircuitRecord(label="b", shots=40))
    manifest = Manifest(circuits=records, target="garnet")
    about = {"manifest": manifest, "submission_id": "s", "cancel": cancel} | about
    return Job(job_id, **about)


def shots_result(*labels: str, **about: Any) -> Result:
    records = tuple(
        CircuitRecord(label=label, shots=5, layout=Layout.from_keys({"c_2_0": 2}))
        for label in labels
    )
    rows = np.array([[0, 1], [0, 1], [0, 1], [1, 1], [0, 0]])
    manifest = Manifest(circuits=records, target="garnet")
    return Result.of_shots(
        [{"c_2_0": rows} for _ in labels], manifest, job_id="j-2", **about
    )


# --- nothing is HTML but what is ours ---------------------------------------------------


EVERY_PLACE = Card(
    kind=EVIL,
    name=EVIL,
    about=EVIL,
    state=EVIL,
    parts=(
        Facts(((EVIL, EVIL),)),
        Bar((Segment(EVIL, 1, "good"),), 1),
        Table((EVIL, EVIL), (Row((EVIL, EVIL), "good", 0.5),), code=(1,)),
        Note(f"`{EVIL}` {EVIL}"),
        Note(f"`{EVIL}"),
    ),
)


def test_text_is_never_html_wherever_it_stands():
    page = Reader(as_html(EVERY_PLACE))
    assert not {"script", "img"} & set(page.tags)
    assert not {"onerror", "src"} & page.attributes
    assert page.text.count("<script>alert(1)</script>") == 13


def test_plain_text_steers_no_terminal():
    assert "\x1b" not in as_text(EVERY_PLACE)
    assert "\x1b" not in as_html(EVERY_PLACE)


@pytest.mark.parametrize(
    "thing",
    [
        a_job(EVIL, tag=EVIL),
        shots_result(EVIL, message=EVIL, warnings=[EVIL]),
        shots_result(EVIL)[0],
        ExecutionConfig(noisy_device=EVIL, api_meta={"layout_method": EVIL}),
        RunResult.from_dict(
            {
                "status": "failed",
                "message": EVIL,
                "warnings": [EVIL],
                "metadata": {"timestamps": {EVIL: EVIL}, "calibration_set_id": EVIL},
            }
        ),
        qawait.connect(IQMService(f"https://host/{EVIL}", token="t")),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_others_wrote_is_shown_as_they_wrote_it(thing: Any):
    text, page = shown(thing)
    assert not {"script", "img"} & set(page.tags)
    assert "<script>" in text
    assert "<script>" in page.text


def test_colours_follow_the_page_and_not_the_system():
    html = as_html(EVERY_PLACE)
    assert "var(--jp-content-font-color1,inherit)" in html
    assert "prefers-color-scheme" not in html


def test_both_forms_say_the_same():
    for thing in (a_job(tag="night"), shots_result("x", "y"), shots_result("x")[0]):
        text, page = shown(thing)
        words = {word for word in re.findall(r"[\w.+%-]+", text) if len(word) > 2}
        assert words
        assert words - set(re.findall(r"[\w.+%-]+", page.text)) == set()


# --- jobs -------------------------------------------------------------------------------


def test_a_job_shows_where_it_stands_and_when_it_will_end():
    eta = Eta(NOW, NOW + timedelta(minutes=3), NOW + timedelta(minutes=8))
    job = a_job(forecast=lambda job_id: eta, tag="night")
    status = Status(raw="compiled", state=State.PENDING_EXECUTION, queue_position=4)
    job.asked()
    job.observe(status, NOW)
    text, page = shown(job)
    assert text.splitlines()[0] == "Job j-1 on garnet: pending execution"
    for told in (
        "4 jobs ahead",
        clock_time(NOW + timedelta(minutes=8)),
        "2 circuits, 340 shots in all",
        "night",
        "compiled",
        "1 to the service",
    ):
        assert told in text
        assert told in page.text
    assert "`await job` waits" in text
    assert re.search(r"^  ready *$", text, re.MULTILINE)


def test_times_are_the_services_own_where_it_gives_any():
    job = a_job()
    waiting = State.PENDING_EXECUTION
    steps = (
        Step(State.PENDING_COMPILATION, "received", NOW),
        Step(waiting, "compiled", NOW + timedelta(seconds=90)),
    )
    seen = NOW + timedelta(hours=1)
    job.observe(Status(raw="compiled", state=waiting, steps=steps), seen)
    text, _ = shown(job)
    assert clock_time(NOW + timedelta(seconds=90)) in text
    assert clock_time(seen) not in text
    assert "+90 s" in text


def test_a_job_that_failed_shows_why_and_the_way_on():
    job = a_job()
    job.observe(Status(raw="failed", state=State.FAILED))
    job.settle(
        JobFailed("too hot", job_id="j-1", raw="failed", resume="qawait explain")
    )
    text, page = shown(job)
    assert "JobFailed" in text
    assert "too hot" in text
    assert "to come back: `qawait explain`" in text
    assert "qawait-bad" in job._repr_mimebundle_()["text/html"]
    assert "ahead" not in page.text


def test_a_job_whose_client_was_closed_has_not_failed():
    job = a_job()
    job.settle(ClientClosed("closed", job_id="j-1"))
    text, _ = shown(job)
    assert text.splitlines()[0].endswith("pending compilation, client closed")


def test_a_job_of_one_circuit_says_its_shots():
    records = (CircuitRecord(label="a", shots=1300),)
    text, _ = shown(a_job(manifest=Manifest(circuits=records, target="t")))
    assert "1 circuit, 1,300 shots" in text
    text, _ = shown(a_job(manifest=Manifest(target="t", simulated=True)))
    assert "submitted elsewhere" in text
    assert "on t, simulated" in text


# --- sweeps -----------------------------------------------------------------------------


def standing(**about: Any) -> Standing:
    known = {
        "target": "garnet",
        "simulated": False,
        "progress": Progress(total=200, taken=90, ready=70, failed=5, jobs=9),
        "running": (),
        "begun": True,
        "over": False,
        "stopped": None,
        "failure": None,
        "untaken": 0,
        "eta": None,
        "requests": 1234,
    }
    return Standing(**(known | about))


def test_a_sweep_shows_its_points_jobs_queue_and_requests():
    first, second = a_job("a"), a_job("b")
    for job, ahead in ((first, 2), (second, 17)):
        job.observe(
            Status(raw="w", state=State.PENDING_EXECUTION, queue_position=ahead)
        )
    eta = Eta(NOW, NOW + timedelta(minutes=3), NOW + timedelta(minutes=8))
    card = sweep_card(standing(running=(first, second, a_job("c")), eta=eta))
    text, page = as_text(card), Reader(as_html(card))
    for told in (
        "Sweep on garnet: running",
        "70 of 200 ready, 5 failed",
        "9 sent; under way 1 pending compilation, 2 pending execution",
        "2 to 17 ahead",
        clock_time(NOW + timedelta(minutes=3)),
        "1,234",
    ):
        assert told in text
        assert told.split(": ")[-1] in page.text
    widths = widths_in(as_html(card))
    # ready, failed, under way, to come
    assert widths == [35.0, 2.5, 7.5, 55.0]
    assert "70 ready, 5 failed, 15 under way, 110 to come" in text


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"begun": False}, "open, nothing sent yet"),
        ({"stopped": "the budget is spent"}, "ending"),
        ({"over": True}, "ended, not complete"),
        ({"over": True, "failure": "it broke"}, "failed"),
        ({"over": True, "progress": Progress(total=3, taken=3, ready=3)}, "complete"),
        ({"over": True, "progress": Progress(taken=3, ready=2)}, "complete"),
        ({"untaken": 40}, "40 points wait to be taken"),
        ({"untaken": 40}, "garnet: waiting to be taken"),
        ({"stopped": "the budget is spent"}, "no more points are taken: the budget"),
        ({"over": True, "failure": "it broke"}, "it broke"),
    ],
)
def test_a_sweep_says_in_a_word_how_it_stands(about: dict[str, Any], said: str):
    assert said in as_text(sweep_card(standing(**about)))


def test_a_sweep_that_is_not_open_says_how_to_open_it():
    text = as_text(sweep_card(None))
    assert "`async with client.sweep(...) as sweep`" in text


def test_a_point_that_is_tried_again_does_not_overfill_the_bar():
    tried = Progress(total=3, taken=3, ready=3, failed=4)
    widths = widths_in(as_html(sweep_card(standing(progress=tried))))
    assert sum(widths) == pytest.approx(100, abs=0.1)


# --- results ----------------------------------------------------------------------------


def test_a_result_lists_what_was_seen_most_often():
    text, page = shown(shots_result("bell", "ghz"))
    # columns (0, 1) of a register of two bits: bit 1 stands leftmost
    assert re.search(r"0  bell\s+5  10 3, 00 1, 11 1", text)
    assert page.tags.count("tr") == 1 + 1 + 2


def test_a_result_of_many_circuits_lists_the_first_ten():
    text, _ = shown(shots_result(*(f"c{n}" for n in range(25))))
    assert "c9" in text
    assert "c10" not in text
    assert "and 15 circuits more" in text


def test_a_circuit_shows_counts_shares_and_bars():
    text, _ = shown(shots_result("bell")[0])
    assert re.search(r"10\s+3\s+60.0%", text)
    html = shots_result("bell")[0]._repr_mimebundle_()["text/html"]
    assert widths_in(html) == [100.0, 33.33, 33.33]


def test_a_circuit_with_many_outcomes_lists_the_most_frequent():
    outcomes = np.arange(100, dtype=np.uint64)
    histogram = Histogram(8, outcomes, np.arange(1, 101, dtype=np.int64))
    text, _ = shown(
        CircuitResult(
            kind="histogram",
            label="h",
            shots=5050,
            tallied=histogram,
            layout=Layout.from_keys({"c_8_0": 8}),
        )
    )
    assert "01100011" in text
    assert "84 more outcomes" in text


def test_expectation_values_are_a_table():
    one = CircuitResult(
        kind="expectation", label="e", shots=None, values={"ZZI": -0.5, "IIX": 0.25}
    )
    text, _ = shown(one)
    assert re.search(r"ZZI\s+-0.500000", text)
    text, _ = shown(Result([one], kind="expectation", job_id="j"))
    assert "ZZI -0.5000, IIX +0.2500" in text


def test_shots_without_registers_show_their_keys():
    text, _ = shown(
        Result.of_shots(
            [{"b": np.zeros((3, 2), int), "a": np.ones((3, 1), int)}], None, job_id="j"
        )[0]
    )
    assert "b (3, 2), a (3, 1)" in text
    assert "registers are not known" in text


def test_what_would_take_long_to_count_is_not_counted():
    wide = Result.of_shots(
        [{"c_64_0": np.zeros((70_000, 64), np.uint8)}], None, job_id="j"
    )
    text, _ = shown(wide[0])
    assert "too many to be counted for a view" in text
    assert "c_64_0 (70,000, 64)" in text


def test_a_result_of_many_large_circuits_is_shown_in_a_moment():
    """What one circuit may take is shared by all that are listed."""
    rows = np.zeros((100_000, 20), np.uint8)
    alone = Result.of_shots([{"c_20_0": rows}], None, job_id="j")
    many = Result.of_shots([{"c_20_0": rows}] * 10, None, job_id="j")
    assert "0" * 20 + " 100,000" in shown(alone)[0]
    assert "0" * 20 not in shown(many)[0]
    assert "c_20_0 (100,000, 20)" in shown(many)[0]


def test_no_shots_are_said_to_be_none():
    empty = shots_result("a")[0].postselect(None, "01")
    text, _ = shown(empty)
    assert "not one shot came back" in text


# --- the two models, and clients --------------------------------------------------------


def test_a_config_shows_what_is_set():
    config = ExecutionConfig(
        bond_dimension=16,
        simulation_method=SimulationMethod.MatrixProductState,
        api_meta={"optimization_level": 2},
    )
    text, _ = shown(config)
    assert re.search(r"bond_dimension +16", text)
    assert "MatrixProductState (1)" in text
    assert re.search(r"api_meta\['optimization_level'\] +2", text)
    assert "simulator" not in text
    text, _ = shown(ExecutionConfig())
    assert "everything is left to the service" in text


def test_a_run_shows_its_keys_and_times():
    run = RunResult.from_dict(
        {
            "status": "ready",
            "measurements": [{"m": [[0, 1, 1], [1, 0, 0]]}],
            "metadata": {"timestamps": {"ready": "2026-03-04T05:06:07Z"}},
        }
    )
    text, _ = shown(run)
    assert text.splitlines()[0] == "RunResult: ready"
    assert re.search(r"0 +m +2 +3", text)
    assert "2026-03-04T05:06:07Z" in text


def test_a_client_shows_where_it_is_connected_and_what_it_took():
    card = client_card(
        "IQMService('https://x')",
        Target(name="garnet", qubits=20),
        closed=False,
        afterlife="gone",
        usage=Usage(requests=12, bytes_sent=2048, bytes_received=5 * 2**20),
        journal="/somewhere/night.qawait",
        followed=3,
    )
    text = as_text(card)
    for told in (
        "Client: open",
        "IQMService('https://x')",
        "garnet, 20 qubits, a quantum computer",
        "12, 2.0 KiB sent, 5.0 MiB received",
        "3 under way",
        "/somewhere/night.qawait",
    ):
        assert told in text
    assert "gone" not in text


def test_a_client_that_is_not_open_says_how_to_open_it():
    text, _ = shown(qawait.connect())
    assert "`client = await qawait.open(...)`" in text


def test_a_token_is_never_shown():
    client = qawait.connect(IQMService("https://x", token="very-secret"))
    bundle = client._repr_mimebundle_()
    assert "very-secret" not in "".join(bundle.values())


# --- words ------------------------------------------------------------------------------


def test_lengths_of_time_and_sizes_are_in_their_units():
    assert [seconds(s) for s in (0.0123, 4.5, 600, 7500)] == [
        "12.3 ms",
        "4.5 s",
        "10 min",
        "2 h 05 min",
    ]
    assert [size(n) for n in (1023, 1536, 3 * 2**30, 5000 * 2**30)] == [
        "1,023 bytes",
        "1.5 KiB",
        "3.0 GiB",
        "5000.0 GiB",
    ]


def test_long_texts_are_cut():
    assert in_the_middle("0" * 30 + "1" * 30, 11) == "00000\N{HORIZONTAL ELLIPSIS}11111"
    assert len(one_line("x" * 1000)) == 300


def test_a_time_that_is_far_away_has_its_date():
    assert re.fullmatch(r"\d\d:\d\d:\d\d", clock_time(NOW, NOW + timedelta(hours=1)))
    assert clock_time(NOW, NOW + timedelta(days=2)).startswith("2026-03-0")


def test_showing_a_thing_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown(shots_result("a"))
