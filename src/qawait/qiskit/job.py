# pyright: basic
"""A job that is one for Qiskit's programs, and one that can be awaited."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobStatus, JobTimeoutError, JobV1

from qawait.errors import ConfigurationError, JobCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from qawait.qiskit.backend import QawaitBackend
    from qawait.qiskit.running import Running
    from qawait.qiskit.work import Standing

__all__ = ["QawaitJob"]


class QawaitJob(JobV1, BasePrimitiveJob):
    """What `run` of the backend and of the primitives gives: everything that it runs.

    `job.result()` waits, `await job` does so in an event loop; both as often as you
    like, and each gives the same object. It is one job to Qiskit, and as many at the
    service as its circuits need.
    """

    def __init__(
        self, backend: QawaitBackend, running: Running[Any], standing: Standing
    ) -> None:
        super().__init__(backend, str(uuid.uuid4()))
        self._on = backend.name
        self._running = running
        self._standing = standing

    def submit(self) -> None:
        """Never of use: a job of `run` is on its way already."""
        raise ConfigurationError("the job was submitted by run(); wait for its result")

    def result(self, timeout: float | None = None) -> Any:
        """Wait for what `run` promised.

        Args:
            timeout: Seconds to wait; None waits as long as it takes. The job goes on
                when the time is over.

        Raises:
            Error: Why there is none; of a circuit, or of a job at the service.
            ConfigurationError: To wait here would stop the loop that the job runs in.
            TimeoutError: `timeout` is over.
        """
        if not self._running.wait(timeout):
            raise TimeoutError(
                f"the job is still {self.status().name.lower()} after {timeout:g} s; it "
                "goes on, and can be waited for again"
            )
        return self._running.value()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._running.awaited().__await__()

    def status(self) -> JobStatus:
        """Where it stands, at once.

        INITIALIZING until the service has taken a circuit, QUEUED until the first result
        is there, then RUNNING, and in the end DONE, ERROR or CANCELLED.
        """
        if not self._running.done:
            return self._standing.status
        error = self._running.error
        if error is None:
            return JobStatus.DONE
        cancelled = isinstance(error, JobCancelled)
        return JobStatus.CANCELLED if cancelled else JobStatus.ERROR

    def cancel(self) -> None:
        """Cancel what is under way at the service, and send nothing more."""
        self._running.cancel()

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5,
        callback: Callable[..., Any] | None = None,
    ) -> None:
        """Wait until it has ended, whichever way.

        Args:
            timeout: Seconds; None waits as long as it takes.
            wait: Seconds between two calls of `callback`.
            callback: Called with the job's id, its status and the job.

        Raises:
            qiskit.providers.JobTimeoutError: `timeout` is over.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(until - time.monotonic(), 0.0)
            step = (
                left if callback is None else min(wait, wait if left is None else left)
            )
            if self._running.wait(step):
                return
            if left == 0.0:
                raise JobTimeoutError(
                    f"job {self.job_id()} has not ended in {timeout} s"
                )
            if callback is not None:
                callback(self.job_id(), self.status(), self)

    @property
    def service_job_ids(self) -> tuple[str, ...]:
        """The service's ids of the jobs whose results are there."""
        return tuple(self._standing.job_ids)

    def __repr__(self) -> str:
        standing = self.status().name
        if not self.in_final_state():
            standing += "; `await job`, or job.result()"
        return f"<QawaitJob {self._job_id} on {self._on}: {standing}>"
