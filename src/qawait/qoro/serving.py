"""The opposite half of Qoro's dialect: requests in, answers out.

The local service uses it; the client never imports it. Whatever a request asks for that
is not served is refused in words, never left out in silence. Source: wire reference,
Qoro, §1, §2, §5; what nobody outside Qoro knows is a choice of ours, said so here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from msgspec import Struct, UnsetType
from msgspec.json import Decoder, encode

from qawait.errors import ConfigurationError, ProtocolError
from qawait.model import State
from qawait.qoro import messages
from qawait.qoro.execution_config import ExecutionConfig, config_of_request
from qawait.qoro.unpacking import unpack_all, unpack_observables, unpack_template
from qawait.wire import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qawait.histograms import Histogram
    from qawait.qoro.circuit import Circuit
    from qawait.qoro.template import Template

__all__ = [
    "DEFAULT_SHOTS",
    "Circuits",
    "NewJob",
    "encode_row",
    "encode_values",
    "read_circuits",
    "read_execution_config",
    "read_init",
    "write_cancelled",
    "write_clusters",
    "write_credits",
    "write_detail",
    "write_error",
    "write_execution_config",
    "write_init",
    "write_newer_config",
    "write_page",
    "write_status",
    "write_systems",
    "write_transactions",
]

DEFAULT_SHOTS = 1000
"""Shots of a job that says null; what Qoro itself does then is not known, so this is a
choice of ours."""

JobType: TypeAlias = Literal["EXECUTE", "SIMULATE", "EXPECTATION", "VALIDATE"]

_JOB_TYPES: Mapping[str, JobType] = {name: name for name in get_args(JobType)}
"""Jobs that return counts, which clients up to 0.8 call SIMULATE; those that return
expectation values; and those that characterise a QUBO."""

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

    job_type: JobType
    tag: str | None
    use_packing: bool
    target: str
    """Empty for VALIDATE, which names none."""
    kind: Literal["quantum computer", "simulator"]
    execution_config: ExecutionConfig | None = None
    maestro_config: dict[str, Any] | None = None
    """What clients from 0.15 on send for a simulator, as it came."""
    device_config: dict[str, Any] | None = None
    """What clients from 0.15 on send for a quantum computer, as it came."""


class Circuits(Struct, frozen=True, kw_only=True):
    """One upload: circuits to append, and whether the job may now run."""

    circuits: tuple[Circuit, ...] = ()
    template: Template | None = None
    """What came in place of the circuits, with a row for each of them."""
    finalized: bool
    shots: int
    """Of each circuit, where there are no groups."""
    shot_groups: tuple[tuple[int, int, int], ...] = ()
    """From, up to but without, shots: every circuit of this upload once."""
    observables: tuple[tuple[str, ...], ...] = ()
    """By group, the leftmost letter for qubit 0; none where shots are asked for."""
    circuit_map: tuple[tuple[int, int], ...] | None = None
    """For each group its circuits, counted over the whole job; None means all."""

    def __len__(self) -> int:
        return len(self.circuits) if self.template is None else len(self.template.rows)

    def __iter__(self) -> Iterator[Circuit]:
        """The circuits, a template written out row by row."""
        return iter(
            self.circuits if self.template is None else self.template.circuits()
        )

    def shots_each(self) -> list[int]:
        """Shots of each circuit."""
        if not self.shot_groups:
            return [self.shots] * len(self)
        return [n for start, end, n in self.shot_groups for _ in range(start, end)]

    def observables_each(self, before: int) -> list[tuple[str, ...]]:
        """The observables of each circuit.

        A circuit that is in no range is held against all of them, and one in two
        against the first, as the vendor's own runner does it.

        Args:
            before: How many circuits of the job came in earlier uploads.
        """
        every = tuple(term for group in self.observables for term in group)
        each = [every] * len(self)
        ranges = list(enumerate(self.circuit_map or ()))
        for group, (start, end) in reversed(ranges):
            for circuit in range(max(start, before), min(end, before + len(self))):
                each[circuit - before] = self.observables[group]
        return each


def read_init(body: bytes) -> NewJob:
    """Read the body of `job/init/`.

    Raises:
        ProtocolError: It is not one, or asks for what is not served.
    """
    opening = decode(messages.OPENING, body, "job/init/")
    job_type = _JOB_TYPES.get(opening.job_type)
    if job_type is None:
        raise _not_served(f"job_type {opening.job_type!r}")
    if job_type == "VALIDATE":
        return NewJob(
            job_type=job_type,
            tag=opening.tag,
            use_packing=False,
            target="",
            kind="simulator",
        )
    cluster, system = opening.simulator_cluster, opening.qpu_system_name
    if isinstance(cluster, str) == isinstance(system, str):
        raise ProtocolError(
            "job/init/ needs exactly one of simulator_cluster and qpu_system_name"
        )
    config = _given(opening.execution_configuration)
    newer = [_given(opening.maestro_config), _given(opening.device_config)]
    if sum(one is not None for one in (config, *newer)) > 1:
        raise ProtocolError(
            "execution_configuration, maestro_config and device_config: only one of "
            "them belongs to a job"
        )
    if newer[0] is not None and not isinstance(cluster, str):
        raise ProtocolError("maestro_config is for a simulator_cluster")
    if newer[1] is not None and isinstance(cluster, str):
        raise ProtocolError("device_config is for a qpu_system_name")
    return NewJob(
        job_type=job_type,
        tag=opening.tag,
        use_packing=opening.use_packing,
        target=cluster if isinstance(cluster, str) else str(system),
        kind="simulator" if isinstance(cluster, str) else "quantum computer",
        execution_config=None if config is None else _config(config),
        maestro_config=newer[0],
        device_config=newer[1],
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
    if upload.mode != "append":
        raise _not_served(f"mode {upload.mode!r}")
    shots = _given(upload.shots)
    if shots is not None and shots < 1:
        raise ProtocolError(f"shots must be 1 or more, not {shots}")
    packed, template = _given(upload.circuits), _template(upload)
    if packed is not None and template is not None:
        raise ProtocolError("an upload has circuits or a circuit_template, not both")
    if packed is None and template is None:
        raise ProtocolError("add_circuits/ has no circuits")
    observables = _given(upload.observables)
    read = Circuits(
        circuits=unpack_all(packed or {}),
        template=template,
        finalized=_flag(upload.finalized),
        shots=DEFAULT_SHOTS if shots is None else shots,
        shot_groups=tuple(_given(upload.shot_groups) or ()),
        observables=() if observables is None else unpack_observables(observables),
        circuit_map=_circuit_map(upload),
    )
    _check_together(read)
    return read


def _template(upload: messages.Upload) -> Template | None:
    packed = _given(upload.circuit_template)
    names, rows = _given(upload.parameter_names), _given(upload.parameter_sets)
    if packed is None:
        if names is not None or rows is not None:
            raise ProtocolError("parameters came without a circuit_template")
        return None
    if names is None or rows is None:
        raise ProtocolError(
            "a circuit_template needs parameter_names and parameter_sets"
        )
    return unpack_template(
        packed, names, [(row.label, tuple(row.values)) for row in rows]
    )


def _circuit_map(upload: messages.Upload) -> tuple[tuple[int, int], ...] | None:
    ranges = _given(upload.circuit_ham_map)
    if ranges is None:
        return None
    for start, end in ranges:
        if not 0 <= start <= end:
            raise ProtocolError(f"circuit_ham_map: [{start}, {end}] is no range")
    return tuple(ranges)


def _check_together(read: Circuits) -> None:
    if read.template is not None and (read.shot_groups or read.circuit_map is not None):
        raise ProtocolError(
            "a circuit_template cannot go with shot_groups or circuit_ham_map"
        )
    if read.template is not None and len(read.observables) > 1:
        raise ProtocolError("a circuit_template takes one group of observables")
    if read.observables and read.shot_groups:
        raise ProtocolError(
            "observables take no shots: shot_groups cannot go with them"
        )
    if read.circuit_map is not None and len(read.circuit_map) != len(read.observables):
        raise ProtocolError(
            f"circuit_ham_map has {len(read.circuit_map)} ranges for "
            f"{len(read.observables)} groups of observables"
        )
    reached = 0
    for start, end, shots in read.shot_groups:
        if start != reached or end <= start or end > len(read) or shots < 1:
            raise ProtocolError(
                f"shot_groups: [{start}, {end}, {shots}] does not go on from circuit "
                f"{reached} of {len(read)}"
            )
        reached = end
    if read.shot_groups and reached != len(read):
        raise ProtocolError(
            f"shot_groups end at circuit {reached}, there are {len(read)}"
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
        label, {"encoding": encoding, "n_bits": histogram.n_bits, "payload": payload}
    )


def encode_values(label: str, values: Mapping[str, float]) -> messages.Row:
    """The expectation values of one circuit, by the observables as they were sent."""
    return messages.Row(label, dict(values))


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


def write_newer_config(
    job_id: str,
    *,
    maestro_config: dict[str, Any] | None = None,
    device_config: dict[str, Any] | None = None,
) -> bytes:
    """The same for clients from 0.15 on."""
    return encode(messages.NewerConfigured(job_id, maestro_config, device_config))


def write_credits(account: messages.Credits) -> bytes:
    """What the account has; numbers become decimal strings."""
    return encode(account)


def write_transactions(page: messages.Transactions) -> bytes:
    """One page of the account's ledger."""
    return encode(page)


def write_detail(message: str) -> bytes:
    """An error about rights or about something that is not there (401, 403, 404)."""
    return encode(messages.ErrorBody(detail=message))


def write_error(message: str) -> bytes:
    """An error about what was asked (400, 409, 501)."""
    return encode(messages.ErrorBody(error=message))
