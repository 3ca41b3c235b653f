"""What does a job cost the client, from its submission to its result?

The service is `qawait serve --null`: it answers at once and simulates nothing, so the
numbers are about clients. It shares the machine with them; where it is the slower one,
jobs per second say little and processor time per job says more.

Each client has followed one job before it is timed. Three works, each by itself: small jobs, real ones, and the questions about jobs with
the network taken away, next to a plain GET that has nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.conformance.environments import vendor_python
from tests.conformance.service import ledger
from tests.service.running import running

from benchmarks import harness

if TYPE_CHECKING:
    import argparse

    from tests.service.running import LocalService

QUESTION = "What does a job cost the client, from its submission to its result?"


def own_python() -> Path:
    return Path(sys.executable)


def iqm36_python() -> Path:
    return vendor_python("iqm36")


_PEAK = harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6)
_OF_JOBS = (
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
    _PEAK,
)
_OF_QUESTIONS = (
    harness.Figure(
        "CPU microseconds per question",
        lambda run: 1e6 * run.report["cpu_seconds"] / run.report["questions"],
    ),
    harness.Figure(
        "questions per job", lambda run: run.report["questions"] / run.report["jobs"]
    ),
    _PEAK,
)


class Work(NamedTuple):
    """What is to be followed, and by whom."""

    rivals: tuple[harness.Rival, ...]
    size: dict[str, int]
    smallest: dict[str, int]
    figures: tuple[harness.Figure, ...] = _OF_JOBS


def _jobs(work: str) -> tuple[harness.Rival, ...]:
    vendor = "iqm-client 36, 32 threads"
    return (
        harness.Rival("qawait", own_python, "follow_qawait", (work,)),
        harness.Rival("aiohttp alone", own_python, "follow_aiohttp", (work,)),
        harness.Rival(vendor, iqm36_python, "follow_iqm36", (work,)),
        harness.Rival(
            f"{vendor}, calibration set pinned",
            iqm36_python,
            "follow_iqm36",
            (work, "pinned"),
        ),
    )


WORKS = {
    "small": Work(
        _jobs("small"), {"jobs": 2000, "shots": 100}, {"jobs": 8, "shots": 100}
    ),
    "real": Work(
        _jobs("real"), {"jobs": 200, "shots": 2000}, {"jobs": 2, "shots": 2000}
    ),
    "questions": Work(
        (
            harness.Rival("qawait", own_python, "question_qawait"),
            harness.Rival("aiohttp alone", own_python, "question_aiohttp"),
        ),
        {"jobs": 2000, "shots": 100},
        {"jobs": 8, "shots": 100},
        _OF_QUESTIONS,
    ),
}


def main() -> None:
    options, works = harness.chosen(
        QUESTION, {name: work.rivals for name, work in WORKS.items()}
    )
    with running("--null") as service:
        for name in works:
            _compare(name, service, options)


def _compare(name: str, service: LocalService, options: argparse.Namespace) -> None:
    work = WORKS[name]
    size = work.smallest if options.smallest else work.size
    runs: list[harness.Run] = []
    for rival in harness.turns(work.rivals, options):
        before = len(ledger(service)["requests"])
        run = harness.run(
            rival,
            service.url,
            str(size["jobs"]),
            str(size["shots"]),
            PEER_TOKEN=service.token,
        )
        run.report["requests"] = len(ledger(service)["requests"]) - before
        runs.append(run)
    harness.report(
        f"follow_{name}",
        QUESTION,
        {"work": name, **size},
        runs,
        work.figures,
        options,
    )


if __name__ == "__main__":
    main()
