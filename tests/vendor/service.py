"""What judges and rivals need beside the running service itself."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.service.running import LocalService


def ledger(service: LocalService) -> dict[str, Any]:
    """Return what the service has seen and done since it started."""
    request = urllib.request.Request(
        service.url + "/_ledger", headers={"Authorization": f"Bearer {service.token}"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment without our settings, the vendors' or a proxy."""
    kept = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER"}
    environment = {name: os.environ[name] for name in kept & os.environ.keys()}
    return environment | {"NO_PROXY": "127.0.0.1,localhost"} | extra
