"""What judges and rivals need beside the running service itself."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conformance.environments import vendor_python

if TYPE_CHECKING:
    from tests.service.running import LocalService


JUDGES = Path(__file__).with_name("judges")


def ask(
    environment: str, judge: str, act: str, service: LocalService, *more: str
) -> dict[str, Any]:
    """Run one judge against the service and return what it saw.

    Args:
        environment: A key of `REQUIREMENTS`, whose client it drives.
        judge: The name of a script in `judges/`.
        act: What it does there.
        service: Where it does it.
        more: Further arguments of that script.
    """
    script = str(JUDGES / f"{judge}.py")
    finished = subprocess.run(
        [str(vendor_python(environment)), script, act, service.url, *more],
        env=clean_environment(
            JUDGE_TOKEN=service.token, IQM_CLIENT_SECONDS_BETWEEN_CALLS="0.1"
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads(finished.stdout)


def ledger(service: LocalService, *, bodies: bool = False) -> dict[str, Any]:
    """Return what the service has seen and done since it started."""
    request = urllib.request.Request(
        service.url + "/_ledger" + ("?bodies=1" if bodies else ""),
        headers={"Authorization": f"Bearer {service.token}"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment without our settings, the vendors' or a proxy."""
    kept = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER"}
    environment = {name: os.environ[name] for name in kept & os.environ.keys()}
    return environment | {"NO_PROXY": "127.0.0.1,localhost"} | extra
