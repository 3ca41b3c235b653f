# pyright: basic
"""The work of `qawait sweep --dask`: the points of a grid on a cluster's workers."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from qawait.cli.text import say
from qawait.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qawait._sweep.point import Point
    from qawait.services import IQMService, QoroService

__all__ = ["named_service", "sharded"]


def named_service(
    service: str | None, tokens_file: Path | None
) -> str | Callable[[], IQMService | QoroService] | None:
    """What workers make the service of; each reads its token where it is.

    Args:
        service: As `--service` takes it; None reads `QAWAIT_SERVICE` here.
        tokens_file: Of IQM, as workers see it.
    """
    text = (service if service is not None else os.environ.get("QAWAIT_SERVICE")) or ""
    if text in ("", "local"):
        return None
    if tokens_file is None:
        return text
    from qawait.services import parse_service

    return partial(parse_service, text, None, tokens_file)


async def sharded(
    address: str,
    service: str | Callable[[], IQMService | QoroService] | None,
    target: str | None,
    circuit: Any,
    grid: dict[str, list[float]],
    directory: Path,
    **options: Any,
) -> tuple[list[Point], str | None]:
    """All points of a grid by their place in it, and why points were left, if any were.

    Raises:
        MissingExtra: Dask is not installed.
        ConfigurationError: There is no scheduler at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("--dask", "dask") from error
    from qawait.dask import sweep

    try:
        cluster = await Client(address, asynchronous=True)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"there is no Dask scheduler at {address}: {error}"
        ) from error
    async with cluster:
        sweeping = sweep(
            cluster,
            service,
            circuit,
            grid,
            directory=directory,
            connect={"target": target},
            **options,
        )
        async with sweeping:
            threads = sum((await cluster.ncores()).values())
            say(f"{sweeping.progress.total} points on {threads} threads at {address}")
            points = [point async for point in sweeping]
            return sorted(points, key=lambda point: point.index), sweeping.stopped
