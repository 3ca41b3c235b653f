"""Qoro's messages as they are on the wire, in the service's own field names.

Both halves share them: the client in `dialect`, the local service in `serving`. Fields
that a service may add or drop have defaults and others are ignored, so that a newer
service does not break an older client. Source: wire reference, Qoro, §1 to §3, §5.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from decimal import Decimal  # noqa: TC003
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.json import Decoder

__all__ = [
    "CLUSTERS",
    "CONFIGURED",
    "CONFIGURED_NEWER",
    "CREDITS",
    "ERROR",
    "OBJECT",
    "OPENED",
    "OPENING",
    "PAGE",
    "STATUS",
    "SYSTEMS",
    "TRANSACTIONS",
    "UPLOAD",
    "Cancelled",
    "Cluster",
    "Configured",
    "Credits",
    "EncodedHistogram",
    "ErrorBody",
    "JobStatus",
    "Machine",
    "NewerConfigured",
    "Opened",
    "Opening",
    "Page",
    "ParameterSet",
    "Row",
    "System",
    "Transaction",
    "Transactions",
    "Upload",
]


# --- requests ------------------------------------------------------------------------


class Opening(Struct, frozen=True, kw_only=True):
    """The body of `job/init/`, in the order in which the vendor's client writes it."""

    tag: str | None = None
    job_type: str
    use_packing: bool = False
    simulator_cluster: str | UnsetType = UNSET
    qpu_system_name: str | UnsetType = UNSET
    execution_configuration: dict[str, Any] | UnsetType | None = UNSET
    maestro_config: dict[str, Any] | UnsetType | None = UNSET
    """What clients from 0.15 on send instead, for simulators."""
    device_config: dict[str, Any] | UnsetType | None = UNSET
    """What clients from 0.15 on send instead, for quantum computers."""


class ParameterSet(Struct, frozen=True):
    """The numbers that make one circuit of a template."""

    label: str
    values: list[float]


class Upload(Struct, frozen=True, kw_only=True):
    """The body of `job/<id>/add_circuits/`: circuits of one kind, and the envelope."""

    circuits: dict[str, str] | UnsetType = UNSET
    """Label to base64 of gzip of OpenQASM."""
    circuit_template: str | UnsetType = UNSET
    parameter_names: list[str] | UnsetType = UNSET
    parameter_sets: list[ParameterSet] | UnsetType = UNSET
    mode: str = "append"
    finalized: str | bool = "false"
    """The vendor's client writes the strings "true" and "false"."""
    observables: str | UnsetType | None = UNSET
    circuit_ham_map: list[tuple[int, int]] | UnsetType | None = UNSET
    """For each group of observables its circuits, counted over the whole job."""
    shot_groups: list[tuple[int, int, int]] | UnsetType | None = UNSET
    """From, up to but without, shots; circuits are counted within this upload."""
    shots: int | UnsetType | None = UNSET


# --- answers -------------------------------------------------------------------------


class Machine(Struct, frozen=True):
    """One quantum computer of a system.

    Clients up to 0.14 need exactly these four keys and fail on any other.
    """

    nickname: str = ""
    q_bits: int | None = None
    status: str = ""
    system_kind: str = ""


class System(Struct, frozen=True):
    """A named system of quantum computers."""

    name: str
    access_level: str = "PUBLIC"
    qpus: list[Machine] = field(default_factory=list[Machine])


class Cluster(Struct, frozen=True):
    """A named cluster of simulators."""

    name: str
    access_level: str = "PUBLIC"
    minimum_tier: str = "FREE"


class Opened(Struct, frozen=True):
    """The answer to `job/init/`."""

    job_id: str


class JobStatus(Struct, frozen=True, omit_defaults=True):
    """How a job stands.

    Only `status` and `run_time` are the vendor's; `error` is what our local service adds
    to a failed job, since the vendor's protocol gives a failure no words.
    """

    status: str
    run_time: float | str | None = None
    error: str | None = None


class EncodedHistogram(Struct, frozen=True):
    """The counts of one circuit in QH1 or QH2; empty where there are none."""

    encoding: str | None = None
    n_bits: int | None = None
    payload: str | None = None


class Row(Struct, frozen=True):
    """The result of one circuit."""

    label: str
    results: dict[str, Any] | None = None
    """An `EncodedHistogram`, or the value of each observable by its label."""


class Page(Struct, frozen=True, kw_only=True):
    """Some of the rows of a result."""

    count: int
    """How many rows there are on all pages."""
    next: str | None = None
    """None on the last page. Our client counts instead of following an address."""
    previous: str | None = None
    results: list[Row]


class Cancelled(Struct, frozen=True):
    """The answer to a cancellation; the word is in lower case here."""

    job_id: str
    circuits_cancelled: int
    status: str = "cancelled"


class Configured(Struct, frozen=True, omit_defaults=True):
    """The execution configuration of a job; `status` only where one was posted."""

    status: str | None = None
    job_id: str = ""
    execution_configuration: dict[str, Any] | None = None


class NewerConfigured(Struct, frozen=True):
    """The same for clients from 0.15 on, which read null where there is none."""

    job_id: str = ""
    maestro_config: dict[str, Any] | None = None
    device_config: dict[str, Any] | None = None


class Transaction(Struct, frozen=True, kw_only=True):
    """One line of the account's ledger."""

    id: int | str
    amount: Decimal
    """Credits; negative for what was spent."""
    balance_after: Decimal | None = None
    transaction_type: str = ""
    """The service's own word, such as PURCHASE."""
    description: str | None = None
    job_id: str | None = None
    """The job that was paid for, where it is one."""
    created_at: datetime | None = None


class Transactions(Struct, frozen=True, kw_only=True):
    """One page of the account's ledger."""

    count: int
    total_pages: int = 1
    next: str | None = None
    previous: str | None = None
    results: list[Transaction]


class Credits(Struct, frozen=True, kw_only=True):
    """What an account has."""

    balance: Decimal
    total_used: Decimal | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """`detail` for missing rights and things, `error` for rules of the business."""

    detail: Any = None
    error: Any = None


OPENING = Decoder(Opening)
UPLOAD = Decoder(Upload)
SYSTEMS = Decoder(list[System])
CLUSTERS = Decoder(list[Cluster])
OPENED = Decoder(Opened)
PAGE = Decoder(Page)
STATUS = Decoder(JobStatus)
CANCELLED = Decoder(Cancelled)
ANYTHING = Decoder()
CONFIGURED = Decoder(Configured)
CONFIGURED_NEWER = Decoder(NewerConfigured)
CREDITS = Decoder(Credits)
TRANSACTIONS = Decoder(Transactions)
OBJECT = Decoder(dict[str, Any])
ERROR = Decoder(ErrorBody)
