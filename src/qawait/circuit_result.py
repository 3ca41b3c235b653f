"""What came back for one circuit: shots, a histogram, or expectation values."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (fields of Structs resolve at run time)
from operator import index
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct, field

from qawait.bit_strings import written_counts
from qawait.digits import counted_digits, digits_of
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
from qawait.packing import gather, holds, pack, read_only
from qawait.shots import Shots

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray
    from qiskit.primitives import BitArray  # pyright: ignore[reportMissingTypeStubs]

    from qawait.shots import Levels, Place

__all__ = ["CircuitResult", "Kind", "Order", "in_circuit_order"]

Kind: TypeAlias = Literal["shots", "histogram", "expectation"]
Order: TypeAlias = Literal["qiskit", "iqm"]

_MARGINAL = "marginal"


class CircuitResult(Struct, frozen=True, kw_only=True):
    """The result of one circuit; two are equal if they say the same.

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
    measured: Shots = Shots(0, {}, np.empty((0, 0), np.uint8))
    """Kind "shots": what was read, packed; keys in circuit order if that is known."""
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

    # --- what was measured ------------------------------------------------------------

    @property
    def keys(self) -> Mapping[str, Levels]:
        """The raw array of each measurement key, (shots, locus), read-only.

        An array is unpacked when it is first read, and then kept.

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
        return self.measured.columns(self._layout(reg).bits)

    def packed(self, reg: str | None = None) -> NDArray[np.uint8]:
        """What was read, at one bit for each bit: the layout of Qiskit's BitArray.

        Returns:
            Read-only, shape (shots, ceil(n / 8)). Bit 0 is the least significant bit of
            the last byte; the bits above bit n - 1, in the first, are 0.

        Raises:
            NoShotData: The service returned no single shots.
            LevelError: A level is above 1, so not a bit.
            NoLayout: The registers are not known.
        """
        self._need_shots()
        places = self._layout(reg).bits
        if not self.measured.has_levels(places):
            return self.measured.gathered(places)
        levels = self.measured.columns(places)
        if (top := levels.max(initial=0)) > 1:
            raise LevelError(
                f"circuit {self.label!r} has shots of level {top}, which is not a bit;"
                " use counts() or bits()"
            )
        return read_only(pack(levels))

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
        if order not in ("qiskit", "iqm"):
            raise ConfigurationError(f'order is "qiskit" or "iqm", not {order!r}')
        if self.kind == "expectation":
            raise self._no_counts()
        if self.tallied is not None:
            if order == "iqm":
                raise self._no_order()
            widths = self._register_widths(reg) if sep else [self._width(reg)]
            return written_counts(self.histogram(reg), widths, sep)
        if order == "iqm":
            places, widths = self._places_of_keys(reg)
        else:
            places, widths = self._layout(reg).bits, self._register_widths(reg)
        if self.measured.has_levels(places):
            levels = self.measured.columns(places)
            return counted_digits(levels[:, ::-1], widths, sep)
        packed = self.measured.gathered(places)
        return written_counts(Histogram.of_packed(packed, len(places)), widths, sep)

    def histogram(self, reg: str | None = None) -> Histogram:
        """The outcomes as numbers or packed bytes, ascending, with their counts.

        Raises:
            NoCounts: The service returned expectation values.
            LevelError: A level is above 1, so an outcome is not made of bits.
        """
        if self.kind == "expectation":
            raise self._no_counts()
        if self.tallied is None:
            return Histogram.of_packed(self.packed(reg), self._width(reg))
        if reg is None:
            return self.tallied
        width = self._width(reg)
        return Histogram.of_packed(self._outcomes(reg), width, self.tallied.counts)

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
            packed = gather(self.tallied.packed(), wanted)
            tallied = Histogram.of_packed(packed, len(wanted), self.tallied.counts)
            return msgspec.structs.replace(self, layout=layout, tallied=tallied)
        layout = self._layout() if layout is None else layout
        used = layout.columns()
        columns = {key: used[key] for key in self.measured if key in used}
        return msgspec.structs.replace(
            self,
            layout=layout.among(columns),
            measured=self.measured.only(columns),
            qubits={
                key: tuple(self.qubits[key][column] for column in used[key])
                for key in self.qubits
                if key in used
            },
        )

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
        wanted = digits_of(value, self._width(reg))
        if self.tallied is None and self.measured.has_levels(self._layout(reg).bits):
            kept = (self.bits(reg) == wanted).all(axis=1)
        else:
            rows = self.packed(reg) if self.tallied is None else self._outcomes(reg)
            kept = holds(rows, pack(wanted[None])[0]) & (wanted.max(initial=0) <= 1)
        if self.tallied is None:
            measured = self.measured.where(kept)
            return msgspec.structs.replace(self, measured=measured, shots=measured.rows)
        tallied = Histogram(
            self.tallied.n_bits, self.tallied.outcomes[kept], self.tallied.counts[kept]
        )
        return msgspec.structs.replace(self, tallied=tallied, shots=tallied.shots)

    # --- in other words ---------------------------------------------------------------

    def to_bitarray(self, reg: str | None = None, *, expand: bool = False) -> BitArray:
        """The shots as Qiskit's BitArray, which reads the array of `packed`.

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
            packed = self.packed(reg)
            width = self._width(reg)
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
            The value, and its standard error, which is None if the service computed the
            value, and for a single shot.

        Raises:
            NotMeasured: It is not diagonal, acts on a bit that was never measured, has
                another width, or (expectation values) was not submitted.
            NoShots: Not one row came back.
            ConfigurationError: It is no operator, or not Hermitian.
        """
        terms = terms_of(op)
        if self.kind == "expectation":
            return submitted_value(terms, self.values), None
        unmeasured = self.layout.unmeasured() if self.layout else ()
        return mean_of(terms, self.histogram(), unmeasured)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from qawait._display.results import circuit_card
        from qawait._display.writing import bundle

        return bundle(circuit_card(self))

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

    def _outcomes(self, reg: str | None) -> NDArray[np.uint8]:
        """The packed outcomes of a histogram; those of a register can be equal."""
        assert self.tallied is not None
        outcomes = self.tallied.packed()
        if reg is None:
            return outcomes
        start, size = self._layout().place(reg)
        return gather(outcomes, range(start, start + size))

    def _places_of_keys(self, reg: str | None) -> tuple[Sequence[Place], list[int]]:
        """Columns by key and locus, the first leftmost, and the widths of the keys."""
        if not in_circuit_order(self.measured, self.qubits):
            raise self._no_order()
        widths = self.measured.widths
        columns = {key: list(range(width)) for key, width in widths.items()}
        if reg is not None:
            columns = self._layout(reg).columns()
        keys = [key for key in self.measured if key in columns]
        places = [(key, column) for key in keys for column in columns[key]]
        return places[::-1], [len(columns[key]) for key in keys]

    def _width(self, reg: str | None = None) -> int:
        if reg is None and self.tallied is not None:
            return self.tallied.n_bits
        return len(self._layout(reg).bits)

    def _register_widths(self, reg: str | None) -> list[int]:
        """The widths of the registers, leftmost in a string first."""
        return [size for _, size in self._layout(reg).registers][::-1]

    def _layout(self, reg: str | None = None) -> Layout:
        if self.layout is not None:
            return self.layout.only(reg)
        if reg is not None and reg in self.measured:
            return Layout.of_keys({reg: self.measured.widths[reg]})
        raise self._no_layout()

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

    def _no_order(self) -> NoLayout:
        return NoLayout(
            f'circuit {self.label!r}: order="iqm" needs the measurement keys in'
            " circuit order, and they are not known"
        )

    def _no_layout(self) -> NoLayout:
        also = "; use keys" if self.kind == "shots" else ""
        return NoLayout(f"circuit {self.label!r}: its registers are not known{also}")


def in_circuit_order(
    measured: Mapping[str, Any], qubits: Mapping[str, tuple[str, ...]]
) -> bool:
    """Whether it is known in which order the circuit measures its keys."""
    return len(measured) < 2 or measured.keys() <= qubits.keys()
