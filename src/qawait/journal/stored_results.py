"""A result in bytes and back: a short description, and the arrays as they are.

The arrays follow the description in one block, each at a multiple of eight bytes, and
are read back as views of that block; nothing is unpacked and nothing is executed.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
from msgspec import Struct

from qawait.circuit_result import CircuitResult, Kind
from qawait.errors import Error, JournalCorrupt
from qawait.histograms import Histogram
from qawait.iqm.run_result import Metadata, RunResult
from qawait.journal.segments import Piece  # noqa: TC001 (fields of Structs resolve at run time)
from qawait.layout import Layout  # noqa: TC001 (fields of Structs resolve at run time)
from qawait.results import Result
from qawait.shots import Shots

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

__all__ = ["Packed", "pack_result", "unpack_result"]

_ALIGNED = 8
_SMALL = 1 << 14
"""Bytes of an array below which it is copied: thousands of tiny parts would each have to
be summed and written by itself."""
_DTYPE = re.compile(r"[<|][ui][1248]")


# none of these can be part of a cycle, and there may be a hundred thousand of them


class _Array(Struct, array_like=True, gc=False):
    dtype: str
    shape: tuple[int, ...]
    at: int
    """Where it begins in the block, in bytes."""


class _Shots(Struct, omit_defaults=True, gc=False):
    rows: int
    packed: _Array
    widths: list[tuple[str, int]]
    """Every key in the order in which the columns are packed."""
    keys: list[str] | None = None
    """The order in which the keys are shown, where it is another one."""
    wide: dict[str, _Array] = {}


class _Circuit(Struct, omit_defaults=True, gc=False):
    label: str
    shots: int | None = None
    requested_shots: int | None = None
    layout: int | None = None
    qubits: int = 0
    measured: _Shots | None = None
    n_bits: int = 0
    outcomes: _Array | None = None
    counts: _Array | None = None
    values: dict[str, float] = {}
    simulated: bool = False


class _RunResult(Struct, omit_defaults=True):
    status: str
    message: str | None = None
    warnings: list[str] | None = None
    metadata: Metadata | None = None
    """None where it is that of the result."""
    measurements: list[_Shots | list[str]] = []
    """For each circuit the order of its keys, or all of it where it is another one."""


class _Stored(Struct, omit_defaults=True):
    kind: Kind
    job_id: str
    circuits: list[_Circuit]
    layouts: list[Layout]
    qubits: list[list[tuple[str, tuple[str, ...]]]]
    message: str | None = None
    metadata: Metadata | None = None
    """What IQM tells beside its results; other services tell nothing."""
    warnings: tuple[str, ...] = ()
    run_result: _RunResult | None = None
    simulated: bool = False
    target: str | None = None
    calibration_set_id: str | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Stored)


class Packed(Struct, frozen=True):
    """A result ready to be written."""

    description: bytes
    block: tuple[Piece, ...]
    """The arrays and the padding between them, one after the other."""
    digest: bytes
    """Of what was measured as it lies in the block, and not of what was said of it."""


class _Block:
    """Arrays on their way into one block of bytes."""

    def __init__(self) -> None:
        self.parts: list[Piece] = []
        self._size = 0
        self._small: bytearray | None = None
        """The last of the parts, while it grows."""

    def add(self, array: NDArray[Any]) -> _Array:
        at = self._size
        padding = bytes(-array.nbytes % _ALIGNED)
        self._size += array.nbytes + len(padding)
        little = array
        if array.itemsize > 1:
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.nbytes < _SMALL:
            if self._small is None:
                self._small = bytearray()
                self.parts.append(self._small)
            self._small += little.tobytes()
            self._small += padding
        else:
            whole = np.ascontiguousarray(little)
            self._small = bytearray(padding)
            self.parts += [memoryview(cast("Any", whole)).cast("B"), self._small]
        return _Array(little.dtype.str, little.shape, at)


def pack_result(result: Result) -> Packed:
    """The bytes of a result; its large arrays are not copied."""
    block = _Block()
    layouts: dict[Layout, int] = {}
    qubits: dict[Hashable, int] = {(): 0}

    def place(circuit: CircuitResult) -> int:
        return qubits.setdefault(tuple(circuit.qubits.items()), len(qubits))

    circuits = [
        _Circuit(
            label=circuit.label,
            shots=circuit.shots,
            requested_shots=circuit.requested_shots,
            layout=None
            if circuit.layout is None
            else layouts.setdefault(circuit.layout, len(layouts)),
            qubits=place(circuit),
            values=circuit.values,
            simulated=circuit.simulated,
            **_arrays(circuit, block),
        )
        for circuit in result
    ]
    measured = _ENCODER.encode([result.kind, circuits, list(layouts)])
    digest = hashlib.sha256(measured)
    for part in block.parts:
        digest.update(part)
    stored = _Stored(
        kind=result.kind,
        job_id=result.job_id,
        circuits=circuits,
        layouts=list(layouts),
        qubits=[list(cast("Any", names)) for names in qubits],
        message=result.message,
        metadata=result.metadata,
        warnings=result.warnings,
        run_result=_wire_model(result, block),
        simulated=result.simulated,
        target=result.target,
        calibration_set_id=result.calibration_set_id,
    )
    return Packed(_ENCODER.encode(stored), tuple(block.parts), digest.digest())


def _arrays(circuit: CircuitResult, block: _Block) -> dict[str, Any]:
    if circuit.kind == "shots":
        return {"measured": _shots(circuit.measured, block)}
    if circuit.tallied is not None:
        return {
            "n_bits": circuit.tallied.n_bits,
            "outcomes": block.add(circuit.tallied.outcomes),
            "counts": block.add(circuit.tallied.counts),
        }
    return {}


def _shots(shots: Shots, block: _Block) -> _Shots:
    keys = in_order = list(shots.widths)
    if len(keys) > 1:
        _, (_, _, starts, _, _) = cast("Any", shots.__reduce__())
        packed = sorted(starts, key=lambda key: (starts[key], shots.widths[key]))
        in_order = [*packed, *shots.wide]
    return _Shots(
        rows=shots.rows,
        widths=[(key, shots.widths[key]) for key in in_order],
        keys=None if in_order == keys else keys,
        packed=block.add(shots.packed),
        wide={key: block.add(levels) for key, levels in shots.wide.items()},
    )


def _wire_model(result: Result, block: _Block) -> _RunResult | None:
    run = result.run_result
    if run is None:
        return None
    measurements: list[_Shots | list[str]] = []
    circuits = list(result)
    for n, shots in enumerate(run.measurements or ()):
        own = circuits[n].measured if n < len(circuits) else None
        # the circuit's own shots are the same array with its keys in circuit order
        if (
            own is not None
            and own.packed is shots.packed
            and own.widths.keys() == shots.widths.keys()
        ):
            measurements.append(list(shots.widths))
        else:
            measurements.append(_shots(shots, block))
    return _RunResult(
        status=run.status,
        message=run.message,
        warnings=run.warnings,
        metadata=None if run.metadata is result.metadata else run.metadata,
        measurements=measurements,
    )


# --- and back -------------------------------------------------------------------------


def unpack_result(description: bytes, block: memoryview | bytes) -> Result:
    """The result again; its arrays are read-only views of `block`.

    Raises:
        JournalCorrupt: These bytes are no result.
    """
    try:
        stored = _DECODER.decode(description)
        return _result(stored, _Reader(stored, block))
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        ValueError,
        LookupError,
        Error,
    ) as error:
        raise JournalCorrupt(f"a stored result cannot be read: {error}") from error


class _Reader:
    def __init__(self, stored: _Stored, block: memoryview | bytes) -> None:
        self._stored = stored
        self._block = block
        self._qubits = [dict(names) for names in stored.qubits]

    def array(self, where: _Array) -> NDArray[Any]:
        if not _DTYPE.fullmatch(where.dtype) or min(where.shape, default=0) < 0:
            raise ValueError(f"no array of {where.dtype} {where.shape}")
        count = 1
        for size in where.shape:
            count *= size
        if not count:
            return np.empty(where.shape, where.dtype)
        flat = np.frombuffer(self._block, where.dtype, count, where.at)
        return flat.reshape(where.shape)

    def shots(self, where: _Shots) -> Shots:
        wide = {key: self.array(levels) for key, levels in where.wide.items()}
        shots = Shots(where.rows, dict(where.widths), self.array(where.packed), wide)
        return shots if where.keys is None else shots.ordered(where.keys)

    def circuit(self, place: int) -> CircuitResult:
        stored = self._stored
        circuit = stored.circuits[place]
        arrays: dict[str, Any] = {}
        if circuit.measured is not None:
            arrays["measured"] = self.shots(circuit.measured)
        elif circuit.outcomes is not None and circuit.counts is not None:
            outcomes, counts = self.array(circuit.outcomes), self.array(circuit.counts)
            arrays["tallied"] = Histogram(circuit.n_bits, outcomes, counts)
        return CircuitResult(
            kind=stored.kind,
            label=circuit.label,
            shots=circuit.shots,
            requested_shots=circuit.requested_shots,
            layout=None if circuit.layout is None else stored.layouts[circuit.layout],
            values=circuit.values,
            qubits=self._qubits[circuit.qubits],
            simulated=circuit.simulated,
            **arrays,
        )


def _result(stored: _Stored, reader: _Reader) -> Result:
    circuits = [reader.circuit(n) for n in range(len(stored.circuits))]
    return Result(
        circuits,
        kind=stored.kind,
        job_id=stored.job_id,
        message=stored.message,
        metadata=stored.metadata,
        warnings=stored.warnings,
        run_result=_run_result(stored, circuits, reader),
        simulated=stored.simulated,
        target=stored.target,
        calibration_set_id=stored.calibration_set_id,
    )


def _run_result(
    stored: _Stored, circuits: Sequence[CircuitResult], reader: _Reader
) -> RunResult | None:
    run = stored.run_result
    if run is None:
        return None
    return RunResult(
        status=run.status,
        message=run.message,
        warnings=run.warnings,
        metadata=run.metadata or stored.metadata or Metadata(),
        measurements=[
            circuits[n].measured.ordered(shots)
            if isinstance(shots, list)
            else reader.shots(shots)
            for n, shots in enumerate(run.measurements)
        ],
    )
