"""How uploads are unpacked, within limits: the service's side of `uploads`.

A kilobyte of gzip can hold a megabyte, so the length of a body says nothing about what it
becomes. Nothing beyond a limit is ever unpacked.
"""

from __future__ import annotations

import binascii
import re
import zlib
from typing import TYPE_CHECKING

from qawait.errors import ProtocolError
from qawait.qoro.circuit import Circuit
from qawait.qoro.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "LARGEST_CIRCUIT_BYTES",
    "LARGEST_EXPANSION_BYTES",
    "LARGEST_UPLOAD_BYTES",
    "unpack_all",
    "unpack_observables",
    "unpack_template",
]

LARGEST_CIRCUIT_BYTES = 16 * 1024 * 1024
"""The longest program that one circuit may unpack to, about half a million gates."""

LARGEST_UPLOAD_BYTES = 64 * 1024 * 1024
"""What all programs of one upload may unpack to together."""

LARGEST_EXPANSION_BYTES = 512 * 1024 * 1024
"""What all rows of one template may make of it together."""

_LARGEST_OBSERVABLE = 100_000
"""Letters of one observable: a short text can claim any width."""

_TERM = re.compile("(?:[XYZ][0-9]+)+|I")
_LETTER = re.compile("([XYZ])([0-9]+)")
_DENSE = re.compile("[IXYZ]+")
_GROUP = re.compile("@gzs([0-9]{1,6}):(.*)", re.DOTALL)

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
        program = _unpack(f"circuit {label!r}", text, limit)
        left -= len(program)
        try:
            circuits.append(Circuit(label, program.decode()))
        except UnicodeDecodeError:
            raise ProtocolError(f"circuit {label!r}: it is not UTF-8 text") from None
    return tuple(circuits)


def unpack_template(
    packed: str, names: Sequence[str], rows: Sequence[tuple[str, tuple[float, ...]]]
) -> Template:
    """A template with its rows, which are not written out yet.

    Raises:
        ProtocolError: It is not packed text, a row does not fit the names, or the rows
            would make more of it than the limit.
    """
    program = _unpack("circuit_template", packed, LARGEST_CIRCUIT_BYTES)
    try:
        qasm = program.decode()
    except UnicodeDecodeError:
        raise ProtocolError("circuit_template: it is not UTF-8 text") from None
    if not all(names) or len(set(names)) != len(names):
        raise ProtocolError("parameter_names: an empty name, or one that comes twice")
    for label, values in rows:
        if len(values) != len(names):
            raise ProtocolError(
                f"circuit {label!r}: {len(values)} values for {len(names)} parameters"
            )
    # A number is at most 24 characters and replaces a character at least.
    longest = len(program) + 24 * sum(qasm.count(name) for name in names)
    if longest * len(rows) > LARGEST_EXPANSION_BYTES:
        raise ProtocolError(
            f"circuit_template: its {len(rows)} circuits would take more than "
            f"{LARGEST_EXPANSION_BYTES} bytes; send fewer in one upload"
        )
    return Template(qasm=qasm, names=tuple(names), rows=tuple(rows))


def unpack_observables(text: str) -> tuple[tuple[str, ...], ...]:
    """Observables by group, each written out with its leftmost letter for qubit 0.

    Both forms are read: compressed (clients from 0.10 on) and plain. Wire reference §1c.

    Raises:
        ProtocolError: It is neither.
    """
    return tuple(_group(group) for group in text.split("|"))


def _group(text: str) -> tuple[str, ...]:
    if not text.startswith("@"):
        terms = text.split(";")
        for term in terms:
            if not _DENSE.fullmatch(term):
                raise _no_observable(term)
        return tuple(terms)
    found = _GROUP.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= _LARGEST_OBSERVABLE:
        raise ProtocolError("observables: not compressed as @gzs<n>:")
    width = int(found[1])
    sparse = _unpack("observables", found[2], LARGEST_CIRCUIT_BYTES).decode("latin-1")
    terms = sparse.split(";")
    if len(terms) * width > LARGEST_UPLOAD_BYTES:
        raise ProtocolError(
            f"observables: {len(terms)} of {width} letters are more than the "
            f"{LARGEST_UPLOAD_BYTES} that may come at once"
        )
    return tuple(_dense(term, width) for term in terms)


def _dense(term: str, width: int) -> str:
    if not _TERM.fullmatch(term):
        raise _no_observable(term)
    letters = ["I"] * width
    for letter, place in _LETTER.findall(term):
        # The length first: a number of any length takes time to read.
        if len(place) > 6 or int(place) >= width or letters[int(place)] != "I":
            raise _no_observable(term)
        letters[int(place)] = letter
    return "".join(letters)


def _no_observable(term: str) -> ProtocolError:
    return ProtocolError(f"observables: {term[:40]!r} is none")


def _unpack(what: str, text: str, limit: int) -> bytes:
    try:
        compressed = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ProtocolError(f"{what}: it is not base64") from None
    gzip = zlib.decompressobj(_GZIP)
    try:
        # One byte more than allowed shows that there is more; zero means no limit here.
        program = gzip.decompress(compressed, limit + 1)
    except zlib.error:
        raise ProtocolError(f"{what}: it is not gzip") from None
    if len(program) > limit:
        raise ProtocolError(
            f"{what}: it unpacks to more than the {limit} bytes that are left for it"
        )
    if not gzip.eof:
        raise ProtocolError(f"{what}: its gzip ends in the middle")
    if gzip.unused_data:
        raise ProtocolError(f"{what}: something follows its gzip")
    return program
