"""How fast do the measurements of a large job become arrays, and in how much memory?

Two layouts of the same 20 qubits: A has one measurement key, B one for each classical
bit. The local service draws the results (`serve --null --seed 1`). Rivals that only
decode get its answer as a file, read before the clock runs; those that fetch ask the
service, and all of them for the same job.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conformance.environments import vendor_python
from tests.service.running import circuit, measure, run_request, running, submit

from benchmarks import harness
from benchmarks.data import MEASURED

if TYPE_CHECKING:
    from tests.service.running import LocalService

QUESTION = "How fast do the measurements of a large job become arrays?"
FETCHED = ", with the request"


def own_python() -> Path:
    return Path(sys.executable)


def iqm36_python() -> Path:
    return vendor_python("iqm36")


RIVALS = [
    harness.Rival("qawait", own_python, "decode_qawait"),
    harness.Rival(
        "qawait, and all counts as arrays", own_python, "decode_qawait", ("histograms",)
    ),
    harness.Rival(
        "qawait, and all counts as dicts", own_python, "decode_qawait", ("counts",)
    ),
    harness.Rival("msgspec, typed lists", own_python, "decode_msgspec"),
    harness.Rival("iqm-client 36", iqm36_python, "fetch_iqm36"),
    harness.Rival("qawait" + FETCHED, own_python, "fetch_qawait"),
    harness.Rival("numpy.sum of the bytes", own_python, "decode_numpy"),
]


def _figures(size: int) -> list[harness.Figure]:
    """The figures for a body of this size."""
    return [
        harness.Figure("seconds", lambda run: run.report["seconds"]),
        harness.Figure("CPU seconds", lambda run: run.report["cpu_seconds"]),
        harness.Figure(
            "MB of JSON per second",
            lambda run: size / 1e6 / run.report["seconds"],
            higher_is_better=True,
        ),
        harness.Figure("peak memory in MB", lambda run: run.peak_bytes / 1e6),
        harness.Figure(
            "memory while it works, as a share of the JSON",
            lambda run: (run.report["grown_bytes"] or 0) / size,
        ),
    ]


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        RIVALS,
        layout={"choices": list(MEASURED), "help": "only this one; else both"},
        circuits={"type": int, "default": 100},
        shots={"type": int, "default": 10_000},
    )
    if options.smallest:
        options.circuits, options.shots = 2, 50
    with (
        running("--null", "--seed", "1") as service,
        tempfile.TemporaryDirectory() as folder,
    ):
        for layout in [options.layout] if options.layout else MEASURED:
            body = Path(folder, f"{layout}.json")
            job_id = asyncio.run(_submitted(service, layout, options))
            _save(service, job_id, body)
            _compare(service, layout, job_id, body, options)


def _compare(
    service: LocalService, layout: str, job_id: str, body: Path, options: Any
) -> None:
    runs: list[harness.Run] = []
    for rival in harness.turns(RIVALS, options):
        given = (
            (service.url, job_id) if rival.module.startswith("fetch_") else (str(body),)
        )
        run = harness.run(rival, *given, PEER_TOKEN=service.token)
        if "request_seconds" in run.report:
            # One run, two figures: as its user has it, and only the client's own work.
            runs.append(run._replace(rival=rival.name + FETCHED))
            run = run._replace(report=run.report | _without_request(run.report))
        runs.append(run)
    size = {
        "layout": layout,
        "circuits": options.circuits,
        "shots": options.shots,
        "JSON bytes": body.stat().st_size,
    }
    figures = _figures(body.stat().st_size)
    name = f"decode_{layout.lower()}"
    harness.report(name, QUESTION, size, runs, figures, options)


def _without_request(report: dict[str, Any]) -> dict[str, float]:
    return {
        kind: report[kind] - report[f"request_{kind}"]
        for kind in ("seconds", "cpu_seconds")
    }


async def _submitted(service: LocalService, layout: str, options: Any) -> str:
    circuits = [
        circuit(f"c{n}", *(measure(key, *locus) for key, locus in MEASURED[layout]))
        for n in range(options.circuits)
    ]
    async with service.session() as session:
        return await submit(session, run_request(*circuits, shots=options.shots))


def _save(service: LocalService, job_id: str, body: Path) -> None:
    """Keep the answer, without ever holding it: children begin with our peak memory."""
    request = urllib.request.Request(
        f"{service.url}/api/v1/jobs/{job_id}/artifacts/measurements",
        headers={"Authorization": f"Bearer {service.token}"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=600) as answer, body.open("wb") as file:
        shutil.copyfileobj(answer, file)


if __name__ == "__main__":
    main()
