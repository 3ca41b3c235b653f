"""How uploaded circuits are unpacked, within limits: the service's side of `uploads`.

A kilobyte of gzip can hold a megabyte, so the length of a body says nothing about what it
becomes. Nothing beyond a limit is ever unpacked.
"""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING

from qawait.errors import ProtocolError
from qawait.qoro.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LARGEST_CIRCUIT_BYTES", "LARGEST_UPLOAD_BYTES", "unpack_all"]

LARGEST_CIRCUIT_BYTES = 16 * 1024 * 1024
"""The longest program that one circuit may unpack to, about half a million gates."""

LARGEST_UPLOAD_BYTES = 64 * 1024 * 1024
"""What all programs of one upload may unpack to together."""

_GZIP = 16 + zlib.MAX_WBITS


def unpack_all(
    packed: Mapping[str, str],
    *,
    largest_circuit_bytes: int = LARGEST_CIRCUIT_BYTES,
    largest_upload_bytes: int = LARGEST_UPLOAD_BYTES,
) -> tuple[Circuit, ...]:
    """The circuits of one upload, in its order.

    Raises:
        ProtocolError: One is not base64 of gzip of UTF-8, or they unpack to more than
            the limits; the text names the circuit.
    """
    circuits: list[Circuit] = []
    left = largest_upload_bytes
    for label, text in packed.items():
        limit = min(left, largest_circuit_bytes)
        program = _unpack(label, text, limit)
        left -= len(program)
        try:
            circuits.append(Circuit(label, program.decode()))
        except UnicodeDecodeError:
            raise ProtocolError(f"circuit {label!r}: it is not UTF-8 text") from None
    return tuple(circuits)


def _unpack(label: str, text: str, limit: int) -> bytes:
    try:
        compressed = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ProtocolError(f"circuit {label!r}: it is not base64") from None
    gzip = zlib.decompressobj(_GZIP)
    try:
        # One byte more than allowed shows that there is more; zero means no limit here.
        program = gzip.decompress(compressed, limit + 1)
    except zlib.error:
        raise ProtocolError(f"circuit {label!r}: it is not gzip") from None
    if len(program) > limit:
        raise ProtocolError(
            f"circuit {label!r}: it unpacks to more than the {limit} bytes that are "
            "left for it"
        )
    if not gzip.eof:
        raise ProtocolError(f"circuit {label!r}: its gzip ends in the middle")
    if gzip.unused_data:
        raise ProtocolError(f"circuit {label!r}: something follows its gzip")
    return program
