from __future__ import annotations

import math
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from qiskit.primitives import BitArray
from qiskit.quantum_info import SparsePauliOp

from qawait.errors import (
    AmbiguousLabel,
    ConfigurationError,
    LevelError,
    MissingExtra,
    NoCounts,
    NoLayout,
    NoShotData,
    NoShots,
    NotMeasured,
    ProtocolError,
    ResultMismatch,
)
from qawait.histograms import Histogram
from qawait.iqm.run_result import Metadata, RunResult
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest, State
from qawait.packing import pack
from qawait.results import CircuitResult, Result

LAYOUT = Layout(
    (("a", 2), ("b", 1), ("unused", 1)),
    (("a_2_0", 0), ("a_2_0", 1), ("b_1_1", 0), None),
)
"""Register b is measured before register a, and one register never."""
QUBITS = {"b_1_1": ("QB5",), "a_2_0": ("QB3", "QB1")}
A = np.array([[1, 0], [1, 0], [0, 1], [0, 0], [1, 0]], np.uint8)
B = np.array([[1], [0], [1], [0], [1]], np.uint8)
BITS = [[1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]]
COUNTS = {"0000": 1, "0001": 1, "0101": 2, "0110": 1}
IQM_COUNTS = {"000": 1, "010": 1, "101": 1, "110": 2}


def record(label="x", **about) -> CircuitRecord:
    return CircuitRecord(
        **{"label": label, "shots": 6, "layout": LAYOUT, "qubits": QUBITS, **about}
    )


def of_shots(*records: CircuitRecord, **keys: np.ndarray) -> Result:
    """One job with these records, each circuit with the same keys."""
    manifest = Manifest(circuits=records) if records else None
    circuits = [keys] * max(1, len(records))
    return Result.of_shots(circuits, manifest, job_id="j")


def by_shots() -> CircuitResult:
    # The wire has the keys in another order than the circuit.
    return of_shots(record(), a_2_0=A, b_1_1=B)[0]


def native(*, qubits=None, **keys: np.ndarray) -> CircuitResult:
    """A circuit of which nothing is remembered but, perhaps, its keys in order."""
    return Result.of_shots([keys], None, job_id="j", qubits=qubits and [qubits])[0]


def histogram_of(bits) -> Histogram:
    return Histogram.of_bits(np.array(bits, np.uint8))


def by_histogram(layout: Layout | None = LAYOUT) -> CircuitResult:
    manifest = Manifest(circuits=(record(layout=layout, qubits={}),))
    rows = [("x", histogram_of(BITS))]
    return Result.of_histograms(rows, manifest, job_id="j")[0]


def by_expectation() -> CircuitResult:
    rows = [("x", {"IIZ": 0.25, "XYI": -0.5})]
    manifest = Manifest(circuits=(record(shots=None),))
    return Result.of_expectations(rows, manifest, job_id="j")[0]


COUNTABLE = pytest.mark.parametrize("circuit", [by_shots(), by_histogram()], ids=repr)


# --- registers, bits, strings ---------------------------------------------------------


def test_registers_are_in_circuit_order_with_the_unused():
    assert list(by_shots().registers.items()) == [("a", 2), ("b", 1), ("unused", 1)]


def test_column_j_of_bits_is_classical_bit_j():
    bits = by_shots().bits()
    assert bits.tolist() == BITS
    assert bits.dtype == np.uint8
    assert not bits.flags.writeable


def test_bits_of_one_register():
    circuit = by_shots()
    assert circuit.bits("a").tolist() == A.tolist()
    assert circuit.bits("b").tolist() == B.tolist()
    assert circuit.bits("unused").tolist() == [[0]] * 5


def test_a_register_measured_in_one_place_is_unpacked_once():
    circuit = by_shots()
    assert circuit.bits("a") is circuit.bits("a")
    assert circuit.bits("a") is circuit.keys["a_2_0"]


@COUNTABLE
def test_the_rightmost_character_is_bit_0_and_the_last_register_is_leftmost(circuit):
    assert circuit.counts() == COUNTS
    assert circuit.counts("a") == {"00": 1, "01": 3, "10": 1}
    assert circuit.counts("b") == {"0": 2, "1": 3}


@COUNTABLE
def test_counts_ascend_by_outcome(circuit):
    assert list(circuit.counts()) == sorted(COUNTS)


@COUNTABLE
def test_a_separator_stands_between_registers(circuit):
    expected = {f"{c[0]} {c[1]} {c[2:]}": n for c, n in COUNTS.items()}
    assert circuit.counts(sep=" ") == expected
    assert circuit.counts("a", sep=" ") == circuit.counts("a")
    assert "0, 1, 01" in circuit.counts(sep=", ")


def test_iqms_order_is_by_key_in_circuit_order_leftmost_first():
    """Key b_1_1 is measured first, and what is never measured is not in it."""
    circuit = by_shots()
    assert circuit.counts(order="iqm") == IQM_COUNTS
    assert list(circuit.counts(order="iqm")) == sorted(IQM_COUNTS)
    assert circuit.counts(order="iqm", sep=" ")["1 10"] == 2
    assert circuit.counts("a", order="iqm") == {"00": 1, "01": 1, "10": 3}


def test_both_orders_of_x_on_qubit_0_of_three():
    rows = np.array([[1, 0, 0]] * 7)
    circuit = native(m=rows)
    assert circuit.counts() == {"001": 7}
    assert circuit.counts(order="iqm") == {"100": 7}


def test_iqms_order_has_earlier_values_of_a_bit_too():
    keys = {"overwritten_0": np.array([[1], [0]]), "c_1_0_0": np.array([[0], [0]])}
    circuit = native(qubits=dict.fromkeys(keys, ("QB1",)), **keys)
    assert circuit.counts() == {"0": 2}
    assert circuit.counts(order="iqm") == {"00": 1, "10": 1}


def test_iqms_order_needs_keys_whose_order_is_known():
    with pytest.raises(NoLayout, match="circuit order"):
        by_histogram().counts(order="iqm")
    with pytest.raises(NoLayout, match="circuit order"):
        native(a_1_0=B, b_1_1=B).counts(order="iqm")


def test_another_order_is_refused():
    with pytest.raises(ConfigurationError, match="not 'qoro'"):
        by_shots().counts(order="qoro")  # type: ignore[arg-type]


def test_an_unknown_register_is_named():
    for ask in (by_shots().bits, by_shots().counts, by_histogram().counts):
        with pytest.raises(KeyError, match="no register 'z'; there are: a, b, unused"):
            ask("z")


SHOTS = st.integers(1, 70).flatmap(
    lambda n: arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 12), st.just(n)),
        elements=st.integers(0, 1),
    )
)


@seed(7)
@given(SHOTS)
def test_counts_are_those_of_qiskits_bit_array(bits):
    theirs = BitArray.from_bool_array(bits[:, ::-1].astype(bool), order="big")
    assert native(m=bits).counts() == theirs.get_counts()
    rows = [("x", histogram_of(bits))]
    [by_histogram] = Result.of_histograms(rows, None, job_id="j")
    assert by_histogram.counts() == theirs.get_counts()


@seed(8)
@given(SHOTS)
def test_a_bit_array_holds_the_same_shots(bits):
    ours = native(m=bits).to_bitarray()
    assert ours.num_bits == bits.shape[1]
    expected = ["".join(map(str, row[::-1])) for row in bits.tolist()]
    assert ours.get_bitstrings() == expected


# --- what is known of the registers ---------------------------------------------------


def test_without_a_layout_vendor_keys_are_parsed():
    keys = {
        f"c_11_0_{bit}": np.array([[bit in (1, 10)]], np.uint8) for bit in range(11)
    }
    circuit = native(**dict(sorted(keys.items())))
    assert circuit.registers == {"c": 11}
    assert circuit.counts() == {"10000000010": 1}


def test_without_a_layout_keys_in_circuit_order_are_registers():
    circuit = native(qubits={"z": ("QB2", "QB1"), "m": ("QB3",)}, m=B, z=A)
    assert list(circuit.registers.items()) == [("z", 2), ("m", 1)]
    assert circuit.bits().tolist() == [row[:3] for row in BITS]
    assert circuit.counts() == {"000": 1, "001": 1, "101": 2, "110": 1}
    assert list(circuit.keys) == ["z", "m"]


def test_without_the_order_of_the_keys_there_are_no_registers():
    circuit = native(m=B, z=A)
    for ask in (circuit.bits, circuit.counts, circuit.histogram, circuit.to_bitarray):
        with pytest.raises(NoLayout, match="use keys"):
            ask()
    with pytest.raises(NoLayout):
        _ = circuit.registers
    with pytest.raises(NoLayout):
        circuit.marginal([0])
    assert circuit.keys["z"].tolist() == A.tolist()
    assert circuit.counts("z") == {"00": 1, "01": 3, "10": 1}


def test_a_histogram_without_a_layout_is_counted_over_all_its_bits():
    circuit = by_histogram(layout=None)
    assert circuit.counts() == COUNTS
    for ask in (
        lambda: circuit.registers,
        lambda: circuit.counts("a"),
        lambda: circuit.counts(sep=" "),
        lambda: circuit.histogram("a"),
        lambda: circuit.postselect("a", 0),
    ):
        with pytest.raises(NoLayout):
            ask()
    assert circuit.marginal([2, 0]).counts() == by_histogram().marginal([2, 0]).counts()
    assert circuit.postselect(None, "0101").counts() == {"0101": 2}


@pytest.mark.parametrize("width", [3, 5])
def test_a_histogram_of_another_width_is_refused(width):
    histogram = histogram_of([[0] * width])
    with pytest.raises(ProtocolError, match=f"4 classical bits, its histogram {width}"):
        Result.of_histograms(
            [("x", histogram)], Manifest(circuits=(record(),)), job_id="j"
        )


# --- raw keys ------------------------------------------------------------------------


def test_keys_are_raw_arrays_and_qubits_their_names():
    circuit = by_shots()
    assert circuit.keys["a_2_0"].tolist() == A.tolist()
    assert circuit.qubits["a_2_0"] == ("QB3", "QB1")
    assert not circuit.keys["a_2_0"].flags.writeable
    with pytest.raises(KeyError):
        circuit.keys["z"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"a_2_0": A}, "key 'b_1_1', which is not in its result; there are: a_2_0"),
        ({"a_2_0": A[:, :1], "b_1_1": B}, "2 qubits under the key 'a_2_0'.*1 columns"),
    ],
)
def test_keys_that_were_not_measured_so_are_refused(keys, says):
    with pytest.raises(ResultMismatch, match=says):
        of_shots(record(), **keys)


def test_a_layout_that_points_beyond_a_key_is_refused():
    with pytest.raises(ResultMismatch, match="no column 1 of the key 'a_2_0'"):
        of_shots(record(qubits={}), a_2_0=A[:, :1], b_1_1=B)
    with pytest.raises(ResultMismatch, match="no column 0 of the key 'b_1_1'"):
        of_shots(record(qubits={}), a_2_0=A)


# --- fewer rows, higher levels --------------------------------------------------------


def test_fewer_rows_than_asked_for_are_shots():
    circuit = by_shots()
    assert (circuit.shots, circuit.requested_shots) == (5, 6)
    assert circuit.probabilities() == {k: n / 5 for k, n in COUNTS.items()}
    assert circuit.probabilities("b") == {"0": 0.4, "1": 0.6}


@pytest.mark.parametrize("qubits", [QUBITS, {}], ids=["known qubits", "layout only"])
def test_zero_rows_are_empty_and_have_no_probabilities(qubits):
    none = np.zeros((0, 0), np.uint8)
    circuit = of_shots(record(qubits=qubits), a_2_0=none, b_1_1=none)[0]
    assert circuit.shots == 0
    assert circuit.bits().shape == (0, 4)
    assert circuit.keys["a_2_0"].shape == (0, 2)
    assert circuit.counts() == {}
    assert circuit.histogram().outcomes.shape == (0,)
    assert circuit.to_bitarray().num_shots == 0
    with pytest.raises(NoShots):
        circuit.probabilities()
    with pytest.raises(NoShots):
        circuit.expectation("IIIZ")


def test_zero_rows_in_iqms_order():
    none = np.zeros((0, 0), np.uint8)
    assert of_shots(record(), a_2_0=none, b_1_1=none)[0].counts(order="iqm") == {}


def test_an_empty_histogram_has_no_probabilities():
    histogram = histogram_of(np.zeros((0, 4)))
    circuit = Result.of_histograms([("x", histogram)], None, job_id="j")[0]
    assert (circuit.shots, circuit.counts()) == (0, {})
    with pytest.raises(NoShots):
        circuit.probabilities()


def test_levels_up_to_9_are_digits():
    circuit = of_shots(record(), a_2_0=A * 2 + A, b_1_1=B * 9)[0]
    assert circuit.bits().max() == 9
    assert circuit.counts() == {"0000": 1, "0003": 1, "0903": 2, "0930": 1}
    assert circuit.counts(order="iqm") == {"000": 1, "030": 1, "903": 1, "930": 2}
    assert circuit.counts("a") == {"00": 1, "03": 3, "30": 1}
    assert circuit.postselect("b", "9").shots == 3
    with pytest.raises(LevelError, match="level 10 has no digit"):
        of_shots(record(), a_2_0=A, b_1_1=B * 10)[0].counts()


def test_levels_above_9_have_no_digit_but_stay_in_the_arrays():
    circuit = of_shots(record(), a_2_0=A, b_1_1=B.astype(np.uint16) * 300)[0]
    assert circuit.bits().tolist()[0] == [1, 0, 300, 0]
    assert circuit.counts("a") == {"00": 1, "01": 3, "10": 1}
    with pytest.raises(LevelError, match="level 300 has no digit"):
        circuit.counts()
    with pytest.raises(LevelError):
        circuit.probabilities()


def test_levels_above_1_are_not_bits():
    circuit = of_shots(record(), a_2_0=A, b_1_1=B * 2)[0]
    for ask in (
        circuit.histogram,
        circuit.to_bitarray,
        lambda: circuit.expectation("IIIZ"),
    ):
        with pytest.raises(LevelError, match="level 2, which is not a bit"):
            ask()
    assert circuit.histogram("a").shots == 5


# --- histograms ------------------------------------------------------------------------


@COUNTABLE
def test_a_histogram_ascends_by_outcome(circuit):
    histogram = circuit.histogram()
    assert histogram.outcomes.tolist() == [0b0000, 0b0001, 0b0101, 0b0110]
    assert histogram.outcomes.dtype == np.uint64
    assert histogram.counts.tolist() == [1, 1, 2, 1]
    of_a = circuit.histogram("a")
    assert (of_a.outcomes.tolist(), of_a.counts.tolist()) == ([0, 1, 2], [1, 3, 1])
    assert of_a.n_bits == 2


def test_a_wide_histogram_is_packed_bytes():
    bits = np.zeros((3, 70), np.uint8)
    bits[1:, 64] = 1
    histogram = native(m=bits).histogram()
    assert histogram.outcomes.tolist() == [[0] * 9, [1] + [0] * 8]
    assert histogram.counts.tolist() == [1, 2]


# --- parts ------------------------------------------------------------------------------


@COUNTABLE
def test_bit_j_of_a_marginal_is_the_jth_bit_asked_for(circuit):
    part = circuit.marginal([2, 0])
    assert part.counts() == {"00": 1, "10": 1, "01": 1, "11": 2}
    assert part.registers == {"marginal": 2}
    assert part.shots == 5
    assert circuit.marginal([3]).counts() == {"0": 5}
    assert circuit.marginal(range(4)).counts() == COUNTS


def test_a_marginal_of_shots_keeps_the_columns_it_needs():
    part = by_shots().marginal([2, 1])
    assert part.bits().tolist() == [[1, 0], [0, 0], [1, 1], [0, 0], [1, 0]]
    assert {key: levels.shape for key, levels in part.keys.items()} == {
        "b_1_1": (5, 1),
        "a_2_0": (5, 1),
    }
    assert part.qubits == {"b_1_1": ("QB5",), "a_2_0": ("QB1",)}
    assert part.counts(order="iqm") == {"00": 2, "10": 2, "11": 1}


def test_a_marginal_of_what_was_never_measured_keeps_its_shots():
    part = by_shots().marginal([3])
    assert (part.shots, part.bits().tolist()) == (5, [[0]] * 5)
    assert part.counts(order="iqm") == {"": 5}
    assert by_shots().marginal([]).counts() == {"": 5}


@COUNTABLE
@pytest.mark.parametrize("bits", [[4], [-1], [0, 0]])
def test_a_marginal_of_other_bits_is_refused(circuit, bits):
    with pytest.raises(ConfigurationError, match="another bit from 0 to 3"):
        circuit.marginal(bits)


@COUNTABLE
@pytest.mark.parametrize("value", ["01", 1])
def test_postselection_keeps_the_shots_with_a_value(circuit, value):
    part = circuit.postselect("a", value)
    assert part.counts() == {"0001": 1, "0101": 2}
    assert (part.shots, part.requested_shots) == (3, 6)
    assert part.registers == circuit.registers
    assert part.probabilities("b") == {"0": 1 / 3, "1": 2 / 3}


@COUNTABLE
def test_postselection_on_all_registers(circuit):
    assert circuit.postselect(None, "0110").counts() == {"0110": 1}
    assert circuit.postselect(None, 6).counts() == {"0110": 1}
    assert circuit.postselect("b", 1).marginal([1]).counts() == {"0": 2, "1": 1}
    assert circuit.postselect("unused", 1).counts() == {}


def test_postselected_shots_keep_their_order_and_keys():
    part = by_shots().postselect("b", 1)
    assert part.keys["a_2_0"].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert part.keys["b_1_1"].tolist() == [[1], [1], [1]]


@COUNTABLE
@pytest.mark.parametrize("value", ["1", "101", "0b", "0 1", "\u0660\u0661", 4, -1])
def test_a_value_that_the_register_cannot_have_is_refused(circuit, value):
    with pytest.raises(ConfigurationError, match="not a value of 2 bits"):
        circuit.postselect("a", value)


# --- Qiskit's BitArray ---------------------------------------------------------------


def test_a_bit_array_of_one_register():
    ours = by_shots().to_bitarray("a")
    assert ours.num_bits == 2
    assert ours.get_bitstrings() == ["01", "01", "10", "00", "01"]


def test_a_histogram_becomes_a_bit_array_only_when_asked_to():
    circuit = by_histogram()
    with pytest.raises(NoShotData):
        circuit.to_bitarray()
    ours = circuit.to_bitarray(expand=True)
    assert ours.get_bitstrings() == ["0000", "0001", "0101", "0101", "0110"]
    assert circuit.to_bitarray("a", expand=True).get_counts() == circuit.counts("a")


def test_without_qiskit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "qiskit.primitives", None)
    with pytest.raises(MissingExtra, match=r"qawait\[qiskit\]"):
        by_shots().to_bitarray()


# --- expectation values ----------------------------------------------------------------


@COUNTABLE
def test_the_rightmost_letter_acts_on_bit_0(circuit):
    assert circuit.expectation("IIIZ")[0] == pytest.approx((2 - 3) / 5)
    assert circuit.expectation("IIZI")[0] == pytest.approx((4 - 1) / 5)
    assert circuit.expectation("IZIZ")[0] == pytest.approx((3 - 2) / 5)
    assert circuit.expectation("IIII") == (1.0, 0.0)


@COUNTABLE
def test_an_operator_is_the_sum_of_its_terms(circuit):
    op = SparsePauliOp.from_list([("IIIZ", 2.0), ("IZII", -0.5), ("IIII", 3.0)])
    mean, error = circuit.expectation(op)
    values = [3 + 2 * (1 - 2 * row[0]) - 0.5 * (1 - 2 * row[2]) for row in BITS]
    assert mean == pytest.approx(np.mean(values))
    assert error == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))


@seed(9)
@given(SHOTS.filter(lambda bits: len(bits) > 1), st.data())
def test_diagonal_means_agree_with_the_obvious_sum(bits, data):
    n = bits.shape[1]
    label = data.draw(st.text("IZ", min_size=n, max_size=n))
    on = [n - 1 - place for place, letter in enumerate(label) if letter == "Z"]
    values = [(-1) ** sum(row[bit] for bit in on) for row in bits.tolist()]
    mean, error = native(m=bits).expectation(label)
    assert mean == pytest.approx(np.mean(values))
    assert error == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(bits)))


def test_a_single_shot_has_no_error():
    assert native(m=np.array([[0, 1]])).expectation("ZI") == (-1.0, None)


@COUNTABLE
@pytest.mark.parametrize(
    ("op", "says"),
    [
        ("IIIX", "IIIX is not diagonal"),
        ("IYII", "IYII is not diagonal"),
        ("ZIII", "ZIII acts on bit 3, never measured"),
        ("IIZ", "IIZ is for 3 qubits, the circuit has 4 bits"),
        (SparsePauliOp.from_list([("IIIZ", 1), ("IIXI", 1)]), "IIXI is not diagonal"),
    ],
)
def test_what_outcomes_do_not_tell_is_not_measured(circuit, op, says):
    with pytest.raises(NotMeasured, match=says):
        circuit.expectation(op)


@pytest.mark.parametrize(
    ("op", "says"),
    [
        ("", "not a Pauli label"),
        ("IIz", "not a Pauli label of I, X, Y, Z: 'IIz'"),
        (7, "not int"),
        (
            SparsePauliOp.from_list([("IIIZ", 1j)]),
            "coefficient of IIIZ is 1j, not real",
        ),
        (SparsePauliOp.from_list([("IIIZ", math.nan)]), "not real"),
    ],
)
def test_what_is_no_observable_is_refused(op, says):
    with pytest.raises(ConfigurationError, match=says):
        by_shots().expectation(op)


def test_an_operator_with_free_parameters_is_refused():
    from qiskit.circuit import Parameter

    op = SparsePauliOp(["IIIZ"], np.array([Parameter("theta")]))
    with pytest.raises(ConfigurationError, match="not a number"):
        by_shots().expectation(op)


def test_the_services_expectation_values_have_no_error():
    circuit = by_expectation()
    assert circuit.expectation("IIZ") == (0.25, None)
    op = SparsePauliOp.from_list([("IIZ", 2.0), ("XYI", -1.0)])
    assert circuit.expectation(op) == (1.0, None)
    assert circuit.values == {"IIZ": 0.25, "XYI": -0.5}


def test_a_padded_label_is_the_label_that_was_submitted():
    """Identities on the highest qubits change nothing."""
    circuit = by_expectation()
    assert circuit.expectation("Z") == (0.25, None)
    assert circuit.expectation("IIIIZ") == (0.25, None)
    with pytest.raises(NotMeasured):
        circuit.expectation("ZI")


def test_an_operator_that_was_not_submitted_is_not_measured():
    with pytest.raises(NotMeasured, match="YXI was not submitted; there are: IIZ, XYI"):
        by_expectation().expectation("YXI")


def test_a_long_list_of_submitted_operators_is_cut():
    values = {
        f"{n:b}".rjust(8, "0").replace("0", "X").replace("1", "Y"): 0.0
        for n in range(12)
    }
    [circuit] = Result.of_expectations([("x", values)], None, job_id="j")
    with pytest.raises(NotMeasured, match="and 2 more"):
        circuit.expectation("Z" * 8)


# --- what a kind does not have -------------------------------------------------------


def test_a_histogram_has_no_shots():
    circuit = by_histogram()
    for ask in (circuit.bits, circuit.to_bitarray, lambda: circuit.keys):
        with pytest.raises(NoShotData, match="returned a histogram"):
            ask()


def test_expectation_values_have_neither_shots_nor_counts():
    circuit = by_expectation()
    assert (circuit.shots, circuit.requested_shots) == (None, None)
    assert circuit.registers == {"a": 2, "b": 1, "unused": 1}
    for ask in (
        circuit.counts,
        circuit.histogram,
        circuit.probabilities,
        lambda: circuit.counts(order="iqm"),
        lambda: circuit.marginal([0]),
        lambda: circuit.postselect("a", 0),
    ):
        with pytest.raises(NoCounts, match=r"use expectation\(op\)"):
            ask()
    for ask in (circuit.bits, circuit.to_bitarray, lambda: circuit.keys):
        with pytest.raises(NoShotData, match="returned expectation values"):
            ask()


# --- a job's result --------------------------------------------------------------------


def two_circuits() -> Result:
    run = RunResult(
        status="ready",
        measurements=[{"m": A}, {"m": B}],
        metadata=Metadata(cocos_version="1"),
    )
    assert run.measurements is not None
    circuits = (
        CircuitRecord(label="first", shots=5, qubits={"m": ("QB2", "QB1")}),
        CircuitRecord(label="second", shots=5, qubits={"m": ("QB3",)}),
    )
    return Result.of_shots(
        run.measurements,
        Manifest(circuits=circuits, target="garnet", calibration_set_id="c"),
        job_id="06b3",
        message="done",
        metadata=run.metadata,
        warnings=["old"],
        run_result=run,
    )


def test_a_result_is_a_sequence_of_circuits():
    result = two_circuits()
    assert len(result) == 2
    assert [circuit.label for circuit in result] == ["first", "second"]
    assert result[1] is result[-1] is result["second"]
    assert result[0].bits().tolist() == A.tolist()
    assert result[1:] == (result[1],)
    assert "first" in result
    assert result[0] in result
    assert "third" not in result
    assert result.counts(1) == result[1].counts() == result.counts("second")
    assert result.counts(0, "m", order="iqm") == result[0].counts("m", order="iqm")
    assert result.counts(0, "m", order="iqm") != result.counts(0)


def test_what_is_not_in_a_result_is_named():
    result = two_circuits()
    with pytest.raises(IndexError, match="no circuit"):
        result[99]
    with pytest.raises(KeyError, match="label 'third'; there are: first, second"):
        result["third"]


def test_a_label_of_several_circuits_is_ambiguous():
    result = of_shots(record("a"), record("b"), record("a"), a_2_0=A, b_1_1=B)
    with pytest.raises(AmbiguousLabel, match="circuits 0, 2 all have the label 'a'"):
        result["a"]
    assert result["b"] is result[1]


def test_it_says_what_the_run_said():
    result = two_circuits()
    assert result.status == "ready"
    assert result.status is State.READY
    assert (result.kind, result.job_id, result.target) == ("shots", "06b3", "garnet")
    assert (result.message, result.warnings) == ("done", ("old",))
    assert result.metadata == Metadata(cocos_version="1")
    assert result.calibration_set_id == "c"
    assert result.run_result is not None
    assert result.measurements[1]["m"].tolist() == B.tolist()
    assert not result.simulated


def test_what_the_service_says_goes_over_the_manifest():
    manifest = Manifest(target="a", calibration_set_id="b")
    result = Result.of_shots(
        [], manifest, job_id="j", target="c", calibration_set_id="d"
    )
    assert (result.target, result.calibration_set_id) == ("c", "d")


def test_measurements_without_shots_are_never_none():
    result = Result.of_histograms([("x", histogram_of(BITS))], None, job_id="j")
    with pytest.raises(NoShotData):
        _ = result.measurements
    assert result.run_result is None


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_circuits_is_refused(count):
    manifest = Manifest(circuits=(record("a"), record("b")))
    with pytest.raises(ResultMismatch, match=f"job j: {count} results for 2 circuits"):
        Result.of_shots([{"a_2_0": A, "b_1_1": B}] * count, manifest, job_id="j")


def test_rows_are_matched_to_circuits_by_label():
    one, other = histogram_of([[1, 0]]), histogram_of([[0, 1]])
    manifest = Manifest(
        circuits=(
            CircuitRecord(label="a", shots=3),
            CircuitRecord(label="b", shots=4),
        )
    )
    result = Result.of_histograms([("b", other), ("a", one)], manifest, job_id="j")
    assert [c.label for c in result] == ["a", "b"]
    assert [c.counts() for c in result] == [{"01": 1}, {"10": 1}]
    assert [c.requested_shots for c in result] == [3, 4]
    values = Result.of_expectations(
        [("b", {"Z": 1.0}), ("a", {"Z": 0.5})], manifest, job_id="j"
    )
    assert [c.expectation("Z")[0] for c in values] == [0.5, 1.0]


def test_without_a_manifest_rows_stand_as_they_came():
    rows = [("b", histogram_of([[1]])), ("a", histogram_of([[0]]))]
    assert [c.label for c in Result.of_histograms(rows, None, job_id="j")] == ["b", "a"]
    nothing = Manifest()
    assert [c.label for c in Result.of_histograms(rows, nothing, job_id="j")] == [
        "b",
        "a",
    ]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["a"], "no result for 'b'"),
        (["a", "b", "c"], "a result 'c'"),
        (["a", "c"], "no result for 'b'"),
        (["a", "b", "a"], "same label"),
    ],
)
def test_rows_of_other_circuits_are_refused(labels, says):
    manifest = Manifest(circuits=(CircuitRecord(label="a"), CircuitRecord(label="b")))
    rows = [(label, histogram_of([[1]])) for label in labels]
    with pytest.raises(ResultMismatch, match=says):
        Result.of_histograms(rows, manifest, job_id="j")
    with pytest.raises(ResultMismatch, match=says):
        Result.of_expectations([(x, {"Z": 1.0}) for x in labels], manifest, job_id="j")


def test_unlabelled_circuits_are_numbered():
    result = Result.of_shots([{"m": A}, {"m": B}], None, job_id="j")
    assert [circuit.label for circuit in result] == ["0", "1"]
    assert [circuit.requested_shots for circuit in result] == [None, None]


def test_a_simulator_is_never_taken_for_a_quantum_computer():
    keys = [{"m": A}]
    manifest = Manifest(simulated=True, target="square20")
    for result in (
        Result.of_shots(keys, None, job_id="j", simulated=True),
        Result.of_shots(keys, manifest, job_id="j"),
        Result.of_shots(keys, manifest, job_id="j", simulated=False),
        Result.of_histograms([("0", histogram_of(A))], manifest, job_id="j"),
        Result.of_expectations([("0", {"Z": 1.0})], manifest, job_id="j"),
    ):
        assert result.simulated
        assert result[0].simulated
        assert "simulated" in repr(result)
        assert "simulated" in repr(result[0])
        assert result[0].kind != "expectation" or "1 expectation value" in repr(
            result[0]
        )


def test_a_repr_says_what_it_is():
    assert repr(two_circuits()) == "Result(job 06b3, 2 circuits, shots, garnet)"
    assert repr(by_shots()) == "CircuitResult('x', 5 of 6 shots, a[2] b[1] unused[1])"
    assert repr(by_histogram(None)) == "CircuitResult('x', 5 of 6 shots, histogram)"


@pytest.mark.parametrize("make", [by_shots, by_histogram, by_expectation, two_circuits])
def test_results_are_equal_by_value_and_pickle(make):
    again = pickle.loads(pickle.dumps(make()))  # noqa: S301
    assert again == make()
    assert not again != make()  # noqa: SIM202
    assert repr(again) == repr(make())
    with pytest.raises(TypeError, match="unhashable"):
        hash(again)


def test_pickled_arrays_stay_read_only():
    again = pickle.loads(pickle.dumps(by_shots()))  # noqa: S301
    assert not again.keys["a_2_0"].flags.writeable


def test_different_results_are_different():
    assert by_shots() != by_histogram()
    assert by_shots() != of_shots(record(), a_2_0=A, b_1_1=1 - B)[0]
    assert not by_shots() == of_shots(record(), a_2_0=A, b_1_1=1 - B)[0]  # noqa: SIM201
    assert by_shots() != of_shots(record("y"), a_2_0=A, b_1_1=B)[0]
    assert by_shots() != "x"
    one = two_circuits()
    other = Result.of_shots(one.measurements, None, job_id="06b3")
    assert one != other
    assert one != "x"


def test_a_register_spread_over_keys_is_put_together():
    """Bit j of the register is where the layout says, not where the wire has it."""
    layout = Layout((("c", 3),), (("k", 1), ("m", 0), ("k", 0)))
    keys = {"m": np.array([[1], [0]]), "k": np.array([[0, 1], [1, 0]])}
    [circuit] = Result.of_shots(
        [keys],
        Manifest(circuits=(CircuitRecord(label="x", layout=layout),)),
        job_id="j",
    )
    assert circuit.bits().tolist() == [[1, 1, 0], [0, 0, 1]]
    assert circuit.counts() == {"011": 1, "100": 1}
    assert circuit.marginal([0]).keys["k"].tolist() == [[1], [0]]
    packed = circuit.to_bitarray().array
    np.testing.assert_array_equal(packed, pack(circuit.bits()))
