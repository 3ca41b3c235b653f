"""Tell OpenTelemetry what a client does, and see the spans of one job."""

import asyncio

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import qawait
from qawait.iqm import Circuit, Instruction

FLIP = Circuit(
    "flip",
    (
        Instruction("prx", ("QB1",), {"angle": 3.14, "phase": 0.0}),
        Instruction("measure", ("QB1",), {"key": "m"}),
    ),
)

# the program's own, as for its other libraries; a real one sends spans elsewhere
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)


async def main() -> None:
    async with qawait.connect() as client:
        await (await client.submit(FLIP, shots=100))
    [submitted] = [s for s in spans.get_finished_spans() if s.name == "qawait submit"]
    [followed] = [s for s in spans.get_finished_spans() if s.name == "qawait job"]
    print("one trace:", submitted.context.trace_id == followed.context.trace_id)
    print("submission:", submitted.attributes["qawait.outcome"])
    for event in followed.events:
        print(event.name)


asyncio.run(main())

# prints:
# one trace: True
# submission: accepted
# pending compilation
# pending execution
# ready
