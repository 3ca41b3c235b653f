"""What is computed from packed shots, against Qiskit's BitArray of the same bits."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from qiskit.primitives import BitArray

from qawait.errors import LevelError, NoLayout, NoShotData
from qawait.histograms import Histogram
from qawait.iqm.run_result import Metadata, RunResult
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest
from qawait.packing import pack
from qawait.results import CircuitResult, Result
from qawait.shots import Shots

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOTS = 60


class Sample:
    """A circuit of some width with random bits, and the same bits at Qiskit.

    Registers, their sizes, which keys hold them, and the order of keys and columns are
    random; some bits are never measured. Failures name the width, which is the seed.
    """

    def __init__(self, width: int, rows: int = SHOTS, *, levels: bool = False) -> None:
        self.rng = np.random.default_rng(width)
        # Few distinct rows, so that outcomes repeat also in wide registers.
        few = self.rng.integers(0, 2, (1 + rows // 3, width), np.uint8)
        self.bits = few[self.rng.integers(0, len(few), rows)]
        self.unmeasured = self.rng.random(width) < 0.1
        self.bits[:, self.unmeasured] = 0
        self.sizes = self._cut(width, 4)
        places, keys = self._keys(levels)
        registers = tuple((f"r{n}", size) for n, size in enumerate(self.sizes))
        record = CircuitRecord(label="x", layout=Layout(registers, tuple(places)))
        manifest = Manifest(circuits=(record,))
        self.ours = Result.of_shots([keys], manifest, job_id="j")[0]
        self.theirs = BitArray.from_bool_array(self.bits.astype(bool), order="little")

    def _cut(self, width: int, most: int) -> list[int]:
        cuts = sorted(self.rng.integers(0, width + 1, self.rng.integers(0, most)))
        return np.diff([0, *cuts, width]).tolist()

    def _keys(self, levels: bool) -> tuple[list[tuple[str, int] | None], dict]:
        width = self.bits.shape[1]
        order = self.rng.permutation(np.flatnonzero(~self.unmeasured))
        places: list[tuple[str, int] | None] = [None] * width
        keys: dict[str, np.ndarray] = {}
        start = 0
        for n, size in enumerate(self._cut(len(order), 6)):
            columns = order[start : start + size]
            start += size
            # One column too many, that no register has.
            nobodys = self.rng.integers(0, 2 + levels, (len(self.bits), 1), np.uint8)
            keys[f"k{n}"] = np.concatenate([self.bits[:, columns], nobodys], axis=1)
            for column, bit in enumerate(columns):
                places[bit] = (f"k{n}", column)
        names = self.rng.permutation(list(keys)).tolist()
        return places, {name: keys[name] for name in names}

    def span(self, register: str) -> range:
        n = int(register[1:])
        start = sum(self.sizes[:n])
        return range(start, start + self.sizes[n])


@pytest.fixture(params=[*range(1, 201)], scope="module")
def sample(request: pytest.FixtureRequest) -> Sample:
    return Sample(request.param)


def same(ours: BitArray, theirs: BitArray) -> None:
    assert ours.num_bits == theirs.num_bits
    np.testing.assert_array_equal(ours.array, theirs.array)


def test_counts_are_those_of_qiskit(sample: Sample) -> None:
    assert sample.ours.counts() == sample.theirs.get_counts()
    for register in sample.ours.registers:
        if span := sample.span(register):
            sliced = sample.theirs.slice_bits(list(span))
            assert sample.ours.counts(register) == sliced.get_counts()


def test_the_histogram_has_the_same_counts_as_numbers(sample: Sample) -> None:
    histogram = sample.ours.histogram()
    texts = ["".join(map(str, row[::-1])) for row in histogram.bits()]
    counts = dict(zip(texts, histogram.counts.tolist(), strict=True))
    assert counts == sample.theirs.get_counts()
    assert texts == sorted(texts)


def test_packed_is_qiskits_array(sample: Sample) -> None:
    same(sample.ours.to_bitarray(), sample.theirs)
    np.testing.assert_array_equal(sample.ours.packed(), sample.theirs.array)
    for register in sample.ours.registers:
        if span := sample.span(register):
            sliced = sample.theirs.slice_bits(list(span))
            np.testing.assert_array_equal(sample.ours.packed(register), sliced.array)


def test_registers_joined_are_qiskits_concatenation(sample: Sample) -> None:
    parts = [
        sample.ours.to_bitarray(register)
        for register, size in sample.ours.registers.items()
        if size
    ]
    same(BitArray.concatenate_bits(parts), sample.ours.to_bitarray())


def test_a_marginal_is_qiskits_slice(sample: Sample) -> None:
    width = sample.bits.shape[1]
    chosen = sample.rng.permutation(width)[: 1 + width // 2].tolist()
    theirs = sample.theirs.slice_bits(chosen)
    ours = sample.ours.marginal(chosen)
    same(ours.to_bitarray(), theirs)
    assert ours.counts() == theirs.get_counts()
    histogram = Histogram.of_packed(sample.theirs.array, width)
    by_histogram = histogram_result(histogram).marginal(chosen)
    assert by_histogram.counts() == theirs.get_counts()


def test_postselection_keeps_the_shots_that_qiskit_keeps(sample: Sample) -> None:
    for register in sample.ours.registers:
        if span := sample.span(register):
            wanted = sample.bits[0, span]
            theirs = sample.theirs.postselect(list(span), wanted.tolist())
            value = "".join(map(str, wanted[::-1]))
            ours = sample.ours.postselect(register, value)
            same(ours.to_bitarray(), theirs)
            assert ours.shots == theirs.num_shots >= 1
            assert ours.keys == {k: v[kept(sample, span)] for k, v in raw(sample)}


def kept(sample: Sample, span: Sequence[int]) -> np.ndarray:
    return (sample.bits[:, span] == sample.bits[0, span]).all(axis=1)


def raw(sample: Sample) -> list[tuple[str, np.ndarray]]:
    return list(sample.ours.keys.items())


def test_means_of_diagonal_operators_are_those_of_qiskit(sample: Sample) -> None:
    width = sample.bits.shape[1]
    letters = sample.rng.choice(["I", "Z"], (3, width))
    # An unmeasured bit is refused by ours.
    letters[:, sample.unmeasured[::-1]] = "I"
    labels = ["".join(row) for row in letters]
    theirs = sample.theirs.expectation_values(labels)
    for label, expected in zip(labels, theirs, strict=True):
        mean, error = sample.ours.expectation(label)
        assert mean == pytest.approx(expected, abs=1e-12)
        assert error == pytest.approx(np.sqrt((1 - mean**2) / (SHOTS - 1)), abs=1e-7)
        histogram = Histogram.of_packed(sample.theirs.array, width)
        by_histogram = histogram_result(histogram)
        assert by_histogram.expectation(label)[0] == pytest.approx(mean, abs=1e-12)


def histogram_result(histogram: Histogram) -> CircuitResult:
    return Result.of_histograms([("x", histogram)], None, job_id="j")[0]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 20, 64, 65, 130])
def test_one_shot_is_counted_once(width: int) -> None:
    sample = Sample(width, rows=1)
    assert sample.ours.counts() == sample.theirs.get_counts()
    same(sample.ours.to_bitarray(), sample.theirs)
    assert list(sample.ours.counts().values()) == [1]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 20, 64, 65, 130])
def test_no_shot_is_no_outcome(width: int) -> None:
    sample = Sample(width, rows=0)
    assert sample.ours.counts() == {}
    assert sample.ours.packed().shape == (0, -(-width // 8))
    assert sample.ours.bits().shape == (0, width)
    assert sample.ours.marginal([0]).postselect(None, 1).shots == 0
    assert sample.ours.histogram() == Histogram.of_bits(sample.bits)


@pytest.mark.parametrize("width", [2, 9, 33, 70])
def test_levels_in_columns_of_no_register_change_nothing(width: int) -> None:
    sample = Sample(width, levels=True)
    assert sample.ours.measured.wide
    assert sample.ours.counts() == sample.theirs.get_counts()
    assert sample.ours.histogram() == Histogram.of_bits(sample.bits)
    same(sample.ours.to_bitarray(), sample.theirs)
    assert (
        sample.ours.marginal([1, 0]).bits().tolist() == sample.bits[:, 1::-1].tolist()
    )
    value = "".join(map(str, sample.bits[0][::-1]))
    part = sample.ours.postselect(None, value)
    expected = sample.theirs.postselect(list(range(width)), sample.bits[0].tolist())
    same(part.to_bitarray(), expected)


# --- levels ---------------------------------------------------------------------------

LEVELS = np.array([[0, 2], [1, 0], [0, 2], [0, 1]], np.uint8)
PLAIN = np.array([[1], [0], [0], [1]], np.uint8)


def leaked() -> CircuitResult:
    keys = {"a_2_0": LEVELS, "b_1_1": PLAIN}
    return Result.of_shots([keys], None, job_id="j")[0]


def test_a_register_beside_one_with_levels_is_counted_packed() -> None:
    circuit = leaked()
    assert circuit.counts("b") == {"0": 2, "1": 2}
    assert circuit.packed("b").tolist() == [[1], [0], [0], [1]]
    for ask in (circuit.packed, circuit.histogram, circuit.to_bitarray):
        with pytest.raises(LevelError, match="level 2"):
            ask("a")
        with pytest.raises(LevelError, match="level 2"):
            ask()


def test_levels_are_digits_of_counts_and_values() -> None:
    circuit = leaked()
    assert circuit.counts() == {"001": 1, "020": 1, "110": 1, "120": 1}
    assert list(circuit.counts(sep="|")) == ["0|01", "0|20", "1|10", "1|20"]
    part = circuit.postselect("a", "20")
    assert part.bits().tolist() == [[0, 2, 1], [0, 2, 0]]
    assert part.shots == 2
    assert circuit.postselect("b", "1").counts() == {"110": 1, "120": 1}


def test_without_its_levels_a_circuit_is_packed_again() -> None:
    circuit = leaked()
    for part in (circuit.postselect("a", "01"), circuit.marginal([2, 0])):
        assert not part.measured.wide
        assert part.packed().shape[0] == part.shots


@pytest.mark.parametrize("circuit", [leaked(), Sample(2).ours], ids=["levels", "bits"])
def test_a_level_that_no_shot_has_is_not_found(circuit: CircuitResult) -> None:
    register = next(iter(circuit.registers))
    value = "3" * circuit.registers[register]
    if value:
        assert circuit.postselect(register, value).shots == 0
    histogram = histogram_result(Histogram.of_bits(LEVELS % 2))
    assert histogram.postselect(None, "02").counts() == {}


# --- memory ---------------------------------------------------------------------------


def large() -> tuple[RunResult, Result]:
    """Two circuits of 8,000 shots and 16 bits, as the service sends them."""
    bits = np.random.default_rng(1).integers(0, 2, (2, 8000, 16), np.uint8)
    run = RunResult(
        status="ready",
        measurements=[
            Shots.of_arrays({"a_16_0": bits[0]}),
            # The registers are in another order than the keys.
            Shots.of_arrays({"b_8_1": bits[1, :, :8], "a_8_0": bits[1, :, 8:]}),
        ],
        metadata=Metadata(),
    )
    assert run.measurements is not None
    records = (
        CircuitRecord(label="x", qubits={"a_16_0": tuple(map(str, range(16)))}),
        CircuitRecord(
            label="y",
            qubits={"a_8_0": tuple("abcdefgh"), "b_8_1": tuple("ijklmnop")},
        ),
    )
    result = Result.of_shots(
        run.measurements, Manifest(circuits=records), job_id="j", run_result=run
    )
    return run, result


PACKED_BYTES = 2 * 8000 * 2


def test_packed_is_handed_over_without_a_copy() -> None:
    run, result = large()
    assert run.measurements is not None
    assert np.shares_memory(result.packed[0], run.measurements[0].packed)
    assert np.shares_memory(result[0].to_bitarray().array, result.packed[0])
    assert np.shares_memory(result[0].to_bitarray("a").array, result.packed[0])
    assert not result.packed[0].flags.writeable
    assert not result.packed[1].flags.writeable


def test_the_packed_form_of_a_job_has_one_array_for_each_circuit() -> None:
    run, result = large()
    assert run.measurements is not None
    first, second = result.packed
    np.testing.assert_array_equal(first, pack(result[0].bits()))
    joined = [run.measurements[1][key] for key in ("a_8_0", "b_8_1")]
    np.testing.assert_array_equal(second, pack(np.concatenate(joined, axis=1)))


def test_a_pickle_is_packed_and_holds_each_bit_once() -> None:
    """The circuits and the wire model share their memory, before and after."""
    _, result = large()
    result[0].bits()
    _ = result.measurements[1]["b_8_1"]
    once = pickle.dumps(result)
    assert PACKED_BYTES < len(once) < 1.1 * PACKED_BYTES
    again = pickle.loads(once)  # noqa: S301
    assert again == result
    _ = again.measurements[1]["b_8_1"]
    assert len(pickle.dumps(again)) < 1.1 * PACKED_BYTES


def test_parts_of_a_result_are_pickled_packed_too() -> None:
    run, result = large()
    assert run.measurements is not None
    _ = run.measurements[0]["a_16_0"]
    result[1].bits()
    for part, share in ((run, 1.0), (result[0], 0.5), (result[1], 0.5)):
        pickled = pickle.dumps(part)
        assert len(pickled) < 1.1 * share * PACKED_BYTES
        assert pickle.loads(pickled) == part  # noqa: S301


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_are_equal(copied) -> None:
    run, result = large()
    for part in (run, result, result[1]):
        assert copied(part) == part


def test_an_unpacked_array_is_kept_and_shared_by_all_views() -> None:
    run, result = large()
    assert run.measurements is not None
    array = result.measurements[0]["a_16_0"]
    assert result.measurements[0]["a_16_0"] is array
    assert result[0].keys["a_16_0"] is array
    assert result[0].bits() is array
    assert run.measurements[0]["a_16_0"] is array
    assert not array.flags.writeable


def test_what_is_not_there_packed_is_refused() -> None:
    histogram = Result.of_histograms(
        [("x", Histogram.of_bits(PLAIN))], None, job_id="j"
    )
    with pytest.raises(NoShotData, match="a histogram"):
        _ = histogram.packed
    with pytest.raises(NoShotData):
        histogram[0].packed()
    unordered = Result.of_shots([{"m": PLAIN, "z": PLAIN}], None, job_id="j")
    with pytest.raises(NoLayout):
        _ = unordered.packed
    assert unordered[0].packed("z").tolist() == PLAIN.tolist()
