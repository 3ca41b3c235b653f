# pyright: basic
"""Where the local service's simulations run: its own processes, or a Dask cluster."""

from __future__ import annotations

import math
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from qawait.errors import ConfigurationError, MissingExtra
from qawait.local.work import call, warm_up, warm_up_anywhere

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from distributed import Client

    from qawait.local.work import Work

__all__ = ["DaskWorkers", "OwnProcesses", "Simulators", "on_cluster"]

T = TypeVar("T")

_WARM_UP = 60.0
"""Seconds for a simulator process to start; it takes one or two."""
_REACHED = 5.0
"""Seconds in which a Dask scheduler answers."""


class Simulators(Protocol):
    """Processes that work for the service."""

    async def warm_up(self, processes: int) -> None:
        """Load what takes long, so that the first jobs need not wait for it."""
        ...

    async def call(self, function: Callable[[Work], T], work: Work) -> T:
        """Call a function of a kind there.

        Raises:
            BrokenWorkerProcess: The process ended before the function did.
        """
        ...


class OwnProcesses:
    """Processes of the service itself; one that is cancelled is killed."""

    def __init__(self) -> None:
        self._unlimited = CapacityLimiter(math.inf)

    async def warm_up(self, processes: int) -> None:
        """Start so many."""
        async with anyio.create_task_group() as group:
            for _ in range(processes):
                group.start_soon(self._warm)

    async def call(self, function: Callable[[Work], T], work: Work) -> T:
        """Call a function in a process that has nothing else to do."""
        return await to_process.run_sync(
            call, function, work, cancellable=True, limiter=self._unlimited
        )

    async def _warm(self) -> None:
        try:
            with anyio.fail_after(_WARM_UP):
                await to_process.run_sync(
                    warm_up, cancellable=True, limiter=self._unlimited
                )
        except (TimeoutError, BrokenWorkerProcess):
            raise ConfigurationError(
                "a simulator process does not start: is Qiskit Aer installed as it "
                "should be? try `python -c 'import qiskit_aer'`"
            ) from None


class DaskWorkers:
    """The workers of a Dask cluster. A call whose worker dies is made again by Dask.

    A simulation that is cancelled runs on to its end there, and nobody waits for it.
    """

    def __init__(self, client: Client, threads: int) -> None:
        self._client = client
        self.threads = threads
        """Of all workers that were there at the start."""

    async def warm_up(self, processes: int) -> None:
        """Load the simulator on all workers that are there now."""
        try:
            with anyio.fail_after(_WARM_UP):
                await self._client.run(warm_up_anywhere)
        except Exception as error:
            raise ConfigurationError(
                "a worker of the Dask cluster cannot simulate: install the same version"
                f" of 'qawait[local,dask]' there ({type(error).__name__}: {error})"
            ) from None

    async def call(self, function: Callable[[Work], T], work: Work) -> T:
        """Call a function on some worker."""
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        key = f"qawait-simulation-{uuid.uuid4().hex}"
        future: Any = self._client.submit(function, work, key=key, pure=False)
        try:
            return await future
        except KilledWorker as error:
            raise BrokenWorkerProcess(str(error)) from None
        except FutureCancelledError as error:
            # the scheduler has gone, and all it knew with it
            raise BrokenWorkerProcess(str(error)) from None
        finally:
            future.release()


@asynccontextmanager
async def on_cluster(address: str) -> AsyncGenerator[DaskWorkers]:
    """The workers of the scheduler at an address.

    Raises:
        MissingExtra: Dask is not installed.
        ConfigurationError: There is no scheduler, or it has no worker.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("--simulate-on", "dask") from error
    client = Client(address, asynchronous=True, timeout=_REACHED, set_as_default=False)
    try:
        try:
            await cast("Any", client)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"there is no Dask scheduler at {address}: {error}"
            ) from None
        threads = sum((await cast("Any", client).ncores()).values())
        if not threads:
            raise ConfigurationError(f"the Dask scheduler at {address} has no worker")
        yield DaskWorkers(client, threads)
    finally:
        with anyio.CancelScope(shield=True):
            await cast("Any", client).close()
