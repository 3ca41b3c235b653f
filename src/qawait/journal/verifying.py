"""Everything about a journal that can be checked, down to the last byte of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qawait.errors import Error, JournalError
from qawait.journal.reading import copied, read
from qawait.journal.segments import segments_in

if TYPE_CHECKING:
    from pathlib import Path

    from qawait.journal.reading import Reading

__all__ = ["verify", "wrong_in"]


def verify(path: Path) -> list[str]:
    """What is wrong with a journal, in sentences; nothing if it is sound.

    Nothing is changed. While a program has it open, only what it has finished is looked
    at: the database is its own.

    Raises:
        JournalError: There is no journal.
    """
    try:
        reading = read(path)
    except JournalError as error:
        if not path.exists():
            raise
        return [str(error)]
    return wrong_in(reading)


def wrong_in(reading: Reading) -> list[str]:
    """What is wrong with a journal that can be read, in sentences."""
    wrong = [
        f"{anomaly.kind}: submission {anomaly.submission_id}: {anomaly.detail}"
        for anomaly in reading.anomalies
    ]
    for job in reading.jobs:
        if job.has_result:
            try:
                result = job.result()
            except Error as error:
                wrong.append(f"submission {job.submission_id}: {error}")
                continue
            if len(result) != job.circuits:
                wrong.append(
                    f"submission {job.submission_id}: {len(result)} results for"
                    f" {job.circuits} circuits"
                )
    if not reading.alive:
        found = {job.submission_id for job in reading.jobs if job.has_ended}
        wrong += _against_the_database(reading.path, found)
    return wrong


def _against_the_database(path: Path, found: set[str]) -> list[str]:
    with copied(path) as store:
        store.points.check()
        entries, counted = store.submissions.all(), store.lengths()
    gone = sorted(counted.keys() - set(segments_in(path / "results")))
    return [
        *(f"the file of results {number:06}.seg is gone" for number in gone),
        *(
            f"submission {entry.submission_id}: its end is no longer in the files of"
            " results"
            for entry in entries
            if entry.slot is not None and entry.submission_id not in found
        ),
    ]
