"""Services of a few answers: the samples of each of IQM's dialects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.answers import answer_to

if TYPE_CHECKING:
    from qawait.model import Answer, Call, Exchange

T = TypeVar("T")

SAMPLES = Path(__file__).parent / "data" / "iqm"
READY = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"
FAILED = "0b2f8c61-5f3d-4c55-9f0e-6a1d6c0f4e11"
ABORTED = "e0a7c9d4-2b58-4b0b-8a3f-1c2d3e4f5a6b"


class SampleService:
    """Answers with the samples of one dialect, and remembers what was asked."""

    def __init__(self, name: str) -> None:
        self.answers: dict[str, Any] = json.loads(
            (SAMPLES / name / "answers.json").read_bytes()
        )
        self.asked: list[str] = []

    def answer(self, call: Call) -> Answer:
        key = f"{call.method} {call.path}"
        self.asked.append(key)
        if key not in self.answers:
            assert 404 in call.tolerated, f"no sample for {key}"
            return answer_to(call, b'{"detail":"Not Found"}', 404)
        body = self.answers[key]
        if isinstance(body, bytes):
            return answer_to(call, body)
        if key.endswith("error_log") and isinstance(body, str):
            return answer_to(call, body.encode())
        return answer_to(call, b"" if body is None else json.dumps(body).encode())

    def exchange(self, exchange: Exchange[T]) -> T:
        calls = next(exchange, None)
        try:
            while calls is not None:
                calls = exchange.send([self.answer(call) for call in calls])
        except StopIteration as stop:
            return stop.value
        raise AssertionError("the exchange asked nothing and has no value")
