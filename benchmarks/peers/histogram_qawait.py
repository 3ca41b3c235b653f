"""One page of results to histograms with qawait: ``FILE CALLS [strings]``.

"strings" also makes the dictionary of bit strings that the vendor's client always makes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.calls import repeated
from benchmarks.peers.measure import measured
from qawait.model import Answer, Manifest, State, Status
from qawait.qoro import pages
from qawait.results import Result  # noqa: TC001 (imported before the clock runs)

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPLETED = Status(raw="COMPLETED", state=State.READY)


def decoded(page: bytes) -> Result:
    exchange = pages.result("1", COMPLETED, Manifest())
    next(exchange)
    try:
        exchange.send([Answer(200, {}, page)])
    except StopIteration as finished:
        return finished.value
    raise AssertionError("the page is not the last one")


def counted(page: bytes) -> Mapping[str, int]:
    return decoded(page)[0].counts()


def main(page: bytes, calls: int, *, strings: bool) -> None:
    with measured("qawait", "msgspec", "numpy") as report:
        repeated(report, counted if strings else decoded, page, calls)
    assert decoded(page)[0].shots > 0


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).read_bytes(),
        int(sys.argv[2]),
        strings=sys.argv[3:] == ["strings"],
    )
