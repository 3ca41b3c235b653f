"""One harness for all benchmarks: who runs, how often, and what is written down.

Each rival runs alone in a process of its own and prints one JSON object about its work;
the harness adds what the system knows about the whole process. Rivals take turns, so
that a busy minute of the machine hits all of them, and both best and median are given.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.conformance.service import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")


class Rival(NamedTuple):
    """One way of doing the work."""

    name: str
    python: Callable[[], Path]
    """Gives the interpreter to run with; called only if this rival takes part."""
    module: str
    """A module of `benchmarks.peers`; it prints one JSON object."""
    arguments: tuple[str, ...] = ()


class Run(NamedTuple):
    """One run of one rival."""

    rival: str
    report: dict[str, Any]
    """What the rival says of itself: `seconds`, `cpu_seconds`, `versions`, and more."""
    process_cpu_seconds: float
    """Processor time of the whole process, imports and all."""
    peak_bytes: int
    """The most memory the process had resident."""


class Figure(NamedTuple):
    """A number worth comparing."""

    name: str
    of: Callable[[Run], float]
    higher_is_better: bool = False


def parse_options(
    question: str, rivals: Sequence[Rival], **more: dict[str, Any]
) -> argparse.Namespace:
    """Read the options that every benchmark takes, and `more` of its own.

    Args:
        question: What the benchmark answers.
        rivals: Who may take part.
        more: By the name of an option, what `add_argument` takes for it.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument(
        "--json", action="store_true", help="print JSON lines and keep them in results/"
    )
    parser.add_argument(
        "--smallest", action="store_true", help="the smallest size, once, kept nowhere"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each rival")
    parser.add_argument(
        "--rival",
        action="append",
        choices=[rival.name for rival in rivals],
        help="only this one (may be given again); all of them otherwise",
    )
    for name, how in more.items():
        parser.add_argument(f"--{name}", **how)
    options = parser.parse_args()
    if options.smallest:
        options.rounds = 1
    return options


def chosen(
    question: str, rivals: Mapping[str, Sequence[Rival]]
) -> tuple[argparse.Namespace, list[str]]:
    """Read the options of a benchmark of several works, and which of them are asked for.

    Args:
        question: What the benchmark answers.
        rivals: Who may take part in each work, by its name.
    """
    names = {rival.name: rival for group in rivals.values() for rival in group}
    options = parse_options(
        question,
        list(names.values()),
        work={"choices": list(rivals), "help": "only this one; all of them otherwise"},
    )
    works = [options.work] if options.work else list(rivals)
    asked = set(options.rival or names)
    return options, [w for w in works if asked & {rival.name for rival in rivals[w]}]


def turns(rivals: Sequence[Rival], options: argparse.Namespace) -> Iterator[Rival]:
    """Give each rival its turn, every round beginning with another one."""
    taking_part = [
        r for r in rivals if options.rival in (None, []) or r.name in options.rival
    ]
    for round_number in range(options.rounds):
        first = round_number % len(taking_part)
        yield from taking_part[first:] + taking_part[:first]


def run(rival: Rival, *arguments: str, **environment: str) -> Run:
    """Run a rival in a process of its own.

    Raises:
        RuntimeError: It ended with an error; the text has the end of what it wrote.
    """
    module = f"benchmarks.peers.{rival.module}"
    process = subprocess.Popen(
        [str(rival.python()), "-m", module, *arguments, *rival.arguments],
        cwd=ROOT,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{rival.name} ended with {process.returncode}: {output}")
    return Run(
        rival.name,
        json.loads(output),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def report(
    name: str,
    question: str,
    size: dict[str, Any],
    runs: Sequence[Run],
    figures: Sequence[Figure],
    options: argparse.Namespace,
) -> None:
    """Print what came out; with ``--json`` also keep it in ``results/``."""
    records = [
        {
            "benchmark": name,
            "rival": rival,
            "size": size,
            "rounds": options.rounds,
            "figures": {f.name: _best_and_median(f, mine) for f in figures},
            "versions": mine[0].report["versions"],
            "machine": machine(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        for rival, mine in _by_rival(runs).items()
    ]
    if not options.json:
        _print_table(question, size, records)
        return
    lines = "".join(json.dumps(record) + "\n" for record in records)
    sys.stdout.write(lines)
    if not options.smallest:
        unfinished = RESULTS / f"{name}.jsonl.tmp"
        RESULTS.mkdir(exist_ok=True)
        unfinished.write_text(lines)
        unfinished.replace(RESULTS / f"{name}.jsonl")


def machine() -> dict[str, Any]:
    """Describe the machine as far as it bears on the numbers."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "release": platform.release(),
    }


def _by_rival(runs: Sequence[Run]) -> dict[str, list[Run]]:
    grouped: dict[str, list[Run]] = {}
    for one in runs:
        grouped.setdefault(one.rival, []).append(one)
    return grouped


def _best_and_median(figure: Figure, runs: Sequence[Run]) -> dict[str, float]:
    values = [figure.of(one) for one in runs]
    best = max(values) if figure.higher_is_better else min(values)
    return {"best": _rounded(best), "median": _rounded(statistics.median(values))}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _print_table(
    question: str, size: dict[str, Any], records: Sequence[dict[str, Any]]
) -> None:
    print(question, "(" + ", ".join(f"{k} {v}" for k, v in size.items()) + ")")
    width = max(len(record["rival"]) for record in records)
    for name in records[0]["figures"]:
        print(f"\n{name:{width}}  {'best':>10}  {'median':>10}")
        for record in records:
            both = record["figures"][name]
            print(
                f"{record['rival']:{width}}  {both['best']:>10g}  {both['median']:>10g}"
            )
