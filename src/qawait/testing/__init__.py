"""For tests: virtual time, a service to test against, recorded answers, a pytest plugin.

    import qawait
    from qawait.testing import run_virtual, service

    async def program():
        async with service(service_time=60.0) as there:
            async with qawait.connect(there.iqm) as client:
                job = await client.submit("bell.qasm")
                return await job

    def test_the_program():
        result = run_virtual(program)

Every name is loaded when it is first used, so that the plugin costs a run of pytest
nothing until a test asks for a service; nor does `dir` list what is not loaded, since
pytest looks at all that it lists.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qawait.testing.beside import serving
    from qawait.testing.inside import service
    from qawait.testing.loop import (
        START,
        VirtualTimeLoop,
        run_virtual,
        set_wall_clock,
        stall,
    )
    from qawait.testing.recorder import record
    from qawait.testing.replayer import Recorded, replay
    from qawait.testing.running import LocalService

__all__ = [
    "START",
    "LocalService",
    "Recorded",
    "VirtualTimeLoop",
    "record",
    "replay",
    "run_virtual",
    "service",
    "serving",
    "set_wall_clock",
    "stall",
]

pytest_plugins = ("qawait.testing.plugin",)
"""What `pytest_plugins = ["qawait.testing"]` and `-p qawait.testing` bring."""

# no module has the name of something in it, which would hide that once it is loaded
_WHERE = {
    "START": "loop",
    "LocalService": "running",
    "Recorded": "replayer",
    "VirtualTimeLoop": "loop",
    "record": "recorder",
    "replay": "replayer",
    "run_virtual": "loop",
    "service": "inside",
    "serving": "beside",
    "set_wall_clock": "loop",
    "stall": "loop",
}

if not TYPE_CHECKING:
    # hidden from type checkers, for which a name that is misspelt must stay an error

    def __getattr__(name: str) -> Any:
        if name not in _WHERE:
            raise AttributeError(f"module 'qawait.testing' has no attribute {name!r}")
        value = getattr(import_module(f"qawait.testing.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
