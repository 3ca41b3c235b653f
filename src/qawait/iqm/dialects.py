"""IQM's dialects as values: what to ask, and how to read what comes back.

A dialect is made of its paths and its way to write a run request; the functions they are
put together from are shared. Source: wire reference, IQM, §2, §3, §4.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from qawait.iqm.calls import post, read
from qawait.iqm.fetching import measurement_artifact, whole_job
from qawait.iqm.states import read_job, read_word_status, steps_of
from qawait.iqm.submitting import (
    no_uploads,
    options_of,
    read_error,
    read_opened,
    write_in_turns,
    write_on_loci,
)
from qawait.iqm.targets import (
    cocos_target,
    cocos_targets,
    dynamic_architecture,
    server_target,
    server_targets,
)
from qawait.model import Call, Dialect, Submission

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIALECTS", "SERVER", "V1"]


def _submit_to_cocos(submission: Submission) -> Call:
    return Call(
        kind="submit", method="POST", path="jobs", body=write_in_turns(submission)
    )


def _submit_to_server(submission: Submission) -> Call:
    timeslot = "true" if options_of(submission).use_timeslot else "false"
    return Call(
        kind="submit",
        method="POST",
        path=f"api/v1/jobs/{quote(submission.target.name, safe='')}/circuit",
        query=(("use_timeslot", timeslot),),
        body=write_on_loci(submission),
        content_type="application/json; charset=UTF-8",
    )


V1 = Dialect(
    name="v1",
    vendor="iqm",
    find_target=cocos_target,
    targets=cocos_targets,
    architecture=partial(
        dynamic_architecture, "api/v1/calibration/{calibration}/gates"
    ),
    open_job=_submit_to_cocos,
    read_opened=read_opened,
    uploads=no_uploads,
    status=lambda job_id: read(f"jobs/{job_id}/status"),
    read_status=read_word_status,
    result=partial(whole_job, "jobs/{}"),
    cancel=lambda job_id: post(f"jobs/{job_id}/abort"),
    delete=None,
    steps_of=steps_of,
    read_error=read_error,
)
"""Cocos, as iqm-client 3 to 28 speak it; the address ends in `/cocos`."""

SERVER = Dialect(
    name="server",
    vendor="iqm",
    find_target=server_target,
    targets=server_targets,
    architecture=partial(
        dynamic_architecture,
        "api/v1/calibration-sets/{target}/{calibration}/dynamic-quantum-architecture",
    ),
    open_job=_submit_to_server,
    read_opened=read_opened,
    uploads=no_uploads,
    status=lambda job_id: read(f"api/v1/jobs/{job_id}"),
    read_status=read_job,
    result=measurement_artifact,
    cancel=lambda job_id: post(f"api/v1/jobs/{job_id}/cancel"),
    delete=lambda job_id: Call(
        kind="change", method="DELETE", path=f"api/v1/jobs/{job_id}", repeatable=True
    ),
    read_error=read_error,
)
"""IQM Server, as iqm-client 33 to 36 speak it."""

DIALECTS: Mapping[str, Dialect] = {d.name: d for d in (V1, SERVER)}
"""The dialects by the name that `IQMService(dialect=...)` takes."""
