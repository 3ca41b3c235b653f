"""How a rival measures and reports its own work. Standard library only."""

from __future__ import annotations

import json
import platform
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def measured(*packages: str) -> Iterator[dict[str, Any]]:
    """Measure the block and print the report; add to it what else should be known.

    Imports and the opening of connections before the block are not in `seconds` and
    `cpu_seconds`; the harness knows the whole process.
    """
    report: dict[str, Any] = {
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        }
    }
    began, worked = time.perf_counter(), time.process_time()
    yield report
    report["cpu_seconds"] = time.process_time() - worked
    report["seconds"] = time.perf_counter() - began
    json.dump(report, sys.stdout)
