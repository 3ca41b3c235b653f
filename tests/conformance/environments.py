"""Environments of the vendors' own clients, each apart from the project's.

Their pins exclude one another and ours, and they need Python 3.11 or 3.12, so each
lives in a virtual environment of its own below ``.cache/vendor``, built once and
found again by a hash of what went into it. Only the standard library is used here,
so that ``python -m tests.conformance.environments`` can build them ahead of a test run.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "iqm22": ("iqm-client==22.16",),
    "iqm28": ("iqm-client==28.0.0",),
    "iqm29": ("iqm-client==29.14.0",),
    "iqm36": ("iqm-client[qiskit]==36.0.0",),
    "divi14": ("qoro-divi==0.14.0",),
    "divi15": ("qoro-divi==0.15.1",),
}
"""What each environment holds; change a pin and a new environment is built."""

PYTHONS = ((3, 11), (3, 12))
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "vendor"

_INSTALL = ("install", "-q", "--disable-pip-version-check")
_PATIENCE = ("--retries", "10", "--timeout", "60")
_TRIES = 2
"""An index that is out of reach for a moment must not fail a whole run."""

_failures: dict[Path, str] = {}
"""Builds that failed in this process, so that not every test tries them again."""

# A distribution's Python may come without ensurepip, and a pyenv shim may exist
# for a version that is not switched on: only running it tells.
_PROBE = (
    "import ensurepip, json, platform, sys, venv; "
    "print(json.dumps([sys.executable, sys.base_prefix, platform.python_version()]))"
)


class EnvironmentUnavailable(Exception):
    """An environment cannot be had here; the one line says why and what to do."""


class Python(NamedTuple):
    """A Python that really runs and can make virtual environments."""

    executable: str
    prefix: str
    version: str


def vendor_python(name: str) -> Path:
    """Return the interpreter of a vendor's environment, building it if needed.

    Args:
        name: A key of `REQUIREMENTS`.

    Raises:
        EnvironmentUnavailable: There is no Python 3.11 or 3.12, or pip failed.
    """
    requirements = REQUIREMENTS[name]
    python = find_python()
    home = CACHE / f"{name}-{_fingerprint(requirements, python)}"
    interpreter = home / "bin" / "python"
    if interpreter.exists():
        return interpreter
    if home in _failures:
        raise EnvironmentUnavailable(_failures[home])
    CACHE.mkdir(parents=True, exist_ok=True)
    with _lock(home.with_suffix(".lock")):
        if not interpreter.exists():
            _build_in_tries(home, requirements, python)
    return interpreter


def find_python(candidates: Iterable[str] | None = None) -> Python:
    """Return the first Python 3.11 or 3.12 that runs.

    Args:
        candidates: Interpreters to try, in order; None tries `pythons()`.

    Raises:
        EnvironmentUnavailable: There is none.
    """
    for candidate in pythons() if candidates is None else candidates:
        with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
            answer = subprocess.run(
                [candidate, "-I", "-c", _PROBE],
                capture_output=True,
                check=True,
                timeout=60,
            )
            python = Python(*json.loads(answer.stdout))
            if tuple(map(int, python.version.split(".")[:2])) in PYTHONS:
                return python
    names = " or ".join(f"python{major}.{minor}" for major, minor in PYTHONS)
    raise EnvironmentUnavailable(
        f"the vendors' clients need {names} (with venv and pip), and none of them "
        "runs here: install one and put it on PATH"
    )


def pythons() -> Iterator[str]:
    """Yield the running interpreter, then python3.11 and python3.12 on PATH."""
    yield sys.executable
    for major, minor in PYTHONS:
        for folder in os.get_exec_path():
            path = Path(folder, f"python{major}.{minor}")
            if path.exists():
                yield str(path)


def _fingerprint(requirements: tuple[str, ...], python: Python) -> str:
    ingredients = json.dumps([requirements, python.prefix, python.version])
    return hashlib.sha256(ingredients.encode()).hexdigest()[:12]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes that the system drops if we die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_in_tries(home: Path, requirements: tuple[str, ...], python: Python) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            _build(home, requirements, python)
        except EnvironmentUnavailable as error:
            if attempt == _TRIES:
                _failures[home] = str(error)
                raise
        else:
            return


def _build(home: Path, requirements: tuple[str, ...], python: Python) -> None:
    # Console scripts keep the temporary path in their first line; the interpreter
    # does not mind being renamed, and it is all that is ever used.
    for abandoned in CACHE.glob(f"{home.name}.*/"):
        shutil.rmtree(abandoned, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{home.name}.", dir=CACHE))
    try:
        _run([python.executable, "-m", "venv", str(unfinished)], home.name)
        pip = [str(unfinished / "bin" / "python"), "-m", "pip", *_INSTALL]
        _run([*pip, *_PATIENCE, *requirements], home.name)
        unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(command: list[str], name: str) -> None:
    finished = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode:
        lines = finished.stdout.strip().splitlines() or ["no output"]
        raise EnvironmentUnavailable(
            f"building the vendor environment {name} failed: {lines[-1]}"
        )


if __name__ == "__main__":
    try:
        for wanted in sys.argv[1:] or REQUIREMENTS:
            print(wanted, vendor_python(wanted))
    except EnvironmentUnavailable as error:
        sys.exit(str(error))
