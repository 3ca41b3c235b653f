"""A circuit as Qoro takes it."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Circuit"]


class Circuit(Struct, frozen=True):
    """An OpenQASM 2 program under a label that is unique in its job.

    The label comes back with the result; the service promises no order.
    """

    label: str
    qasm: str
