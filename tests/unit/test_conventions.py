"""Promises of `docs/reference/conventions.md` that no other test makes.

Every input is asymmetric: another order, another unit or another winner would show.
"""

from __future__ import annotations

import inspect
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.lattice import LATTICE, QUBITS, compiled

from qawait import Client, IQMService, Limits, QoroService, State, Target, errors
from qawait._batch import batch, calibration_of, options_for
from qawait._job import Job
from qawait.circuits import Compiled, prepare
from qawait.iqm import Circuit, DynamicalDecoupling, Instruction, Options
from qawait.iqm.dialects import SERVER, V1
from qawait.model import Answer, Change, Dialect, Manifest, Status, Submission
from qawait.packing import pack
from qawait.qoro.dialect import DIALECT as QORO
from qawait.qoro.execution_config import ExecutionConfig
from qawait.results import Result

SQUARE = Target(name="square20", qubits=20, simulated=True)


def flipped(key: str = "m", *, angle: float = math.pi) -> Circuit:
    """Turns the first of three qubits and measures them in falling order."""
    return Circuit(
        "flipped",
        (
            Instruction("prx", ("alice",), {"angle": angle, "phase": 3 * math.pi / 2}),
            Instruction("measure", ("QB9", "QB2", "alice"), {"key": key}),
        ),
    )


def body_of(dialect: Dialect, options: Options | None = None) -> dict[str, Any]:
    call = dialect.open_job(
        Submission(
            circuits=(flipped(angle=math.pi / 2),),
            shots=7,
            target=SQUARE,
            options=options,
        )
    )
    assert call.body is not None
    return json.loads(call.body)


# --- arrays ---------------------------------------------------------------------------


def test_packed_rows_are_not_those_of_plain_packbits():
    """Bit 0 is the lowest of the last byte; numpy's default has it highest and first."""
    bits = np.zeros((1, 10), np.uint8)
    bits[0, 0] = 1
    assert pack(bits).tolist() == [[0, 1]]
    assert np.packbits(bits, axis=1).tolist() == [[128, 0]]


# --- units ----------------------------------------------------------------------------


def test_angles_are_radians_but_full_turns_in_the_older_dialect():
    [turned, _] = body_of(V1)["circuits"][0]["instructions"]
    assert turned["args"] == {"angle_t": 0.25, "phase_t": 0.75}
    [turned, _] = body_of(SERVER)["circuits"][0]["instructions"]
    assert turned["args"] == {"angle": math.pi / 2, "phase": 3 * math.pi / 2}


@pytest.mark.parametrize("dialect", [V1, SERVER], ids=lambda d: d.name)
def test_a_decoupling_strategy_is_in_radians_everywhere(dialect: Dialect):
    strategy = DynamicalDecoupling(
        target_qubits=("QB1",), gate_sequences=((3, ((math.pi, 0.5),), "alap"),)
    )
    body = body_of(dialect, Options(dd_mode="enabled", dd_strategy=strategy))
    assert body["dd_strategy"]["gate_sequences"] == [[3, [[math.pi, 0.5]], "alap"]]


def test_sizes_are_bytes_and_a_mebibyte_is_2_to_the_20():
    assert Limits().answer_bytes == 64 * 2**20
    assert Limits().result_bytes == 4096 * 2**20


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-03-04T05:06:07.5+02:00", datetime(2026, 3, 4, 3, 6, 7, 500_000, UTC)),
        ("2026-03-04T05:06:07", datetime(2026, 3, 4, 5, 6, 7, 0, UTC)),
        ("yesterday", None),
    ],
)
def test_instants_are_aware_and_in_utc(sent: str, at: datetime | None):
    """Whatever zone the service writes; a time without one is taken as UTC."""
    job = {
        "id": "x",
        "type": "circuit",
        "status": "processing",
        "timeline": [{"status": "created", "timestamp": sent, "source": "iqm-server"}],
    }
    status = SERVER.read_status(Answer(200, {}, msgspec.json.encode(job)))
    assert [step.at for step in status.steps] == [at]
    assert all(s.at is None or s.at.utcoffset() == timedelta(0) for s in status.steps)


def test_an_instant_of_our_own_is_aware_too():
    job = a_job()
    job.observe(Status(raw="received", state=State.PENDING_COMPILATION))
    [change] = job.changes
    assert change.seen_at.utcoffset() == timedelta(0)
    assert change.at is None


def test_shots_are_those_of_each_circuit():
    circuits = prepare({"a": flipped(), "b": flipped()}, LATTICE)
    submission, manifest = batch(
        circuits,
        shots=7,
        target=SQUARE,
        tag=None,
        options=Options(),
        calibration_set_id=None,
    )
    assert submission.shots == 7
    assert [record.shots for record in manifest.circuits] == [7, 7]


# --- words ----------------------------------------------------------------------------


def a_job(job_id: str = "j") -> Job:
    async def cancel(job_id: str) -> None: ...

    return Job(job_id, submission_id="s", manifest=Manifest(), cancel=cancel)


def test_states_are_compared_with_plain_text():
    job = a_job()
    assert job.state == "pending compilation"
    assert {State.READY: 1}["ready"] == 1  # type: ignore[index]
    assert f"{State.PENDING_EXECUTION}" == "pending execution"


def test_state_is_the_word_of_jobs_and_status_that_of_results():
    assert "state" in Change.__struct_fields__
    assert not hasattr(Change, "status")
    assert hasattr(Job, "state")
    assert not hasattr(Job, "status")
    assert hasattr(Result, "status")
    assert not hasattr(Result, "state")


def test_names_of_qubits_come_from_the_table_and_not_from_their_digits():
    """Classical bit j is read from whatever qubit holds it, by its name."""
    native = compiled(crossed())
    [(_, locus)] = native.qubits.items()
    [flip] = [
        i.locus[0]
        for i in native.circuit.instructions
        if i.name == "prx" and i.args["angle"] == pytest.approx(math.pi)
    ]
    assert set(locus) <= set(QUBITS)
    assert flip == locus[2]


def crossed() -> Any:
    """Flips qubit 1 of three and reads it into bit 2."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(3, 3)
    circuit.x(1)
    circuit.measure([0, 1, 2], [1, 2, 0])
    return circuit


def test_a_job_id_is_the_services_text():
    """Digits stay text, in whatever form they came."""
    answer = Answer(200, {}, b'{"job_id": "007"}')
    assert QORO.read_opened(answer) == "007"
    assert a_job("007").id == "007"


# --- settings -------------------------------------------------------------------------


def test_an_address_given_goes_over_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IQM_SERVER_URL", "https://environment.example")
    monkeypatch.setenv("IQM_QUANTUM_COMPUTER", "emerald")
    given, read = IQMService("https://argument.example"), IQMService()
    assert (given.url, given.default_target) == ("https://argument.example", None)
    assert (read.url, read.default_target) == ("https://environment.example", "emerald")


def test_a_setting_of_the_submission_goes_over_that_of_the_service():
    service = QoroService(
        "https://q.example",
        token="t",
        execution_config=ExecutionConfig(bond_dimension=4, truncation_threshold=0.5),
    )
    own = ExecutionConfig(bond_dimension=8)
    options = options_for(QORO, None, own, service.execution_config)
    assert options.execution_config == ExecutionConfig(
        bond_dimension=8, truncation_threshold=0.5
    )


def test_none_leaves_a_setting_to_the_service():
    """V1's clients leave such keys out, IQM Server's write null."""
    unset = {
        "calibration_set_id",
        "qubit_mapping",
        "max_circuit_duration_over_t2",
        "active_reset_cycles",
        "dd_strategy",
    }
    assert unset.isdisjoint(body_of(V1))
    assert {name: body_of(SERVER)[name] for name in unset} == dict.fromkeys(unset)


# --- compilation ----------------------------------------------------------------------


@pytest.mark.parametrize("method", [Client.submit, Client.compile])
def test_the_seed_is_0_unless_given(method: Any):
    assert inspect.signature(method).parameters["seed"].default == 0


def pinned(*circuits: Compiled, options: Options) -> tuple[str | None, str | None]:
    """The calibration set that is sent, and the one that is remembered."""
    submission, manifest = batch(
        list(circuits),
        shots=1,
        target=SQUARE,
        tag=None,
        options=options,
        calibration_set_id=calibration_of(list(circuits), options),
    )
    return submission.options.calibration_set_id, manifest.calibration_set_id


def test_circuits_run_on_the_calibration_set_they_were_compiled_for():
    circuit = compiled(crossed())
    assert pinned(circuit, options=Options()) == ("calibration-7", "calibration-7")
    other = Options(calibration_set_id="calibration-8")
    assert pinned(circuit, options=other) == ("calibration-8", "calibration-8")


def test_native_circuits_leave_the_calibration_set_to_the_service():
    [circuit] = prepare(flipped(), LATTICE)
    assert pinned(circuit, options=Options()) == (None, None)


def test_circuits_of_two_calibration_sets_are_not_one_job():
    circuit = compiled(crossed())
    older = msgspec.structs.replace(circuit, calibration_set_id="calibration-6")
    with pytest.raises(errors.ConfigurationError, match="compile them again"):
        pinned(circuit, older, options=Options())
