"""The opposite half of Qoro's dialect: requests in, answers out.

The local service uses it; the client never imports it. Whatever a request asks for that
is not served is refused in words, never left out in silence. Source: wire reference,
Qoro, §1, §2, §5; what nobody outside Qoro knows is a choice of ours, said so here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, UnsetType
from msgspec.json import Decoder, encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.model import State
from qawait.qoro import messages
from qawait.qoro.execution_config import ExecutionConfig, config_of_request
from qawait.qoro.unpacking import unpack_all
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.histograms import Histogram
    from qawait.qoro.circuit import Circuit

__all__ = [
    "DEFAULT_SHOTS",
    "Circuits",
    "NewJob",
    "encode_row",
    "read_circuits",
    "read_execution_config",
    "read_init",
    "write_cancelled",
    "write_clusters",
    "write_detail",
    "write_error",
    "write_execution_config",
    "write_init",
    "write_page",
    "write_status",
    "write_systems",
]

DEFAULT_SHOTS = 1000
"""Shots of a job that says null; what Qoro itself does then is not known, so this is a
choice of ours."""

_SAMPLING = frozenset({"EXECUTE", "SIMULATE"})
"""Jobs that return counts; clients up to 0.8 call them SIMULATE."""

_WORDS = {
    State.PENDING_COMPILATION: "PENDING",
    State.PENDING_EXECUTION: "RUNNING",
    State.READY: "COMPLETED",
    State.FAILED: "FAILED",
    State.ABORTED: "CANCELLED",
}
"""Only words that every release of the client knows; others stop clients up to 0.13."""

_OBJECT = Decoder(dict[str, Any])


# --- requests ------------------------------------------------------------------------


class NewJob(Struct, frozen=True, kw_only=True):
    """What the opening of a job says about it."""

    job_type: Literal["EXECUTE", "SIMULATE"]
    tag: str | None
    use_packing: bool
    target: str
    kind: Literal["quantum computer", "simulator"]
    execution_config: ExecutionConfig | None = None
    maestro_config: dict[str, Any] | None = None
    """What clients from 0.15 on send for a simulator, as it came."""
    device_config: dict[str, Any] | None = None
    """What clients from 0.15 on send for a quantum computer, as it came."""


class Circuits(Struct, frozen=True, kw_only=True):
    """One upload: circuits to append, and whether the job may now run."""

    circuits: tuple[Circuit, ...]
    finalized: bool
    shots: int


def read_init(body: bytes) -> NewJob:
    """Read the body of `job/init/`.

    Raises:
        ProtocolError: It is not one, or asks for what is not served.
    """
    opening = decode(messages.OPENING, body, "job/init/")
    if opening.job_type not in _SAMPLING:
        raise _not_served(f"job_type {opening.job_type!r}")
    cluster, system = opening.simulator_cluster, opening.qpu_system_name
    if isinstance(cluster, str) == isinstance(system, str):
        raise ProtocolError(
            "job/init/ needs exactly one of simulator_cluster and qpu_system_name"
        )
    config = _given(opening.execution_configuration)
    return NewJob(
        job_type="SIMULATE" if opening.job_type == "SIMULATE" else "EXECUTE",
        tag=opening.tag,
        use_packing=opening.use_packing,
        target=cluster if isinstance(cluster, str) else str(system),
        kind="simulator" if isinstance(cluster, str) else "quantum computer",
        execution_config=None if config is None else _config(config),
        maestro_config=_given(opening.maestro_config),
        device_config=_given(opening.device_config),
    )


def read_circuits(body: bytes) -> Circuits:
    """Read the body of `job/<id>/add_circuits/`, programs unpacked.

    An upload without circuits is accepted, since it may be sent only to finalize. Null
    or no `shots` mean `DEFAULT_SHOTS`.

    Raises:
        ProtocolError: It is not one, asks for what is not served, or unpacks to more
            than the limits of `qawait.qoro.unpacking`.
    """
    upload = decode(messages.UPLOAD, body, "add_circuits/")
    for name in (
        "circuit_template",
        "parameter_names",
        "parameter_sets",
        "observables",
        "circuit_ham_map",
        "shot_groups",
    ):
        if _given(getattr(upload, name)) is not None:
            raise _not_served(name)
    if upload.mode != "append":
        raise _not_served(f"mode {upload.mode!r}")
    shots = _given(upload.shots)
    if shots is not None and shots < 1:
        raise ProtocolError(f"shots must be 1 or more, not {shots}")
    circuits = _given(upload.circuits)
    if circuits is None:
        raise ProtocolError("add_circuits/ has no circuits")
    return Circuits(
        circuits=unpack_all(circuits),
        finalized=_flag(upload.finalized),
        shots=DEFAULT_SHOTS if shots is None else shots,
    )


def read_execution_config(body: bytes) -> ExecutionConfig:
    """Read the body of a POST to `job/<id>/execution_config/`.

    Raises:
        ProtocolError: A key is not known or a value cannot be right.
    """
    return _config(decode(_OBJECT, body, "execution_config/"))


def _config(data: dict[str, Any]) -> ExecutionConfig:
    try:
        return config_of_request(data)
    except ConfigurationError as error:
        raise ProtocolError(f"execution configuration: {error}") from None


def _given(value: Any) -> Any:
    """The value; None for one that is null or not there."""
    return None if isinstance(value, UnsetType) else value


def _flag(finalized: str | bool) -> bool:
    if isinstance(finalized, bool):
        return finalized
    if finalized not in ("true", "false"):
        raise ProtocolError(f'finalized must be "true" or "false", not {finalized!r}')
    return finalized == "true"


def _not_served(what: str) -> ProtocolError:
    return ProtocolError(f"{what} is not supported by this service")


# --- answers -------------------------------------------------------------------------


def write_systems(systems: Sequence[messages.System]) -> bytes:
    """The systems of quantum computers, as the bare list that every client reads."""
    return encode(systems)


def write_clusters(clusters: Sequence[messages.Cluster]) -> bytes:
    """The simulator clusters, as the bare list that every client reads."""
    return encode(clusters)


def write_init(job_id: str) -> bytes:
    """The answer to `job/init/`, to be sent with status 201."""
    return encode(messages.Opened(job_id))


def write_status(
    state: State, *, run_time: float | None = None, error: str | None = None
) -> bytes:
    """How a job stands.

    Args:
        state: Where it stands, in our words.
        run_time: Seconds on the machine; left out if None, because clients from 0.15
            on fail on null.
        error: Why it failed; a key of ours that vendors' clients ignore.
    """
    return encode(messages.JobStatus(_WORDS[state], run_time, error))


def encode_row(label: str, histogram: Histogram) -> messages.Row:
    """The result of one circuit."""
    # Heavy: numpy loads when the first result is written.
    from qawait.histograms import encode_histogram

    encoding, payload = encode_histogram(histogram)
    return messages.Row(
        label, messages.EncodedHistogram(encoding, histogram.n_bits, payload)
    )


def write_page(
    rows: Sequence[messages.Row], *, count: int, limit: int, offset: int, url: str
) -> bytes:
    """One page of results.

    Args:
        rows: Those from `offset` on, at most `limit`.
        count: How many rows there are on all pages.
        limit: Rows asked for, 1 or more.
        offset: Rows before this page.
        url: The address of the results without a query; clients only look whether
            `next` is null.
    """
    before, after = max(0, offset - limit), offset + limit
    return encode(
        messages.Page(
            count=count,
            next=f"{url}?limit={limit}&offset={after}" if after < count else None,
            previous=f"{url}?limit={limit}&offset={before}" if offset > 0 else None,
            results=list(rows),
        )
    )


def write_cancelled(job_id: str, circuits: int) -> bytes:
    """The answer to a cancellation: how many circuits will not run."""
    return encode(messages.Cancelled(job_id, circuits))


def write_execution_config(
    job_id: str, config: ExecutionConfig, *, posted: bool
) -> bytes:
    """The configuration of a job; the answer to a POST begins with status "ok"."""
    return encode(
        messages.Configured("ok" if posted else None, job_id, config.to_payload())
    )


def write_detail(message: str) -> bytes:
    """An error about rights or about something that is not there (401, 403, 404)."""
    return encode(messages.ErrorBody(detail=message))


def write_error(message: str) -> bytes:
    """An error about what was asked (400, 409, 501)."""
    return encode(messages.ErrorBody(error=message))
