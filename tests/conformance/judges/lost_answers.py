"""One submission each to several services, as a vendor's client makes it.

Runs inside a vendor's environment: ``python lost_answers.py JUDGE URL DIALECT SERVICES``
where JUDGE is the script here whose client is driven, and SERVICES a JSON list of
[address, token]. At each one the client submits; where that raises, it does so once more,
as a program does that is run again. Prints how many jobs each service had accepted after
either, by its own ledger.
"""

from __future__ import annotations

import importlib
import json
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

from native import attempt

if TYPE_CHECKING:
    from collections.abc import Callable

JUDGE, SERVICES = sys.argv[1], json.loads(sys.argv[4])
judge: Any = importlib.import_module(JUDGE)


def accepted(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(f"{url}/_ledger", headers=headers)
    with direct.open(asked, timeout=30) as answer:
        return len(json.load(answer)["submissions"])


def submitting(url: str, token: str) -> Callable[[], object]:
    """What submits the batch, with all that it has to ask before already asked."""
    if JUDGE.startswith("divi"):
        qoro: Any = importlib.import_module("qoro")
        qoro._qoro.API_URL = f"{url}/api"
        service = judge.connect(token)
        return lambda: service.submit_circuits(qoro.BATCH).job_id
    if JUDGE == "iqm_turns":
        judge.URL = url
        client = judge.connect(token)
    else:
        client = judge.connect(url, token)
    circuits = judge.circuits(*judge.chosen(client))
    return lambda: client.submit_circuits(circuits, shots=7)


def saw(url: str, token: str) -> dict[str, Any]:
    submit = submitting(url, token)
    first = attempt(submit)
    once = accepted(url, token)
    if "error" in first:
        attempt(submit)
    return {"first": first, "once": once, "again": accepted(url, token)}


if __name__ == "__main__":
    json.dump([saw(url, token) for url, token in SERVICES], sys.stdout)
