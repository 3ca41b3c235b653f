from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from qawait.errors import ClientClosed, ConfigurationError
from qawait.qiskit.running import ClientLoop, Running


class Loop:
    """An event loop in a thread of its own, until the block ends."""

    def __enter__(self) -> Loop:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        ready = asyncio.run_coroutine_threadsafe(self._home(), self.loop)
        self.thread.start()
        self.home = ready.result(10)
        return self

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    async def _home(self) -> ClientLoop:
        return ClientLoop()

    def __exit__(self, *_: object) -> None:
        # one that has ended by itself is closed
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


async def seven() -> int:
    return 7


async def wrong() -> int:
    raise ConfigurationError("wrong")


def test_a_thread_waits_for_a_value_as_often_as_it_likes():
    with Loop() as there:
        running = Running(there.home, seven)
        assert running.wait(10)
        assert running.value() == running.value() == 7
        assert running.error is None


async def test_a_loop_awaits_what_another_one_runs():
    with Loop() as there:
        running = Running(there.home, seven)
        assert await running.awaited() == await running.awaited() == 7


def test_each_who_asks_gets_an_error_of_its_own():
    with Loop() as there:
        running = Running(there.home, wrong)
        assert running.wait(10)
        raised: list[BaseException] = []
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="wrong") as caught:
                running.value()
            raised.append(caught.value)
        assert raised[0] is not raised[1]


def ended_before_it_began() -> Running[int]:
    """Work that was handed to a loop in its last moment."""
    reached, held = threading.Event(), threading.Event()
    with Loop() as there:

        def last() -> None:
            reached.set()
            held.wait(10)
            there.loop.stop()

        there.loop.call_soon_threadsafe(last)
        assert reached.wait(10)
        running = Running(there.home, seven)
        held.set()
    return running


def test_who_waits_for_a_loop_that_has_ended_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qawait.qiskit.running._LOOK", 0.01)
    running = ended_before_it_began()
    assert running.wait(10)
    with pytest.raises(ClientClosed, match="before the job had ended"):
        running.value()
    with pytest.raises(ClientClosed, match="connect again"):
        Running(running._home, seven)


async def test_who_awaits_a_loop_that_has_ended_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("qawait.qiskit.running._LOOK", 0.01)
    with pytest.raises(ClientClosed, match="before the job had ended"):
        await ended_before_it_began().awaited()


def test_what_is_cancelled_before_it_began_never_begins():
    begun: list[int] = []

    async def begin() -> int:
        begun.append(1)
        return 1

    with Loop() as there:
        held = threading.Event()
        there.loop.call_soon_threadsafe(held.wait, 10)
        running = Running(there.home, begin)
        running.cancel()
        held.set()
        assert running.wait(10)
        assert type(running.error).__name__ == "JobCancelled"
    assert not begun
