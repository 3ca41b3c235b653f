"""A manifest in bytes and back, with each layout written once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from qawait.layout import Layout  # noqa: TC001 (fields of Structs resolve at run time)
from qawait.model import CircuitRecord, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decode_manifest", "encode_manifest"]


class _Circuit(Struct, array_like=True):
    label: str
    shots: int | None
    layout: int | None
    qubits: int


class _Manifest(Struct):
    circuits: list[_Circuit]
    layouts: list[Layout]
    qubits: list[list[tuple[str, tuple[str, ...]]]]
    target: str | None = None
    simulated: bool = False
    calibration_set_id: str | None = None


_DECODER = msgspec.msgpack.Decoder(_Manifest)
_ENCODER = msgspec.msgpack.Encoder()


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest in MessagePack; ten thousand circuits mostly share one layout."""
    layouts: dict[Layout, int] = {}
    qubits: dict[tuple[tuple[str, tuple[str, ...]], ...], int] = {}

    def place(names: Mapping[str, tuple[str, ...]]) -> int:
        return qubits.setdefault(tuple(names.items()), len(qubits))

    circuits = [
        _Circuit(
            record.label,
            record.shots,
            None
            if record.layout is None
            else layouts.setdefault(record.layout, len(layouts)),
            place(record.qubits),
        )
        for record in manifest.circuits
    ]
    return _ENCODER.encode(
        _Manifest(
            circuits,
            list(layouts),
            [list(names) for names in qubits],
            manifest.target,
            manifest.simulated,
            manifest.calibration_set_id,
        )
    )


def decode_manifest(data: bytes) -> Manifest:
    """The manifest again.

    Raises:
        msgspec.MsgspecError, IndexError: These bytes are no manifest.
    """
    stored = _DECODER.decode(data)
    qubits = [dict(names) for names in stored.qubits]
    return Manifest(
        circuits=tuple(
            CircuitRecord(
                label=circuit.label,
                shots=circuit.shots,
                layout=None
                if circuit.layout is None
                else stored.layouts[circuit.layout],
                qubits=qubits[circuit.qubits],
            )
            for circuit in stored.circuits
        ),
        target=stored.target,
        simulated=stored.simulated,
        calibration_set_id=stored.calibration_set_id,
    )
