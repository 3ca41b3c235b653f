"""Spans, metrics and log lines of real requests to the local service."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import qawait
from qawait import IQMService, errors
from qawait._observing import Observing, observing
from qawait.telemetry import Telemetry
from tests.service.running import LocalService, running
from tests.service.telling import CIRCUIT

ROOT = Path(__file__).parents[2]
FAST = qawait.Pace(first=0.01, questions_per_job=8, max_staleness=0.2)
FEW = qawait.Retry(attempts=2)


class Told:
    """Everything that was told to OpenTelemetry."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.telemetry = Telemetry(self.tracers, MeterProvider([self._reader]))

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Those that have ended, in this order."""
        every = self._spans.get_finished_spans()
        return [span for span in every if name in (None, span.name)]

    def metric(self, name: str) -> dict[str, float]:
        """The points of a metric by their attributes, without the target."""
        found: dict[str, float] = {}
        data = self._reader.get_metrics_data()
        assert data is not None
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points if metric.name == name else ():
                        about = dict(point.attributes or {})
                        about.pop("qawait.target", None)
                        key = ", ".join(str(value) for value in about.values())
                        found[key] = getattr(point, "value", getattr(point, "count", 0))
        return found


@pytest.fixture
def told() -> Told:
    return Told()


def iqm(local: LocalService) -> IQMService:
    return IQMService(local.url, token=local.token)


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def about(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def numbers(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


async def test_a_submission_its_requests_and_its_job_are_one_trace(
    null_service: LocalService, told: Told
):
    async with qawait.connect(
        iqm(null_service), pace=FAST, telemetry=told.telemetry
    ) as client:
        job = await client.submit([CIRCUIT] * 3, shots=20)
        await job
    [submitted] = told.spans("qawait submit")
    [followed] = told.spans("qawait job")
    [post] = told.spans("POST")
    trace_id, submit_id = numbers(submitted)
    assert parent(submitted) is None
    assert parent(post) == parent(followed) == submit_id
    questions = [s for s in told.spans("GET") if parent(s) == numbers(followed)[1]]
    assert questions
    for span in (post, followed, *questions):
        assert numbers(span)[0] == trace_id
    assert about(submitted)["qawait.circuits"] == 3
    assert about(submitted)["qawait.shots"] == 60
    for span in (submitted, followed):
        assert about(span)["qawait.job.id"] == job.id
        assert about(span)["qawait.submission.id"] == job.submission_id


async def test_each_state_is_an_event_of_the_job(
    null_service: LocalService, told: Told
):
    async with qawait.connect(
        iqm(null_service), pace=FAST, telemetry=told.telemetry
    ) as client:
        job = await client.submit(CIRCUIT, shots=20)
        await job
    [followed] = told.spans("qawait job")
    told_states = [
        (event.name, dict(event.attributes or {}).get("qawait.job.raw"))
        for event in followed.events
    ]
    assert told_states == [(change.state.value, change.raw) for change in job.changes]
    assert len(told_states) >= 2
    assert about(followed)["qawait.outcome"] == "ready"


async def test_requests_have_the_names_of_the_conventions(
    null_service: LocalService, told: Told
):
    async with qawait.connect(
        iqm(null_service), pace=FAST, telemetry=told.telemetry
    ) as client:
        job = await client.submit(CIRCUIT, shots=20)
        await job
    [post] = told.spans("POST")
    assert post.kind is trace.SpanKind.CLIENT
    known = about(post)
    assert known["url.full"].startswith(f"{null_service.url}/api/v1/jobs/")
    assert known["http.request.method"] == "POST"
    assert known["http.response.status_code"] == 201
    assert known["server.address"] == "127.0.0.1"
    assert known["http.request.body.size"] > 100
    durations = told.metric("http.client.request.duration")
    port = known["server.port"]
    assert durations[f"POST, 127.0.0.1, {port}, 201"] == 1


async def test_each_attempt_is_a_span_of_its_own_and_a_repeat_is_counted(told: Told):
    with running("--null", "--faults", "503:10ms:#1@submit") as local:
        async with qawait.connect(
            iqm(local), pace=FAST, telemetry=told.telemetry
        ) as client:
            await (await client.submit(CIRCUIT, shots=20))
    statuses = [about(s)["http.response.status_code"] for s in told.spans("POST")]
    assert statuses == [503, 201]
    refused = told.spans("POST")[0]
    assert refused.status.status_code is trace.StatusCode.ERROR
    assert about(refused)["error.type"] == "503"
    assert told.metric("qawait.retries") == {"503": 1}
    assert told.metric("qawait.submissions") == {"accepted": 1}


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("422@submit", "rejected", "SubmissionRejected"),
        ("drop_reply@submit", "unknown", "SubmissionUncertain"),
    ],
)
async def test_a_submission_that_came_to_nothing_says_how(
    told: Told, fault: str, outcome: str, reason: str
):
    with running("--null", "--faults", fault) as local:
        async with qawait.connect(
            iqm(local), retry=FEW, telemetry=told.telemetry
        ) as client:
            with pytest.raises(errors.Error):
                await client.submit(CIRCUIT, shots=20)
    [submitted] = told.spans("qawait submit")
    assert about(submitted)["qawait.outcome"] == outcome
    assert about(submitted)["error.type"] == reason
    assert told.metric("qawait.submissions") == {outcome: 1}


async def test_metrics_count_questions_ends_and_what_is_in_flight(
    null_service: LocalService, told: Told
):
    async with qawait.connect(
        iqm(null_service), pace=FAST, telemetry=told.telemetry
    ) as client:
        jobs = [await client.submit(CIRCUIT, shots=20) for _ in range(2)]
        for job in jobs:
            await job
        assert told.metric("qawait.jobs.in_flight") == {"": 0}
        missing = client.job("00000000-0000-4000-8000-000000000000")
        assert told.metric("qawait.jobs.in_flight") == {"": 1}
        with pytest.raises(errors.JobMissing):
            await missing
    questions = sum(job.following.questions for job in [*jobs, missing])
    assert told.metric("qawait.questions") == {"": questions}
    assert told.metric("qawait.jobs.ended") == {"ready": 2, "JobMissing": 1}
    assert told.metric("qawait.news.delay") == {"": 2}


async def test_a_closed_client_ends_its_spans_and_says_that_the_job_goes_on(
    told: Told,
):
    with running("--null", "--faults", "503:60s@poll") as local:
        async with qawait.connect(iqm(local), telemetry=told.telemetry) as client:
            await client.submit(CIRCUIT, shots=20)
    [followed] = told.spans("qawait job")
    assert about(followed)["qawait.outcome"] == "ClientClosed"
    assert followed.status.status_code is trace.StatusCode.UNSET
    assert told.metric("qawait.jobs.in_flight") == {"": 0}
    assert told.metric("qawait.jobs.ended") == {}


async def test_monday_and_tuesday_are_one_trace(
    null_service: LocalService, told: Told, tmp_path: Path
):
    """The first program is killed right after its submission."""
    journal = tmp_path / "night.qawait"
    given = [null_service.url, null_service.token, str(journal)]
    monday = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "tests.service.telling", *given],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=50,
        )
    )
    spans = [json.loads(line) for line in monday.stdout.splitlines()]
    [submitted] = [span for span in spans if span["name"] == "qawait submit"]
    tracer = told.tracers.get_tracer("tuesday")
    with tracer.start_as_current_span("tuesday") as tuesday:
        async with (
            qawait.connect(
                iqm(null_service), pace=FAST, telemetry=told.telemetry
            ) as client,
            client.resume(journal) as sweep,
        ):
            [point] = [point async for point in sweep]
    assert point.error is None
    [followed] = told.spans("qawait job")
    assert numbers(followed)[0] == submitted["trace"]
    assert parent(followed) == submitted["span"]
    assert about(followed)["qawait.resumed"] is True
    [link] = followed.links
    assert link.context == tuesday.get_span_context()
    # the questions of Tuesday are in Monday's trace, too
    asked = [s for s in told.spans("GET") if parent(s) == numbers(followed)[1]]
    assert asked
    assert {numbers(span)[0] for span in asked} == {submitted["trace"]}


async def test_a_sweep_inside_a_span_is_in_its_trace(
    null_service: LocalService, told: Told
):
    with told.tracers.get_tracer("mine").start_as_current_span("mine") as mine:
        async with (
            qawait.connect(
                iqm(null_service), pace=FAST, telemetry=told.telemetry
            ) as client,
            client.sweep([CIRCUIT] * 3, shots=20, batch=1) as sweep,
        ):
            await sweep.finish()
    trace_id = mine.get_span_context().trace_id
    submitted, followed = told.spans("qawait submit"), told.spans("qawait job")
    assert len(submitted) == len(followed) == 3
    assert {numbers(s)[0] for s in [*submitted, *followed]} == {trace_id}
    assert sorted(map(parent, followed)) == sorted(numbers(s)[1] for s in submitted)  # pyright: ignore[reportArgumentType]


async def test_no_token_and_no_circuit_is_told(
    told: Told, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    """Also where the service answers with what it was sent."""
    caplog.set_level(logging.DEBUG)
    with running("--null", "--faults", "422:#1@submit,503:10ms:#1@poll") as local:
        async with qawait.connect(
            iqm(local), pace=FAST, telemetry=told.telemetry, journal=tmp_path / "j"
        ) as client:
            with pytest.raises(errors.SubmissionRejected):
                await client.submit(CIRCUIT, shots=20, tag="canary-tag")
            await (await client.submit(CIRCUIT, shots=20, tag="canary-tag"))
        told_all = [span.to_json() for span in told.spans()]
        told_all += [str(vars(record)) for record in caplog.records]
        assert told.spans("qawait submit")
        assert told.spans("qawait job")
        assert told.spans("POST")
        assert caplog.records
        for text in told_all:
            assert local.token not in text
            assert "canary" not in text
        # the text of an error may repeat what a service said
        for span in told.spans():
            assert span.status.description is None
            assert "exception" not in [event.name for event in span.events]


async def test_log_lines_carry_the_ids_of_their_job(
    null_service: LocalService, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "qawait.jobs")
    async with qawait.connect(iqm(null_service), pace=FAST) as client:
        job = await client.submit([CIRCUIT] * 2, shots=20)
        await job
    records = [r for r in caplog.records if r.name == "qawait.jobs"]
    assert {getattr(r, "job_id", None) for r in records} == {job.id}
    ids = {getattr(r, "submission_id", None) for r in records}
    assert ids == {job.submission_id}
    infos = [r.getMessage() for r in records if r.levelno == logging.INFO]
    asked = job.following.questions
    assert infos == [
        f"job {job.id}: accepted by {client.target.name}, 2 circuits, 40 shots",
        f"job {job.id}: ready, {asked} questions",
    ]
    debugs = [r.getMessage() for r in records if r.levelno == logging.DEBUG]
    assert debugs == [f"job {job.id}: {c.state} ({c.raw})" for c in job.changes]


async def test_requests_are_logged_without_their_bodies(
    null_service: LocalService, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "qawait.http")
    async with qawait.connect(iqm(null_service), pace=FAST) as client:
        await (await client.submit(CIRCUIT, shots=20))
        requests = client.usage.requests
    records = [r for r in caplog.records if r.name == "qawait.http"]
    assert len(records) == requests
    [post] = [r for r in records if r.__dict__["method"] == "POST"]
    assert post.__dict__["status"] == 201
    assert post.getMessage().startswith("POST api/v1/jobs/")


# --- where it is not wanted -----------------------------------------------------------


def test_without_a_provider_nothing_is_told():
    """The library is loaded here, and nobody has set it up."""
    assert Telemetry().begin() is None
    assert vars(observing(True)) == vars(Observing())
    assert vars(observing(False)) == vars(Observing())


def test_false_is_off_whatever_was_set_up(told: Told):
    assert vars(observing(False)) == vars(Observing())
    assert vars(observing(told.telemetry)) != vars(Observing())


def test_a_program_that_sets_it_up_has_nothing_else_to_do():
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from qawait._observing import observing, Observing
trace.set_tracer_provider(TracerProvider())
assert vars(observing(True)) != vars(Observing())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_without_it_never_loads_it():
    code = """
import sys
import qawait
from qawait._observing import observing
observing(True)
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
sys.modules["opentelemetry"] = None
try:
    qawait.telemetry
except qawait.MissingExtra as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert (
        ran.stdout
        == "qawait.telemetry needs an extra: pip install 'qawait[telemetry]'\n"
    )


def test_what_is_no_provider_is_refused():
    with pytest.raises(errors.ConfigurationError, match="no provider: no get_tracer"):
        Telemetry(tracer_provider=7)  # pyright: ignore[reportArgumentType]
