"""How many one-circuit jobs a second go through, and what does each cost the client?

The service is `qawait serve --null`: it answers at once and simulates nothing, so the
numbers are about clients. It shares the machine with them; where it is the slower one,
jobs per second say little and processor time per job says more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conformance.environments import vendor_python
from tests.conformance.service import ledger
from tests.service.running import running

from benchmarks import harness

QUESTION = "How many one-circuit jobs a second go through, and what does each cost?"


def own_python() -> Path:
    return Path(sys.executable)


def iqm36_python() -> Path:
    return vendor_python("iqm36")


RIVALS = [
    harness.Rival("qawait", own_python, "roundtrip_qawait"),
    harness.Rival("iqm-client 36, 32 threads", iqm36_python, "roundtrip_iqm36"),
    harness.Rival(
        "iqm-client 36, 32 threads, calibration set pinned",
        iqm36_python,
        "roundtrip_iqm36",
        ("pinned",),
    ),
]

FIGURES = [
    harness.Figure(
        "jobs per second",
        lambda run: run.report["jobs"] / run.report["seconds"],
        higher_is_better=True,
    ),
    harness.Figure(
        "CPU milliseconds per job",
        lambda run: 1e3 * run.report["cpu_seconds"] / run.report["jobs"],
    ),
    harness.Figure(
        "requests per job", lambda run: run.report["requests"] / run.report["jobs"]
    ),
    harness.Figure("CPU seconds with imports", lambda run: run.process_cpu_seconds),
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
]


def main() -> None:
    options = harness.parse_options(QUESTION, RIVALS)
    size = {"jobs": 8 if options.smallest else 200, "shots": 100}
    runs = []
    with running("--null") as service:
        for rival in harness.turns(RIVALS, options):
            asked = len(ledger(service)["requests"])
            run = harness.run(
                rival,
                service.url,
                str(size["jobs"]),
                str(size["shots"]),
                PEER_TOKEN=service.token,
            )
            run.report["requests"] = len(ledger(service)["requests"]) - asked
            runs.append(run)
    harness.report("roundtrip", QUESTION, size, runs, FIGURES, options)


if __name__ == "__main__":
    main()
