"""The values that every layer shares: states, calls and their answers, a dialect."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime  # noqa: TC003 (fields of Structs resolve at run time)
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from qawait.results import Layout, Result

__all__ = [
    "Answer",
    "BodyReader",
    "Call",
    "Change",
    "CircuitRecord",
    "Delivery",
    "Dialect",
    "End",
    "Eta",
    "Exchange",
    "Following",
    "Manifest",
    "State",
    "Status",
    "Step",
    "Submission",
    "Target",
]

T = TypeVar("T")


class State(StrEnum):
    """Where a job stands; the words are IQM's, for every service."""

    PENDING_COMPILATION = "pending compilation"
    PENDING_EXECUTION = "pending execution"
    READY = "ready"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def is_terminal(self) -> bool:
        """Whether a job in this state never leaves it."""
        return self in _TERMINAL


_TERMINAL = frozenset({State.READY, State.FAILED, State.ABORTED})


class End(StrEnum):
    """How a job ended; finer than its state."""

    READY = "ready"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed out"
    NO_CREDITS = "no credits"
    GONE = "gone"

    @property
    def state(self) -> State | None:
        """The state that shows this end; None for a deleted job, which may have run."""
        return _STATE_OF_END[self]


_STATE_OF_END = {
    End.READY: State.READY,
    End.FAILED: State.FAILED,
    End.ABORTED: State.ABORTED,
    End.TIMED_OUT: State.FAILED,
    End.NO_CREDITS: State.FAILED,
    End.GONE: None,
}


class Delivery(StrEnum):
    """What is known of one attempt to change something at a service."""

    NOT_DELIVERED = "not delivered"
    """Certainly no byte of it took effect; it may be sent again."""
    REJECTED = "rejected"
    """The service answered no, in its own words."""
    ACCEPTED = "accepted"
    """The service answered yes, with a usable id."""
    UNKNOWN = "unknown"
    """It may have taken effect; it is never sent again by itself."""


class Change(Struct, frozen=True):
    """One step of a job from state to state."""

    state: State
    raw: str
    """The service's own word, or the stage of its timeline."""
    at: datetime | None
    """When it happened by the service's clock (aware, UTC); None if it does not say."""
    seen_at: datetime
    """When this client learned of it (aware, UTC)."""
    inferred: bool = False
    """Whether no answer showed this state: it was rebuilt from what came after."""


class BodyReader(Protocol):
    """Takes the body of one answer while it arrives, and gives the value it holds.

    A body of up to a mebibyte comes in one piece, in the event loop; a larger one in
    several, in worker threads, one call at a time.
    """

    def feed(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes of the body; there may be none.

        Raises:
            ProtocolError: The body is already known not to be what was asked for.
        """
        ...

    def close(self) -> Any:
        """The value, when the whole body has been fed; nothing is called after it.

        Raises:
            ProtocolError: The body is not what was asked for, or not all of it.
        """
        ...

    def drop(self) -> None:
        """Let go of everything: there was an error, and nothing is called after it."""
        ...


class Call(Struct, frozen=True, kw_only=True):
    """One request to a service, described and not sent."""

    kind: Literal["read", "submit", "change"]
    method: str
    path: str
    """Relative to the service's root, every id in it already quoted."""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    accept: str = "application/json"
    content_type: str = "application/json"
    repeatable: bool = False
    """Whether sending it twice has the same effect as sending it once."""
    tolerated: tuple[int, ...] = ()
    """Statuses from 300 on that count as an answer and not as an error."""
    result: bool = False
    """Whether the answer may be as large as a measurement batch."""
    most: int | None = None
    """The largest body that can be an answer, in bytes, where that follows from what was
    submitted; None leaves it to the limit for its kind."""
    reader: Callable[[], BodyReader] | None = None
    """Makes what reads the body of an answer below 300, a new one for every attempt;
    None keeps the body whole."""


class Answer(Struct, frozen=True):
    """What came back for a Call."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case, or a mapping that ignores case."""
    body: bytes
    """Unpacked; empty where the call's reader took it."""
    value: Any = None
    """What the call's reader made of the body; None where none read it."""
    size: int = 0
    """Bytes of the unpacked body as they came over the network, read or kept."""


Exchange: TypeAlias = Generator[list[Call], list[Answer], T]
"""Calls out, answers in, a value at the end: how a dialect reads what takes several
requests. Each list of calls is independent of one another and may be sent side by side.
"""


class Step(Struct, frozen=True):
    """One entry of a service's timeline."""

    state: State
    raw: str
    at: datetime | None


class Status(Struct, frozen=True, kw_only=True):
    """What one answer says about a job."""

    raw: str
    state: State | None
    """None for a word this version does not know: the job is still in progress."""
    end: End | None = None
    """None while the job is in progress."""
    message: str | None = None
    steps: tuple[Step, ...] = ()
    """The states passed so far, oldest first, where the service tells them."""
    queue_position: int | None = None
    """Jobs ahead of this one; None if the service does not say."""
    running: bool | None = None
    """Whether it is on the machine now; None if the service does not say."""
    started_at: datetime | None = None
    """When it came onto the machine, by the service's clock; None if it does not say."""
    finished_at: datetime | None = None
    """When it left the machine, likewise."""
    run_time: float | None = None
    """Seconds on the machine, in the service's own words; None if it does not say."""
    calibration_set_id: str | None = None


class Following(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a job was followed by the program that saw it end."""

    questions: int = 0
    """How often the service was asked about it."""
    asked_at: tuple[datetime, ...] = ()
    """When it was asked last, at most 32 times, oldest first (aware, UTC, our clock)."""
    started_at: datetime | None = None
    """When it came onto the machine, by the service's clock; None if it does not say."""
    finished_at: datetime | None = None
    """When it left the machine, likewise."""
    late: float | None = None
    """Seconds from its end at the service until this was known here, both on our clock;
    None where the service gives no times."""

    def asked(self, at: datetime) -> Following:
        """The same after one more question."""
        return replace(
            self,
            questions=self.questions + 1,
            asked_at=(*self.asked_at[1 - _MOST_ASKED :], at),
        )


_MOST_ASKED = 32


class Eta(Struct, frozen=True):
    """When a job is expected to end, by this machine's clock (aware, UTC).

    Learned from the jobs of the same client that have ended; of ten jobs about one ends
    before `earliest` and one after `latest`.
    """

    earliest: datetime
    likely: datetime
    """As likely before as after."""
    latest: datetime

    def __str__(self) -> str:
        low, median, high = (
            at.astimezone().isoformat(" ", "seconds")[:19]
            for at in (self.earliest, self.likely, self.latest)
        )
        return f"about {median}, likely from {low} to {high}"


class Target(Struct, frozen=True, kw_only=True):
    """A machine or simulator cluster of a service."""

    name: str
    kind: Literal["quantum computer", "simulator"] = "quantum computer"
    """What the service lists it as; see also `simulated`."""
    qubits: int | None
    """None where the service sets no fixed number."""
    online: bool | None = None
    queue_length: int | None = None
    simulated: bool = False
    """Whether results come from a simulator and not from a quantum computer."""
    calibration_set_id: str | None = None
    figures: Mapping[str, float] = {}
    """Quality figures by the service's own names, where it publishes them."""

    def __repr__(self) -> str:
        width = "" if self.qubits is None else f", {self.qubits} qubits"
        online = {True: ", online", False: ", offline", None: ""}[self.online]
        queue = "" if self.queue_length is None else f", {self.queue_length} waiting"
        simulated = ", simulated" if self.simulated else ""
        figures = f", {len(self.figures)} figures" if self.figures else ""
        return f"<Target {self.name}: {self.kind}{width}{online}{queue}{simulated}{figures}>"


class CircuitRecord(Struct, frozen=True, kw_only=True):
    """What has to be remembered of a submitted circuit to read its result."""

    label: str
    shots: int | None = None
    """Shots asked for; None for an expectation value, or when not known."""
    layout: Layout | None = None
    qubits: Mapping[str, tuple[str, ...]] = {}
    """IQM: the components that each measurement key reads, in locus order."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What a job carries, in the order of submission."""

    circuits: tuple[CircuitRecord, ...] = ()
    """Empty for a job adopted by its id: nothing is remembered of its circuits."""
    target: str | None = None
    simulated: bool = False
    calibration_set_id: str | None = None


class Submission(Struct, frozen=True, kw_only=True):
    """One batch, ready to be encoded by a dialect."""

    circuits: tuple[Any, ...]
    """`qawait.iqm.Circuit` for IQM, `qawait.qoro.Circuit` for Qoro, or one
    `qawait.qoro.Template`, which is as many circuits as it has rows."""
    shots: int
    shots_each: tuple[int, ...] = ()
    """Shots of each circuit where they differ (Qoro); empty means `shots` for all."""
    rows: int | None = None
    """Circuits that a template stands for; None where each circuit is itself."""
    observables: Any = None
    """`qawait.qoro.Observables` where expectation values are asked for and no shots."""
    target: Target
    tag: str | None = None
    options: Any = None
    """`qawait.iqm.Options` or `qawait.qoro.Options`."""


class Dialect(Struct, frozen=True, kw_only=True):
    """One way of speaking to a service, as data: what to ask and how to read it.

    Nothing in here waits. `open_job` and `uploads` together are a submission; where one
    request carries the whole batch, `uploads` yields nothing.
    """

    name: str
    vendor: Literal["iqm", "qoro"]
    find_target: Callable[[str | None], Exchange[Target]]
    targets: Callable[[], Exchange[list[Target]]]
    architecture: Callable[[str, str | None], Exchange[Any]] | None
    static_architecture: Callable[[str], Exchange[Any]] | None = None
    """The chip of a target; None where a target has none that it tells."""
    calibration_set: Callable[[str, str | None], Exchange[Any]] | None = None
    """A calibration set of a target; without an id, the current one."""
    quality_metrics: Callable[[str, str | None], Exchange[Any]] | None = None
    """How well a target does under a calibration set; without an id, the current."""
    open_job: Callable[[Submission], Call]
    read_opened: Callable[[Answer], str]
    uploads: Callable[[str, Submission], Iterator[Call]]
    check_uploaded: Callable[[Answer], None] = lambda answer: None
    """Raises a ProtocolError for an answer to an upload that is not the service's."""
    status: Callable[[str], Call]
    read_status: Callable[[Answer], Status]
    result: Callable[[str, Status, Manifest], Exchange[Result]]
    ending: Callable[[str, Status], Exchange[Status]] | None = None
    """How a job without a result ended, where the service tells its message and its
    steps apart from its status; None where the status has them."""
    whole: Callable[[str, Manifest], Exchange[tuple[Status, Result | None]]] | None = (
        None
    )
    """Status and result of a job in one answer; None where they are asked for apart."""
    cancel: Callable[[str], Call]
    read_cancelled: Callable[[Answer], int] | None = None
    """How many circuits a cancellation says it has stopped; None if it does not say."""
    delete: Callable[[str], Call] | None
    steps_of: Callable[[Result], tuple[Step, ...]] = lambda result: ()
    """Further steps that only the result tells, where the service times them there."""
    read_error: Callable[[Answer], str | None]
    """The service's own message; None if the body has not the service's error shape."""
    two_phases: bool = False
    """Whether a job runs only when its last upload has arrived, so that an opened job
    that is never finished costs nothing."""
