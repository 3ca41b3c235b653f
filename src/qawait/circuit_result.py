"""What came back for one circuit: shots, a histogram, or expectation values."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct, field

from qawait.digits import digits_of, tallied_digits, written
from qawait.errors import (
    ConfigurationError,
    LevelError,
    MissingExtra,
    NoCounts,
    NoLayout,
    NoShotData,
    NoShots,
)
from qawait.histograms import Histogram
from qawait.layout import Layout
from qawait.observables import Operator, mean_of, submitted_value, terms_of
from qawait.packing import pack, read_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray
    from qiskit.primitives import BitArray  # pyright: ignore[reportMissingTypeStubs]

    from qawait.measurements import Levels

__all__ = ["CircuitResult", "Kind", "Order", "in_circuit_order"]

Kind: TypeAlias = Literal["shots", "histogram", "expectation"]
Order: TypeAlias = Literal["qiskit", "iqm"]

_MARGINAL = "marginal"


class CircuitResult(Struct, frozen=True, eq=False, kw_only=True):
    """The result of one circuit.

    Classical bits are counted over all registers, the first register first. In arrays,
    column j is bit j; in strings the rightmost character is bit 0 and the last register
    stands leftmost, as Qiskit writes them. Wherever a method takes `reg`, it is the
    name of one register, or None for all of them joined.
    """

    kind: Kind
    """Which data there are; methods that need others raise."""
    label: str
    shots: int | None
    """Rows that came back, which can be fewer than asked for; None for expectation."""
    requested_shots: int | None = None
    """Shots asked for; None for expectation, and if nobody remembers."""
    layout: Layout | None = None
    """None if the registers, or the order of the keys, are not known."""
    measured: dict[str, Levels] = field(default_factory=dict[str, "Levels"])
    """Kind "shots": the arrays behind `keys`."""
    tallied: Histogram | None = None
    """Kind "histogram": what the service counted."""
    values: dict[str, float] = field(default_factory=dict[str, float])
    """Kind "expectation": the service's values by Pauli label in Qiskit's order."""
    qubits: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """Names of the components that each key measures, in locus order and the keys in
    circuit order; empty if nobody remembers."""
    simulated: bool = False
    """Whether a simulator made this, and not a quantum computer."""

    def __post_init__(self) -> None:
        measured = {key: read_only(rows) for key, rows in self.measured.items()}
        msgspec.structs.force_setattr(self, "measured", measured)

    # --- what was measured ------------------------------------------------------------

    @property
    def keys(self) -> Mapping[str, Levels]:
        """The raw array of each measurement key, (shots, locus), read-only.

        Raises:
            NoShotData: The service returned no single shots.
        """
        self._need_shots()
        return self.measured

    @property
    def registers(self) -> dict[str, int]:
        """Number of bits of each classical register, in circuit order, unused included.

        Raises:
            NoLayout: They are not known; `keys` still works.
        """
        return dict(self._layout().registers)

    def bits(self, reg: str | None = None) -> NDArray[Any]:
        """What was read, shape (shots, n), column j = classical bit j; read-only.

        The type is uint8, or wider where a level needs it; bits that are never measured
        read 0.

        Raises:
            NoShotData: The service returned no single shots.
            NoLayout: The registers are not known; `keys` still works.
        """
        self._need_shots()
        places = self._layout(reg).bits
        rows = 0 if self.shots is None else self.shots
        if places and places[0] is not None:
            whole = self.measured[places[0][0]]
            if places == tuple((places[0][0], n) for n in range(whole.shape[1])):
                return whole
        used = {place[0] for place in places if place is not None}
        dtype = np.result_type(np.uint8, *(self.measured[key].dtype for key in used))
        out = np.zeros((rows, len(places)), dtype)
        for key in used:
            here = [j for j, place in enumerate(places) if place and place[0] == key]
            columns = [place[1] for place in places if place and place[0] == key]
            out[:, here] = self.measured[key][:, columns]
        return read_only(out)

    # --- how often --------------------------------------------------------------------

    def counts(
        self, reg: str | None = None, *, sep: str = "", order: Order = "qiskit"
    ) -> dict[str, int]:
        """How often each outcome was seen, ascending by outcome.

        A level above 1 is written as its digit.

        Args:
            reg: One register; None for all.
            sep: What to put between registers, or between keys for `order="iqm"`.
            order: "qiskit"; or "iqm" for the order that IQM documents: measurement keys
                in circuit order, the bits of each in locus order, leftmost first, and
                only what was measured (wire reference, IQM, §5.2).

        Raises:
            NoCounts: The service returned expectation values.
            LevelError: A level is above 9.
            NoLayout: The registers, or for "iqm" the order of the keys, are not known.
        """
        if order == "qiskit":
            digits, counts, widths = self._outcomes(reg)
            # Reversed column by column, the last register comes first by itself.
            digits, widths = digits[:, ::-1], widths[::-1]
            if sep and self.layout is None and reg is None:
                raise self._no_layout()
        elif order == "iqm":
            digits, counts, widths = self._outcomes_of_keys(reg)
        else:
            raise ConfigurationError(f'order is "qiskit" or "iqm", not {order!r}')
        return dict(zip(written(digits, widths, sep), counts.tolist(), strict=True))

    def histogram(self, reg: str | None = None) -> Histogram:
        """The outcomes as numbers or packed bytes, ascending, with their counts.

        Raises:
            NoCounts: The service returned expectation values.
            LevelError: A level is above 1, so an outcome is not made of bits.
        """
        if self.kind == "expectation":
            raise self._no_counts()
        if self.tallied is None:
            return Histogram.of_bits(self._plain_bits(reg))
        if reg is None:
            return self.tallied
        start, size = self._layout().place(reg)
        bits = self.tallied.bits()[:, start : start + size]
        return Histogram.of_packed(pack(bits), size, self.tallied.counts)

    def probabilities(self, reg: str | None = None) -> dict[str, float]:
        """The counts divided by the rows that came back.

        Raises:
            NoShots: Not one row came back.
            NoCounts: The service returned expectation values.
        """
        counts = self.counts(reg)
        if not self.shots:
            raise NoShots(
                f"circuit {self.label!r}: no shot survived, so no probability"
            )
        return {outcome: count / self.shots for outcome, count in counts.items()}

    # --- parts ------------------------------------------------------------------------

    def marginal(self, bits: Iterable[int]) -> CircuitResult:
        """The same shots with some classical bits only: its bit j is `bits[j]`.

        They are in one register, `marginal`; `keys` has the columns that are left.

        Raises:
            ConfigurationError: A number is not that of a classical bit, or comes twice.
            NoCounts: The service returned expectation values.
            NoLayout: The registers are not known.
        """
        if self.kind == "expectation":
            raise self._no_counts()
        wanted = [index(bit) for bit in bits]
        width = self._width()
        if len(set(wanted)) < len(wanted) or not all(0 <= b < width for b in wanted):
            raise ConfigurationError(
                f"circuit {self.label!r}: each of {wanted} is to be another bit from 0"
                f" to {width - 1}"
            )
        layout = self.layout and Layout(
            ((_MARGINAL, len(wanted)),), tuple(self.layout.bits[b] for b in wanted)
        )
        if self.tallied is not None:
            packed = pack(self.tallied.bits()[:, wanted])
            tallied = Histogram.of_packed(packed, len(wanted), self.tallied.counts)
            return msgspec.structs.replace(self, layout=layout, tallied=tallied)
        return self._with_columns(self._layout() if layout is None else layout)

    def postselect(self, reg: str | None, value: str | int) -> CircuitResult:
        """The same circuit with only those shots in which a register has a value.

        Args:
            reg: The register; None for all joined.
            value: Its digits as `counts` writes them, or a number whose bit j is bit j
                of the register.

        Raises:
            ConfigurationError: The register cannot have this value.
            NoCounts: The service returned expectation values.
        """
        if self.kind == "expectation":
            raise self._no_counts()
        if self.tallied is None:
            rows = self.bits(reg)
        else:
            start, size = (
                (0, self._width()) if reg is None else self._layout().place(reg)
            )
            rows = self.tallied.bits()[:, start : start + size]
        kept = (rows == digits_of(value, rows.shape[1])).all(axis=1)
        if self.tallied is None:
            measured = {key: levels[kept] for key, levels in self.measured.items()}
            shots = int(kept.sum())
            return msgspec.structs.replace(self, measured=measured, shots=shots)
        tallied = Histogram(
            self.tallied.n_bits, self.tallied.outcomes[kept], self.tallied.counts[kept]
        )
        return msgspec.structs.replace(self, tallied=tallied, shots=tallied.shots)

    # --- in other words ---------------------------------------------------------------

    def to_bitarray(self, reg: str | None = None, *, expand: bool = False) -> BitArray:
        """The shots as Qiskit's BitArray.

        Args:
            reg: One register; None for all joined.
            expand: Whether a histogram may be written out as shots, which then stand in
                ascending order and not in the order in which they were taken.

        Raises:
            NoShotData: There is only a histogram, and `expand` is False.
            LevelError: A level is above 1.
            MissingExtra: Qiskit is not installed.
        """
        if self.kind == "histogram" and expand:
            histogram = self.histogram(reg)
            width = histogram.n_bits
            packed = np.repeat(histogram.packed(), histogram.counts, axis=0)
        else:
            self._need_shots()
            bits = self._plain_bits(reg)
            width = bits.shape[1]
            packed = pack(bits)
        try:
            from qiskit.primitives import (  # pyright: ignore[reportMissingTypeStubs]
                BitArray,
            )
        except ImportError as error:
            raise MissingExtra("to_bitarray", "qiskit") from error
        return BitArray(packed, width)

    def expectation(self, op: Operator) -> tuple[float, float | None]:
        """The mean of an operator, and the standard error of this mean.

        From shots and histograms, letter i from the right acts on classical bit i, and
        only I and Z can be had. From expectation values it is the service's own word.

        Args:
            op: A SparsePauliOp, or one label in Qiskit's order ("IIZ": Z on qubit 0).

        Returns:
            The value, and its standard error: None if the service computed the value,
            or for a single shot.

        Raises:
            NotMeasured: It is not diagonal, acts on a bit that was never measured, has
                another width, or (expectation values) was not submitted.
            NoShots: Not one row came back.
            ConfigurationError: It is no operator, or not Hermitian.
        """
        terms = terms_of(op)
        if self.kind == "expectation":
            return submitted_value(terms, self.values), None
        histogram = self.histogram()
        places = self.layout.bits if self.layout else ()
        unmeasured = {bit for bit, place in enumerate(places) if place is None}
        return mean_of(terms, histogram.bits(), histogram.counts, unmeasured)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; arrays are compared by value."""
        if not isinstance(other, CircuitResult):
            return NotImplemented
        names = [name for name in self.__struct_fields__ if name != "measured"]
        return (
            all(getattr(self, name) == getattr(other, name) for name in names)
            and self.measured.keys() == other.measured.keys()
            and all(
                np.array_equal(levels, other.measured[key])
                for key, levels in self.measured.items()
            )
        )

    def __ne__(self, other: object) -> bool:
        # A Struct brings its own, which would compare identities.
        return not self == other

    def __repr__(self) -> str:
        about = [repr(self.label)]
        if self.kind == "expectation":
            plural = "" if len(self.values) == 1 else "s"
            about.append(f"{len(self.values)} expectation value{plural}")
        else:
            asked = (
                "" if self.requested_shots is None else f" of {self.requested_shots}"
            )
            about.append(f"{self.shots}{asked} shots")
            if self.kind == "histogram":
                about.append("histogram")
        if self.layout is not None and self.layout.registers:
            registers = (f"{name}[{size}]" for name, size in self.layout.registers)
            about.append(" ".join(registers))
        if self.simulated:
            about.append("simulated")
        return f"CircuitResult({', '.join(about)})"

    # --- inside -----------------------------------------------------------------------

    def _outcomes(
        self, reg: str | None
    ) -> tuple[NDArray[Any], NDArray[np.int64], list[int]]:
        """Distinct outcomes (k, n), how often each, and the widths of the registers."""
        if self.kind == "shots":
            digits, counts = tallied_digits(self.bits(reg)[:, ::-1])
            digits = digits[:, ::-1]
        else:
            histogram = self.histogram(reg)
            digits, counts = histogram.bits(), histogram.counts
        if reg is not None or self.layout is None:
            return digits, counts, [digits.shape[1]]
        return digits, counts, [size for _, size in self.layout.registers]

    def _outcomes_of_keys(
        self, reg: str | None
    ) -> tuple[NDArray[Any], NDArray[np.int64], list[int]]:
        """As `_outcomes`, but by key in circuit order and column."""
        if self.kind == "expectation":
            raise self._no_counts()
        if self.tallied is not None or not in_circuit_order(self.measured, self.qubits):
            raise NoLayout(
                f'circuit {self.label!r}: order="iqm" needs the measurement keys in'
                " circuit order, and they are not known"
            )
        part = self if reg is None else self._with_columns(self._layout(reg))
        columns = list(part.measured.values())
        if not columns:
            columns = [np.zeros((self.shots or 0, 0), np.uint8)]
        digits, counts = tallied_digits(np.concatenate(columns, axis=1))
        return digits, counts, [levels.shape[1] for levels in columns]

    def _with_columns(self, layout: Layout) -> CircuitResult:
        """With only those columns of the keys that a layout has, and that layout."""
        used = {
            key: columns
            for key in self.measured
            if (columns := sorted({p[1] for p in layout.bits if p and p[0] == key}))
        }
        moved = tuple(
            place and (place[0], used[place[0]].index(place[1]))
            for place in layout.bits
        )
        return msgspec.structs.replace(
            self,
            layout=Layout(layout.registers, moved),
            measured={key: self.measured[key][:, used[key]] for key in used},
            qubits={
                key: tuple(self.qubits[key][column] for column in columns)
                for key, columns in used.items()
                if key in self.qubits
            },
        )

    def _width(self) -> int:
        if self.tallied is not None:
            return self.tallied.n_bits
        return len(self._layout().bits)

    def _layout(self, reg: str | None = None) -> Layout:
        if self.layout is not None:
            return self.layout.only(reg)
        if reg is not None and reg in self.measured:
            return Layout.of_keys({reg: self.measured[reg].shape[1]})
        raise self._no_layout()

    def _plain_bits(self, reg: str | None) -> NDArray[Any]:
        bits = self.bits(reg)
        if bits.size and (top := bits.max()) > 1:
            raise LevelError(
                f"circuit {self.label!r} has shots of level {top}, which is not a bit;"
                " use counts() or bits()"
            )
        return bits

    def _need_shots(self) -> None:
        if self.kind != "shots":
            has = "a histogram" if self.kind == "histogram" else "expectation values"
            raise NoShotData(
                f"circuit {self.label!r}: the service returned {has}, not single shots"
            )

    def _no_counts(self) -> NoCounts:
        return NoCounts(
            f"circuit {self.label!r}: the service returned expectation values, not"
            " counts; use expectation(op)"
        )

    def _no_layout(self) -> NoLayout:
        also = "; use keys" if self.kind == "shots" else ""
        return NoLayout(f"circuit {self.label!r}: its registers are not known{also}")


def in_circuit_order(
    measured: Mapping[str, Levels], qubits: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether it is known in which order the circuit measures its keys."""
    return len(measured) < 2 or measured.keys() <= qubits.keys()
