"""Qoro's dialect as a value: what to ask, and how to read what comes back.

A submission has two phases: `job/init/` opens a job, uploads append circuits to it, and
only the last upload lets it run. Nothing in here waits. Source: wire reference, Qoro.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from msgspec.json import encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.model import Call, Dialect, End, Exchange, State, Status, Target
from qawait.qoro import messages
from qawait.qoro.options import Options
from qawait.qoro.pages import result
from qawait.qoro.uploads import check, uploads
from qawait.wire import checked_id, decode, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.model import Answer, Submission

__all__ = ["DEFAULT_TAG", "DEFAULT_TARGET", "DIALECT"]

DEFAULT_TARGET = "qoro_maestro"
"""The simulator cluster that the vendor's client takes when none is named."""

DEFAULT_TAG = "default"
"""The tag that the vendor's client sends when none is given."""

WORDS: Mapping[str, State | End] = {
    "PENDING": State.PENDING_COMPILATION,
    "SCHEDULED": State.PENDING_EXECUTION,
    "RUNNING": State.PENDING_EXECUTION,
    "PAUSED": State.PENDING_EXECUTION,
    "COMPLETED": End.READY,
    "FAILED": End.FAILED,
    "CANCELLED": End.ABORTED,
    "INSUFFICIENT_CREDITS": End.NO_CREDITS,
    "TIMED_OUT": End.TIMED_OUT,
}
"""The status words over all releases. Wire reference §2."""

_RUNNING: Mapping[str, bool] = {
    "PENDING": False,
    "SCHEDULED": False,
    "RUNNING": True,
}
"""Whether a job is on the machine; a paused one may be or not."""

_ONLINE = frozenset({"active", "available", "idle", "online", "operational", "ready"})
_OFFLINE = frozenset(
    {"disabled", "down", "inactive", "maintenance", "offline", "retired", "unavailable"}
)


# --- targets -------------------------------------------------------------------------


def targets() -> Exchange[list[Target]]:
    """Every system of quantum computers and every simulator cluster."""
    systems, clusters = yield [_read("qpusystem/"), _read("simulatorcluster/")]
    return [
        *(
            Target(name=cluster.name, kind="simulator", qubits=None, simulated=True)
            for cluster in decode(
                messages.CLUSTERS, clusters.body, "simulator clusters"
            )
        ),
        *(
            _system(system, served_locally=_is_local(systems))
            for system in decode(messages.SYSTEMS, systems.body, "QPU systems")
        ),
    ]


def find_target(name: str | None) -> Exchange[Target]:
    """The target of that name, `DEFAULT_TARGET` for None; simulators come first.

    Raises:
        ConfigurationError: There is no such target; the text lists those there are.
    """
    wanted = DEFAULT_TARGET if name is None else name
    known = yield from targets()
    for target in known:
        if target.name == wanted:
            return target
    listed = shown(", ".join(target.name for target in known)) or "none"
    raise ConfigurationError(f"the service has no target {wanted!r}; it has {listed}")


def _system(system: messages.System, *, served_locally: bool) -> Target:
    """A system runs what its widest machine can hold, if one of them is online."""
    words = [machine.status.lower() for machine in system.qpus]
    online = None
    if any(word in _ONLINE for word in words):
        online = True
    elif words and all(word in _OFFLINE for word in words):
        online = False
    return Target(
        name=system.name,
        kind="quantum computer",
        qubits=max(
            (m.q_bits for m in system.qpus if m.q_bits is not None), default=None
        ),
        online=online,
        # Services before simulator clusters list the simulator among the systems.
        simulated=served_locally or system.name == DEFAULT_TARGET,
    )


def _is_local(answer: Answer) -> bool:
    """Whether the answer comes from a local service, which says so in each of them."""
    return answer.headers.get("qawait-simulated") == "true"


# --- submitting ----------------------------------------------------------------------


def open_job(submission: Submission) -> Call:
    """The call that opens a job; what its uploads would refuse is refused here."""
    check(submission)
    options = Options() if submission.options is None else submission.options
    if not isinstance(options, Options):
        raise ConfigurationError(
            f"a Qoro service takes qawait.qoro.Options, not {type(options).__name__}"
        )
    config = options.execution_config
    simulator = submission.target.kind == "simulator"
    name = submission.target.name
    _check_configs(options, submission.target)
    expectation = submission.observables is not None
    opening = messages.Opening(
        tag=DEFAULT_TAG if submission.tag is None else submission.tag,
        job_type="EXPECTATION" if expectation else options.job_type,
        use_packing=options.use_packing,
        simulator_cluster=name if simulator else UNSET,
        qpu_system_name=UNSET if simulator else name,
        execution_configuration=UNSET if config is None else config.to_payload(),
        maestro_config=_sent(options.maestro_config),
        # The vendor's client leaves an empty one out, but sends the empty one above.
        device_config=_sent(options.device_config or None),
    )
    return Call(
        kind="submit",
        method="POST",
        path="job/init/",
        body=encode(opening),
        # an empty job never runs, so one too many costs nothing
        repeatable=True,
    )


def _check_configs(options: Options, target: Target) -> None:
    if options.maestro_config is not None and target.kind != "simulator":
        raise ConfigurationError(
            f"maestro_config is for simulator clusters, and {target.name} is a quantum "
            "computer: give device_config"
        )
    if options.device_config is not None and target.kind == "simulator":
        raise ConfigurationError(
            f"device_config is for quantum computers, and {target.name} is a simulator: "
            "give maestro_config"
        )


def _sent(config: Mapping[str, Any] | None) -> dict[str, Any] | UnsetType:
    return UNSET if config is None else dict(config)


def read_opened(answer: Answer) -> str:
    """The id of the job that was opened."""
    return checked_id(decode(messages.OPENED, answer.body, "opened job").job_id)


def check_uploaded(answer: Answer) -> None:
    """Refuse what something in front of the service answers in its place.

    What the service itself answers is documented nowhere, so anything else will do.

    Raises:
        ProtocolError: It is an HTML page, or JSON that ends in the middle.
    """
    body = answer.body.lstrip()
    if body.startswith((b"<", b"{", b"[")):
        decode(messages.ANYTHING, body, "upload")


# --- following -----------------------------------------------------------------------


def read_status(answer: Answer) -> Status:
    """How the job stands; a word that is not known means: in progress."""
    body = decode(messages.STATUS, answer.body, "status")
    # Qoro writes states in capitals, except in the answer to a cancellation.
    meaning = WORDS.get(body.status.upper())
    end = meaning if isinstance(meaning, End) else None
    return Status(
        raw=body.status,
        state=meaning.state if isinstance(meaning, End) else meaning,
        end=end,
        running=_RUNNING.get(body.status.upper()),
        message=body.error,
        run_time=_seconds(body.run_time),
    )


def read_cancelled(answer: Answer) -> int:
    """How many circuits were cancelled."""
    return decode(messages.CANCELLED, answer.body, "cancellation").circuits_cancelled


def _seconds(run_time: float | str | None) -> float | None:
    """A number, which may come as text; None for what is not a duration."""
    if run_time is None:
        return None
    try:
        seconds = float(run_time)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def read_error(answer: Answer) -> str | None:
    """The service's own words; None if the body has not its error shape."""
    try:
        body = decode(messages.ERROR, answer.body, "error")
    except ProtocolError:
        return None
    said = body.error if body.error is not None else body.detail
    return said if said is None or isinstance(said, str) else encode(said).decode()


# --- the dialect ---------------------------------------------------------------------


def _read(path: str) -> Call:
    return Call(kind="read", method="GET", path=path, repeatable=True)


def _job(job_id: str) -> str:
    return f"job/{checked_id(job_id)}/"


DIALECT = Dialect(
    name="qoro",
    vendor="qoro",
    find_target=find_target,
    targets=targets,
    architecture=None,
    open_job=open_job,
    read_opened=read_opened,
    uploads=uploads,
    check_uploaded=check_uploaded,
    status=lambda job_id: _read(f"{_job(job_id)}status/"),
    read_status=read_status,
    result=result,
    cancel=lambda job_id: Call(
        kind="change", method="POST", path=f"{_job(job_id)}cancel/", repeatable=True
    ),
    read_cancelled=read_cancelled,
    # The one path without a slash at its end.
    delete=lambda job_id: Call(
        kind="change", method="DELETE", path=_job(job_id)[:-1], repeatable=True
    ),
    read_error=read_error,
    two_phases=True,
)
"""Qoro's cloud service, as qoro-divi 0.8 to 0.15 speaks it."""
