"""Brings quality figures of the target into journals, beside what is submitted.

Nothing waits for them, and a service that has none, or does not answer, is no error: then
the journal has no figures of that time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import anyio

from qawait._published import ARCHITECTURE_LIFETIME
from qawait.errors import Error
from qawait.journal.figures import Figure, Figures
from qawait.journal.rows import now

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from qawait._published import Published
    from qawait.iqm.calibration import QualityMetrics
    from qawait.journal.port import Journal

__all__ = ["FigureKeeper"]

log = logging.getLogger("qawait")

_PATIENCE = 1.0
"""For how many seconds a journal is held open for an answer that is under way."""


class FigureKeeper:
    """Asks for figures when something is submitted, and not again for ten minutes.

    A question that failed is not repeated before that either.

    Args:
        published: What the target says of itself.
    """

    def __init__(self, published: Published) -> None:
        self._published = published
        self._asked: dict[tuple[Path, str], float] = {}
        self._under_way: dict[asyncio.Task[None], Path] = {}

    def submitted(self, calibration_set_id: str | None, journal: Journal) -> None:
        """Something is submitted now under a calibration set; returns at once.

        Args:
            calibration_set_id: The set; None for a service that has none.
            journal: Where it is written down; in memory there is nothing to be kept.
        """
        path = journal.path
        if path is None or calibration_set_id is None:
            return
        key, moment = (path, calibration_set_id), anyio.current_time()
        asked = self._asked.get(key)
        if asked is not None and moment < asked + ARCHITECTURE_LIFETIME:
            return
        self._asked[key] = moment
        bringing = self._bring(calibration_set_id, journal, now())
        task = asyncio.create_task(bringing, name="qawait figures")
        self._under_way[task] = path
        task.add_done_callback(self._under_way.pop)

    async def settle(self, path: Path | None = None) -> None:
        """Wait a moment for what is under way, and drop what has not come by then.

        Args:
            path: Of which journal; None is of all.
        """
        tasks = [t for t, p in self._under_way.items() if path in (None, p)]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=_PATIENCE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _bring(
        self, calibration_set_id: str, journal: Journal, asked_at: datetime
    ) -> None:
        try:
            metrics = await self._published.quality_metrics(
                calibration_set_id, repeat=False
            )
            if figures := _numbers(metrics):
                await journal.keep_figures(
                    Figures(
                        calibration_set_id=calibration_set_id,
                        metric_set_id=metrics.id,
                        asked_at=asked_at,
                        figures=figures,
                    )
                )
        except Error as error:
            log.debug("the journal has no figures of this time: %s", error)


def _numbers(metrics: QualityMetrics) -> dict[str, Figure]:
    """Those figures that are one number, and were not taken back by the service."""
    return {
        name: Figure(
            value=observation.number,
            unit=observation.unit,
            uncertainty=observation.uncertainty,
            measured_at=observation.modified_at or observation.created_at,
        )
        for name, observation in metrics.observations.items()
        if observation.number is not None
    }
