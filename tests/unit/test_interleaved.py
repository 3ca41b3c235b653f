"""Much short work in the event loop leaves room for everything else."""

from __future__ import annotations

import asyncio

import pytest

from qawait import _interleaved
from qawait._interleaved import Interleaved


async def test_it_gives_what_the_function_gives():
    assert await Interleaved().run(lambda: 7) == 7


async def test_an_error_reaches_who_asked_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(_interleaved, "AT_A_TIME", 0.0)
    work = Interleaved()

    def fail() -> None:
        raise KeyError("mine")

    now, later, failing, after = (
        asyncio.create_task(work.run(function))
        for function in (fail, lambda: 1, fail, lambda: 2)
    )
    assert (await later, await after) == (1, 2)
    for task in (now, failing):
        with pytest.raises(KeyError, match="mine"):
            await task


async def test_work_that_comes_at_once_leaves_turns_to_others(
    monkeypatch: pytest.MonkeyPatch,
):
    """With no time at all, one function for each turn of the event loop."""
    monkeypatch.setattr(_interleaved, "AT_A_TIME", 0.0)
    work, seen = Interleaved(), list[str]()

    async def other() -> None:
        while len(seen) < 12:
            seen.append("other")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(work.run(lambda n=number: seen.append(f"work {n}")))
        group.create_task(other())
    assert [s for s in seen if s != "other"] == [f"work {n}" for n in range(6)]
    longest = max(len(run) for run in "".join(s[0] for s in seen).split("o"))
    assert longest <= 1


async def test_little_work_at_once_takes_one_turn():
    work, done = Interleaved(), list[int]()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while len(done) < 3:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(work.run(lambda n=number: done.append(n)))
        group.create_task(count())
    assert (done, turns) == ([0, 1, 2], 0)


async def test_who_no_longer_waits_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_interleaved, "AT_A_TIME", 0.0)
    work, done = Interleaved(), list[int]()
    first, second, third = (
        asyncio.create_task(work.run(lambda n=number: done.append(n)))
        for number in range(3)
    )
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([first, second, third])
    assert done == [0, 2]
    assert second.cancelled()


async def test_it_works_again_after_a_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_interleaved, "AT_A_TIME", 0.0)
    work = Interleaved()
    async with asyncio.timeout(10):
        for number in range(3):
            assert await work.run(lambda n=number: n) == number
            await asyncio.sleep(0)
            await asyncio.sleep(0)
