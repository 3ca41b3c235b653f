"""The command with which to go on from an error that leaves something open."""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003 (annotations of the Struct resolve at run time)

from msgspec import Struct

__all__ = ["Resuming", "explain_command", "resume_command"]


def resume_command(journal: Path) -> str:
    """The command that follows the jobs of a journal to their end."""
    return f"qawait resume {shlex.quote(str(journal))}"


def explain_command(journal: Path) -> str:
    """The command that says of everything open in a journal how to go on with it."""
    return f"qawait explain {shlex.quote(str(journal))}"


class Resuming(Struct, frozen=True):
    """From where another program comes back to the jobs of a client."""

    service: str | None = None
    """As `--service` takes it; None for one that ends with its client."""
    target: str | None = None

    def command(self, journal: Path | None, job_id: str | None) -> str | None:
        """The command that goes on; None where there is nothing to go on from.

        Args:
            journal: Where the submission is written down; None for nowhere on the disk.
            job_id: The service's id; None if it is not known.
        """
        if journal is not None:
            follows = self.service is not None
            return resume_command(journal) if follows else explain_command(journal)
        if job_id is None or self.service is None:
            return None
        target = ["--target", self.target] if self.target else []
        return shlex.join(
            ["qawait", "status", job_id, "--service", self.service, *target]
        )
