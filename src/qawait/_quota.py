"""A service's rate limit as it is published, and what requests cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from qawait.model import Call

__all__ = ["IQM", "POLITE", "Kind", "Quota", "kind_of"]

Kind = Literal["submit", "read", "result", "cancel"]
"""What a request is for; each kind has a queue of its own."""


class Quota(Struct, frozen=True, kw_only=True):
    """A service's rate limit: units for any `window` seconds, and what requests cost."""

    units: int
    window: float
    """Seconds."""
    block: float = 5.0
    """Seconds to wait after a refusal that does not say how long."""
    read: int = 1
    cancel: int = 1
    submit: int = 1
    submit_more: int = 0
    """On top, for every `body_bytes` that are full."""
    body_bytes: int = 10 * 2**20

    def price(self, kind: Kind, body_bytes: int = 0) -> int:
        """What one request costs.

        Args:
            kind: What it is for; a result costs what any question costs.
            body_bytes: The length of its body.
        """
        match kind:
            case "submit":
                return self.submit + body_bytes // self.body_bytes * self.submit_more
            case "cancel":
                return self.cancel
            case _:
                return self.read


IQM = Quota(
    units=2000,
    window=10.0,
    block=30.0,
    read=10,
    cancel=100,
    submit=100,
    submit_more=100,
)
"""What IQM publishes. Wire reference, IQM, §3.3."""

POLITE = Quota(units=200, window=10.0)
"""For a service that publishes nothing: 20 requests a second, until it says otherwise."""


def kind_of(call: Call) -> Kind:
    """What a call is for."""
    match call.kind:
        case "submit":
            return "submit"
        case "change":
            return "cancel"
        case _:
            return "result" if call.result else "read"
