"""A real IPython kernel, and what a front end hears of it."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

DEADLINE = 40.0
"""Seconds that anything may take on a busy machine."""
LAUNCH = "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
UVLOOP = (
    "import asyncio, uvloop;"
    "asyncio.set_event_loop_policy(uvloop.EventLoopPolicy());" + LAUNCH
)


class Kernel:
    """Runs cells one after the other and keeps every message for the front end."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self.heard: list[dict[str, Any]] = []

    def run(self, code: str) -> list[dict[str, Any]]:
        """The outputs of a cell, which must not raise."""
        first = len(self.heard)
        asked: str = self._client.execute(code)
        self.seen(
            lambda message: (
                message["msg_type"] == "status"
                and message["content"]["execution_state"] == "idle"
                and message["parent_header"].get("msg_id") == asked
            )
        )
        shown = ("display_data", "execute_result", "stream", "error")
        outputs = [m for m in self.heard[first:] if m["msg_type"] in shown]
        assert [
            m["content"]["traceback"] for m in outputs if "error" in m["msg_type"]
        ] == []
        return outputs

    def seen(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message as wanted: heard already, or listened for."""
        until = time.monotonic() + DEADLINE
        read = 0
        while True:
            for message in self.heard[read:]:
                if wanted(message):
                    return message
            read = len(self.heard)
            left = max(until - time.monotonic(), 0.01)
            self.heard.append(self._client.get_iopub_msg(timeout=left))

    def updates(self, display_id: str) -> list[str]:
        """The plain text of every renewal of a display so far."""
        return [text_of(m) for m in self.heard if is_update(m, display_id)]


def id_of(message: dict[str, Any]) -> str:
    """The id of a display."""
    return message["content"]["transient"]["display_id"]


def text_of(message: dict[str, Any]) -> str:
    """What is shown, in plain text."""
    return message["content"]["data"]["text/plain"]


def is_update(message: dict[str, Any], display_id: str) -> bool:
    """Whether it renews this display."""
    return message["msg_type"] == "update_display_data" and id_of(message) == display_id


@contextlib.contextmanager
def kernel(launch: str = LAUNCH) -> Iterator[Kernel]:
    """A kernel until the block ends."""
    manager = KernelManager(transport="ipc")
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-P", "-c", launch, "-f", "{connection_file}"]
    )
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=DEADLINE)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        manager.context.destroy(linger=0)
