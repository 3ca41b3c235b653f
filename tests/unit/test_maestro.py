"""The extra `maestro`: Qoro's own simulator behind the local service."""

from __future__ import annotations

import math

import pytest

from qawait.errors import CircuitError, ConfigurationError
from qawait.histograms import Histogram, decode_histogram
from qawait.local.asked import Asked, asked_by_maestro_config
from qawait.local.qasm import Program, check, method_of, simulate

pytest.importorskip("maestro")

SEED = 20261121
HEAD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\n'


def counts(text: str, asked: Asked, shots: int = 50) -> tuple[int, dict[int, int]]:
    [row], _ = simulate((Program("p", HEAD + text, shots),), asked, SEED)
    results = row.results or {}
    found: Histogram = decode_histogram(
        results["encoding"], results["n_bits"], results["payload"]
    )
    pairs = zip(found.outcomes, found.counts, strict=True)
    return found.n_bits, {int(outcome): int(count) for outcome, count in pairs}


@pytest.mark.parametrize(
    ("simulator", "method"),
    [
        ("QCSim", None),
        ("QCSim", "MatrixProductState"),
        ("QCSim", "Stabilizer"),
        ("QCSim", "TensorNetwork"),
        ("CompositeQCSim", "Statevector"),
        (None, "DensityMatrix"),
    ],
)
def test_bit_j_of_an_outcome_is_classical_bit_j(
    simulator: str | None, method: str | None
) -> None:
    """Its strings begin with bit 0 and stop at the highest bit that is measured."""
    asked = Asked(simulator=simulator, method=method)
    assert method_of(asked) is None
    text = (
        "creg a[2];\ncreg b[4];\nx q[2];\nmeasure q[2] -> a[1];\nmeasure q[0] -> b[0];"
    )
    assert counts(text, asked) == (6, {0b000010: 50})


def test_without_measurement_every_qubit_counts() -> None:
    asked = Asked(simulator="QCSim")
    assert counts("creg c[2];\nx q[1];", asked) == (3, {0b010: 50})


def test_expectation_values_have_the_order_of_the_wire() -> None:
    text = HEAD + "rx(0.3) q[0];\nry(1.1) q[2];\nrzz(0.4) q[0],q[2];"
    asked = Asked(simulator="QCSim")
    program = Program("p", text, 0, ("ZII", "IIZ", "ZIZ", "IIZ"))
    [row], _ = simulate((program,), asked, SEED)
    exact = {"ZII": math.cos(0.3), "IIZ": math.cos(1.1)}
    exact["ZIZ"] = exact["ZII"] * exact["IIZ"]
    assert row.results == pytest.approx(exact)


def test_its_own_options_reach_it_and_unknown_ones_fail_by_name() -> None:
    fusing = asked_by_maestro_config({"simulator_type": 1, "gate_fusion": True})
    assert counts("creg c[3];\nx q[0];\nmeasure q -> c;", fusing) == (3, {1: 50})
    odd = asked_by_maestro_config({"simulator_type": 1, "colour": "blue"})
    with pytest.raises(ConfigurationError, match="maestro refuses colour"):
        counts("x q[0];", odd)


def test_a_seed_repeats_the_counts() -> None:
    text = "creg c[3];\nh q;\nmeasure q -> c;"
    asked = asked_by_maestro_config({"simulator_type": 1, "seed": 5})
    assert counts(text, asked, 1000) == counts(text, asked, 1000)
    other = asked_by_maestro_config({"simulator_type": 1, "seed": 6})
    assert counts(text, asked, 1000) != counts(text, other, 1000)


@pytest.mark.parametrize("simulator", ["GpuSim", "QuestSim"])
def test_another_simulator_in_place_of_the_one_asked_for_fails(simulator: str) -> None:
    """Without a graphics card or QuEST it takes another one and goes on."""
    with pytest.raises(ConfigurationError, match="not available on this machine"):
        counts("creg c[3];\nh q[0];\nmeasure q -> c;", Asked(simulator=simulator))


def test_a_code_that_no_release_has_fails_by_name() -> None:
    with pytest.raises(ConfigurationError, match="simulator_type Unknown99"):
        counts("x q[0];", Asked(simulator="Unknown99"))


def test_no_include_reads_a_file() -> None:
    program = Program("p", 'OPENQASM 2.0;\ninclude "/etc/passwd";', 5)
    with pytest.raises(CircuitError, match="not OpenQASM 2"):
        check((program,), Asked(simulator="QCSim"))
