"""How long does a client take from what its user gives to the bytes that it sends?

Three works, each by itself: native circuits are held against the machine and become a
run request; OpenQASM programs are checked, compressed and packed into uploads; and the
local service's half, measurements become JSON. No request is in any of the times.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.conformance.environments import vendor_python
from tests.service.running import running

from benchmarks import harness

if TYPE_CHECKING:
    import argparse

    from tests.service.running import LocalService

QUESTION = "How long from what is given to the bytes that are sent?"
CALLS = 3
"""In each process; the figures are of the first call and the median of the others."""


def own_python() -> Path:
    return Path(sys.executable)


def iqm36_python() -> Path:
    return vendor_python("iqm36")


def divi15_python() -> Path:
    return vendor_python("divi15")


class Work(NamedTuple):
    """What is to be encoded, and by whom."""

    rivals: list[harness.Rival]
    size: dict[str, int]
    smallest: dict[str, int]
    figures: tuple[harness.Figure, ...] = ()


WORKS = {
    "circuits": Work(
        [
            harness.Rival("qawait", own_python, "encode_circuits_qawait", ("server",)),
            harness.Rival(
                "qawait, for iqm-client 31 and 32",
                own_python,
                "encode_circuits_qawait",
                ("station",),
            ),
            harness.Rival(
                "qawait, for iqm-client 29 and 30",
                own_python,
                "encode_circuits_qawait",
                ("station-30",),
            ),
            harness.Rival("iqm-client 36", iqm36_python, "encode_circuits_iqm36"),
        ],
        {"circuits": 1000, "instructions each": 200},
        {"circuits": 3, "instructions each": 10},
        (
            harness.Figure(
                "milliseconds of it to write JSON",
                lambda run: 1e3 * run.report["encode_seconds"],
            ),
        ),
    ),
    "upload": Work(
        [
            harness.Rival("qawait", own_python, "encode_upload_qawait"),
            harness.Rival("qoro-divi 0.15.1", divi15_python, "encode_upload_divi"),
        ],
        {"programs": 60, "gates each": 4000},
        {"programs": 2, "gates each": 20},
    ),
    **{
        f"measurements-{layout}": Work(
            [
                harness.Rival(name, own_python, "encode_measurements", (encoder,))
                for name, encoder in (
                    ("qawait", "qawait"),
                    ("msgspec of lists", "msgspec"),
                    ("json.dumps of lists", "json"),
                )
            ],
            {"circuits": 100, "shots": 10_000},
            {"circuits": 2, "shots": 50},
        )
        for layout in "AB"
    },
}

FIGURES = [
    harness.Figure(
        "milliseconds, first call", lambda run: 1e3 * run.report["first_seconds"]
    ),
    harness.Figure(
        "milliseconds, later calls", lambda run: 1e3 * run.report["later_seconds"]
    ),
    harness.Figure("MB that are sent", lambda run: run.report["bytes"] / 1e6),
    harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
    harness.Figure(
        "memory while it works in MB",
        lambda run: (run.report["grown_bytes"] or 0) / 1e6,
    ),
]


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
    of, _, layout = name.partition("-")
    where = layout or service.url
    runs = [
        harness.run(
            rival,
            where,
            *map(str, size.values()),
            str(CALLS),
            PEER_TOKEN=service.token,
        )
        for rival in harness.turns(work.rivals, options)
    ]
    harness.report(
        f"encode_{of}{layout and '_' + layout.lower()}",
        QUESTION,
        {"work": name, **size},
        runs,
        [*FIGURES[:2], *work.figures, *FIGURES[2:]],
        options,
    )


if __name__ == "__main__":
    main()
