"""What a target says of itself, asked for once and used for a while."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from msgspec import Struct

from qawait._single_flight import SingleFlight
from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qawait._service import Service
    from qawait.iqm.architecture import (
        DynamicQuantumArchitecture,
        StaticQuantumArchitecture,
    )
    from qawait.iqm.calibration import CalibrationSet, QualityMetrics
    from qawait.model import Exchange

__all__ = ["ARCHITECTURE_LIFETIME", "Published"]

T = TypeVar("T")

ARCHITECTURE_LIFETIME = 600.0
"""Seconds for which what may change is used without asking again."""

_FOR_EVER = float("inf")


class _Kept(Struct, frozen=True):
    value: Any
    until: float


class Published:
    """The answers of one target; many who ask at once cause one question.

    What a calibration set of a given id is never changes, so that answer is kept. What
    is current may change, and so may quality metrics, which can be measured again.
    """

    def __init__(self, service: Service, target: str) -> None:
        self._service = service
        self._target = target
        self._kept: dict[tuple[str, str | None], _Kept] = {}
        self._flights: defaultdict[tuple[str, str | None, bool], SingleFlight[Any]] = (
            defaultdict(SingleFlight)
        )

    async def architecture(
        self, set_id: str | None
    ) -> DynamicQuantumArchitecture | None:
        """What the target can do under a calibration set; None if it takes any circuit."""
        ask = self._service.dialect.architecture
        if ask is None:
            return None
        return await self._once(
            ("architecture", set_id),
            lambda: ask(self._target, set_id),
            lasts=set_id is not None,
        )

    async def static_architecture(self) -> StaticQuantumArchitecture | None:
        """The chip; None for a target that has none."""
        ask = self._service.dialect.static_architecture
        if ask is None:
            return None
        return await self._once(("chip", None), lambda: ask(self._target), lasts=False)

    async def calibration_set(self, set_id: str | None) -> CalibrationSet:
        """A calibration set.

        Raises:
            ConfigurationError: The service publishes none.
        """
        ask = self._service.dialect.calibration_set
        if ask is None:
            raise self._none("calibration sets")
        return await self._once(
            ("calibration set", set_id),
            lambda: ask(self._target, set_id),
            lasts=set_id is not None,
        )

    async def quality_metrics(
        self, set_id: str | None, *, repeat: bool = True
    ) -> QualityMetrics:
        """The quality metrics of a calibration set.

        Args:
            set_id: The set; None is the current one.
            repeat: Whether a question that failed is asked again.

        Raises:
            ConfigurationError: The service publishes none.
        """
        ask = self._service.dialect.quality_metrics
        if ask is None:
            raise self._none("quality metrics")
        return await self._once(
            ("quality metrics", set_id),
            lambda: ask(self._target, set_id),
            lasts=False,
            repeat=repeat,
        )

    def _none(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"a service of the dialect {self._service.dialect.name} publishes no {what}"
        )

    async def _once(
        self,
        key: tuple[str, str | None],
        exchange: Callable[[], Exchange[T]],
        *,
        lasts: bool,
        repeat: bool = True,
    ) -> T:
        kept = self._kept.get(key)
        if kept is not None and anyio.current_time() < kept.until:
            return kept.value

        async def ask() -> T:
            asked_at = anyio.current_time()
            value = await self._service.exchange(exchange(), repeat=repeat)
            until = _FOR_EVER if lasts else asked_at + ARCHITECTURE_LIFETIME
            self._kept[key] = _Kept(value, until)
            return value

        # who wants it repeated must not share the failure of who does not
        return await self._flights[*key, repeat].join(ask)
