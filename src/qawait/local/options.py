"""How the local service is to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct, field

from qawait.errors import ConfigurationError
from qawait.local.faults.promises import PROMISES
from qawait.local.faults.script import Fault  # noqa: TC001 (a field, resolved at run time)
from qawait.local.targets import CHIPS

if TYPE_CHECKING:
    from pathlib import Path

    from qawait.local.rate_limit import RateLimit

__all__ = ["Quotas", "ServeOptions"]


class Quotas(Struct, frozen=True, kw_only=True):
    """How much one job may ask for; more is refused with a sentence."""

    circuits: int = 20_000
    shots: int = 1_000_000
    """For each circuit."""
    shots_in_total: int = 10_000_000
    """Over all circuits of a job; a row of 20 bits takes 42 bytes as JSON."""
    body_bytes: int = 64 * 2**20
    """A request as sent, and again the circuits in it once unpacked."""
    seconds: float = 600.0
    """Time on the simulator."""


class ServeOptions(Struct, frozen=True, kw_only=True):
    """Options of `qawait serve` and `python -m qawait.local`.

    Raises:
        ConfigurationError: They cannot be right, by themselves or together.
    """

    host: str = "127.0.0.1"
    """An address of this machine's loopback; others are refused."""
    port: int = 0
    """0 takes one that is free."""
    store: Path | None = None
    """The file with the jobs; None keeps it in the user's state directory."""
    tokens_file: Path | None = None
    """A new file, only its owner's, that holds the token while the service runs and in
    place of the line that tells it; IQM's clients read it. None writes none."""
    private_store: bool = False
    """Whether the jobs are forgotten when the service ends."""
    null: bool = False
    """Whether every job is answered at once, and with random results."""
    service_time: float | None = None
    """Seconds each job takes on a machine; None takes as long as the simulation."""
    service_time_cv: float = 0.0
    """Standard deviation of the service times over their mean; they are log-normal."""
    servers: int = 1
    """Jobs that run side by side where there is a service time."""
    clock: str = "real"
    """`virtual` jumps over service times when somebody asks, and keeps no jobs."""
    seed: int | None = None
    """The same jobs give the same samples with it; None draws anew for each job. A job
    is the same if its circuits and shots are and as many equal ones came before it."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Simulator processes."""
    simulate_on: str | None = None
    """The address of a Dask scheduler whose workers simulate, as many jobs at once as they
    have threads; None simulates in `workers` processes of the service."""
    json: bool = True
    """Whether the line that tells the address is JSON."""
    follow_stdin: bool = False
    """Whether the service ends at the end of its standard input."""
    target: str = "square20"
    """The quantum computer that IQM's dialects show: `square20` or `star`."""
    rate_limit: RateLimit | None = None
    """What IQM's dialects allow in requests; None allows any number."""
    quotas: Quotas = Quotas()
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when; `qawait.local.faults.read_faults` reads a script. Which
    requests a rate falls on follows from the seed; the ledger tells both."""
    broken: frozenset[str] = frozenset()
    """Promises that Qoro's dialect does not keep, of `qawait.local.faults.PROMISES`."""

    def __post_init__(self) -> None:
        if self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigurationError(
                f"host {self.host} is not this machine's loopback; the service runs"
                " circuits for whoever holds its token and stays on 127.0.0.1"
            )
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port {self.port} is not between 0 and 65535")
        if self.service_time is not None and not 0 <= self.service_time < float("inf"):
            raise ConfigurationError("the service time must not be negative")
        if not 0 <= self.service_time_cv < float("inf"):
            raise ConfigurationError("the spread of service times is not negative")
        if self.service_time is None and self.service_time_cv:
            raise ConfigurationError("a spread of service times needs a service time")
        self._check_clock()
        if self.servers < 1 or self.workers < 1:
            raise ConfigurationError("there must be one server and one worker at least")
        if self.target not in CHIPS:
            raise ConfigurationError(
                f"there is no target {self.target}; there is {', '.join(CHIPS)}"
            )
        if unknown := sorted(self.broken.difference(PROMISES)):
            raise ConfigurationError(
                f"there is no promise {unknown[0]!r} to break; there is "
                f"{', '.join(PROMISES)}"
            )
        if self.null and self.simulate_on is not None:
            raise ConfigurationError("null simulates nothing, here or on a cluster")
        if self.private_store and self.store is not None:
            raise ConfigurationError(
                "a private store has no path; give one or the other"
            )

    def _check_clock(self) -> None:
        if self.clock not in ("real", "virtual"):
            raise ConfigurationError(f"clock {self.clock} is neither real nor virtual")
        if self.clock == "real":
            return
        if self.service_time is None:
            raise ConfigurationError(
                "a virtual clock jumps over service times: give one, such as 60s"
            )
        if self.store is not None:
            raise ConfigurationError(
                "a virtual clock keeps no jobs: their times would lie in the future"
            )
