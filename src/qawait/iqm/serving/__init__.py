"""The opposite half of IQM's dialects: requests in, answers out.

The local service uses it; the client never imports it.
"""

from __future__ import annotations

from qawait.iqm.serving.answers import (
    write_channels,
    write_counts,
    write_error_log,
    write_job,
    write_run,
    write_status,
    write_submitted,
    write_timeline,
)
from qawait.iqm.serving.requests import (
    Request,
    circuits_of,
    read_request,
    write_parameters,
)

__all__ = [
    "Request",
    "circuits_of",
    "read_request",
    "write_channels",
    "write_counts",
    "write_error_log",
    "write_job",
    "write_parameters",
    "write_run",
    "write_status",
    "write_submitted",
    "write_timeline",
]
