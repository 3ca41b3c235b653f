"""Dask clusters of real worker processes, for tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import dask
from distributed import Client, LocalCluster

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

QUICK_START = {"distributed.worker.multiprocessing-method": "forkserver"}
"""Workers that are forked from a process which has loaded Dask."""


@asynccontextmanager
async def local_cluster(workers: int = 2, **config: Any) -> AsyncGenerator[Client]:
    """An asynchronous client of a cluster on this machine, one thread each."""
    with dask.config.set({**QUICK_START, **config}):
        async with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                asynchronous=True,
                dashboard_address=":0",
            ) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):
            yield client
