"""How a rival measures and reports its own work. Standard library only."""

from __future__ import annotations

import json
import platform
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def measured(*packages: str) -> Iterator[dict[str, Any]]:
    """Measure the block and print the report; add to it what else should be known.

    Imports and the opening of connections before the block are not in `seconds` and
    `cpu_seconds`; the harness knows the whole process. `grown_bytes` is how much more
    memory was resident at the worst moment of the block than just before it; None where
    the system does not tell.
    """
    report: dict[str, Any] = {
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        }
    }
    before = _resident("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    yield report
    report["cpu_seconds"] = time.process_time() - worked
    report["seconds"] = time.perf_counter() - began
    report["grown_bytes"] = _grown(before, _resident("VmHWM"))
    json.dump(report, sys.stdout)


def _resident(field: str) -> int | None:
    """Memory of this process, now (VmRSS) or at its worst moment so far (VmHWM).

    Not what `resource` tells: a new process inherits that from the one that began it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    return None


def _grown(before: int | None, peak: int | None) -> int | None:
    return None if before is None or peak is None else peak - before
