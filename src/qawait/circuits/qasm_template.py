# pyright: basic
"""A circuit with free parameters as one OpenQASM 2 program and rows of numbers."""

from __future__ import annotations

import re
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from qawait.circuits.batch import one_line
from qawait.circuits.native import evaluated
from qawait.circuits.openqasm import QasmTemplate, written
from qawait.errors import CircuitError
from qawait.qoro.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qiskit import QuantumCircuit

    from qawait.circuits.compiled import Compiled

__all__ = ["qasm_template"]

_FIRST_MARK = 900_000_000
_MARK = re.compile(r"(?<![\w.])(9\d{8})\.5(?![\w.])")


def qasm_template(
    circuit: Compiled, points: Sequence[tuple[str, Mapping[str, float]]]
) -> Template | None:
    """Many points of one circuit, its program written once.

    Each different expression of parameters is a placeholder, whose number is computed
    here: the service puts numbers in and computes nothing.

    Args:
        circuit: With free parameters.
        points: A label and the numbers of all parameters, for each circuit; those that
            were bound before, too.

    Returns:
        None for a circuit that has no such form; its points can be bound all the same.

    Raises:
        CircuitError: The circuit cannot be written in OpenQASM 2, or the numbers of a
            point give an angle that is not a finite real number.
    """
    source = circuit.template
    if not isinstance(source, QasmTemplate) or source.circuit is None:
        return None
    marked, expressions = _marked(source.circuit, circuit.label)
    if not expressions:
        return None
    text = written(marked, circuit.label)
    marks = _MARK.findall(text)
    # An angle of the circuit's own may look like a mark, or a mark be written otherwise.
    placed = sum(expressions.values())
    known = {str(_FIRST_MARK + n) for n in range(len(expressions))}
    if len(marks) != placed or set(marks) != known:
        return None
    names = _names(text, len(expressions))
    symbols = {parameter.name: parameter for parameter in source.circuit.parameters}
    return Template(
        qasm=_MARK.sub(lambda found: names[int(found[1]) - _FIRST_MARK], text),
        names=names,
        rows=tuple(
            (label, _numbers(label, expressions, symbols, values))
            for label, values in points
        ),
    )


def _numbers(
    label: str,
    expressions: Mapping[Any, int],
    symbols: Mapping[str, Any],
    values: Mapping[str, float],
) -> tuple[float, ...]:
    given = {symbols[name]: value for name, value in values.items()}
    return tuple(evaluated(label, expression, given) for expression in expressions)


def _marked(
    circuit: QuantumCircuit, origin: str
) -> tuple[QuantumCircuit, dict[Any, int]]:
    """The circuit in gates that OpenQASM 2 has, marks in place of expressions.

    Beside it the expressions, each with the number of its places.
    """
    from qiskit.circuit import ParameterExpression
    from qiskit.exceptions import QiskitError

    passes, lock = _standard_gates()
    try:
        # A pass manager keeps its state in itself, and clients compile in threads.
        with lock:
            plain = passes.run(circuit)
    except QiskitError as error:
        reason = f"cannot be written in OpenQASM 2: {one_line(error)}"
        raise CircuitError(origin, reason) from error
    marks: dict[Any, int] = {}
    places: dict[Any, int] = {}
    for number, operation in enumerate(plain.data):
        params = list(operation.params)
        for place, value in enumerate(params):
            if isinstance(value, ParameterExpression) and value.parameters:
                mark = marks.setdefault(value, len(marks))
                places[value] = places.get(value, 0) + 1
                params[place] = _FIRST_MARK + mark + 0.5
        if params != list(operation.params):
            gate = operation.operation.to_mutable()
            gate.params = params
            plain.data[number] = operation.replace(operation=gate, params=params)
    # What is left of the parameters is in the global phase, which nobody can measure.
    plain.global_phase = 0
    return plain, places


def _names(text: str, count: int) -> tuple[str, ...]:
    """Names that stand nowhere in a program and of which none begins another."""
    prefix = "angle"
    while prefix in text:
        prefix += "x"
    digits = len(str(count - 1))
    return tuple(f"{prefix}{number:0{digits}}" for number in range(count))


@cache
def _standard_gates() -> tuple[Any, Lock]:
    """Qiskit's passes to the gates of `qelib1.inc`, changing nothing else."""
    from qiskit.transpiler import generate_preset_pass_manager

    passes = generate_preset_pass_manager(
        optimization_level=0, basis_gates=_GATES, seed_transpiler=0
    )
    return passes, Lock()


_GATES = [
    *("x", "y", "z", "h", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "u1", "u2", "u3"),
    *("id", "cx", "cy", "cz", "ch", "swap", "crx", "cry", "crz", "cu1", "cu3"),
    *("ccx", "cswap", "rxx", "rzz"),
]
"""Those that Qiskit and the service's own parsers have read for years."""
