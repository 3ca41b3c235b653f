"""Fills the disk of a journal while a submission is under way, and says what is left.

Run as a program: the directory of a small disk, and "with" or "without" a ballast.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

from qawait import errors
from qawait.journal import writer
from qawait.model import Delivery
from tests.journals import OWNER, intent, opened, result


async def refused(awaitable) -> str:
    try:
        await awaitable
    except errors.JournalError as error:
        return type(error).__name__
    return ""


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1 << 16, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


async def main(disk: Path) -> dict[str, object]:
    verdict: dict[str, object] = {}
    async with opened(disk / "j", OWNER) as journal:
        for name in ("runs", "also runs"):
            await journal.intend(intent(name))
            await journal.sending(name)
        await journal.outcome("also runs", Delivery.ACCEPTED, "job-2")
        fill(disk / "filler")
        await journal.intend(intent("next"))
        verdict["sending"] = await refused(journal.sending("next"))
        await journal.outcome("runs", Delivery.ACCEPTED, "job-1")
        verdict["result"] = await refused(journal.ended("also runs", result("job-2")))
        verdict["sending again"] = await refused(journal.sending("next"))
        verdict["full"] = sorted(
            (r.intent.submission_id, r.job_id) for r in await journal.recorded()
        )
        (disk / "filler").unlink()
        await journal.sending("next")
        await journal.ended("also runs", result("job-2"))
        verdict["ballast"] = (disk / "j" / "ballast").exists()
    async with opened(disk / "j", OWNER) as journal:
        verdict["later"] = sorted(
            (r.intent.submission_id, r.standing.value, r.job_id)
            for r in await journal.recorded()
        )
    return verdict


if __name__ == "__main__":
    if sys.argv[2] == "without":
        writer.keep_ballast = lambda places: True
    print(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
