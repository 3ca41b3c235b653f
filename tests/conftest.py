from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


# a developer's own tokens and addresses are none of the tests' business
for name in ("IQM_TOKEN", "IQM_TOKENS_FILE", "IQM_SERVER_URL", "IQM_QUANTUM_COMPUTER"):
    os.environ.pop(name, None)


# a shell that starts the tests in the background has them, and all they start, ignore it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# how fast a machine is today is no property of the code
settings.register_profile("qawait", deadline=None, print_blob=True)
settings.load_profile("qawait")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"debug": True}


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours inside an event loop fails the test."""
    with blockbuster_ctx("qawait"):
        yield
