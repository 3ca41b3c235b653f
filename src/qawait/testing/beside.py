"""A quantum service beside a test, for programs of every kind."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

from qawait.testing.inside import ServiceOptions, service
from qawait.testing.threads import in_own_loop

if TYPE_CHECKING:
    from collections.abc import Generator

    from qawait.testing.running import LocalService

__all__ = ["serving"]


@contextmanager
def serving(**options: Unpack[ServiceOptions]) -> Generator[LocalService]:
    """Run the local service in a thread for the length of the block.

    It is there in some milliseconds, on a port of this machine, for clients of every
    kind: asynchronous or not, vendors' own, in this process or in another one. The
    fixture `qawait_service` is made of it.

    Args:
        options: What `service` takes.

    Raises:
        ConfigurationError: An option cannot be right.
    """
    with in_own_loop(lambda: service(**options), "qawait.testing service") as there:
        yield there
