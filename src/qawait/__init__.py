"""Await your quantum jobs: circuits in, arrays out, over HTTP, without losing one.

```python
import qawait

async with qawait.connect() as client:
    job = await client.submit(circuit, shots=1000)
    result = await job
    result[0].counts()
```

Every public name is loaded when it is first used, so that `import qawait` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qawait import errors, iqm, plot, qoro
    from qawait import telemetry as telemetry  # no name of `import *`: an extra
    from qawait._job import Job, as_completed
    from qawait._pace import Pace
    from qawait._progress import progress
    from qawait._sweep.budget import Budget
    from qawait._sweep.point import Point
    from qawait._sweep.sweep import Sweep
    from qawait._sync import connect_sync
    from qawait._transport import Limits, Retry
    from qawait.client import Client
    from qawait.connecting import connect
    from qawait.connecting import open_client as open  # noqa: A004
    from qawait.errors import (
        AmbiguousLabel,
        AuthenticationError,
        CircuitError,
        ClientClosed,
        ConfigurationError,
        Conflict,
        ConnectFailed,
        Error,
        InsufficientCredits,
        JobCancelled,
        JobError,
        JobFailed,
        JobMissing,
        JobTimedOut,
        JournalCorrupt,
        JournalError,
        JournalFull,
        JournalIdentityMismatch,
        JournalLocked,
        JournalTooNew,
        LevelError,
        MissingExtra,
        NoCounts,
        NoLayout,
        NoShotData,
        NoShots,
        NotFound,
        NotMeasured,
        PermissionDenied,
        PointMismatch,
        ProtocolError,
        RateLimited,
        RedirectRefused,
        RequestTimeout,
        ResponseError,
        ResponseTooLarge,
        ResponseTruncated,
        ResultError,
        ResultGone,
        ResultMismatch,
        ServiceUnavailable,
        SubmissionRejected,
        SubmissionUncertain,
        TlsFailed,
        TransportError,
        UnexpectedContent,
    )
    from qawait.iqm.run_result import RunResult
    from qawait.journal.reading import read
    from qawait.model import Change, State, Target
    from qawait.qoro.execution_config import (
        ExecutionConfig,
        SimulationMethod,
        Simulator,
    )
    from qawait.results import CircuitResult, Layout, Result
    from qawait.services import IQMService, QoroService

__all__ = [
    "AmbiguousLabel",
    "AuthenticationError",
    "Budget",
    "Change",
    "CircuitError",
    "CircuitResult",
    "Client",
    "ClientClosed",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "Error",
    "ExecutionConfig",
    "IQMService",
    "InsufficientCredits",
    "Job",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobMissing",
    "JobTimedOut",
    "JournalCorrupt",
    "JournalError",
    "JournalFull",
    "JournalIdentityMismatch",
    "JournalLocked",
    "JournalTooNew",
    "Layout",
    "LevelError",
    "Limits",
    "MissingExtra",
    "NoCounts",
    "NoLayout",
    "NoShotData",
    "NoShots",
    "NotFound",
    "NotMeasured",
    "Pace",
    "PermissionDenied",
    "Point",
    "PointMismatch",
    "ProtocolError",
    "QoroService",
    "RateLimited",
    "RedirectRefused",
    "RequestTimeout",
    "ResponseError",
    "ResponseTooLarge",
    "ResponseTruncated",
    "Result",
    "ResultError",
    "ResultGone",
    "ResultMismatch",
    "Retry",
    "RunResult",
    "ServiceUnavailable",
    "SimulationMethod",
    "Simulator",
    "State",
    "SubmissionRejected",
    "SubmissionUncertain",
    "Sweep",
    "Target",
    "TlsFailed",
    "TransportError",
    "UnexpectedContent",
    "as_completed",
    "connect",
    "connect_sync",
    "errors",
    "iqm",
    "open",
    "plot",
    "progress",
    "qoro",
    "read",
]

__version__ = "0.1.0"

_WHERE = {
    "Budget": ("_sweep.budget", "Budget"),
    "Change": ("model", "Change"),
    "CircuitResult": ("results", "CircuitResult"),
    "Client": ("client", "Client"),
    "ExecutionConfig": ("qoro.execution_config", "ExecutionConfig"),
    "IQMService": ("services", "IQMService"),
    "Job": ("_job", "Job"),
    "Layout": ("results", "Layout"),
    "Limits": ("_transport", "Limits"),
    "Pace": ("_pace", "Pace"),
    "Point": ("_sweep.point", "Point"),
    "QoroService": ("services", "QoroService"),
    "Result": ("results", "Result"),
    "Retry": ("_transport", "Retry"),
    "RunResult": ("iqm.run_result", "RunResult"),
    "SimulationMethod": ("qoro.execution_config", "SimulationMethod"),
    "Simulator": ("qoro.execution_config", "Simulator"),
    "State": ("model", "State"),
    "Sweep": ("_sweep.sweep", "Sweep"),
    "Target": ("model", "Target"),
    "as_completed": ("_job", "as_completed"),
    "connect": ("connecting", "connect"),
    "connect_sync": ("_sync", "connect_sync"),
    "open": ("connecting", "open_client"),
    "progress": ("_progress", "progress"),
    "read": ("journal.reading", "read"),
}


_SUBMODULES = ("errors", "iqm", "plot", "qoro", "telemetry")

if not TYPE_CHECKING:
    # hidden from type checkers, for which a name that is misspelt must stay an error

    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return import_module(f"qawait.{name}")
        if name in _WHERE:
            module, attribute = _WHERE[name]
            value = getattr(import_module(f"qawait.{module}"), attribute)
        elif name in __all__:
            value = getattr(import_module("qawait.errors"), name)
        else:
            raise AttributeError(f"module 'qawait' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
