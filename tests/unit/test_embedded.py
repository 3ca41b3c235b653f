"""The end of the local service that a client has started."""

from __future__ import annotations

import sys
from subprocess import PIPE

import anyio
import pytest

from qawait import _embedded

STUBBORN = "import time; print(flush=True); time.sleep(600)"
OBEDIENT = "import sys; print(flush=True); sys.stdin.read()"


@pytest.mark.parametrize(("program", "ended"), [(OBEDIENT, 0), (STUBBORN, -9)])
async def test_a_service_that_does_not_end_by_itself_is_ended(
    program: str, ended: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ended:
        monkeypatch.setattr(_embedded, "_END", 0.2)
    process = await anyio.open_process(
        [sys.executable, "-c", program], stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    await process.stdout.receive()
    with anyio.fail_after(30):
        await _embedded._end(process)
    assert process.returncode == ended
