"""What was sent and what came back: the record that every submission writes first.

This one lives in memory. Its methods are the places in a submission at which something
must be known before the next step may happen.
"""

from __future__ import annotations

from msgspec import Struct

from qawait.model import Delivery

__all__ = ["Entry", "Journal"]


class Entry(Struct):
    """One submission and how far it came."""

    submission_id: str
    target: str
    circuits: int
    shots: int
    sending: bool = False
    """Whether a byte of it may have left this machine."""
    delivery: Delivery | None = None
    """None until the first answer, or until it is known that there is none."""
    job_id: str | None = None


class Journal:
    """A record of submissions in the memory of this process."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def intend(
        self, submission_id: str, *, target: str, circuits: int, shots: int
    ) -> None:
        """Write down a submission before anything of it is sent."""
        self.entries[submission_id] = Entry(submission_id, target, circuits, shots)

    def sending(self, submission_id: str) -> None:
        """Write down that the first byte leaves now; if this raises, none does."""
        self.entries[submission_id].sending = True

    def outcome(
        self, submission_id: str, delivery: Delivery, job_id: str | None = None
    ) -> None:
        """Write down what is known of a submission.

        What was unknown once stays so: a later refusal of a repeated attempt says
        nothing about the first one.
        """
        entry = self.entries[submission_id]
        if job_id is not None:
            entry.job_id = job_id
        if entry.delivery is not Delivery.UNKNOWN or delivery is Delivery.ACCEPTED:
            entry.delivery = delivery
