"""Jobs as the engine and the store know them, whatever dialect they came in."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from enum import StrEnum

from msgspec import Struct

from qawait._clock import utc_now as now

__all__ = ["Job", "Moment", "Stage", "now"]


class Stage(StrEnum):
    """Where a job stands; each dialect has its own words for these."""

    OPEN = "open"
    """Parts of it may still arrive (Qoro)."""
    RECEIVED = "received"
    COMPILING = "compiling"
    COMPILED = "compiled"
    """It waits for its turn."""
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def is_terminal(self) -> bool:
        """Whether a job in this stage never leaves it."""
        return self in _TERMINAL


_TERMINAL = frozenset({Stage.READY, Stage.FAILED, Stage.ABORTED})


class Moment(Struct, frozen=True):
    """When a job entered a stage (aware, UTC)."""

    stage: Stage
    at: datetime


class Job(Struct):
    """One job; it changes as it goes and is written as JSON into the store."""

    id: str
    kind: str
    """A key of `qawait.local.work.KINDS`."""
    dialect: str
    """The way it came, as the ledger names it."""
    target: str
    circuits: int
    shots: int
    """Shots over all circuits."""
    timeline: list[Moment]
    config: dict[str, object] | None = None
    """How to simulate, as the client posted it; None leaves it to the dialect."""
    maestro_config: dict[str, object] | None = None
    """Qoro: what newer clients post in its place, as it came."""
    expectation: bool = False
    """Qoro: whether it returns expectation values and no shots."""
    values: int = 0
    """Expectation values over all circuits."""
    message: str | None = None
    """Why it failed or was aborted."""
    parts: int = 0
    """Request bodies that belong to it."""
    drawn: bool = False
    """Whether its results are drawn at random and nothing was simulated."""
    seed: int | None = None
    """What its samples are drawn from; None draws anew."""
    repeats: bool = False
    """Whether labels may come twice, because a promise was broken for it."""
    seconds: float | None = None
    """The longest that it may run; None leaves it to the service."""

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self.timeline[-1].stage

    def enter(self, stage: Stage) -> None:
        """Moves on to a stage, at this moment."""
        self.timeline.append(Moment(stage, now()))

    def at(self, stage: Stage) -> datetime | None:
        """When it entered a stage; None if it has not."""
        return next((m.at for m in self.timeline if m.stage is stage), None)
