"""How the circuits of a job travel: compressed, and in bodies of a bounded size."""

from __future__ import annotations

import base64
import gzip
import math
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct
from msgspec.json import encode

from qawait.errors import CircuitError, ConfigurationError
from qawait.model import Call
from qawait.qoro.circuit import Circuit
from qawait.qoro.messages import ParameterSet, Upload
from qawait.qoro.observables import Observables, to_wire
from qawait.qoro.template import Template
from qawait.wire import checked_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qawait.model import Submission

__all__ = ["LARGEST_BODY_BYTES", "check", "pack", "uploads"]

LARGEST_BODY_BYTES = int(0.95 * 1024 * 1024)
"""No body is larger, but for that of one circuit that is too large by itself."""

_GZIP_LEVEL = 6
"""The highest, 9, takes three to six times as long for three to five per cent less."""


def check(submission: Submission) -> None:
    """Refuse before a job is opened what could not be uploaded to it.

    Raises:
        ConfigurationError: There are no circuits, two have the same label, or what goes
            with all of them does not fit into one body.
        CircuitError: One is not a Qoro circuit, or holds text that is not Unicode.
    """
    _plan(submission)


def pack(qasm: str) -> str:
    """A program as it travels: base64 of gzip, the same bytes for the same program."""
    packed = gzip.compress(qasm.encode(), _GZIP_LEVEL, mtime=0)
    return base64.b64encode(packed).decode()


def uploads(job_id: str, submission: Submission) -> Iterator[Call]:
    """The calls that append all circuits, in order; only the last one finalizes."""
    path = f"job/{checked_id(job_id)}/add_circuits/"
    plan = _plan(submission)
    chunk: _Chunk | None = None
    for following in _chunks(plan):
        if chunk is not None:
            yield _upload(path, plan, chunk, last=False)
        chunk = following
    if chunk is not None:
        yield _upload(path, plan, chunk, last=True)


def _upload(path: str, plan: _Plan, chunk: _Chunk, *, last: bool) -> Call:
    opening, ending = plan.around(last=last, groups=chunk.groups)
    body = opening + b",".join(chunk.entries) + ending
    return Call(kind="submit", method="POST", path=path, body=body)


# --- what goes into every body -------------------------------------------------------


class _Plan(Struct, frozen=True, kw_only=True):
    """What is to travel, and what is repeated in each body."""

    repeated: Upload
    circuits: Sequence[Circuit] = ()
    """Bound circuits; none where a template goes."""
    template: Template | None = None
    shots_each: Sequence[int] = ()

    def entries(self) -> Iterator[bytes]:
        """Each circuit as JSON, as it stands in its object or array."""
        if self.template is not None:
            for label, values in self.template.rows:
                yield encode(ParameterSet(label, list(values)))
        for circuit in self.circuits:
            yield encode(circuit.label) + b':"' + pack(circuit.qasm).encode() + b'"'

    def around(
        self, *, last: bool, groups: list[tuple[int, int, int]] | None = None
    ) -> tuple[bytes, bytes]:
        """What stands before and after the entries of a body, as exact bytes."""
        repeated, finalized = self.repeated, "true" if last else "false"
        whole = encode(
            Upload(
                circuits=repeated.circuits,
                circuit_template=repeated.circuit_template,
                parameter_names=repeated.parameter_names,
                parameter_sets=repeated.parameter_sets,
                finalized=finalized,
                observables=repeated.observables,
                circuit_ham_map=repeated.circuit_ham_map,
                shot_groups=(groups or []) if self.shots_each else UNSET,
                shots=repeated.shots,
            )
        )
        # Quotes inside of strings are escaped, so this can only be the key itself.
        key = b'"circuits":{' if self.template is None else b'"parameter_sets":['
        before, _, after = whole.partition(key)
        return before + key, after


def _plan(submission: Submission) -> _Plan:
    observables = submission.observables
    if not isinstance(observables, Observables | None):
        raise ConfigurationError(
            "a Qoro service takes qawait.qoro.Observables, not "
            f"{type(observables).__name__}"
        )
    each = submission.shots_each
    first = submission.circuits[0] if len(submission.circuits) == 1 else None
    if isinstance(first, Template):
        plan = _plan_of_template(first, submission, observables)
    else:
        circuits = _checked(submission.circuits)
        if each and len(each) != len(circuits):
            raise ConfigurationError(
                f"{len(each)} numbers of shots for {len(circuits)} circuits"
            )
        plan = _Plan(
            repeated=_repeated(submission, observables, circuits, Upload(circuits={})),
            circuits=circuits,
            shots_each=() if observables else each,
        )
    size = sum(map(len, plan.around(last=False)))
    # A template shares its body with one row at least.
    if plan.template is not None:
        size += max(map(len, plan.entries()))
    if size > LARGEST_BODY_BYTES:
        what = "template" if plan.template is not None else "observables"
        raise ConfigurationError(
            f"the {what} alone would take {size} bytes of a request, which holds "
            f"{LARGEST_BODY_BYTES}"
        )
    return plan


def _plan_of_template(
    template: Template, submission: Submission, observables: Observables | None
) -> _Plan:
    if submission.shots_each or (observables and observables.circuit_map is not None):
        raise ConfigurationError(
            "a template takes one number of shots and one group of observables for all "
            "of its circuits"
        )
    if not template.names or len(set(template.names)) != len(template.names):
        raise ConfigurationError("a template needs names, and each of them once")
    for label, values in template.rows:
        if len(values) != len(template.names):
            raise CircuitError(
                label, f"{len(values)} numbers for {len(template.names)} placeholders"
            )
        if not all(map(math.isfinite, values)):
            raise CircuitError(label, "a number of its row is not finite")
    circuits = _checked([Circuit(label, template.qasm) for label, _ in template.rows])
    upload = Upload(
        circuit_template=pack(template.qasm),
        parameter_names=list(template.names),
        parameter_sets=[],
    )
    return _Plan(
        repeated=_repeated(submission, observables, circuits, upload),
        template=template,
    )


def _repeated(
    submission: Submission,
    observables: Observables | None,
    circuits: Sequence[Circuit],
    upload: Upload,
) -> Upload:
    text, ranges = to_wire(observables, circuits) if observables else (UNSET, None)
    counted = not observables and not submission.shots_each
    return Upload(
        circuits=upload.circuits,
        circuit_template=upload.circuit_template,
        parameter_names=upload.parameter_names,
        parameter_sets=upload.parameter_sets,
        observables=text,
        circuit_ham_map=UNSET if ranges is None else ranges,
        shots=submission.shots if counted else UNSET,
    )


def _checked(circuits: Iterable[object]) -> list[Circuit]:
    """The circuits, all of which can be told apart and sent."""
    checked: list[Circuit] = []
    labels: set[str] = set()
    for number, circuit in enumerate(circuits):
        if not isinstance(circuit, Circuit):
            raise CircuitError(
                f"circuit {number}",
                f"a Qoro service takes qawait.qoro.Circuit, not {type(circuit).__name__}",
            )
        for what, text in (("label", circuit.label), ("program", circuit.qasm)):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise CircuitError(
                    repr(circuit.label), f"its {what} is not valid Unicode"
                ) from None
        if circuit.label in labels:
            raise ConfigurationError(
                f"two circuits have the label {circuit.label!r}; results come back by "
                "label, so each needs its own"
            )
        labels.add(circuit.label)
        checked.append(circuit)
    if not checked:
        raise ConfigurationError("there are no circuits to submit")
    return checked


# --- chunks --------------------------------------------------------------------------


class _Chunk:
    """The entries of one body, and their exact size in it."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.groups: list[tuple[int, int, int]] = []
        """Shots of runs of entries: from, up to but without, shots."""
        self._closed = 0
        """Bytes of entries and commas, and of all groups but the last."""

    def size_with(self, entry: bytes, shots: int | None) -> int:
        """Bytes of the entries and groups if this one came to them."""
        size = self._closed + len(entry) + bool(self.entries)
        if shots is None:
            return size
        start, end = 0, len(self.entries) + 1
        if self.groups:
            start, before, last_shots = self.groups[-1]
            if last_shots != shots:
                # The last group stays as it is, and a comma stands after it.
                size += len(encode(self.groups[-1])) + 1
                start = before
        return size + len(encode((start, end, shots)))

    def add(self, entry: bytes, shots: int | None) -> None:
        """Take an entry in."""
        self._closed += len(entry) + bool(self.entries)
        self.entries.append(entry)
        if shots is None:
            return
        end = len(self.entries)
        if self.groups and self.groups[-1][2] == shots:
            start, _, _ = self.groups.pop()
            self.groups.append((start, end, shots))
            return
        if self.groups:
            self._closed += len(encode(self.groups[-1])) + 1
        self.groups.append((end - 1, end, shots))


def _chunks(plan: _Plan) -> Iterator[_Chunk]:
    """The entries of each body: as many as fit, and at least one."""
    room = LARGEST_BODY_BYTES - sum(map(len, plan.around(last=False)))
    chunk = _Chunk()
    for number, entry in enumerate(plan.entries()):
        shots = plan.shots_each[number] if plan.shots_each else None
        if chunk.entries and chunk.size_with(entry, shots) > room:
            yield chunk
            chunk = _Chunk()
        chunk.add(entry, shots)
    if chunk.entries:
        yield chunk
