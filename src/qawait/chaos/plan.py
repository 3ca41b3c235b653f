"""How a program is to be tormented."""

from __future__ import annotations

import os

from msgspec import Struct

from qawait.errors import ConfigurationError

__all__ = ["FAULTS", "PROTOCOLS", "Plan"]

PROTOCOLS = ("iqm", "qoro")
"""One request for a job, and two phases."""

FAULTS = (
    "drop_reply:0.04@submit+finish,reset_reply:0.02@submit+finish,no_id:0.01@submit/iqm,"
    "reset:0.03@poll+results,503:0.02@poll,truncated:0.02@results"
)
"""Answers to submissions that are lost, and questions that go wrong."""


class Plan(Struct, frozen=True, kw_only=True):
    """What happens to a program, and how often.

    Raises:
        ConfigurationError: There is no such protocol, or this system cannot fork.
    """

    seed: int
    """Of the moments, and of the faults."""
    kills: int = 20
    protocol: str = "iqm"
    """`iqm` or `qoro`."""
    faults: str = FAULTS
    """A script as `qawait serve --faults` takes it; empty for none."""
    points: int = 40
    """Circuits of one sweep; there are as many sweeps as the kills take."""
    side_by_side: int = 4
    """Sweeps at once, each with a journal of its own, against one service."""
    rivals: float = 0.05
    """In how many of the kills a second process tries to use the journal before."""

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ConfigurationError(
                f"there is no protocol {self.protocol!r}; there is iqm and qoro"
            )
        if not hasattr(os, "fork"):
            raise ConfigurationError(
                "this system cannot fork a process, and chaos starts its programs so"
            )
