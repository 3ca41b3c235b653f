"""Submits one job with a journal, tells its spans, and is killed before it ends.

Run as a program: the address and token of a service, and a journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

import qawait
from qawait.iqm import Circuit, Instruction
from qawait.telemetry import Telemetry

CIRCUIT = Circuit(
    "canary-circuit",
    (
        Instruction("prx", ("QB1",), {"angle": 3.0, "phase": 0.0}),
        Instruction("measure", ("QB1", "QB2"), {"key": "m"}),
    ),
)


class Lines(SpanExporter):
    """A line for each span, written at once."""

    def export(self, spans: tuple[ReadableSpan, ...]) -> SpanExportResult:
        for span in spans:
            context = span.context
            assert context is not None
            told = {
                "name": span.name,
                "trace": context.trace_id,
                "span": context.span_id,
            }
            os.write(1, f"{json.dumps(told)}\n".encode())
        return SpanExportResult.SUCCESS


async def main(url: str, token: str, journal: Path) -> None:
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(Lines()))
    service = qawait.IQMService(url, token=token)
    client = await qawait.open(
        service, journal=journal, telemetry=Telemetry(tracer_provider=tracers)
    )
    await client.submit(CIRCUIT, shots=20)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
