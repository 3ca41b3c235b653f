"""Virtual time for tests: a program's hours with a quantum service in milliseconds.

import qawait
from qawait.testing import run_virtual, service

async def program():
async with service(service_time=60.0) as there:
async with qawait.connect(there.iqm) as client:
job = await client.submit("bell.qasm")
return await job

def test_the_program():
result = run_virtual(program)
"""

from qawait.testing.loop import (
    START,
    VirtualTimeLoop,
    run_virtual,
    set_wall_clock,
    stall,
)
from qawait.testing.service import LocalService, service

__all__ = [
    "START",
    "LocalService",
    "VirtualTimeLoop",
    "run_virtual",
    "service",
    "set_wall_clock",
    "stall",
]
