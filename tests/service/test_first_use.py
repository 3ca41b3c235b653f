"""The first submission and the first result, which load what the later ones find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.service.running import running

if TYPE_CHECKING:
    import pytest

SCRIPT = """
import asyncio, json, sys, threading
import qawait
from qawait.iqm.circuit import Circuit, Instruction

loaded = {}

class Watch:
    def find_spec(self, name, path=None, target=None):
        loaded.setdefault(name, threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())
BELL = Circuit("c", (Instruction("measure", ("QB1",), {"key": "m"}),))

async def main(url, job_id):
    service = qawait.IQMService(url)
    async with qawait.connect(service, target="square20") as client:
        before = "numpy" in sys.modules
        if job_id:
            result = await client.job(job_id)
        else:
            job = await client.submit(BELL, shots=5)
            job_id = job.id
    print(json.dumps({
        "job": job_id,
        "before": before,
        "loaded": "numpy" in sys.modules,
        "beside the loop": loaded.get("numpy") is False,
    }))

asyncio.run(main(*sys.argv[1:]))
"""


def test_numpy_is_loaded_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    """It takes a tenth of a second, in which nothing else in the loop could happen."""
    monkeypatch.delenv("IQM_SERVER_URL", raising=False)
    with running("--null") as service:
        job_id = ""
        for _ in range(2):
            process = subprocess.run(
                [sys.executable, "-c", SCRIPT, service.url, job_id],
                env=os.environ | {"IQM_TOKEN": service.token},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert process.returncode == 0, process.stderr
            said = json.loads(process.stdout)
            job_id = said.pop("job")
            assert said == {"before": False, "loaded": True, "beside the loop": True}
