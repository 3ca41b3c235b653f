# pyright: basic
"""The results of circuits in Qiskit's forms, out of the packed bits that we keep."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BitArray, DataBin
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from qawait.errors import ResultError
from qawait.packing import bytes_for, gather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    from qawait.circuit_result import CircuitResult

__all__ = ["PubArrays", "counted", "packed_registers"]


def packed_registers(
    result: CircuitResult, names: Sequence[str]
) -> list[NDArray[np.uint8]]:
    """The shots of each register as Qiskit packs them: (shots, ceil(bits / 8)).

    Shots are the very memory of the result where a register is all that it measured. A
    histogram is written out in ascending order of the joined registers, so that a row is
    the same shot in each of them.

    Raises:
        LevelError: A level is above 1, so not a bit.
    """
    if result.kind != "histogram":
        return [result.packed(name) for name in names]
    rows = _written_out(result)
    widths = result.registers
    if list(widths) == list(names) and len(names) == 1:
        return [rows]
    starts = dict(zip(widths, accumulate(widths.values(), initial=0), strict=False))
    return [
        gather(rows, range(starts[name], starts[name] + widths[name])) for name in names
    ]


def _written_out(result: CircuitResult) -> NDArray[np.uint8]:
    histogram = result.histogram()
    return np.repeat(histogram.packed(), histogram.counts, axis=0)


class PubArrays:
    """The bits of one PUB, filled point by point.

    One point stays in the memory that its result has; several are copied into one array
    for each register, which is made when the first of them comes.

    Args:
        number: Of the PUB, for errors.
        circuit: Its circuit.
        shape: Of its bindings.
    """

    def __init__(
        self, number: int, circuit: QuantumCircuit, shape: tuple[int, ...]
    ) -> None:
        self._number = number
        self._shape = shape
        self._size = math.prod(shape)
        # a register without bits is in no result
        self._widths = {register.name: register.size for register in circuit.cregs}
        self._names = [name for name, width in self._widths.items() if width]
        self._arrays: dict[str, NDArray[np.uint8]] = {}
        self.ordered = True
        """Whether shots are in the order in which they were taken."""

    def put(self, place: int, result: CircuitResult) -> None:
        """The result of the binding at this place, counted in C order.

        Raises:
            LevelError: A level is above 1, so not a bit.
            ResultError: Not as many shots came back as for the other bindings.
        """
        self.ordered = result.kind == "shots"
        packed = packed_registers(result, self._names)
        if self._size == 1:
            self._arrays = {
                name: rows.reshape(*self._shape, *rows.shape)
                for name, rows in zip(self._names, packed, strict=True)
            }
            return
        for name, rows in zip(self._names, packed, strict=True):
            array: Any = self._arrays.get(name)
            if array is None:
                array = np.empty((self._size, *rows.shape), np.uint8)
                self._arrays[name] = array
            if array.shape[1] != len(rows):
                raise ResultError(
                    f"pub {self._number}: its bindings came back with {array.shape[1]} "
                    f"and with {len(rows)} shots, which one BitArray cannot hold; take "
                    "them from client.sweep"
                )
            array[place] = rows

    @property
    def shots(self) -> int:
        """Rows that came back for each binding."""
        return next((a.shape[-2] for a in self._arrays.values()), 0)

    def data(self) -> DataBin:
        """The registers of all bindings, when all have come."""
        fields: dict[str, Any] = {}
        for name, width in self._widths.items():
            array: Any = self._arrays.get(name)
            if array is None:
                array = np.empty((self._size, self.shots, 0), np.uint8)
            shape = (*self._shape, self.shots, bytes_for(width))
            fields[name] = BitArray(array.reshape(shape), width)
        return DataBin(shape=self._shape, **fields)


def counted(
    circuits: Sequence[QuantumCircuit],
    results: Sequence[CircuitResult],
    *,
    memory: bool,
    **about: Any,
) -> Result:
    """What `backend.run` promises: counts of each circuit, and single shots on request.

    Args:
        circuits: As they were given.
        results: Of each of them.
        memory: Whether to write out every shot as a text.
        about: What `qiskit.result.Result` takes.

    Raises:
        LevelError: A level is above 1, so not a bit.
    """
    return Result(
        **about,
        success=True,
        date=datetime.now(UTC).isoformat(),
        results=[
            _experiment(circuit, result, memory=memory)
            for circuit, result in zip(circuits, results, strict=True)
        ],
    )


def _experiment(
    circuit: QuantumCircuit, result: CircuitResult, *, memory: bool
) -> ExperimentResult:
    histogram = result.histogram()
    registers = [[name, size] for name, size in result.registers.items()]
    counts = dict(zip(_hex(histogram.packed()), histogram.counts.tolist(), strict=True))
    shots = None
    if memory:
        tallied = result.kind == "histogram"
        shots = _hex(_written_out(result) if tallied else result.packed())
    return ExperimentResult(
        shots=result.shots,
        success=True,
        data=ExperimentResultData(counts=counts, memory=shots),
        header={
            "name": circuit.name,
            "creg_sizes": registers,
            "memory_slots": histogram.n_bits,
            "n_qubits": circuit.num_qubits,
            "metadata": circuit.metadata,
        },
    )


def _hex(packed: NDArray[np.uint8]) -> list[str]:
    """Each packed row as Qiskit writes it: `0x` and no leading zeros."""
    size = packed.shape[1]
    data = packed.tobytes()
    return [
        hex(int.from_bytes(data[start : start + size]))
        for start in range(0, len(data), size or 1)
    ]
