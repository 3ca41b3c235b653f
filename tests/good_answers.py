"""Good answers to everything a dialect asks, and ways to spoil a body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qawait.iqm.detection import generation
from qawait.iqm.dialects import DIALECTS
from qawait.model import Answer, CircuitRecord, End, Manifest, State, Status
from qawait.qoro import account
from qawait.qoro.dialect import DIALECT as QORO
from tests.answers import answer_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from qawait.model import Dialect, Exchange

ALL: dict[str, Dialect] = {**DIALECTS, "qoro": QORO}
JOB = "00000000-0000-0000-0000-000000000007"
ENDED = Status(raw="ready", state=State.READY, end=End.READY)
FAILED = Status(raw="failed", state=State.FAILED, end=End.FAILED)
SENT = Manifest(circuits=(CircuitRecord(label="c", shots=2),))
UNKNOWN = Manifest()
DEEP = 200_000

CIRCUIT = {
    "name": "c",
    "instructions": [
        {"name": "measure", "locus": ["QB1"], "qubits": ["QB1"], "args": {"key": "m"}}
    ],
}
STATIC = {"qubits": ["QB1"], "computational_resonators": [], "connectivity": []}
GATE = {
    "implementations": {"constant": {"loci": [["QB1"]]}},
    "default_implementation": "constant",
    "override_default_implementation": {},
}
DYNAMIC = {
    "calibration_set_id": JOB,
    "qubits": ["QB1"],
    "computational_resonators": [],
    "gates": {"measure": GATE},
}
SPECIFICATION = {
    "quantum_architecture": {
        "name": "q",
        "qubits": ["QB1"],
        "qubit_connectivity": [],
        "operations": {},
    }
}
OBSERVATIONS = [{"dut_field": "QB1.t1", "value": 1e-5, "unit": "s"}]
OBSERVED = {"observation_set_id": JOB, "observations": OBSERVATIONS}
FLAT = {
    "calibration_set_id": JOB,
    "observations": {"QB1.t1": {"value": "1e-5"}},
    "metrics": {"QB1.t1": {"value": "1e-5"}},
}
RUN = {
    "id": JOB,
    "status": "ready",
    "measurements": [{"m": [[0], [1]]}],
    "metadata": {},
}
PAGE = {
    "count": 1,
    "next": None,
    "results": [
        {
            "label": "c",
            "results": {
                "encoding": "qh1",
                "n_bits": 1,
                "payload": "UUgxAQICAgABAwEBAgA=",
            },
        }
    ],
}
GOOD: list[tuple[str, Any]] = [
    ("/status", {"status": "ready", "queue_position": 3}),
    ("resultsV2/", PAGE),
    ("qpusystem/", []),
    ("simulatorcluster/", [{"name": "qoro_maestro"}]),
    ("dynamic-quantum-architecture", DYNAMIC),
    ("/gates", DYNAMIC),
    ("artifacts/static-quantum-architectures", [STATIC]),
    ("static-quantum-architectures/", STATIC),
    ("api/v1/quantum-architecture", STATIC),
    ("quantum-architecture", SPECIFICATION),
    ("quantum-computers", {"quantum_computers": [{"id": JOB, "alias": "q"}]}),
    ("health", {"healthy": True}),
    ("queue-availability", {"queue_length": 0}),
    ("duts", [{"label": "q", "dut_type": "chip"}]),
    ("observation-sets", OBSERVATIONS),
    ("/observations", OBSERVATIONS),
    ("calibration/metrics", FLAT),
    ("api/v1/calibration/", FLAT),
    ("calibration-sets", OBSERVED),
    ("measurements", [{"m": [[0], [1]]}]),
    ("payload", {"circuits": [CIRCUIT], "shots": 2}),
    ("request_parameters", {"shots": 2}),
    ("calibration_set_id", JOB),
    ("circuits_batch", [CIRCUIT]),
    ("timeline", [{"status": "ready", "timestamp": "2026-11-21T10:00:00+00:00"}]),
    ("error_log", {"user_error_message": "too long"}),
    ("client-libraries", {"iqm-client": {"name": "q", "min": "25", "max": "29"}}),
    ("about", {"software_versions": {"iqm-station-control-client": "9.8.0"}}),
    ("jobs/", RUN),
]


def good(path: str) -> bytes:
    """A good answer for a path: the first entry whose words are in it."""
    for words, document in GOOD:
        if words in path:
            return json.dumps(document).encode()
    raise LookupError(f"no good answer for {path}")


def carried(exchange: Exchange[Any], answer: Callable[[str], bytes]) -> Any:
    """The value of an exchange whose calls are answered by their paths."""
    answers: Any = None
    try:
        for _ in range(50):
            calls = exchange.send(answers)
            answers = [answer_to(call, answer(call.path)) for call in calls]
    except StopIteration as end:
        return end.value
    raise AssertionError("the exchange asks without end")


def finished(exchange: Exchange[Any], body: bytes, at: str = "") -> Any:
    """The value of an exchange in which calls with `at` in their path get this body."""
    return carried(exchange, lambda path: body if at in path else good(path))


def exchanges(dialect: Dialect) -> dict[str, Callable[[], Exchange[Any]]]:
    """Everything a dialect asks in several calls, by name."""
    found: dict[str, Callable[[], Exchange[Any]]] = {
        "find_target": lambda: dialect.find_target(None),
        "targets": dialect.targets,
        "result": lambda: dialect.result(JOB, ENDED, SENT),
        "adopted result": lambda: dialect.result(JOB, ENDED, UNKNOWN),
    }
    if dialect.vendor == "iqm":
        found["generation"] = lambda: generation(dialect)
    if (ending := dialect.ending) is not None:
        found["ending"] = lambda: ending(JOB, FAILED)
    if (architecture := dialect.architecture) is not None:
        found["architecture"] = lambda: architecture("q", None)
    if (static := dialect.static_architecture) is not None:
        found["static architecture"] = lambda: static("q")
    if (calibration := dialect.calibration_set) is not None:
        found["calibration set"] = lambda: calibration("q", None)
    if (metrics := dialect.quality_metrics) is not None:
        found["quality metrics"] = lambda: metrics("q", None)
    return found


def readers(dialect: Dialect) -> dict[str, Callable[[Answer], Any]]:
    """Everything a dialect reads from a single answer, by name."""
    found: dict[str, Callable[[Answer], Any]] = {
        "opened": dialect.read_opened,
        "status": dialect.read_status,
    }
    if dialect.vendor == "qoro":
        found |= {
            "configuration": account.read_configs,
            "execution configuration": account.read_execution_config,
            "credits": account.read_credits,
            "transactions": account.read_transactions,
            "blueprints": lambda answer: account.read_object(answer, "blueprints"),
        }
    return found


def paths(exchange: Exchange[Any]) -> list[str]:
    """The paths that an exchange asks when all is well."""
    asked: list[str] = []

    def answer(path: str) -> bytes:
        asked.append(path)
        return good(path)

    carried(exchange, answer)
    return asked


# --- what a body may be instead -------------------------------------------------------

HUGE = "1" + "0" * 5000
BAD: dict[str, bytes] = {
    "nothing": b"",
    "space": b" \n\t ",
    "a page": b"<!DOCTYPE html><html><title>502 Bad Gateway</title></html>",
    "a sentence": b"Service temporarily unavailable",
    "bytes": bytes(range(256)),
    "not UTF-8": b'{"status": "\xff\xfe", "id": "\xff"}',
    "an open object": b'{"status": "rea',
    "an open list": b'[{"m": [[0], [',
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a huge number": HUGE.encode(),
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "a string": b'"ready"',
    "an empty object": b"{}",
    "an empty list": b"[]",
    "a list of null": b"[null, null]",
    "a list of lists": b"[[[[]]]]",
    "a list of numbers": b"[1, 2.5, -3]",
    "nested lists": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "two documents": b"{}{}",
    "a trailing comma": b'{"status": "ready",}',
    "a comment": b'/* ready */ {"status": "ready"}',
    "a mark of order": b"\xef\xbb\xbf{}",
    "wide characters": '{"status": "ready"}'.encode("utf-16"),
    "a lone surrogate": b'{"status": "\\ud800", "id": "\\udfff", "job_id": "\\ud800"}',
    "a nul": b'{"status": "ready\x00", "id": "a\\u0000b"}',
}
EVIL = "\x1b[31mred\r\n\x00\u202eevil/../%2f"
TYPES = (None, True, -1, 10**400, 2.5, "word", EVIL, [], [[]], {}, {"a": {}})


def replaced(document: Any, random: Random) -> Any:
    """The document with one of its values, at any depth, replaced or removed."""
    if isinstance(document, dict) and document and random.random() < 0.8:
        key = random.choice(sorted(document))
        if random.random() < 0.2:
            return {k: v for k, v in document.items() if k != key}
        return document | {key: replaced(document[key], random)}
    if isinstance(document, list) and document and random.random() < 0.8:
        place = random.randrange(len(document))
        if random.random() < 0.2:
            return document + document
        return [
            replaced(item, random) if n == place else item
            for n, item in enumerate(document)
        ]
    return random.choice(TYPES)
