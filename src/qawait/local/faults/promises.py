"""What a client must take on trust of a service with two phases, each to be broken.

Nothing says that Qoro keeps them; so the client's rules are tried with and without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROMISES", "read_promises"]

PROMISES: Mapping[str, str] = {
    "P1": "a job that was never finished never runs; broken, it runs after a while",
    "P2": "a cancelled job takes no further circuits; broken, they bring it back",
    "P3": "a finished job takes no further circuits; broken, it runs them all again",
    "P4": "status and cancellation tell the truth; broken, a job is PENDING until it "
    "has ended, and a cancelled one runs on",
}


def read_promises(text: str) -> frozenset[str]:
    """The promises named in a text such as `P1,P4`.

    Raises:
        ConfigurationError: There is no such promise.
    """
    named = frozenset(name.strip().upper() for name in text.split(","))
    for name in sorted(named.difference(PROMISES)):
        raise ConfigurationError(
            f"there is no promise {name!r} to break; there is {', '.join(PROMISES)}"
        )
    return named
