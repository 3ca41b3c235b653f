"""Coroutines that were not awaited say so, and are coroutines in every other respect."""

from __future__ import annotations

import asyncio
import inspect

import anyio
import pytest

import qawait
from qawait._forgotten import tells_if_forgotten, told_if_forgotten
from qawait.client import Client


@tells_if_forgotten("thing")
class Thing:
    """Something with coroutines."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def doubled(self, number: int) -> int:
        """Twice the number, after a while."""
        self.steps.append("begun")
        await asyncio.sleep(0)
        return 2 * number

    async def failing(self) -> None:
        raise ValueError("it failed")

    async def endless(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.steps.append("ended")

    async def _own(self) -> int:
        return 1

    def plain(self) -> int:
        return 3


async def test_it_is_awaited_as_ever():
    assert await Thing().doubled(21) == 42
    with pytest.raises(ValueError, match="it failed"):
        await Thing().failing()


async def test_it_is_a_coroutine_for_tasks_and_groups():
    thing = Thing()
    assert await asyncio.create_task(thing.doubled(1)) == 2
    assert await asyncio.gather(thing.doubled(2), thing.doubled(3)) == [4, 6]
    assert await asyncio.wait_for(thing.doubled(4), 30) == 8
    async with anyio.create_task_group() as group:
        group.start_soon(thing.doubled, 5)
    assert thing.steps == ["begun"] * 5


async def test_a_task_of_it_can_be_cancelled():
    thing = Thing()
    with anyio.move_on_after(0.01):
        async with anyio.create_task_group() as group:
            group.start_soon(thing.endless)
    task = asyncio.create_task(thing.endless())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert thing.steps == ["ended", "ended"]


def test_forgotten_it_says_what_to_write():
    call = Thing().doubled(1)
    assert repr(call) == (
        "<thing.doubled(...) was not awaited, and has done nothing: "
        "write `await thing.doubled(...)`>"
    )
    with pytest.raises(AttributeError, match=r"no 'real': write `await thing.doubled"):
        _ = call.real
    with pytest.raises(TypeError, match=r"write `\(await thing.doubled\(...\)\)\["):
        call[0]
    assert "not awaited" in call._repr_mimebundle_()["text/html"]
    call.close()
    call = Thing().failing()
    assert "`await thing.failing()`" in repr(call)
    call.close()


def test_debuggers_can_ask_it_what_they_ask_a_coroutine():
    call = Thing().doubled(1)
    assert inspect.getcoroutinestate(call) == inspect.CORO_CREATED
    assert (call.__name__, call.__qualname__) == ("doubled", "Thing.doubled")
    call.close()
    assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED


async def test_begun_it_says_that():
    thing = Thing()
    call = thing.doubled(1)
    task = asyncio.create_task(call)
    await asyncio.sleep(0)
    assert repr(call) == "<thing.doubled(...), begun>"
    assert "html" not in str(call._repr_mimebundle_())
    await task


def test_dropped_it_is_warned_of_by_python_itself():
    call = Thing().doubled(1)
    with pytest.warns(RuntimeWarning, match=r"'Thing.doubled' was never awaited"):
        del call


def test_what_is_no_public_coroutine_stays_what_it_is():
    assert Thing().plain() == 3
    assert inspect.iscoroutinefunction(Thing._own)


def test_a_signature_and_a_docstring_stay():
    assert list(inspect.signature(Thing.doubled).parameters) == ["self", "number"]
    assert Thing.doubled.__doc__ == "Twice the number, after a while."
    assert list(inspect.signature(Client.submit).parameters)[:3] == [
        "self",
        "circuits",
        "shots",
    ]


async def test_an_error_can_be_thrown_into_it():
    @told_if_forgotten("waiting()")
    async def waiting() -> str:
        try:
            await asyncio.sleep(0)
        except KeyError as error:
            return repr(error)
        return "nothing"

    call = waiting()
    call.send(None)
    with pytest.raises(StopIteration) as ended:
        call.throw(KeyError("k"))
    assert ended.value.value == "KeyError('k')"


async def test_opening_a_client_without_await_is_told_at_the_next_step():
    client = qawait.open()
    with pytest.raises(AttributeError, match=r"write `await qawait.open\(...\)`"):
        _ = client.submit  # type: ignore[attr-defined]
    client.close()
