"""Every benchmark still runs: at its smallest size, by itself, as a user starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = sorted(path.stem for path in ROOT.glob("benchmarks/bench_*.py"))


def records(benchmark: str, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--smallest", "--json"]
    finished = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_there_are_benchmarks() -> None:
    assert "bench_follow" in BENCHMARKS


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_benchmark_runs_without_its_rivals(benchmark: str) -> None:
    """The rivals' environments take minutes to build; ours is there."""
    found = records(benchmark, "--rival", "qawait")
    assert found
    for record in found:
        assert record["rival"] == "qawait"
        assert record["figures"]
        assert record["machine"]
        assert "qawait" in record["versions"]  # type: ignore[operator]


@pytest.mark.vendor
@pytest.mark.timeout(900)
@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_benchmark_runs_with_all_its_rivals(benchmark: str) -> None:
    assert len(records(benchmark)) > 1
