"""What a target says of itself is asked for once, and again when it may have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

import anyio
import pytest

from qawait import errors
from qawait._published import ARCHITECTURE_LIFETIME, Published
from qawait._service import Service
from qawait._single_flight import SingleFlight
from qawait.iqm.dialects import SERVER
from qawait.model import Exchange
from qawait.qoro.dialect import DIALECT as QORO
from qawait.testing import VirtualTimeLoop

T = TypeVar("T")


class Asked:
    """A service that takes a second for every answer, and counts them by path."""

    def __init__(self, dialect: Any = SERVER) -> None:
        self.dialect = dialect
        self.paths: list[str] = []
        self.failing = False

    async def exchange(
        self, exchange: Exchange[T], *, repeat: bool = True
    ) -> tuple[str, int]:
        [call] = next(exchange)
        self.paths.append(call.path.removeprefix("api/v1/calibration-sets/chip/"))
        await anyio.sleep(1)
        if self.failing:
            raise errors.NotFound(404, f"failure {len(self.paths)}")
        return call.path, len(self.paths)


def published(dialect: Any = SERVER) -> tuple[Published, Asked]:
    service = Asked(dialect)
    return Published(cast("Service", service), "chip"), service


def in_virtual_time(scenario: Callable[[], Any]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())


async def all_at_once(ask: Callable[[], Any], times: int) -> list[Any]:
    return await asyncio.gather(*(ask() for _ in range(times)), return_exceptions=True)


def test_many_who_ask_at_once_cause_one_question():
    async def scenario() -> None:
        it, service = published()
        told = await all_at_once(lambda: it.architecture(None), 50)
        assert len(set(told)) == 1
        assert service.paths == ["default/dynamic-quantum-architecture"]

    in_virtual_time(scenario)


def test_many_who_ask_at_once_share_a_failure_and_the_next_asks_again():
    async def scenario() -> None:
        it, service = published()
        service.failing = True
        told = await all_at_once(lambda: it.architecture(None), 50)
        assert {str(e) for e in told} == {"the service answered 404: failure 1"}
        assert len({id(e) for e in told}) == 50, "each raises an error of its own"
        service.failing = False
        await it.architecture(None)
        assert len(service.paths) == 2

    in_virtual_time(scenario)


def test_what_is_current_is_asked_again_after_ten_minutes():
    async def scenario() -> None:
        it, service = published()
        for ask in (it.architecture, it.calibration_set, it.quality_metrics):
            started = asyncio.get_running_loop().time()
            first = await ask(None)
            await anyio.sleep(
                started + ARCHITECTURE_LIFETIME - 0.1 - anyio.current_time()
            )
            assert await ask(None) == first
            await anyio.sleep(0.2)
            assert await ask(None) != first
        assert len(service.paths) == 6
        assert ARCHITECTURE_LIFETIME == 600

    in_virtual_time(scenario)


def test_a_calibration_set_with_an_id_is_asked_for_once_but_not_its_quality():
    async def scenario() -> None:
        it, service = published()
        for _ in range(3):
            await it.architecture("a")
            await it.architecture("b")
            await it.calibration_set("a")
            await it.quality_metrics("a")
            await anyio.sleep(ARCHITECTURE_LIFETIME)
        assert service.paths == [
            "a/dynamic-quantum-architecture",
            "b/dynamic-quantum-architecture",
            "a",
            *["a/metrics"] * 3,
        ]

    in_virtual_time(scenario)


def test_a_service_that_publishes_nothing_says_so():
    async def scenario() -> None:
        it, service = published(QORO)
        assert await it.architecture(None) is None
        assert await it.static_architecture() is None
        with pytest.raises(errors.ConfigurationError, match="publishes no calibration"):
            await it.calibration_set(None)
        with pytest.raises(errors.ConfigurationError, match="publishes no quality"):
            await it.quality_metrics("a")
        assert service.paths == []

    in_virtual_time(scenario)


def test_one_who_goes_away_does_not_take_the_answer_from_the_others():
    async def scenario() -> None:
        flight: SingleFlight[int] = SingleFlight()
        asked: list[str] = []

        async def ask(name: str) -> int:
            asked.append(name)
            await anyio.sleep(1)
            return len(asked)

        tasks = [
            asyncio.create_task(flight.join(lambda name=name: ask(name)))
            for name in ("first", "second", "third")
        ]
        await anyio.sleep(0.5)
        tasks[0].cancel()
        assert await tasks[1] == await tasks[2] == 2
        assert asked == ["first", "second"]

    in_virtual_time(scenario)
