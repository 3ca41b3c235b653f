"""Fault scripts: a service that goes wrong in every way that services do, on purpose.

`ServeOptions(faults=read_faults("drop_reply:0.05@submit"), seed=1)` plays one; what was
played and what the service did all the same is in its ledger.
"""

from __future__ import annotations

from qawait.local.faults.promises import PROMISES
from qawait.local.faults.script import Fault, FaultScript, read_faults

__all__ = ["PROMISES", "Fault", "FaultScript", "read_faults"]
