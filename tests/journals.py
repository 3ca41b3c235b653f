"""Journals and submissions for tests: one of each, made in one line."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from qawait.journal.file import FileJournal
from qawait.journal.records import Identity, Intent, Point
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest
from qawait.results import Result

OWNER = Identity(
    endpoint="https://q.example", target="garnet", dialect="v1", account="a1b2"
)
LAYOUT = Layout((("a", 2), ("b", 1)), (("m", 1), ("m", 0), None))


def point(key: str, *, source: str = "", **parameters: float) -> Point:
    identity = hashlib.sha256(f"{key} {source}".encode()).digest()
    return Point(key=key, identity=identity, label=key, parameters=parameters)


def intent(submission_id: str = "s-1", *keys: str, **about: Any) -> Intent:
    """A submission with a point for each key; one circuit without keys."""
    labels = keys or ("0",)
    points = tuple(point(key, gamma=float(n), beta=n / 2) for n, key in enumerate(keys))
    return Intent(
        submission_id=submission_id,
        target="garnet",
        circuits=len(labels),
        shots=7 * len(labels),
        manifest=manifest(*labels),
        points=about.pop("points", points),
        **about,
    )


def manifest(*labels: str) -> Manifest:
    circuits = tuple(
        CircuitRecord(label=label, shots=7, layout=LAYOUT, qubits={"m": ("QB2", "QB9")})
        for label in labels
    )
    return Manifest(circuits=circuits, target="garnet", calibration_set_id="c-7")


def result(job_id: str, *labels: str, flip: int = 0) -> Result:
    """Seven shots of each circuit, other ones for each."""
    circuits = [
        {
            "m": np.unpackbits(np.uint8([[n + flip, 85]]).T, axis=1)[:, :2].repeat(
                4, 0
            )[:7]
        }
        for n, _ in enumerate(labels or ("0",))
    ]
    return Result.of_shots(circuits, manifest(*(labels or ("0",))), job_id=job_id)


@asynccontextmanager
async def opened(
    path: Path, owner: Identity = OWNER, **options: Any
) -> AsyncIterator[FileJournal]:
    journal = await FileJournal.open(path, owner, **options)
    try:
        yield journal
    finally:
        await journal.close()
