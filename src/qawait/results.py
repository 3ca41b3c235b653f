"""What `await job` returns: the results of a batch of circuits, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from qawait.circuit_result import CircuitResult, Kind, Order, in_circuit_order
from qawait.errors import AmbiguousLabel, ResultMismatch
from qawait.layout import Layout
from qawait.measurements import as_measurements
from qawait.model import CircuitRecord, State
from qawait.packing import bytes_for
from qawait.shots import Shots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qawait.histograms import Histogram
    from qawait.iqm.run_result import RunResult
    from qawait.model import Manifest
    from qawait.shots import Levels

__all__ = ["CircuitResult", "Layout", "Result"]

T = TypeVar("T")


class Result(Sequence[CircuitResult]):
    """The results of one job: a sequence over its circuits, in order of submission.

    `result[0]` is the first circuit, `result["bell"]` the one with that label. It is
    always ready; a job that ends otherwise raises when it is awaited.

    Attributes:
        kind: "shots", "histogram" or "expectation", the same for all circuits.
        status: Always `State.READY`.
        job_id: The service's id of the job.
        target: The machine or cluster that ran it; None if it is not known.
        simulated: Whether a simulator made it, and not a quantum computer.
        calibration_set_id: IQM: the calibration it ran with; None if it is not known.
        message: What the service said about it, if anything.
        metadata: What the service tells beside the results; IQM: `Metadata`.
        warnings: The service's warnings, none if it gave none.
        run_result: IQM: the wire model; None for other services.
    """

    __slots__ = (
        "_circuits",
        "calibration_set_id",
        "job_id",
        "kind",
        "message",
        "metadata",
        "run_result",
        "simulated",
        "target",
        "warnings",
    )

    def __init__(
        self,
        circuits: Sequence[CircuitResult],
        *,
        kind: Kind,
        job_id: str,
        message: str | None = None,
        metadata: Any = None,
        warnings: Sequence[str] = (),
        run_result: RunResult | None = None,
        simulated: bool = False,
        target: str | None = None,
        calibration_set_id: str | None = None,
    ) -> None:
        self._circuits = tuple(circuits)
        self.kind: Kind = kind
        self.job_id = job_id
        self.message = message
        self.metadata = metadata
        self.warnings = tuple(warnings)
        self.run_result = run_result
        self.simulated = simulated
        self.target = target
        self.calibration_set_id = calibration_set_id

    # --- made by the dialects ---------------------------------------------------------

    @classmethod
    def of_shots(
        cls,
        measurements: Sequence[Mapping[str, Levels]],
        manifest: Manifest | None,
        *,
        job_id: str,
        qubits: Sequence[Mapping[str, tuple[str, ...]]] | None = None,
        **about: Any,
    ) -> Result:
        """From the measurements of each circuit, in the order of submission.

        Args:
            measurements: Keys and arrays (shots, locus) of each circuit, or `Shots`.
            manifest: What was submitted; None or empty if nobody remembers.
            job_id: The service's id.
            qubits: The components of each key, keys in circuit order, where the
                manifest does not have them.
            about: As the constructor takes it, over what the manifest says.

        Raises:
            ResultMismatch: These are not the results of the circuits submitted.
        """
        records = manifest.circuits if manifest else ()
        if records and len(records) != len(measurements):
            raise ResultMismatch(
                f"job {job_id}: {len(measurements)} results for {len(records)} circuits"
            )
        about = _with_manifest(about, manifest)
        return cls(
            [
                _of_shots(
                    shots,
                    records[n] if records else CircuitRecord(label=str(n)),
                    qubits[n] if qubits and n < len(qubits) else {},
                    about["simulated"],
                )
                for n, shots in enumerate(as_measurements(measurements))
            ],
            kind="shots",
            job_id=job_id,
            **about,
        )

    @classmethod
    def of_histograms(
        cls,
        rows: Sequence[tuple[str, Histogram]],
        manifest: Manifest | None,
        *,
        job_id: str,
        **about: Any,
    ) -> Result:
        """From a histogram for each label; their order does not matter.

        Raises:
            ResultMismatch: The labels or the widths are not those submitted.
        """
        about = _with_manifest(about, manifest)
        return cls(
            [
                _of_histogram(histogram, record, about["simulated"])
                for record, histogram in _matched(rows, manifest, job_id)
            ],
            kind="histogram",
            job_id=job_id,
            **about,
        )

    @classmethod
    def of_expectations(
        cls,
        rows: Sequence[tuple[str, Mapping[str, float]]],
        manifest: Manifest | None,
        *,
        job_id: str,
        **about: Any,
    ) -> Result:
        """From values by Pauli label, for each circuit label; in any order.

        The Pauli labels are in Qiskit's order already: the dialect turns them.

        Raises:
            ResultMismatch: The labels are not those submitted.
        """
        about = _with_manifest(about, manifest)
        return cls(
            [
                CircuitResult(
                    kind="expectation",
                    label=record.label,
                    shots=None,
                    layout=record.layout,
                    values=dict(values),
                    simulated=about["simulated"],
                )
                for record, values in _matched(rows, manifest, job_id)
            ],
            kind="expectation",
            job_id=job_id,
            **about,
        )

    # --- what users read --------------------------------------------------------------

    @property
    def status(self) -> State:
        """The state of the job: ready, or there would be no result."""
        return State.READY

    @property
    def packed(self) -> list[NDArray[np.uint8]]:
        """The shots of each circuit, all registers joined, at one bit for each bit.

        Read-only, (shots, ceil(n / 8)), the layout of Qiskit's BitArray; for one
        register, see `CircuitResult.packed`.

        Raises:
            NoShotData: The service returned histograms or expectation values.
            LevelError: A level is above 1, so not a bit.
            NoLayout: The registers of a circuit are not known.
        """
        return [circuit.packed() for circuit in self]

    @property
    def measurements(self) -> list[Mapping[str, Levels]]:
        """IQM's own view: `measurements[circuit][key][shot, position in the locus]`.

        Raises:
            NoShotData: The service returned histograms or expectation values.
        """
        return [circuit.keys for circuit in self]

    def counts(
        self,
        circuit: int | str,
        reg: str | None = None,
        *,
        sep: str = "",
        order: Order = "qiskit",
    ) -> dict[str, int]:
        """The counts of one circuit: the same as `result[circuit].counts(...)`."""
        return self[circuit].counts(reg, sep=sep, order=order)

    def __len__(self) -> int:
        return len(self._circuits)

    def __iter__(self) -> Iterator[CircuitResult]:
        return iter(self._circuits)

    @overload
    def __getitem__(self, which: int | str) -> CircuitResult: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[CircuitResult, ...]: ...
    def __getitem__(
        self, which: int | str | slice
    ) -> CircuitResult | tuple[CircuitResult, ...]:
        """A circuit by its place or label, or several by a slice.

        Raises:
            IndexError: There are fewer circuits.
            KeyError: No circuit has this label.
            AmbiguousLabel: Several circuits have it; use the index.
        """
        if isinstance(which, slice):
            return self._circuits[which]
        if not isinstance(which, str):
            try:
                return self._circuits[which]
            except IndexError:
                raise IndexError(
                    f"no circuit {which}: the job has {_circuits(len(self))}"
                ) from None
        found = [n for n, circuit in enumerate(self) if circuit.label == which]
        if len(found) > 1:
            places = ", ".join(map(str, found[:10]))
            raise AmbiguousLabel(
                f"circuits {places} all have the label {which!r}; use an index"
            )
        if not found:
            labels = ", ".join(circuit.label for circuit in self._circuits[:10])
            raise KeyError(f"no circuit has the label {which!r}; there are: {labels}")
        return self._circuits[found[0]]

    def __contains__(self, value: object) -> bool:
        """Whether a circuit has this label, or is equal to this one."""
        if isinstance(value, str):
            return any(circuit.label == value for circuit in self)
        return value in self._circuits

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; arrays are compared by value."""
        if not isinstance(other, Result):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._display.results import result_card
        from qawait._display.writing import bundle

        return bundle(result_card(self))

    def __repr__(self) -> str:
        about = [f"job {self.job_id}", _circuits(len(self)), self.kind]
        if self.target is not None:
            about.append(self.target)
        if self.simulated:
            about.append("simulated")
        return f"Result({', '.join(about)})"


def _circuits(number: int) -> str:
    return f"{number} circuit" if number == 1 else f"{number} circuits"


def _with_manifest(about: dict[str, Any], manifest: Manifest | None) -> dict[str, Any]:
    """What is known of a job: what was just said, else what the manifest says."""
    known = dict(about)
    known["simulated"] = known.get("simulated") or bool(manifest and manifest.simulated)
    for name in ("target", "calibration_set_id"):
        if known.get(name) is None and manifest is not None:
            known[name] = getattr(manifest, name)
    return known


def _matched(
    rows: Sequence[tuple[str, T]], manifest: Manifest | None, job_id: str
) -> list[tuple[CircuitRecord, T]]:
    """Each record with its row, by label; without records, the rows as they came."""
    if manifest is None or not manifest.circuits:
        return [(CircuitRecord(label=label), value) for label, value in rows]
    by_label = dict(rows)
    labels = [record.label for record in manifest.circuits]
    if len(by_label) != len(rows) or len(set(labels)) != len(labels):
        raise ResultMismatch(f"job {job_id}: several results have the same label")
    missing = [label for label in labels if label not in by_label]
    strange = sorted(by_label.keys() - set(labels))
    if missing or strange:
        what = (
            f"no result for {missing[0]!r}" if missing else f"a result {strange[0]!r}"
        )
        raise ResultMismatch(
            f"job {job_id}: {len(rows)} results for {len(labels)} circuits; {what}"
        )
    return [(record, by_label[record.label]) for record in manifest.circuits]


def _of_histogram(
    histogram: Histogram, record: CircuitRecord, simulated: bool
) -> CircuitResult:
    layout = record.layout
    if layout is not None and len(layout.bits) != histogram.n_bits:
        raise ResultMismatch(
            f"circuit {record.label!r} has {len(layout.bits)} classical bits, its"
            f" histogram {histogram.n_bits}"
        )
    return CircuitResult(
        kind="histogram",
        label=record.label,
        shots=histogram.shots,
        requested_shots=record.shots,
        layout=layout,
        tallied=histogram,
        simulated=simulated,
    )


def _of_shots(
    measured: Shots,
    record: CircuitRecord,
    qubits: Mapping[str, tuple[str, ...]],
    simulated: bool,
) -> CircuitResult:
    qubits = record.qubits or qubits
    if missing := [key for key in qubits if key not in measured]:
        raise ResultMismatch(
            f"circuit {record.label!r} measures the key {missing[0]!r}, which is not in"
            f" its result; there are: {', '.join(measured) or 'none'}"
        )
    widths = {
        key: _width(measured, key, record, len(qubits.get(key, ())))
        for key in measured.widths
    }
    if widths != measured.widths:
        nothing = np.empty((0, bytes_for(sum(widths.values()))), np.uint8)
        measured = Shots(0, widths, nothing)
    measured = measured.ordered(
        [*qubits, *(key for key in widths if key not in qubits)]
    )
    layout = record.layout or Layout.from_keys(measured.widths)
    if layout is None and in_circuit_order(measured, qubits):
        layout = Layout.of_keys(measured.widths)
    for place in layout.bits if layout else ():
        if place is not None and place[1] >= widths.get(place[0], 0):
            raise ResultMismatch(
                f"circuit {record.label!r}: its result has no column {place[1]} of the"
                f" key {place[0]!r}"
            )
    return CircuitResult(
        kind="shots",
        label=record.label,
        shots=measured.rows,
        requested_shots=record.shots,
        layout=layout,
        measured=measured,
        qubits=qubits,
        simulated=simulated,
    )


def _width(measured: Shots, key: str, record: CircuitRecord, locus: int) -> int:
    """The columns of a key; without rows, as many as its locus or layout says."""
    width = measured.widths[key]
    if not measured.rows and not width:
        places = record.layout.bits if record.layout else ()
        used = [place[1] + 1 for place in places if place and place[0] == key]
        return locus or max(used, default=0)
    if locus and width != locus:
        raise ResultMismatch(
            f"circuit {record.label!r} measures {locus} qubits under the key {key!r},"
            f" its result has {width} columns"
        )
    return width
