"""Circuits as users have them: Qiskit, OpenQASM, files, native; one or many."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from qawait.circuits.batch import for_each
from qawait.circuits.compiled import Compiled
from qawait.errors import CircuitError, ConfigurationError
from qawait.iqm.circuit import Circuit, Instruction

__all__ = ["LARGEST_SOURCE_BYTES", "Source", "is_single", "read"]

LARGEST_SOURCE_BYTES = 10_000_000
"""Larger files and texts are refused unread; a circuit of 100,000 gates has 2 MB."""

_WANTED = (
    "give a Qiskit circuit, OpenQASM text, the path of a .qasm file or a native circuit"
)
# Qiskit numbers circuits nobody named; in child processes the process id follows.
_AUTOMATIC_NAME = re.compile(r"circuit-\d+(-\d+)?")
# Possessive, so that a text full of comments cannot make the search quadratic.
_HEADER = re.compile(
    r"(?:\s++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+OPENQASM\s++(\d++)(?:\.\d++)?\s*+;"
)

# Text and bytes could be iterated over, and must not be.
_SINGLE = (str, bytes, bytearray, os.PathLike, Circuit, Compiled)


class Source(Struct, frozen=True, kw_only=True):
    """One circuit that was read and follows the rules, not yet compiled."""

    label: str
    circuit: Any
    """A `qiskit.QuantumCircuit`, `qawait.iqm.Circuit`, `Compiled` or `Outline`."""
    origin: str
    """What errors name: the file it came from, else the label."""
    qasm2: str | None = None
    """The user's own OpenQASM 2 text, if it already measures."""


def read(
    source: object,
    *,
    label: str | None = None,
    measure_all: bool | None = False,
    allow_parameters: bool = False,
    outlined: bool = False,
) -> list[Source]:
    """Reads one circuit or many, and checks each against the rules.

    A circuit is a Qiskit `QuantumCircuit`, OpenQASM 2 or 3 as text, a path (also as
    text) to such a file, a native circuit as `qawait.iqm.Circuit` or as its dict, or
    what an earlier compilation gave. Many are a mapping from labels to circuits or any
    iterable of circuits. A circuit without label is called by its file's stem, else by
    its own name, else by its index in the batch. This reads files: call it in a thread
    where an event loop runs.

    Classical bits outside every register, such as OpenQASM 3's `bit c;`, become
    registers of their own, one for each row of neighbours, called `bit<index>`.

    Args:
        source: One circuit or many.
        label: Names a single circuit.
        measure_all: Whether a circuit that measures nothing gets a measurement of all
            its qubits, into a register `meas`; others stay as they are. None lets
            it measure nothing, as for expectation values.
        allow_parameters: Whether free parameters are welcome, because they will be
            bound later.
        outlined: Whether the text of OpenQASM 2 is what will be sent. Of a plain program
            only an `Outline` is made then, without Qiskit.

    Raises:
        CircuitError: One circuit cannot be used.
        ConfigurationError: Several cannot, each named on a line of its own; or there is
            no circuit at all.
        MissingExtra: Qiskit is needed and not installed.
    """
    entries = list(enumerate(_entries(source, label)))
    if not entries:
        raise ConfigurationError("no circuits were given")

    def read_entry(entry: tuple[int, tuple[str | None, object]]) -> Source:
        index, (name, item) = entry
        found = _read_one(index, name, item, outlined=outlined)
        if not found.label:
            raise CircuitError(str(index), "its label is empty")
        if not is_quantum_circuit(found.circuit):
            return found
        from qawait.circuits import rules

        circuit = rules.checked(
            found.circuit,
            found.origin,
            measure_all=measure_all,
            allow_parameters=allow_parameters,
        )
        text = found.qasm2 if circuit is found.circuit else None
        return msgspec.structs.replace(found, circuit=circuit, qasm2=text)

    return for_each(entries, read_entry)


def is_quantum_circuit(value: object) -> bool:
    """Whether this is a Qiskit circuit, told without importing Qiskit."""
    qiskit = sys.modules.get("qiskit")
    return qiskit is not None and isinstance(value, qiskit.QuantumCircuit)


def _entries(source: object, label: str | None) -> list[tuple[str | None, object]]:
    if is_single(source) or not isinstance(source, Iterable):
        return [(label, source)]
    if label is not None:
        raise ConfigurationError(
            f"label {label!r} can name one circuit only: use a mapping to name several"
        )
    if isinstance(source, Mapping):
        named = cast("Mapping[object, object]", source)
        for key in named:
            if not isinstance(key, str):
                raise ConfigurationError(f"labels are text, not {key!r}")
        return list(cast("Mapping[str, object]", named).items())
    return [(None, item) for item in cast("Iterable[object]", source)]


def is_single(source: object) -> bool:
    """Whether something is one circuit, and not a sequence or a mapping of them."""
    if isinstance(source, Mapping):
        return _is_native_dict(cast("Mapping[object, object]", source))
    return isinstance(source, (*_SINGLE, Source)) or is_quantum_circuit(source)


def _is_native_dict(value: Mapping[object, object]) -> bool:
    return isinstance(value.get("instructions"), list | tuple)


def _read_one(index: int, label: str | None, item: object, *, outlined: bool) -> Source:
    unnamed = str(index)
    if isinstance(item, Source):
        name = item.label if label is None else label
        return msgspec.structs.replace(item, label=name)
    if isinstance(item, Compiled):
        name = item.label if label is None else label
        renamed = item if name == item.label else item.bind({}, label=name)
        return Source(label=name, circuit=renamed, origin=name)
    if isinstance(item, Circuit):
        name = (item.name or unnamed) if label is None else label
        return Source(label=name, circuit=item, origin=name)
    if isinstance(item, Mapping):
        mapping = cast("Mapping[object, object]", item)
        return _read_native(unnamed, label, mapping)
    if isinstance(item, str) and _looks_like_text(item):
        name = unnamed if label is None else label
        return _read_text(name, name, item, outlined=outlined)
    if isinstance(item, str | os.PathLike):
        path = Path(os.fsdecode(cast("str | os.PathLike[str]", item)))
        name = path.stem if label is None else label
        return _read_text(name, str(path), _text_of(path), outlined=outlined)
    if is_quantum_circuit(item):
        own = str(cast("Any", item).name or "")
        named = own and not _AUTOMATIC_NAME.fullmatch(own)
        name = (own if named else unnamed) if label is None else label
        return Source(label=name, circuit=item, origin=name)
    name = unnamed if label is None else label
    kind = type(item).__name__
    raise CircuitError(name, f"a {kind} is not a circuit: {_WANTED}")


def _read_native(
    unnamed: str, label: str | None, item: Mapping[object, object]
) -> Source:
    own = item.get("name")
    name = (
        (own if isinstance(own, str) and own else unnamed) if label is None else label
    )
    if not _is_native_dict(item):
        raise CircuitError(name, "a dict without a list of 'instructions'")
    try:
        instructions = msgspec.convert(item["instructions"], tuple[Instruction, ...])
    except msgspec.ValidationError as error:
        raise CircuitError(name, f"not a native circuit: {error}") from error
    metadata = cast("Mapping[str, Any] | None", item.get("metadata"))
    circuit = Circuit(name, instructions, metadata)
    return Source(label=name, circuit=circuit, origin=name)


def _looks_like_text(item: str) -> bool:
    stripped = item.strip()
    return not stripped or "\n" in item or ";" in item or len(item) > 4096


def _text_of(path: Path) -> str:
    name = str(path)
    try:
        found = path.stat()
        # Opening a pipe would wait for its writer.
        regular = stat.S_ISREG(found.st_mode)
        small = found.st_size <= LARGEST_SOURCE_BYTES
        content = path.read_bytes() if regular and small else b""
    except FileNotFoundError:
        raise CircuitError(name, "no such file") from None
    except OSError as error:
        raise CircuitError(name, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CircuitError(repr(name), f"is no path: {error}") from error
    if not regular:
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a file"
        raise CircuitError(name, f"is {what}: give the path of a .qasm file")
    _refuse_large(name, found.st_size)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CircuitError(name, "is not text: a binary file?") from error
    if "\0" in text:
        raise CircuitError(name, "is not text: a binary file?")
    return text


def _refuse_large(name: str, size: int) -> None:
    if size > LARGEST_SOURCE_BYTES:
        limit = LARGEST_SOURCE_BYTES // 1_000_000
        raise CircuitError(name, f"is larger than {limit} MB")


def _read_text(label: str, origin: str, text: str, *, outlined: bool) -> Source:
    if not text.strip():
        raise CircuitError(origin, "is empty")
    _refuse_large(origin, len(text))
    header = _HEADER.match(text)
    if header is None:
        raise CircuitError(
            origin,
            "is not OpenQASM: that begins with 'OPENQASM 2.0;' or 'OPENQASM 3.0;'",
        )
    from qawait.circuits import openqasm
    from qawait.circuits.plain_qasm import outline_of

    if outlined and (outline := outline_of(text)):
        return Source(label=label, circuit=outline, origin=origin, qasm2=text)
    version = int(header[1][:9])
    circuit = openqasm.parsed(text, version, origin)
    own_text = text if version == 2 else None
    return Source(label=label, circuit=circuit, origin=origin, qasm2=own_text)
