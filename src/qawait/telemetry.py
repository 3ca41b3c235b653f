"""Spans and metrics for OpenTelemetry: the extra `telemetry`.

A program that has set up OpenTelemetry's providers before it connects has nothing else
to do: `qawait.connect` finds them. This module is for those who pass providers by hand.

```python
telemetry = qawait.telemetry.Telemetry(tracer_provider=provider)
async with qawait.connect(service, telemetry=telemetry) as client: ...
```

A submission is a span, with one below it for each of its requests. Its context is
written into the journal before anything is sent, and following the job is a span below
it: also where another program does that, days later.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import datetime  # noqa: TC003
from typing import TYPE_CHECKING, Any

from qawait import __version__
from qawait.errors import ConfigurationError, MissingExtra

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import (
        TraceContextTextMapPropagator,
    )
except ImportError as error:
    raise MissingExtra("qawait.telemetry", "telemetry") from error

if TYPE_CHECKING:
    from collections.abc import Generator

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from qawait._observing import About, Attempt, Followed
    from qawait.model import Change, Delivery

__all__ = ["Telemetry"]

_NAME = "qawait"
_W3C = TraceContextTextMapPropagator()
_PARENT = "traceparent"


class Telemetry:
    """OpenTelemetry for one client.

    Args:
        tracer_provider: Takes the spans; None is the program's own.
        meter_provider: Takes the metrics; None is the program's own.

    Raises:
        ConfigurationError: One of them is no provider.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        for given, method in (
            (tracer_provider, "get_tracer"),
            (meter_provider, "get_meter"),
        ):
            if given is not None and not hasattr(given, method):
                raise ConfigurationError(f"{given!r} is no provider: no {method}")
        self._tracers = tracer_provider
        self._meters = meter_provider

    def begin(self) -> _Teller | None:
        """What a client tells of its doings; None if no provider was set up."""
        tracers = self._tracers or trace.get_tracer_provider()
        meters = self._meters or metrics.get_meter_provider()
        # proxies stand where nothing was set up, and drop all they are told
        traced = not isinstance(
            tracers, trace.ProxyTracerProvider | trace.NoOpTracerProvider
        )
        metered = type(meters).__name__ not in (
            "_ProxyMeterProvider",
            "NoOpMeterProvider",
        )
        if not traced and not metered:
            return None
        return _Teller(
            tracers if traced else trace.NoOpTracerProvider(),
            meters if metered else metrics.NoOpMeterProvider(),
        )


class _Teller:
    """Spans and metrics of one client."""

    def __init__(self, tracers: TracerProvider, meters: MeterProvider) -> None:
        self._tracer = tracers.get_tracer(_NAME, __version__)
        meter = meters.get_meter(_NAME, __version__)
        self._durations = meter.create_histogram(
            "http.client.request.duration", "s", "Duration of HTTP client requests."
        )
        self._submissions = meter.create_counter(
            "qawait.submissions", "{submission}", "Submissions by outcome."
        )
        self._retries = meter.create_counter(
            "qawait.retries", "{request}", "Requests sent again, by reason."
        )
        self.questions = meter.create_counter(
            "qawait.questions", "{question}", "Questions about jobs."
        )
        self.delays = meter.create_histogram(
            "qawait.news.delay",
            "s",
            "From the end of a job at the service until it is known here.",
        )
        self.under_way = meter.create_up_down_counter(
            "qawait.jobs.in_flight", "{job}", "Jobs that are followed."
        )
        self.ends = meter.create_counter(
            "qawait.jobs.ended", "{job}", "Jobs that have ended, by outcome."
        )

    # --- requests ---------------------------------------------------------------------

    @contextmanager
    def attempt(self, attempt: Attempt) -> Generator[None]:
        """A span around one request, and its duration."""
        about: dict[str, Any] = {
            "http.request.method": attempt.method,
            "server.address": attempt.host,
        }
        if attempt.port is not None:
            about["server.port"] = attempt.port
        known = {
            "url.full": attempt.url,
            "http.request.body.size": attempt.bytes_sent,
            "qawait.request": attempt.kind,
        }
        began = time.perf_counter()
        with self._span(attempt.method, about | known, SpanKind.CLIENT) as span:
            try:
                yield
            except BaseException as error:
                about["error.type"] = type(error).__name__
                raise
            finally:
                if attempt.status is not None:
                    about["http.response.status_code"] = attempt.status
                    span.set_attribute("http.response.status_code", attempt.status)
                    size = attempt.bytes_received
                    span.set_attribute("http.response.body.size", size)
                    if attempt.status >= 400:
                        about["error.type"] = str(attempt.status)
                if "error.type" in about:
                    _failed(span, about["error.type"])
                self._durations.record(time.perf_counter() - began, about)

    def repeated(self, reason: str) -> None:
        """A request is sent again, because of this."""
        self._retries.add(1, {"error.type": reason})

    # --- submissions ------------------------------------------------------------------

    @contextmanager
    def submission(self, about: About) -> Generator[_SubmissionTale]:
        """A span around one submission, with all its requests."""
        known: dict[str, Any] = {
            "qawait.submission.id": about.submission_id,
            "qawait.circuits": about.circuits,
            "qawait.shots": about.shots,
        }
        if about.target is not None:
            known["qawait.target"] = about.target
        with self._span("qawait submit", known, SpanKind.INTERNAL) as span:
            yield _SubmissionTale(self, span, about.target)

    def submitted(self, outcome: Delivery, target: str | None) -> None:
        """A submission is over, in this way."""
        about = {"qawait.outcome": outcome.value, "qawait.target": target or ""}
        self._submissions.add(1, about)

    # --- jobs -------------------------------------------------------------------------

    def job(self, job: Followed, *, resumed: bool) -> _JobTale:
        """A span for the following of a job, in the trace of its submission."""
        about: dict[str, Any] = {"qawait.job.id": job.id, "qawait.resumed": resumed}
        if job.submission_id:
            about["qawait.submission.id"] = job.submission_id
        if job.target is not None:
            about["qawait.target"] = job.target
        links: list[Link] = []
        parent = None
        if job.trace is not None:
            parent = _W3C.extract({_PARENT: job.trace})
            here = trace.get_current_span().get_span_context()
            there = trace.get_current_span(parent).get_span_context()
            if here.is_valid and here.trace_id != there.trace_id:
                links.append(Link(here))
        span = self._tracer.start_span(
            "qawait job", parent, attributes=about, links=links
        )
        return _JobTale(self, span, job)

    # --- inside -----------------------------------------------------------------------

    @contextmanager
    def _span(
        self, name: str, about: dict[str, Any], kind: SpanKind
    ) -> Generator[Span]:
        # the texts of errors may hold what a service said, and what was sent to it
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=about,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span


class _SubmissionTale:
    """A submission while it is sent."""

    def __init__(self, teller: _Teller, span: Span, target: str | None) -> None:
        self._teller = teller
        self._span = span
        self._target = target

    @property
    def trace(self) -> str | None:
        """The context of its span; None if it is not recorded."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get(_PARENT)

    def ended(self, outcome: Delivery, job_id: str | None, reason: str | None) -> None:
        """It is over, in this way."""
        self._teller.submitted(outcome, self._target)
        self._span.set_attribute("qawait.outcome", outcome.value)
        if job_id is not None:
            self._span.set_attribute("qawait.job.id", job_id)
        if reason is not None:
            _failed(self._span, reason)


class _JobTale:
    """A job while it is followed."""

    __slots__ = ("_about", "_context", "_span", "_teller")

    def __init__(self, teller: _Teller, span: Span, job: Followed) -> None:
        self._teller = teller
        self._span = span
        self._context: Context = trace.set_span_in_context(span)
        self._about = {"qawait.target": job.target or ""}
        teller.under_way.add(1, self._about)

    @contextmanager
    def asking(self) -> Generator[None]:
        """Its span is the current one for one question."""
        self._teller.questions.add(1, self._about)
        token = context.attach(self._context)
        try:
            yield
        finally:
            context.detach(token)

    def changed(self, change: Change) -> None:
        """An event for each state, at the time when it became known here."""
        about: dict[str, Any] = {
            "qawait.job.raw": change.raw,
            "qawait.job.inferred": change.inferred,
        }
        if change.at is not None:
            about["qawait.job.at"] = change.at.isoformat()
        self._span.add_event(change.state.value, about, _nanoseconds(change.seen_at))

    def ended(self, reason: str | None, *, late: float | None, goes_on: bool) -> None:
        """The end of its span, which may not be the end of the job."""
        teller, outcome = self._teller, reason or "ready"
        teller.under_way.add(-1, self._about)
        if not goes_on:
            teller.ends.add(1, self._about | {"qawait.outcome": outcome})
        if late is not None:
            teller.delays.record(late, self._about)
            self._span.set_attribute("qawait.news.delay", late)
        self._span.set_attribute("qawait.outcome", outcome)
        if reason is not None and not goes_on:
            _failed(self._span, reason)
        self._span.end()


def _failed(span: Span, reason: str) -> None:
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
