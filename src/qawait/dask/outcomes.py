"""What a shard sends back: every point, and all results in two blocks of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from qawait._sweep.point import Point
from qawait.journal.stored_results import pack_result, unpack_result
from qawait.results import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from qawait._sweep.settling import Progress
    from qawait.errors import Error

__all__ = ["Outcomes", "ShardTable", "outcomes_of"]


class ShardTable(Struct, frozen=True, kw_only=True):
    """What a driver keeps of a shard whose outcomes stay beside its worker."""

    path: str
    """A Parquet file: one row for each circuit that was sent."""
    points: int
    ready: int
    """With a result."""
    failed: int
    """With an error, the uncertain ones included."""
    uncertain: int
    """That may be running and billed."""


class _Settled(Struct, frozen=True):
    index: int
    key: str
    params: dict[str, float]
    attempt: int
    job_id: str | None
    submission_id: str | None
    error: Error | None
    recorded: bool


class Outcomes(Struct, frozen=True, kw_only=True):
    """The end of one shard.

    The results are one description and one block, so that pickle hands the block to
    Dask as it is, and the driver's arrays are views of what came over the wire.
    """

    points: tuple[_Settled, ...]
    description: bytes
    """Of the results, in the order of those points that have one."""
    block: NDArray[Any]
    progress: Progress
    stopped: str | None = None
    """Why points were left; None if none were."""
    table: ShardTable | None = None
    """Where the outcomes are that stay beside the worker."""

    def unpacked(self) -> Iterator[Point]:
        """The points; large arrays are views."""
        results: Iterator[Any] = iter(())
        if self.description:
            results = iter(unpack_result(self.description, self.block.data))
        for one in self.points:
            yield Point(
                key=one.key,
                index=one.index,
                params=one.params,
                attempt=one.attempt,
                job_id=one.job_id,
                submission_id=one.submission_id,
                result=None if one.error is not None else next(results),
                error=one.error,
                recorded=one.recorded,
            )


def outcomes_of(
    points: Sequence[Point],
    indexes: NDArray[Any],
    progress: Progress,
    stopped: str | None,
) -> Outcomes:
    """All points of a shard, packed.

    Args:
        points: As they came; their indexes are those of the shard.
        indexes: Of the sweep, by those of the shard.
        progress: The shard's.
        stopped: Why it left points; None if it did not.
    """
    circuits = [point.result for point in points if point.result is not None]
    description, block = b"", b""
    if circuits:
        # the points of a sweep have results of one kind
        packed = pack_result(Result(circuits, kind=circuits[0].kind, job_id=""))
        description, block = packed.description, b"".join(packed.block)
    return Outcomes(
        points=tuple(
            _Settled(
                index=int(indexes[point.index]),
                key=point.key,
                params=dict(point.params),
                attempt=point.attempt,
                job_id=point.job_id,
                submission_id=point.submission_id,
                error=point.error,
                recorded=point.recorded,
            )
            for point in points
        ),
        description=description,
        block=np.frombuffer(block, np.uint8),
        progress=progress,
        stopped=stopped,
    )
