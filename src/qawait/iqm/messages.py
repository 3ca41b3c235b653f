"""IQM's messages as they are on the wire, in the services' own field names.

Both halves of every dialect share them: the client in `dialects`, the local service in
`serving`. Source: wire reference, IQM, §2 to §6.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from qawait.iqm.architecture import (
    DynamicQuantumArchitecture,
    StaticQuantumArchitecture,
)

__all__ = [
    "ABOUT",
    "ARCHITECTURE",
    "CALIBRATION_SET",
    "CALIBRATION_SET_ID",
    "CIRCUITS",
    "CLIENT_LIBRARIES",
    "DUTS",
    "DYNAMIC_ARCHITECTURE",
    "ERROR",
    "ERROR_LOG",
    "HEALTH",
    "JOB",
    "JOB_STATUS",
    "METRIC_SET",
    "OBSERVATION_SET",
    "PARAMETERS",
    "PAYLOAD",
    "QUANTUM_COMPUTERS",
    "QUEUE",
    "STATIC_ARCHITECTURE",
    "STATIC_ARCHITECTURES",
    "SUBMITTED",
    "TIMELINE",
    "CircuitInTurns",
    "CircuitOnLoci",
    "Compilation",
    "CountsOfCircuit",
    "Dut",
    "ErrorBody",
    "ErrorLog",
    "FullRequest",
    "InstructionInTurns",
    "InstructionOnLocus",
    "JobData",
    "JobMessage",
    "JobStatus",
    "Mapped",
    "ShortRequest",
    "StationStep",
    "Submitted",
    "TimelineEntry",
]


class Mapped(Struct, frozen=True):
    """One entry of a qubit mapping."""

    logical_name: str
    physical_name: str


# --- requests, as the clients of each generation write them ---------------------------


class InstructionInTurns(Struct, frozen=True):
    """An instruction up to iqm-client 30: `qubits`, angles in full turns."""

    name: str
    qubits: tuple[str, ...]
    args: dict[str, Any]
    implementation: str | UnsetType = UNSET


class CircuitInTurns(Struct, frozen=True):
    """A circuit up to iqm-client 30."""

    name: str
    instructions: tuple[InstructionInTurns, ...]
    metadata: Any = UNSET


class ShortRequest(Struct, frozen=True, kw_only=True):
    """A run request up to iqm-client 32: what is not set is left out."""

    circuits: tuple[Raw, ...]
    """Each a `CircuitInTurns`, or for iqm-client 31 and 32 a `CircuitOnLoci`."""
    custom_settings: dict[str, Any] | UnsetType = UNSET
    calibration_set_id: str | UnsetType = UNSET
    qubit_mapping: tuple[Mapped, ...] | UnsetType = UNSET
    shots: int
    max_circuit_duration_over_t2: float | UnsetType = UNSET
    heralding_mode: str
    move_validation_mode: str
    move_gate_frame_tracking_mode: str
    active_reset_cycles: int | UnsetType = UNSET
    dd_mode: str
    dd_strategy: dict[str, Any] | UnsetType = UNSET


class InstructionOnLocus(Struct, frozen=True):
    """An instruction of iqm-client 31 and 32: `locus`, angles in radians."""

    name: str
    locus: tuple[str, ...]
    args: dict[str, Any]
    implementation: str | UnsetType = UNSET


class CircuitOnLoci(Struct, frozen=True):
    """A circuit of iqm-client 31 and 32."""

    name: str
    instructions: tuple[InstructionOnLocus, ...]
    metadata: Any = UNSET


class FullRequest(Struct, frozen=True, kw_only=True):
    """A run request from iqm-client 33 on: nothing is left out.

    The two options about MOVE appear under their old and their new name.
    """

    circuits: tuple[Raw, ...]
    """Each a `qawait.iqm.Circuit`: it has the fields of this generation, in its order."""
    custom_settings: dict[str, Any] | UnsetType = UNSET
    calibration_set_id: str | None
    qubit_mapping: tuple[Mapped, ...] | None
    shots: int
    max_circuit_duration_over_t2: float | None
    heralding_mode: str
    move_gate_validation: str
    move_gate_frame_tracking: str
    active_reset_cycles: int | None
    dd_mode: str
    dd_strategy: dict[str, Any] | None
    move_validation_mode: str
    move_gate_frame_tracking_mode: str


# --- answers -------------------------------------------------------------------------


class Submitted(Struct, frozen=True):
    """The answer to a submission: the id of the job."""

    id: str


class JobStatus(Struct, frozen=True, omit_defaults=True):
    """The light status of dialects V1, V2 and station."""

    status: str
    message: str | None = None
    warnings: list[str] | None = None


class TimelineEntry(Struct, frozen=True):
    """One step of a job's life as IQM Server tells it."""

    status: str
    timestamp: str
    source: str = "iqm-server"


class JobMessage(Struct, frozen=True, omit_defaults=True):
    """An error or a remark about a job."""

    message: str
    source: str = "iqm-server"
    error_code: str | None = None


class Compilation(Struct, frozen=True):
    """What the compilation of a job settled."""

    calibration_set_id: str | None = None


class JobData(Struct, frozen=True, kw_only=True):
    """A job of IQM Server api/v1. Wire reference §3.3."""

    id: str
    type: str = "circuit"
    status: str
    compilation: Compilation | None = None
    messages: list[JobMessage] = field(default_factory=list[JobMessage])
    errors: list[JobMessage] = field(default_factory=list[JobMessage])
    queue_position: int | None = None
    timeline: list[TimelineEntry] = field(default_factory=list[TimelineEntry])


class QuantumComputer(Struct, frozen=True):
    """One entry of api/v1's list of quantum computers."""

    id: str
    alias: str
    display_name: str = ""


class QuantumComputers(Struct, frozen=True):
    """The list of quantum computers."""

    quantum_computers: list[QuantumComputer]


class Health(Struct, frozen=True):
    """Whether a quantum computer accepts work; None if the service does not say."""

    healthy: bool | None = None


class Queue(Struct, frozen=True):
    """How many jobs wait for a quantum computer."""

    queue_length: int | None = None


class Observation(Struct, frozen=True):
    """One figure of a calibration or quality-metric set; arrays are left unread."""

    dut_field: str
    value: Any = None


class ObservationSet(Struct, frozen=True):
    """The quality figures of a quantum computer in station and api/v1."""

    observations: list[Observation] = field(default_factory=list[Observation])
    describes_id: str | None = None
    """The calibration set that these figures describe."""
    calibration_set: CalibrationSet | None = None
    """The same one as station tells it."""


class Metric(Struct, frozen=True):
    """One quality figure in V1, where numbers are strings."""

    value: Any = None


class MetricSet(Struct, frozen=True):
    """The quality figures of a quantum computer in V1."""

    calibration_set_id: str | None = None
    metrics: dict[str, Metric] = field(default_factory=dict[str, Metric])


class Specification(Struct, frozen=True):
    """The oldest description of a chip. Wire reference §6.1."""

    name: str
    qubits: list[str]
    qubit_connectivity: list[list[str]]
    operations: Any


class Architecture(Struct, frozen=True):
    """The envelope of the oldest description of a chip."""

    quantum_architecture: Specification


class CountsOfCircuit(Struct, frozen=True):
    """Counts of one circuit; bits go by key, then by position in the locus."""

    measurement_keys: list[str]
    counts: dict[str, int]


class PayloadInstruction(Struct, frozen=True):
    """The part of a submitted instruction that a result needs."""

    name: str
    locus: tuple[str, ...] = ()
    qubits: tuple[str, ...] = ()
    args: dict[str, Any] = {}


class PayloadCircuit(Struct, frozen=True):
    """The part of a submitted circuit that a result needs."""

    name: str
    instructions: tuple[PayloadInstruction, ...] = ()


class Payload(Struct, frozen=True):
    """The part of a submitted request that a result needs."""

    circuits: tuple[PayloadCircuit | str, ...]
    """A text is a circuit in QIR, of which nothing is read."""
    shots: int | None = None


class StationStep(Struct, frozen=True, omit_defaults=True):
    """One step of a job's life in V2 and station: `stage` up to 24, then `status`."""

    timestamp: str
    status: str | None = None
    stage: str | None = None


class ErrorLog(Struct, frozen=True):
    """Why a job failed, in V2 and station from iqm-client 25.3 on."""

    user_error_message: str | None = None
    full_error_log: str | None = None


class Dut(Struct, frozen=True):
    """A device under test: how station calls a chip."""

    label: str
    dut_type: str = "chip"


class CalibrationSet(Struct, frozen=True):
    """The part of station's default calibration set that says which one it is."""

    observation_set_id: str


class About(Struct, frozen=True):
    """What a station says of itself; its software by name."""

    software_versions: dict[str, Any] = field(default_factory=dict[str, Any])


class ClientLibrary(Struct, frozen=True):
    """The releases of a client that a service is made for; `max` is the first too new."""

    max: str | None = None


class ErrorBody(Struct, frozen=True):
    """The error shapes of all IQM services; which field is set tells the generation."""

    message: str | None = None
    detail: Any = None
    error_code: str | None = None
    errors: list[Any] | None = None


SUBMITTED = Decoder(Submitted)
JOB_STATUS = Decoder(JobStatus)
JOB = Decoder(JobData)
QUANTUM_COMPUTERS = Decoder(QuantumComputers)
HEALTH = Decoder(Health)
QUEUE = Decoder(Queue)
OBSERVATION_SET = Decoder(ObservationSet)
METRIC_SET = Decoder(MetricSet)
ARCHITECTURE = Decoder(Architecture)
STATIC_ARCHITECTURE = Decoder(StaticQuantumArchitecture)
STATIC_ARCHITECTURES = Decoder(list[StaticQuantumArchitecture])
DYNAMIC_ARCHITECTURE = Decoder(DynamicQuantumArchitecture)
PAYLOAD = Decoder(Payload)
CIRCUITS = Decoder(tuple[PayloadCircuit | str, ...])
PARAMETERS = Decoder(dict[str, Any])
TIMELINE = Decoder(list[StationStep])
ERROR_LOG = Decoder(ErrorLog | str | None)
CALIBRATION_SET_ID = Decoder(str | None)
CALIBRATION_SET = Decoder(CalibrationSet)
DUTS = Decoder(list[Dut])
ABOUT = Decoder(About)
CLIENT_LIBRARIES = Decoder(dict[str, ClientLibrary])
ERROR = Decoder(ErrorBody)
