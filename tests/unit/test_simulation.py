"""Physics of the local service: what is sent is what is simulated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from qawait.errors import CircuitError, ConfigurationError
from qawait.histograms import Histogram, decode_histogram
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from qawait.iqm.serving import Request
from qawait.local.asked import Asked, asked_by_execution_config
from qawait.local.maestro import is_installed
from qawait.local.native import check
from qawait.local.native import simulate as simulate_native
from qawait.local.qasm import Program, method_of
from qawait.local.qasm import check as check_qasm
from qawait.local.qasm import simulate as simulate_qasm
from qawait.local.simulation import Method, bits, outcomes
from qawait.local.targets import SQUARE20
from qawait.qoro import ExecutionConfig, SimulationMethod, Simulator

if TYPE_CHECKING:
    from pathlib import Path

    from qawait.qoro.messages import Row

SEED = 20261121


def _prx(qubit: str, angle: float, phase: float = 0.0) -> Instruction:
    return Instruction("prx", (qubit,), {"angle": angle, "phase": phase})


def _measure(key: str, *qubits: str) -> Instruction:
    return Instruction("measure", qubits, {"key": key})


def _rows(*instructions: Instruction, shots: int = 3) -> dict[str, list[list[int]]]:
    circuit = Circuit("c", instructions)
    check(Request(circuits=(circuit,), shots=shots), SQUARE20)
    [measured], _ = simulate_native([circuit], shots, SEED)
    return {key: rows.tolist() for key, rows in measured.items()}


def _program(
    *statements: str, qubits: int = 3, bits: int = 3, shots: int = 100
) -> Program:
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{qubits}];"]
    if bits:
        head.append(f"creg c[{bits}];")
    return Program("p", "\n".join([*head, *statements]), shots)


def _histogram(row: Row) -> Histogram:
    results = row.results or {}
    return decode_histogram(results["encoding"], results["n_bits"], results["payload"])


def _counts(program: Program, config: ExecutionConfig | None = None) -> dict[int, int]:
    [row], _ = simulate_qasm((program,), asked_by_execution_config(config), SEED)
    histogram = _histogram(row)
    pairs = zip(histogram.outcomes, histogram.counts, strict=True)
    return {int(outcome): int(count) for outcome, count in pairs}


# --- native circuits ------------------------------------------------------------------


def test_columns_follow_the_locus_and_not_the_names() -> None:
    rows = _rows(_prx("QB3", math.pi), _measure("m", "QB3", "QB1", "QB2"))
    assert rows == {"m": [[1, 0, 0]] * 3}


def test_keys_keep_their_own_columns() -> None:
    rows = _rows(
        _prx("QB2", math.pi), _measure("z", "QB1", "QB2"), _measure("a", "QB3")
    )
    assert list(rows) == ["z", "a"]
    assert rows == {"z": [[0, 1]] * 3, "a": [[0]] * 3}


def test_the_phase_of_prx_is_an_axis_in_the_plane() -> None:
    """From -y, half a turn about +45 degrees leads to -x and about -45 to +x."""

    def read(phase: float) -> list[list[int]]:
        return _rows(
            _prx("QB1", math.pi / 2),
            _prx("QB1", math.pi, phase),
            _prx("QB1", math.pi / 2, math.pi / 2),
            _measure("m", "QB1"),
        )["m"]

    assert read(math.pi / 4) == [[0]] * 3
    assert read(-math.pi / 4) == [[1]] * 3


def test_cz_turns_the_phase_only_where_both_are_excited() -> None:
    def flips(control: float) -> list[list[int]]:
        return _rows(
            _prx("QB2", control),
            _prx("QB1", math.pi / 2, math.pi / 2),
            Instruction("cz", ("QB1", "QB2")),
            _prx("QB1", -math.pi / 2, math.pi / 2),
            _measure("m", "QB1"),
        )["m"]

    assert flips(0.0)[0] == [0]
    assert flips(math.pi)[0] == [1]


def test_measuring_in_the_middle_and_reset_take_their_turn() -> None:
    rows = _rows(
        _measure("before", "QB5"),
        _prx("QB5", math.pi),
        _measure("excited", "QB5"),
        Instruction("reset", ("QB5",)),
        Instruction("barrier", ("QB5", "QB6")),
        Instruction("delay", ("QB5",), {"duration": 1e-6}),
        _measure("after", "QB5"),
    )
    assert rows == {"before": [[0]] * 3, "excited": [[1]] * 3, "after": [[0]] * 3}


def test_a_whole_batch_runs_at_once_and_in_order() -> None:
    circuits = [
        Circuit(f"c{n}", (_prx("QB1", n * math.pi), _measure("m", "QB1")))
        for n in range(4)
    ]
    measured, runs = simulate_native(circuits, 2, SEED)
    assert [one["m"].tolist() for one in measured] == [[[n % 2]] * 2 for n in range(4)]
    assert [run.started for run in runs] == sorted(run.started for run in runs)


def test_half_a_turn_is_even_odds() -> None:
    rows = _rows(_prx("QB1", math.pi / 2), _measure("m", "QB1"), shots=4000)
    ones = sum(row[0] for row in rows["m"])
    assert abs(ones - 2000) < 5 * math.sqrt(1000)


# --- OpenQASM -------------------------------------------------------------------------


def test_the_lowest_bit_is_classical_bit_zero_over_all_registers() -> None:
    program = _program(
        "creg d[2];", "x q[0];", "measure q[0] -> d[0];", "measure q[1] -> c[0];"
    )
    assert _counts(program) == {0b01000: 100}


def test_bits_that_are_not_measured_read_zero() -> None:
    assert _counts(_program("x q[0];", "x q[1];", "measure q[1] -> c[2];")) == {4: 100}


def test_without_measurement_all_qubits_count_and_declared_bits_do_not() -> None:
    for declared in (0, 2):
        program = _program("x q[1];", "barrier q;", bits=declared)
        assert _counts(program) == {0b010: 100}


def test_conditions_on_registers_are_followed() -> None:
    program = _program(
        "x q[0];", "measure q[0] -> c[0];", "if(c==1) x q[2];", "measure q[2] -> c[2];"
    )
    assert _counts(program) == {0b101: 100}


def test_gates_of_ones_own_and_of_the_old_library_are_known() -> None:
    program = _program(
        "gate flip a { u3(pi,0,pi) a; }", "flip q[0];", "rzz(0.3) q[0],q[1];",
        "rccx q[0],q[1],q[2];", "measure q -> c;",
    )  # fmt: skip
    assert _counts(program) == {0b001: 100}


@pytest.mark.parametrize("method", ["Statevector", "MatrixProductState", "Stabilizer"])
def test_every_method_gives_the_same_pair(method: str) -> None:
    config = ExecutionConfig(simulation_method=SimulationMethod[method])
    program = _program(
        "x q[2];", "h q[0];", "cx q[0],q[1];", "measure q -> c;", shots=1000
    )
    counts = _counts(program, config)
    assert set(counts) == {0b100, 0b111}
    assert abs(counts[0b100] - 500) < 5 * math.sqrt(250)


def test_the_extended_stabilizer_runs_what_is_not_clifford() -> None:
    config = ExecutionConfig(simulation_method=SimulationMethod.ExtendedStabilizer)
    program = _program("x q[0];", "t q[0];", "cx q[0],q[2];", "measure q -> c;")
    assert _counts(program, config) == {0b101: 100}


def test_the_bond_dimension_reaches_the_simulator() -> None:
    """Two neighbouring pairs need a bond of 2; with 1 they fall apart."""
    pairs = _program("h q[0];", "cx q[0],q[1];", "measure q -> c;", shots=400)
    assert len(_counts(pairs, ExecutionConfig(bond_dimension=2))) == 2
    assert len(_counts(pairs, ExecutionConfig(bond_dimension=1))) == 1


def test_the_truncation_threshold_reaches_the_simulator() -> None:
    """The weaker half of an uneven pair, one percent of it, is cut away."""
    uneven = _program("ry(0.4) q[0];", "cx q[0],q[1];", "measure q -> c;", shots=4000)
    assert set(_counts(uneven, ExecutionConfig(truncation_threshold=1e-9))) == {0, 3}
    assert set(_counts(uneven, ExecutionConfig(truncation_threshold=0.1))) == {0}


def test_wide_registers_come_packed() -> None:
    statements = ["x q[0];", "x q[69];", "measure q -> c;"]
    program = _program(*statements, qubits=70, bits=70)
    config = ExecutionConfig(simulation_method=SimulationMethod.MatrixProductState)
    [row], [run] = simulate_qasm((program,), asked_by_execution_config(config), SEED)
    histogram = _histogram(row)
    assert run.method == "matrix_product_state"
    assert histogram.outcomes.shape == (1, 9)
    assert histogram.outcomes[0].tolist() == [0b100000, 0, 0, 0, 0, 0, 0, 0, 1]


def test_circuits_with_different_shots_keep_their_order() -> None:
    programs = tuple(
        Program(f"p{n}", _program(*["x q[0];"] * n, "measure q -> c;").qasm, shots)
        for n, shots in enumerate((5, 9, 5))
    )
    rows, runs = simulate_qasm(programs, Asked(), SEED)
    assert [row.label for row in rows] == ["p0", "p1", "p2"]
    assert [int(_histogram(row).counts.sum()) for row in rows] == [5, 9, 5]
    assert [int(_histogram(row).outcomes[0]) for row in rows] == [0, 1, 0]
    assert len(runs) == 3


def test_without_a_method_a_bond_or_a_threshold_means_matrix_product_state() -> None:
    def method(config: ExecutionConfig | None) -> Method | None:
        return method_of(asked_by_execution_config(config))

    assert method(None) == method(ExecutionConfig()) == Method("statevector")
    assert method(ExecutionConfig(truncation_threshold=1e-6)) == Method(
        "matrix_product_state", None, 1e-6
    )
    assert method(ExecutionConfig(bond_dimension=7)) == Method(
        "matrix_product_state", 7, None
    )


@pytest.mark.parametrize(
    "config",
    [
        *(
            ExecutionConfig(simulator=s)
            for s in Simulator
            if s is not Simulator.QiskitAer
        ),
        ExecutionConfig(simulation_method=SimulationMethod.TensorNetwork),
        ExecutionConfig(simulation_method=SimulationMethod.PauliPropagator),
        ExecutionConfig.from_response({"simulator_type": 99}),
    ],
)
@pytest.mark.skipif(is_installed(), reason="the extra maestro is there")
def test_nothing_is_silently_simulated_in_another_way(config: ExecutionConfig) -> None:
    with pytest.raises(ConfigurationError, match="maestro"):
        method_of(asked_by_execution_config(config))


@pytest.mark.parametrize(
    "config",
    [
        ExecutionConfig(noisy_device="ibm_fake_fez"),
        ExecutionConfig(noise_realizations=2),
        ExecutionConfig(noise_scaling_factor=0.5),
    ],
)
def test_noise_is_refused_by_the_name_of_its_option(config: ExecutionConfig) -> None:
    [name] = config.to_payload()
    with pytest.raises(ConfigurationError, match=f"^{name}: .*without noise"):
        asked_by_execution_config(config)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("t q[0];", "turns by 45 degrees"),
        ("rz(0.3) q[0];", "turns by 17.18"),
        ("ccx q[0],q[1],q[2];", "turns by"),
    ],
)
def test_stabilizer_refuses_what_is_not_clifford(statement: str, reason: str) -> None:
    program = _program(statement, "measure q -> c;")
    with pytest.raises(CircuitError, match=f"circuit p: stabilizer .*{reason}"):
        check_qasm((program,), Asked(method="Stabilizer"))


def test_a_state_vector_too_wide_says_what_to_choose() -> None:
    program = _program("h q[0];", qubits=27)
    with pytest.raises(
        CircuitError, match=r"27 qubits.* 26 at most.*MatrixProductState"
    ):
        check_qasm((program,), Asked())


def test_no_include_reads_a_file(tmp_path: Path) -> None:
    library = tmp_path / "own.inc"
    library.write_text("gate mine a { x a; }")
    program = _program(f'include "{library}";', "mine q[0];", "measure q -> c;")
    with pytest.raises(CircuitError, match="not OpenQASM 2"):
        check_qasm((program,), Asked())


# --- from hexadecimal to arrays -------------------------------------------------------


@pytest.mark.parametrize("n_bits", [1, 3, 8, 9, 64, 65, 130])
def test_bits_put_classical_bit_j_into_column_j(n_bits: int) -> None:
    random = np.random.default_rng(SEED)
    expected = random.integers(0, 2, (50, n_bits), np.uint8)
    memory = [hex(sum(int(bit) << j for j, bit in enumerate(row))) for row in expected]
    assert (bits(memory, n_bits) == expected).all()


def test_outcomes_ascend_as_numbers_and_lose_the_skipped_bits() -> None:
    numbers, counts = outcomes({"0x42": 3, "0x8": 1, "0x1e": 2}, 6, skipped_bits=1)
    assert numbers.tolist() == [4, 15, 33]
    assert counts.tolist() == [1, 2, 3]
