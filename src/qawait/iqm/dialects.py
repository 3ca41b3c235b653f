"""IQM's dialects as values: what to ask, and how to read what comes back.

A dialect is made of its paths and its way to write a run request; the functions they are
put together from are shared. So a further dialect is one more value here, with recorded
samples of its answers in `tests/data/iqm/`; the two generations of V2, which differ in
one path, are the example. Source: wire reference, IQM, §2, §3, §4.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from qawait.iqm.calls import post, read
from qawait.iqm.fetching import (
    ending_in_parts,
    ending_of_whole_job,
    job_in_parts,
    measurement_artifact,
    result_of_whole_job,
    whole_job,
)
from qawait.iqm.observing import (
    cocos_calibration_set,
    cocos_quality_metrics,
    listed_static_architecture,
    observed_calibration_set,
    observed_quality_metrics,
    static_architecture,
    station_calibration_set,
)
from qawait.iqm.states import read_job, read_word_status, steps_of
from qawait.iqm.submitting import (
    no_uploads,
    options_of,
    read_error,
    read_opened,
    write_in_full,
    write_in_radians,
    write_in_turns,
)
from qawait.iqm.targets import (
    cocos_target,
    cocos_targets,
    dynamic_architecture,
    server_target,
    server_targets,
    station_architecture,
    station_target,
    station_targets,
)
from qawait.model import Call, Dialect, Submission

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qawait.iqm.architecture import (
        DynamicQuantumArchitecture,
        StaticQuantumArchitecture,
    )
    from qawait.iqm.calibration import CalibrationSet, QualityMetrics
    from qawait.model import Exchange, Target

__all__ = [
    "DIALECTS",
    "SERVER",
    "STATION",
    "STATION_30",
    "V1",
    "V2",
    "V2_24",
]


def _submit(
    path: str, write: Callable[[Submission], bytes], submission: Submission
) -> Call:
    return Call(kind="submit", method="POST", path=path, body=write(submission))


def _submit_to_server(submission: Submission) -> Call:
    timeslot = "true" if options_of(submission).use_timeslot else "false"
    return Call(
        kind="submit",
        method="POST",
        path=f"api/v1/jobs/{quote(submission.target.name, safe='')}/circuit",
        query=(("use_timeslot", timeslot),),
        body=write_in_full(submission),
        content_type="application/json; charset=UTF-8",
    )


V1 = Dialect(
    name="v1",
    vendor="iqm",
    find_target=partial(cocos_target, ""),
    targets=partial(cocos_targets, ""),
    architecture=partial(
        dynamic_architecture, "api/v1/calibration/{calibration}/gates"
    ),
    static_architecture=partial(static_architecture, "api/v1/quantum-architecture"),
    calibration_set=partial(cocos_calibration_set, "api/v1/calibration/{calibration}"),
    quality_metrics=partial(cocos_quality_metrics, "calibration/metrics/{calibration}"),
    open_job=partial(_submit, "jobs", write_in_turns),
    read_opened=read_opened,
    uploads=no_uploads,
    status=lambda job_id: read(f"jobs/{job_id}/status"),
    read_status=read_word_status,
    whole=partial(whole_job, "jobs/{}"),
    result=partial(result_of_whole_job, "jobs/{}"),
    ending=partial(ending_of_whole_job, "jobs/{}"),
    cancel=lambda job_id: post(f"jobs/{job_id}/abort"),
    delete=None,
    steps_of=steps_of,
    read_error=read_error,
)
"""Cocos, as iqm-client 3 to 28 speak it; the address ends in `/cocos`.

Resonance's `https://cocos.resonance.meetiqm.com/<quantum computer>` speaks a part of it,
which is all that is asked of it here.
"""


def _in_parts(
    *,
    name: str,
    submit: str,
    job: str,
    write: Callable[[Submission], bytes],
    find_target: Callable[[str | None], Exchange[Target]],
    targets: Callable[[], Exchange[list[Target]]],
    architecture: Callable[[str, str | None], Exchange[DynamicQuantumArchitecture]],
    static_architecture: Callable[[str], Exchange[StaticQuantumArchitecture]],
    calibration_set: Callable[[str, str | None], Exchange[CalibrationSet]],
    quality_metrics: Callable[[str, str | None], Exchange[QualityMetrics]],
) -> Dialect:
    """A dialect in which each part of a job is a path of its own.

    Args:
        name: What `IQMService(dialect=...)` takes.
        submit: Where run requests go.
        job: Where the parts of a job are, with `{}` for its id.
        write: Writes a run request.
        find_target: As in `Dialect`.
        targets: As in `Dialect`.
        architecture: As in `Dialect`.
        static_architecture: As in `Dialect`.
        calibration_set: As in `Dialect`.
        quality_metrics: As in `Dialect`.
    """
    return Dialect(
        name=name,
        vendor="iqm",
        find_target=find_target,
        targets=targets,
        architecture=architecture,
        static_architecture=static_architecture,
        calibration_set=calibration_set,
        quality_metrics=quality_metrics,
        open_job=partial(_submit, submit, write),
        read_opened=read_opened,
        uploads=no_uploads,
        status=lambda job_id: read(f"{job.format(job_id)}/status"),
        read_status=read_word_status,
        result=partial(job_in_parts, job),
        ending=partial(ending_in_parts, job),
        cancel=lambda job_id: post(f"{job.format(job_id)}/abort"),
        delete=None,
        steps_of=steps_of,
        read_error=read_error,
    )


_V2 = partial(
    _in_parts,
    submit="station/circuits",
    write=write_in_turns,
    find_target=partial(cocos_target, "cocos/"),
    targets=partial(cocos_targets, "cocos/"),
    architecture=partial(
        dynamic_architecture, "cocos/api/v1/calibration/{calibration}/gates"
    ),
    static_architecture=partial(
        static_architecture, "cocos/api/v1/quantum-architecture"
    ),
    calibration_set=partial(
        cocos_calibration_set, "cocos/api/v1/calibration/{calibration}"
    ),
    quality_metrics=partial(
        cocos_quality_metrics, "cocos/calibration/metrics/{calibration}"
    ),
)

V2_24 = _V2(name="v2-24", job="station/circuits/{}")
"""Cocos and Station Control behind one address, as iqm-client 18.6 to 24 speak it."""

V2 = _V2(name="v2", job="station/jobs/{}")
"""The same as iqm-client 25 to 28 speak it: jobs have moved to a path of their own."""

_STATION = partial(
    _in_parts,
    submit="circuits",
    job="jobs/{}",
    find_target=station_target,
    targets=station_targets,
    architecture=station_architecture,
    static_architecture=partial(
        static_architecture, "static-quantum-architectures/{target}"
    ),
    calibration_set=station_calibration_set,
    quality_metrics=partial(
        observed_quality_metrics, "calibration-sets/{calibration}/metrics"
    ),
)

STATION_30 = _STATION(name="station-30", write=write_in_turns)
"""Station Control alone, as iqm-client 29 and 30 speak it; the address ends in
`/station`."""

STATION = _STATION(name="station", write=write_in_radians)
"""The same as iqm-client 31 and 32 speak it: `locus` and radians."""

SERVER = Dialect(
    name="server",
    vendor="iqm",
    find_target=server_target,
    targets=server_targets,
    architecture=partial(
        dynamic_architecture,
        "api/v1/calibration-sets/{target}/{calibration}/dynamic-quantum-architecture",
    ),
    static_architecture=partial(
        listed_static_architecture,
        "api/v1/quantum-computers/{target}/artifacts/static-quantum-architectures",
    ),
    calibration_set=partial(
        observed_calibration_set, "api/v1/calibration-sets/{target}/{calibration}"
    ),
    quality_metrics=partial(
        observed_quality_metrics,
        "api/v1/calibration-sets/{target}/{calibration}/metrics",
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

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (V1, V2_24, V2, STATION_30, STATION, SERVER)
}
"""The dialects by the name that `IQMService(dialect=...)` takes, oldest first."""
