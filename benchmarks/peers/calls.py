"""How a rival times one call after the other. Standard library only."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")


def repeated(
    report: dict[str, Any], work: Callable[[T], object], given: T, times: int
) -> None:
    """Do the work so often; `first_seconds` and the median of the others are reported.

    What a call gives is dropped after its time is taken: freeing it is not in it.
    """
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        result = work(given)
        taken.append(time.perf_counter() - began)
        del result
    report["first_seconds"] = taken[0]
    report["later_seconds"] = statistics.median(taken[1:])
