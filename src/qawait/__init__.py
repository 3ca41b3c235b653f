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
    from qawait import errors
    from qawait._job import Job, as_completed
    from qawait._schedule import Pace
    from qawait._sync import connect_sync
    from qawait._transport import Limits, Retry
    from qawait.client import Client, connect
    from qawait.client import open_client as open  # noqa: A004
    from qawait.errors import Error
    from qawait.iqm.run_result import RunResult
    from qawait.model import Change, State, Target
    from qawait.qoro.execution_config import (
        ExecutionConfig,
        SimulationMethod,
        Simulator,
    )
    from qawait.results import CircuitResult, Layout, Result
    from qawait.services import IQMService, QoroService

__all__ = [
    "Change",
    "CircuitResult",
    "Client",
    "Error",
    "ExecutionConfig",
    "IQMService",
    "Job",
    "Layout",
    "Limits",
    "Pace",
    "QoroService",
    "Result",
    "Retry",
    "RunResult",
    "SimulationMethod",
    "Simulator",
    "State",
    "Target",
    "as_completed",
    "connect",
    "connect_sync",
    "errors",
    "open",
]

__version__ = "0.1.0"

_WHERE = {
    "Change": ("model", "Change"),
    "CircuitResult": ("results", "CircuitResult"),
    "Client": ("client", "Client"),
    "ExecutionConfig": ("qoro.execution_config", "ExecutionConfig"),
    "IQMService": ("services", "IQMService"),
    "Job": ("_job", "Job"),
    "Layout": ("results", "Layout"),
    "Limits": ("_transport", "Limits"),
    "Pace": ("_schedule", "Pace"),
    "QoroService": ("services", "QoroService"),
    "Result": ("results", "Result"),
    "Retry": ("_transport", "Retry"),
    "RunResult": ("iqm.run_result", "RunResult"),
    "SimulationMethod": ("qoro.execution_config", "SimulationMethod"),
    "Simulator": ("qoro.execution_config", "Simulator"),
    "State": ("model", "State"),
    "Target": ("model", "Target"),
    "as_completed": ("_job", "as_completed"),
    "connect": ("client", "connect"),
    "connect_sync": ("_sync", "connect_sync"),
    "open": ("client", "open_client"),
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("qawait.errors")
    # every error is public under its own name, as the tree in `errors` has it
    errors = import_module("qawait.errors")
    if name in errors.__all__:
        return getattr(errors, name)
    if name not in _WHERE:
        raise AttributeError(f"module 'qawait' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    value = getattr(import_module(f"qawait.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *import_module("qawait.errors").__all__})
