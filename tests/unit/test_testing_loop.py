"""Virtual time: the clock of the loop, the time of day, and what lives in real time."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import anyio
import anyio.to_process
import anyio.to_thread
import pytest

from qawait._clock import utc_now
from qawait.errors import ConfigurationError
from qawait.testing import (
    START,
    VirtualTimeLoop,
    run_virtual,
    set_wall_clock,
    stall,
)

DAY = 86_400.0


def test_days_pass_at_once_and_in_order():
    async def main(days: int) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def tell(name: str, after: float) -> None:
            await anyio.sleep(after)
            seen.append((name, anyio.current_time()))

        async with anyio.create_task_group() as group:
            group.start_soon(tell, "late", days * 86_400.0)
            group.start_soon(tell, "early", 5.0)
        return seen

    before = time.perf_counter()
    assert run_virtual(main, 30) == [("early", 5.0), ("late", 2_592_000.0)]
    assert time.perf_counter() - before < 10


def test_the_time_of_day_goes_on_with_the_loop():
    async def main() -> tuple[datetime, datetime, datetime]:
        before = utc_now()
        await anyio.sleep(DAY + 0.5)
        return before, utc_now(), await anyio.to_thread.run_sync(utc_now)

    day = timedelta(days=1, seconds=0.5)
    assert run_virtual(main) == (START, START + day, START + day)
    leap = datetime(2028, 2, 28, 12, tzinfo=UTC)
    assert run_virtual(main, start=leap)[1] == datetime(
        2028, 2, 29, 12, 0, 0, 500_000, tzinfo=UTC
    )
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_correction_of_the_time_of_day_changes_no_waiting():
    async def main() -> None:
        set_wall_clock(datetime(2020, 1, 1, tzinfo=UTC))
        await anyio.sleep(60)
        assert anyio.current_time() == 60.0
        assert utc_now() == datetime(2020, 1, 1, 0, 1, tzinfo=UTC)
        with pytest.raises(ConfigurationError, match="time zone"):
            set_wall_clock(datetime(2020, 1, 1))

    run_virtual(main)


def test_what_was_due_while_the_process_was_stopped_happens_right_afterwards():
    async def main() -> list[float]:
        times: list[float] = []

        async def tick() -> None:
            for n in range(1, 5):
                await asyncio.sleep(n * 10 - asyncio.get_running_loop().time())
                times.append(anyio.current_time())

        ticking = asyncio.create_task(tick())
        await anyio.sleep(15)
        stall(20)
        await ticking
        return times

    assert run_virtual(main) == [10.0, 35.0, 35.0, 40.0]


@pytest.mark.parametrize(
    "in_a_thread",
    [
        # by its name, as programs do, for it is another one there
        lambda work: anyio.to_thread.run_sync(work),
        asyncio.to_thread,
        lambda work: asyncio.get_running_loop().run_in_executor(None, work),
    ],
    ids=["anyio", "asyncio", "loop"],
)
def test_the_clock_stands_still_while_a_thread_works(in_a_thread):
    async def main() -> tuple[int, float]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await anyio.sleep(1.0)
                ticks += 1

        loop = asyncio.get_running_loop()
        here = threading.get_ident()

        def work() -> float:
            assert threading.get_ident() != here
            # long enough for a clock that does not stand still
            for _ in range(20_000):
                at = loop.time()
            return at

        ticking = asyncio.create_task(tick())
        await anyio.sleep(2.5)
        at = await in_a_thread(work)
        ticking.cancel()
        return ticks, at

    assert run_virtual(main) == (2, 2.5)


def test_what_a_thread_raises_is_raised_and_other_threads_are_called_in_order():
    async def main() -> list[int]:
        order: list[int] = []

        async def call(number: int) -> None:
            await anyio.to_thread.run_sync(order.append, number)

        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(call, number)
        for call_it in (
            anyio.to_thread.run_sync(lambda: 1 // 0),
            asyncio.to_thread(lambda: 1 // 0),
        ):
            with pytest.raises(ZeroDivisionError):
                await call_it
        return order

    assert run_virtual(main) == list(range(50))


def test_a_process_is_waited_for_while_the_clock_stands_still():
    async def main() -> tuple[int, float]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 9.0)
            value = await anyio.to_process.run_sync(pow, 3, 4)
            at = anyio.current_time()
        return value, at

    assert run_virtual(main) == (81, 0.0)


def test_a_thread_may_say_how_long_it_takes():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await anyio.to_thread.run_sync(loop.stall, 7200.0)
        return anyio.current_time()

    assert run_virtual(main) == 7200.0


def test_other_loops_call_their_threads_as_ever():
    original = anyio.to_thread.run_sync

    async def elsewhere() -> int:
        return await anyio.to_thread.run_sync(lambda: 7)

    async def main() -> int:
        assert anyio.to_thread.run_sync is not original
        # a loop of its own, in real time, in another thread
        return await anyio.to_thread.run_sync(anyio.run, elsewhere)

    assert run_virtual(main) == 7
    assert anyio.to_thread.run_sync is original


def test_a_program_in_which_nothing_can_happen_any_more_says_where_it_waits():
    async def forgotten() -> None:
        async with anyio.create_task_group() as group:
            # not a timer that is due some day
            group.start_soon(anyio.sleep_forever)
            await anyio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(forgotten(), name="the forgotten one")
        await task

    with pytest.raises(RuntimeError, match=r"the forgotten one .*test_testing_loop"):
        run_virtual(main)


def test_a_function_that_runs_in_a_loop_cannot_start_virtual_time():
    async def main() -> None:
        with pytest.raises(ConfigurationError, match="not async"):
            run_virtual(main)
        with pytest.raises(ConfigurationError, match="run_virtual"):
            stall(1.0)

    asyncio.run(main())


def test_the_clock_never_goes_back():
    async def main() -> None:
        with pytest.raises(ConfigurationError, match="0 seconds or more"):
            stall(-1.0)

    run_virtual(main)


def test_it_is_the_loop_of_any_runner():
    async def main() -> datetime:
        await anyio.sleep(3600)
        return utc_now()

    told = anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    assert told == START + timedelta(hours=1)
