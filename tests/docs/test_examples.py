"""Every example in the documentation runs and prints what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))

_PRINTS = "# prints:"
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


def promised(source: str) -> list[str]:
    """The lines below `# prints:`, which end the file."""
    lines = source.splitlines()
    assert lines.count(_PRINTS) == 1
    block = lines[lines.index(_PRINTS) + 1 :]
    assert block
    assert all(line.startswith("# ") for line in block)
    return [line.removeprefix("# ") for line in block]


def differences(printed: list[str], lines: list[str]) -> list[str]:
    """Where what was printed is not what was promised, line by line.

    Three dots stand for what differs from run to run: one character or more. Nothing
    else may differ, and no line may be missing or added.
    """
    found = [
        f"printed {line!r}, promised {promise!r}"
        for line, promise in zip(printed, lines, strict=False)
        if not re.fullmatch(".+".join(map(re.escape, promise.split("..."))), line)
    ]
    if len(printed) != len(lines):
        found.append(f"printed {len(printed)} lines, promised {len(lines)}")
    return found


def run(program: Path, tmp_path: Path) -> str:
    """What a program prints, as for a newcomer.

    No variable names a service, nothing is said on standard error, and no file is left
    behind.
    """
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    ran = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        timeout=55,
        cwd=here,
        env={**kept, "HOME": str(home), "PYTHONUTF8": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert not list(here.iterdir())
    return ran.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_example_prints_what_it_says(name: str, tmp_path: Path):
    lines = promised((EXAMPLES / name).read_text())
    printed = run(EXAMPLES / name, tmp_path)
    assert not differences(printed.splitlines(), lines), printed


def test_the_program_in_the_readme_runs(tmp_path: Path):
    """The first one; it ends with counts and the shape of the bits."""
    [text, *_] = re.findall(
        r"^```python\n(.*?)^```$",
        (ROOT / "README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    program = tmp_path / "readme.py"
    program.write_text(text)
    *_, counts, shape = run(program, tmp_path).splitlines()
    assert differences([counts], ["{'00': ..., '11': ...}"]) == []
    assert shape == "(1000, 2)"


def test_the_command_in_the_readme_runs(tmp_path: Path):
    """The first one; it writes its counts where it says."""
    [command, *_] = re.findall(
        r"^(qawait run .*)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    words = command.replace("results/", f"{tmp_path}/results").split()[1:]
    ran = subprocess.run(
        [sys.executable, "-m", "qawait", *words],
        capture_output=True,
        text=True,
        timeout=55,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    counts = json.loads((tmp_path / "results" / "bell.json").read_text())
    assert "00" in str(counts)
    assert "11" in str(counts)


def test_there_are_examples():
    assert "first_job.py" in NAMES


@pytest.mark.parametrize(
    ("printed", "promise"),
    [
        (["{'01': 7}"], ["{'10': ...}"]),
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        (["x = "], ["x = ..."]),
        (["ab"], ["a"]),
    ],
)
def test_another_output_than_promised_is_noticed(
    printed: list[str], promise: list[str]
):
    assert differences(printed, promise)


def test_what_differs_from_run_to_run_may_differ():
    assert not differences(["{'01': 7, '10': 93}"], ["{'01': ..., '10': ...}"])
