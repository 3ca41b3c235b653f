"""Observables of an expectation job: in Qiskit's order here, reversed on the wire."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from msgspec import Struct

from qawait.errors import CircuitError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qawait.qoro.circuit import Circuit

__all__ = ["Observables", "from_wire", "to_wire"]

_QREG = re.compile(r"\bqreg\s+\w+\s*\[\s*(\d+)\s*\]")
_COMMENT = re.compile(r"//[^\n]*")


class Observables(Struct, frozen=True, kw_only=True):
    """What to compute the expectation values of. Made by `of`."""

    groups: tuple[tuple[str, ...], ...]
    """Pauli labels in Qiskit's order ("IIZ" is Z on qubit 0), none twice in a group."""
    circuit_map: tuple[tuple[int, int], ...] | None = None
    """The circuits of each group, from and up to but without; None for the only group,
    which is for all of them."""

    @staticmethod
    def of(
        operators: Any,
        *,
        circuit_map: Iterable[Sequence[int]] | None = None,
        order: Literal["qiskit", "qoro"] = "qiskit",
    ) -> Observables:
        """Observables of operators; coefficients come into play in the result.

        Args:
            operators: A SparsePauliOp, a Pauli label, or several of these, for all
                circuits. With a map: such a group for each of its ranges.
            circuit_map: `[(0, 2), (2, 5)]` takes the first group for the circuits 0 and
                1, the second for 2 to 4; every circuit is in one range.
            order: "qoro" for labels whose leftmost letter is qubit 0, as the vendor's
                client takes them; ";" may stand between terms, "|" between groups.

        Raises:
            ConfigurationError: An operator is none, or the map does not fit.
        """
        if order not in ("qiskit", "qoro"):
            raise ConfigurationError(f'order is "qiskit" or "qoro", not {order!r}')
        if isinstance(operators, str) and order == "qoro" and circuit_map is not None:
            operators = operators.split("|")
        if circuit_map is None:
            return Observables(groups=(_labels(operators, order),))
        if isinstance(operators, str) or not isinstance(operators, Iterable):
            raise ConfigurationError("with a circuit_map, give a group for each range")
        groups = tuple(
            _labels(group, order) for group in cast("Iterable[Any]", operators)
        )
        ranges = tuple(_range(entry) for entry in circuit_map)
        if len(groups) != len(ranges):
            raise ConfigurationError(
                f"{len(groups)} groups of observables for {len(ranges)} ranges of the "
                "circuit_map"
            )
        return Observables(groups=groups, circuit_map=ranges)

    def groups_of(self, circuits: int) -> list[int]:
        """The number of its group, for each circuit.

        Raises:
            ConfigurationError: A circuit is in no range or in two, or a range in none.
        """
        if self.circuit_map is None:
            return [0] * circuits
        found: list[int | None] = [None] * circuits
        for number, (start, end) in enumerate(self.circuit_map):
            if not 0 <= start < end <= circuits:
                raise ConfigurationError(
                    f"circuit_map: ({start}, {end}) is no range of {circuits} circuits"
                )
            for circuit in range(start, end):
                if found[circuit] is not None:
                    raise ConfigurationError(
                        f"circuit_map: circuit {circuit} is in two ranges"
                    )
                found[circuit] = number
        if None in found:
            raise ConfigurationError(
                f"circuit_map: circuit {found.index(None)} is in no range"
            )
        return [group for group in found if group is not None]


def _range(entry: Any) -> tuple[int, int]:
    pair = tuple(entry)
    if len(pair) != 2 or not all(type(number) is int for number in pair):
        raise ConfigurationError(f"circuit_map: {entry!r} is no pair of numbers")
    return pair


def _labels(operators: Any, order: str) -> tuple[str, ...]:
    # Heavy: numpy loads when the first operator is read.
    from qawait.observables import terms_of

    if isinstance(operators, str) and order == "qoro":
        operators = operators.split(";")
    if isinstance(operators, str) or hasattr(operators, "to_list"):
        operators = [operators]
    if not isinstance(operators, Iterable):
        raise ConfigurationError(
            "observables are a SparsePauliOp, a Pauli label or several of these, not "
            f"{type(operators).__name__}"
        )
    labels: dict[str, None] = {}
    for operator in cast("Iterable[Any]", operators):
        raw = isinstance(operator, str) and order == "qoro"
        for label, _ in terms_of(operator):
            labels[label[::-1] if raw else label] = None
    if not labels:
        raise ConfigurationError("there are no observables")
    return tuple(labels)


def to_wire(
    observables: Observables, circuits: Sequence[Circuit]
) -> tuple[str, list[tuple[int, int]] | None]:
    """The `observables` and the `circuit_ham_map` of an upload.

    Labels get the width of their circuits: the vendor's client does the same.

    Args:
        observables: In Qiskit's order; here they are reversed, and nowhere else.
        circuits: All circuits of the job.

    Raises:
        CircuitError: An observable acts on a qubit that its circuit does not have.
        ConfigurationError: The map does not fit the circuits.
    """
    widths: dict[int, int] = {}
    last: dict[int, tuple[int, str]] = {
        group: max((len(label.lstrip("I")), label) for label in labels)
        for group, labels in enumerate(observables.groups)
    }
    groups = observables.groups_of(len(circuits))
    for circuit, group in zip(circuits, groups, strict=True):
        width = _width(circuit.qasm)
        needed, label = last[group]
        if width is not None and needed > width:
            raise CircuitError(
                circuit.label,
                f"the observable {label} acts on qubit {needed - 1}, it has {width}",
            )
        widths[group] = max(widths.get(group, 0), width or len(label))
    text = "|".join(
        _packed([label.lstrip("I").rjust(widths[n], "I")[::-1] for label in labels])
        for n, labels in enumerate(observables.groups)
    )
    ranges = observables.circuit_map
    return text, None if ranges is None else list(ranges)


def from_wire(values: Mapping[str, float]) -> dict[str, float]:
    """Values by labels in Qiskit's order, of those that the service sent."""
    return {label[::-1]: float(value) for label, value in values.items()}


def _width(qasm: str) -> int | None:
    """How many qubits a program declares; None if that cannot be seen."""
    sizes = _QREG.findall(_COMMENT.sub("", qasm))
    return sum(map(int, sizes)) or None


def _packed(terms: Sequence[str]) -> str:
    sparse = ";".join(
        "".join(f"{letter}{n}" for n, letter in enumerate(term) if letter != "I") or "I"
        for term in terms
    )
    packed = base64.b64encode(gzip.compress(sparse.encode(), 9, mtime=0)).decode()
    return f"@gzs{max(map(len, terms))}:{packed}"
