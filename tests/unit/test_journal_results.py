"""Results in bytes and back, whatever their kind, and what damage does to them."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from qawait.errors import JournalCorrupt
from qawait.histograms import Histogram
from qawait.iqm.run_result import Metadata, RunResult
from qawait.journal.manifests import decode_manifest, encode_manifest
from qawait.journal.stored_results import Packed, pack_result, unpack_result
from qawait.layout import Layout
from qawait.model import CircuitRecord, Manifest
from qawait.results import Result

RNG = np.random.default_rng(7)
LAYOUT = Layout(
    (("a", 2), ("b", 1), ("unused", 1)),
    (("a_2_0", 0), ("a_2_0", 1), ("b_1_1", 0), None),
)
QUBITS = {"b_1_1": ("QB5",), "a_2_0": ("QB3", "QB1")}


def whole(packed: Packed) -> bytes:
    return b"".join(map(bytes, packed.block))


def again(result: Result) -> Result:
    packed = pack_result(result)
    return unpack_result(packed.description, whole(packed))


def record(label: str, **about) -> CircuitRecord:
    return CircuitRecord(
        **{"label": label, "shots": 60, "layout": LAYOUT, "qubits": QUBITS, **about}
    )


def keys(rows: int, top: int = 1) -> dict[str, np.ndarray]:
    a = RNG.integers(0, 2, (rows, 2), np.uint8)
    dtype = np.min_scalar_type(top)
    b = RNG.integers(0, top + 1, (rows, 1)).astype(dtype)
    if rows and top > 1:
        b[0] = top
    return {"a_2_0": a, "b_1_1": b}


def shots(*circuits: dict[str, np.ndarray], **about) -> Result:
    """As IQM gives it: the wire model has the keys in another order than the circuit."""
    run = RunResult(
        status="ready",
        measurements=list(circuits),
        message="ran",
        warnings=["warm"],
        metadata=Metadata(
            calibration_set_id="c", parameters={"shots": 60}, timestamps={"ready": "t"}
        ),
    )
    manifest = Manifest(circuits=tuple(record(str(n)) for n in range(len(circuits))))
    assert run.measurements is not None
    return Result.of_shots(
        run.measurements,
        manifest,
        job_id="j",
        message=run.message,
        metadata=run.metadata,
        warnings=run.warnings,
        run_result=run,
        target="garnet",
        calibration_set_id="c",
        **about,
    )


def histogram(width: int, rows: int) -> Histogram:
    return Histogram.of_bits(RNG.integers(0, 2, (rows, width), np.uint8))


RESULTS = {
    "shots": shots(keys(60), keys(17), simulated=True),
    "levels": shots(keys(60, 3), keys(60, 70_000)),
    "no rows": shots(keys(0)),
    "no circuits": Result([], kind="shots", job_id="j"),
    "narrow histograms": Result.of_histograms(
        [("x", histogram(3, 60)), ("y", histogram(64, 9))], None, job_id="j"
    ),
    "wide histograms": Result.of_histograms(
        [("x", histogram(65, 60)), ("y", histogram(130, 8))],
        None,
        job_id="j",
        warnings=["fewer"],
    ),
    "values": Result.of_expectations(
        [("x", {"IZ": 0.25, "ZI": -1.0}), ("y", {"XX": 1e-300})], None, job_id="j"
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_comes_back_equal_and_read_only(name: str):
    result = RESULTS[name]
    back = again(result)
    assert back == result
    for circuit, original in zip(back, result, strict=True):
        assert list(circuit.measured) == list(original.measured), "the keys' order"
        assert circuit.qubits == original.qubits
        if circuit.kind == "shots":
            assert circuit.bits().tolist() == original.bits().tolist()
            for levels in circuit.keys.values():
                assert not levels.flags.writeable
    if result.run_result is not None:
        assert back.run_result is not None
        ours, theirs = back.run_result.measurements, result.run_result.measurements
        assert [list(c) for c in ours or ()] == [list(c) for c in theirs or ()]


def test_shots_lie_packed_and_once():
    """The wire model shares them; a bit takes a bit."""
    result = shots({k: v.repeat(100, 0) for k, v in keys(60).items()})
    assert len(whole(pack_result(result))) == 6_000


def test_arrays_are_views_of_the_block():
    result = shots(keys(60))
    packed = pack_result(result)
    block = bytearray(whole(packed))
    back = unpack_result(packed.description, memoryview(block).toreadonly())
    before = back[0].packed().copy()
    block[0] ^= 1
    assert (back[0].packed() != before).any()


def test_the_same_measurements_have_the_same_digest_whatever_is_said_of_them():
    first = shots(keys(60))
    same = again(first)
    same.message = "asked twice"
    assert pack_result(first).digest == pack_result(same).digest
    other = shots(keys(60))
    assert pack_result(first).digest != pack_result(other).digest


@pytest.mark.parametrize("name", RESULTS)
def test_a_damaged_description_is_one_error(name: str):
    random = Random(name)
    packed = pack_result(RESULTS[name])
    block = whole(packed)
    for _ in range(1_000):
        description = bytearray(packed.description)
        for _ in range(random.randrange(1, 4)):
            description[random.randrange(len(description))] = random.randrange(256)
        try:
            unpack_result(bytes(description), block[: random.randrange(len(block) + 1)])
        except JournalCorrupt:
            continue


def test_a_description_cannot_ask_for_objects():
    """Arrays of pointers would be read from wherever the bytes say."""
    packed = pack_result(RESULTS["shots"])
    assert b"|u1" in packed.description
    evil = packed.description.replace(b"|u1", b"|O8")
    with pytest.raises(JournalCorrupt):
        unpack_result(evil, whole(packed))


def test_a_manifest_comes_back_and_writes_a_shared_layout_once():
    manifest = Manifest(
        circuits=(
            *(record(f"c{n}") for n in range(500)),
            record("other", shots=None, layout=None, qubits={}),
        ),
        target="garnet",
        simulated=True,
        calibration_set_id="c",
    )
    data = encode_manifest(manifest)
    assert decode_manifest(data) == manifest
    assert data.count(b"unused") == 1
    assert list(decode_manifest(data).circuits[0].qubits) == ["b_1_1", "a_2_0"]


def test_arrays_of_all_sizes_lie_one_after_the_other():
    """Small ones are copied together, large ones are not copied; empty ones are neither."""
    sizes = [0, 0, 3, 5, 40_000, 0, 7, 20_001, 30_000, 0, 11, 16_384, 16_383]
    circuits = [keys(rows) for rows in sizes]
    result = shots(*circuits)
    packed = pack_result(result)
    assert len(packed.block) <= 9
    back = unpack_result(packed.description, whole(packed))
    assert back == result
    assert [circuit.shots for circuit in back] == sizes
    large = result[4].measured.packed
    assert any(
        np.shares_memory(large, np.frombuffer(part, np.uint8))
        for part in packed.block
        if len(part) == large.nbytes
    )


def test_columns_of_an_array_are_kept_as_they_stand():
    """An array that does not lie in one piece in memory."""
    every = RNG.integers(0, 2, (90, 4), np.uint8)
    wide = RNG.integers(0, 9, (90, 4)).astype(np.int16)
    wide[0] = 8
    result = shots({"a_2_0": every[:, ::2], "b_1_1": wide[:, 1:2]})
    assert again(result) == result
