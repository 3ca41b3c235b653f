from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qawait.errors import LevelError, ResultError
from qawait.histograms import Histogram
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest
from qawait.qiskit.arrays import PubArrays, counted
from qawait.results import CircuitResult, Result

RNG = np.random.default_rng(11)


def circuit(*registers: tuple[str, int]) -> QuantumCircuit:
    return QuantumCircuit(
        QuantumRegister(1), *[ClassicalRegister(size, name) for name, size in registers]
    )


def shots(rows: int, *registers: tuple[str, int], top: int = 1) -> CircuitResult:
    """Random shots of registers, each under one key."""
    widths = {
        f"{name}_{size}_{n}": size for n, (name, size) in enumerate(registers) if size
    }
    keys = {key: RNG.integers(0, top + 1, (rows, size)) for key, size in widths.items()}
    keys = {key: levels.astype(np.uint8) for key, levels in keys.items()}
    record = CircuitRecord(label="c", layout=Layout.from_keys(widths))
    return Result.of_shots([keys], Manifest(circuits=(record,)), job_id="j")[0]


def counts_only(
    outcomes: list[int], times: list[int], *registers: tuple[str, int]
) -> CircuitResult:
    width = sum(size for _, size in registers)
    layout = Layout(registers, tuple(("", n) for n in range(width)))
    histogram = Histogram(width, np.array(outcomes, np.uint64), np.array(times))
    record = CircuitRecord(label="c", layout=layout)
    manifest = Manifest(circuits=(record,))
    return Result.of_histograms([("c", histogram)], manifest, job_id="j")[0]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_binding_of_one_register_is_the_memory_that_its_result_has(
    shape: tuple[int, ...],
):
    result = shots(40, ("m", 11))
    arrays = PubArrays(0, circuit(("m", 11)), shape)
    arrays.put(0, result)
    [bits] = arrays.data().values()
    assert bits.array.shape == (*shape, 40, 2)
    assert np.shares_memory(bits.array, result.measured.packed)
    assert np.array_equal(
        bits.to_bool_array(order="little").reshape(40, 11), result.bits()
    )


def test_several_bindings_are_in_one_array_for_each_register():
    """Filled in any order, and never made anew."""
    registers = (("m", 9), ("n", 3))
    results = [shots(5, *registers) for _ in range(6)]
    arrays = PubArrays(0, circuit(*registers), (2, 3))
    for place in (4, 0, 5, 1, 3, 2):
        arrays.put(place, results[place])
    data = arrays.data()
    assert data.m.array.shape == (2, 3, 5, 2)
    assert data.n.array.shape == (2, 3, 5, 1)
    assert data.m.array.base.nbytes == 2 * 3 * 5 * 2
    for place in range(6):
        at = divmod(place, 3)
        for name in ("m", "n"):
            bits = data[name][at].to_bool_array(order="little")
            assert np.array_equal(bits, results[place].bits(name))


def test_a_histogram_is_written_out_with_its_registers_together():
    """Row by row the registers are those of the same shot."""
    registers = (("low", 1), ("high", 2))
    result = counts_only([0b011, 0b100], [2, 3], *registers)
    arrays = PubArrays(0, circuit(*registers), ())
    arrays.put(0, result)
    data = arrays.data()
    assert data.low.get_bitstrings() == ["1", "1", "0", "0", "0"]
    assert data.high.get_bitstrings() == ["01", "01", "10", "10", "10"]
    assert not arrays.ordered


def test_a_register_without_bits_has_empty_shots():
    arrays = PubArrays(0, circuit(("none", 0), ("m", 2)), (2,))
    for place in range(2):
        arrays.put(place, shots(4, ("m", 2)))
    data = arrays.data()
    assert (data.none.num_bits, data.none.array.shape) == (0, (2, 4, 0))


def test_bindings_with_different_numbers_of_shots_are_told():
    arrays = PubArrays(3, circuit(("m", 2)), (2,))
    arrays.put(0, shots(4, ("m", 2)))
    with pytest.raises(ResultError, match="pub 3: its bindings came back with 4 and"):
        arrays.put(1, shots(3, ("m", 2)))


def test_fewer_shots_of_a_single_binding_are_what_they_are():
    arrays = PubArrays(0, circuit(("m", 2)), ())
    arrays.put(0, shots(3, ("m", 2)))
    assert arrays.shots == arrays.data().m.num_shots == 3


def test_a_level_above_1_is_no_bit():
    arrays = PubArrays(0, circuit(("m", 2)), ())
    with pytest.raises(LevelError):
        arrays.put(0, shots(300, ("m", 2), top=2))


def test_counts_and_memory_are_those_of_the_shots():
    registers = (("m", 3), ("n", 9))
    result = shots(50, *registers)
    whole = counted([circuit(*registers)], [result], memory=True, backend_name="b")
    assert whole.get_counts() == result.counts(sep=" ")
    bits = result.bits()[:, ::-1]
    strings = ["".join(map(str, row)) for row in bits]
    assert whole.get_memory() == [f"{s[:9]} {s[9:]}" for s in strings]


def test_counts_of_a_histogram_are_its_own():
    result = counts_only([0b011, 0b100], [2, 3], ("low", 1), ("high", 2))
    whole = counted([circuit(("low", 1), ("high", 2))], [result], memory=False)
    assert whole.get_counts() == {"01 1": 2, "10 0": 3}
    assert "memory" not in whole.data(0)
