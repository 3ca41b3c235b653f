# pyright: basic
"""OpenQASM: text to Qiskit circuits, and circuits to OpenQASM 2 for Qoro."""

from __future__ import annotations

import contextlib
import io
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from qawait.circuits.batch import for_each, one_line
from qawait.circuits.compiled import Compiled, compiled
from qawait.circuits.loading import load_qiskit
from qawait.circuits.plain_qasm import LARGEST_REGISTER, Outline
from qawait.circuits.rules import registers_of
from qawait.circuits.source import Source, is_quantum_circuit
from qawait.errors import CircuitError, MissingExtra
from qawait.layout import Layout
from qawait.qoro.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qiskit import QuantumCircuit

__all__ = ["QasmTemplate", "parsed", "to_qasm2", "written"]

_DECLARED = re.compile(r"\b(?:[qc]reg\s+\w+|qubit|bit)\s*\[\s*(\d[\d_]*)")
_QASM2_PLACE = re.compile(r"<input>:(\d+),(\d+): (.*)", re.DOTALL)
_QASM3_PLACE = re.compile(r"L?(\d+)[,:]C?(\d+): (.*)", re.DOTALL)
_FUNCTIONS = {"cos", "exp", "ln", "pi", "sin", "sqrt", "tan"}
"""Words of OpenQASM 2 that Qiskit's writer takes for names."""
_OPAQUE = re.compile(r"^opaque (\w+)", re.MULTILINE)


def parsed(text: str, version: int, origin: str) -> QuantumCircuit:
    """The circuit that OpenQASM text of a major version describes.

    No file is opened, whatever the text includes; `qelib1.inc` and `stdgates.inc` are
    built in.

    Raises:
        CircuitError: The text has an error (line and column count from 1), or uses
            what Qiskit's importer does not know.
        MissingExtra: Qiskit or its OpenQASM 3 importer is not installed.
    """
    for size in _DECLARED.findall(text):
        digits = size.replace("_", "").lstrip("0")
        if len(digits) > 9 or int(digits or 0) > LARGEST_REGISTER:
            reason = f"declares {size} bits at once, {LARGEST_REGISTER} is the most"
            raise CircuitError(origin, reason)
    if version not in (2, 3):
        raise CircuitError(origin, f"OpenQASM {version} is not known: 2 and 3 are")
    try:
        load_qiskit()
        return _parsed_2(text) if version == 2 else _parsed_3(text)
    except ImportError as error:
        raise MissingExtra("OpenQASM and Qiskit circuits", "qiskit") from error
    except RecursionError:
        raise CircuitError(origin, "is nested too deeply") from None
    # Whatever the importers raise, several of them outside every tree of their own, is
    # the fault of the text.
    except Exception as error:
        raise CircuitError(origin, f"OpenQASM {version}, {_said(error)}") from error


def to_qasm2(
    sources: Iterable[Source],
    *,
    target_name: str = "the target",
    qubits: int | None = None,
) -> list[Compiled]:
    """Brings circuits into OpenQASM 2, the form Qoro takes.

    A user's own OpenQASM 2 text that measures is sent as it is; other circuits are
    written by Qiskit, in which a register whose name is not an identifier is renamed:
    results are read by position, so users keep their name. In the layouts the key is
    empty and the column is the bit's position in the histogram's outcomes, the first
    register's bit 0 being the lowest.

    Args:
        sources: What `read` gave.
        target_name: Names the target in errors.
        qubits: How many the target has; None if it sets no number.

    Raises:
        CircuitError: A circuit cannot be written in OpenQASM 2 or is too wide.
        ConfigurationError: Several cannot, each named on a line of its own.
    """

    def check_width(origin: str, width: int) -> None:
        if qubits is not None and width > qubits:
            reason = f"needs {width} qubits, {target_name} has {qubits}"
            raise CircuitError(origin, reason)

    def prepared(source: Source) -> Compiled:
        circuit = source.circuit
        if isinstance(circuit, Outline):
            check_width(source.origin, circuit.qubits)
            template = QasmTemplate(
                circuit=None, text=source.qasm2 or "", parameters=()
            )
            return compiled(source.label, template, circuit.layout)
        if not is_quantum_circuit(circuit):
            return _written_before(source)
        check_width(source.origin, circuit.num_qubits)
        parameters = tuple(p.name for p in circuit.parameters)
        template = QasmTemplate(
            circuit=circuit.copy() if parameters else None,
            text="" if parameters else source.qasm2 or written(circuit, source.origin),
            parameters=parameters,
        )
        return compiled(source.label, template, _layout_of(circuit))

    return for_each(sources, prepared)


class QasmTemplate(Struct, frozen=True, kw_only=True):
    """OpenQASM 2 text, or the Qiskit circuit that becomes it when bound."""

    circuit: QuantumCircuit | None
    text: str
    parameters: tuple[str, ...]

    def measured(self) -> dict[str, tuple[str, ...]]:
        """Nothing: keys are IQM's."""
        return {}

    def bound(self, label: str, values: Mapping[str, float]) -> Circuit:
        """The circuit with numbers for all parameters, written out."""
        if self.circuit is None:
            return Circuit(label=label, qasm=self.text)
        from qiskit.exceptions import QiskitError

        try:
            circuit = self.circuit.assign_parameters(dict(values))
        except (QiskitError, ArithmeticError, TypeError, ValueError) as error:
            reason = f"these parameters give no circuit: {one_line(error)}"
            raise CircuitError(label, reason) from error
        assert circuit is not None
        return Circuit(label=label, qasm=written(circuit, label))


def _written_before(source: Source) -> Compiled:
    earlier = source.circuit
    if isinstance(earlier, Compiled) and isinstance(earlier.template, QasmTemplate):
        return earlier
    reason = "is made for IQM and cannot be written in OpenQASM 2"
    raise CircuitError(source.origin, reason)


def _layout_of(circuit: QuantumCircuit) -> Layout:
    touched = {bit for operation in circuit.data for bit in operation.clbits}
    joined = [bit for register in circuit.cregs for bit in register]
    return Layout(
        registers=registers_of(circuit),
        bits=tuple(
            ("", position) if bit in touched else None
            for position, bit in enumerate(joined)
        ),
    )


def written(circuit: QuantumCircuit, origin: str) -> str:
    """A circuit without free parameters as OpenQASM 2.

    Raises:
        CircuitError: It cannot be written.
    """
    from qiskit import qasm2

    circuit = _without_clashes(circuit)
    try:
        try:
            text = qasm2.dumps(circuit)
        # Qiskit's writer stumbles over some gates, such as controlled matrices, with
        # errors of any kind; in elementary gates it has none to stumble over.
        except Exception:
            text = qasm2.dumps(_elementary().run(circuit))
    except Exception as error:
        reason = f"cannot be written in OpenQASM 2: {one_line(error)}"
        raise CircuitError(origin, reason) from error
    # Qiskit writes what has no definition as an opaque gate, which no service can run.
    if opaque := _OPAQUE.search(text):
        reason = f"{opaque[1]!r} cannot be written in OpenQASM 2: it has no definition"
        raise CircuitError(origin, reason)
    return text


def _without_clashes(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit itself, or a copy in which no register is called like a gate.

    Qiskit writes `creg x[2];` as it is, which no parser takes beside the gate `x`.
    """
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
    from qiskit.circuit.library import get_standard_gate_name_mapping

    registers = [*circuit.qregs, *circuit.cregs]
    names = {register.name for register in registers}
    gates = _FUNCTIONS | get_standard_gate_name_mapping().keys()
    gates |= {operation.name for operation in circuit.data}
    if gates.isdisjoint(names):
        return circuit
    copy = QuantumCircuit(name=circuit.name, global_phase=circuit.global_phase)
    copy.add_bits(circuit.qubits)
    copy.add_bits(circuit.clbits)
    for register in registers:
        name = register.name
        while name in gates or (name != register.name and name in names):
            name = f"reg_{name}"
        names.add(name)
        kind = (
            QuantumRegister
            if isinstance(register, QuantumRegister)
            else ClassicalRegister
        )
        copy.add_register(kind(name=name, bits=tuple(register)))
    for operation in circuit.data:
        copy.append(operation)
    return copy


@cache
def _elementary() -> Any:
    """Qiskit's passes to gates that every `qelib1.inc` has, changing nothing else."""
    from qiskit.transpiler import generate_preset_pass_manager

    return generate_preset_pass_manager(
        optimization_level=0, basis_gates=["u3", "cx"], seed_transpiler=0
    )


def _parsed_2(text: str) -> QuantumCircuit:
    from qiskit import qasm2

    return qasm2.loads(
        text,
        # Without it, `include` opens any file of this machine.
        include_path=(),
        custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
    )


def _parsed_3(text: str) -> QuantumCircuit:
    from qiskit import qasm3

    # The parser also prints what it raises.
    with contextlib.redirect_stderr(io.StringIO()):
        return qasm3.loads(text)


def _said(error: Exception) -> str:
    """The parser's message in one line, with the place in front."""
    said = one_line(error)
    place = _QASM2_PLACE.fullmatch(said) or _QASM3_PLACE.fullmatch(said)
    if place:
        return f"line {place[1]}, column {int(place[2]) + 1}: {place[3]}"
    # A syntax error of OpenQASM 3 has no message, only the token it stumbled over.
    cause: object = error
    while isinstance(cause, BaseException):
        inner = cause.args[0] if cause.args else None
        token = getattr(cause, "offendingToken", None)
        if token is not None:
            shown = token.text if len(token.text) < 40 else token.text[:39] + "…"
            where = f"line {token.line}, column {token.column + 1}"
            return f"{where}: unexpected {shown!r}"
        cause = inner if isinstance(inner, BaseException) else cause.__cause__
    return said
