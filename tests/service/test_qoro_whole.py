"""Templates, observables, shots of each circuit and the account, through both halves."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

import qawait
from qawait import (
    ConfigurationError,
    ExecutionConfig,
    IQMService,
    JobFailed,
    NotFound,
    QoroService,
    ServiceUnavailable,
    SimulationMethod,
)
from qawait.qoro import Configs, Observables, Options
from tests.service.running import ended, get, packed, program

if TYPE_CHECKING:
    from tests.service.running import LocalService

GAMMA, BETA = Parameter("gamma"), Parameter("beta")
POINTS = {
    "low": {"gamma": math.pi, "beta": -0.05},
    "high": {"gamma": 0.0, "beta": math.pi / 2 - 0.05},
    "both": {"gamma": -math.pi, "beta": math.pi / 2 - 0.05},
}
FLIPS = {"low": "01", "high": "10", "both": "11"}
"""Counts that each of the points has alone."""


def qoro(service: LocalService) -> QoroService:
    return QoroService(f"{service.url}/api", token=service.token)


def template() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.rx(GAMMA, 0)
    circuit.ry(2 * BETA + 0.1, 1)
    circuit.rzz(GAMMA * BETA, 0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def bare() -> QuantumCircuit:
    """Qubit 0 down, qubit 1 along +X, qubit 2 along -Y."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.h(1)
    circuit.rx(math.pi / 2, 2)
    return circuit


async def sent_bodies(service: LocalService, job_id: str) -> list[dict[str, Any]]:
    """What the service kept of the requests of a job."""
    async with service.session() as session:
        ledger = await get(session, "/_ledger?bodies=1")
    [body] = [s["body"] for s in ledger["submissions"] if s["job_id"] == job_id]
    return [json.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize("address", ["qoro", "iqm"])
async def test_points_of_a_template_are_the_same_at_every_service(
    local_service: LocalService, address: str
) -> None:
    service = (
        qoro(local_service)
        if address == "qoro"
        else IQMService(local_service.url, token=local_service.token)
    )
    async with qawait.connect(service) as client:
        job = await client.submit(template(), points=POINTS, shots=40)
        [recorded] = await client._connection.journal.recorded()
        assert recorded.intent.circuits == len(POINTS), "it counts by its points"
        result = await job
        [compiled] = await client.compile(template())
        again = await (
            await client.submit(compiled, points=list(POINTS.values()), shots=3)
        )
    assert [circuit.label for circuit in result] == list(POINTS)
    for label, flips in FLIPS.items():
        assert result[label].counts() == {flips: 40}
    assert [circuit.label for circuit in again] == ["0", "1", "2"]
    assert [circuit.counts() for circuit in again] == [{f: 3} for f in FLIPS.values()]
    if address == "qoro":
        _, upload = await sent_bodies(local_service, job.id)
        assert "circuits" not in upload
        assert [row["label"] for row in upload["parameter_sets"]] == list(POINTS)


async def test_each_circuit_has_its_own_number_of_shots(
    local_service: LocalService,
) -> None:
    flips = [QuantumCircuit(2, 2) for _ in range(4)]
    flips[2].x(1)
    for circuit in flips:
        circuit.measure([0, 1], [0, 1])
    async with qawait.connect(qoro(local_service)) as client:
        job = await client.submit(flips, shots=[5, 5, 90, 2])
        result = await job
        points = await client.submit(template(), points=POINTS, shots=[4, 5, 6])
        bound = await points
    assert [r.counts() for r in result] == [{"00": 5}, {"00": 5}, {"10": 90}, {"00": 2}]
    assert [r.requested_shots for r in result] == [5, 5, 90, 2]
    assert [r.shots for r in bound] == [4, 5, 6]
    assert result.warnings == ()


async def test_an_iqm_service_takes_one_number_of_shots_and_no_observables(
    local_service: LocalService,
) -> None:
    service = IQMService(local_service.url, token=local_service.token)
    async with qawait.connect(service) as client:
        with pytest.raises(ConfigurationError, match="one number of shots"):
            await client.submit(bare(), measure_all=True, shots=[1])
        with pytest.raises(ConfigurationError, match="returns shots"):
            await client.submit(bare(), observables="Z")


async def test_observables_are_computed_exactly_and_in_qiskits_order(
    local_service: LocalService,
) -> None:
    operator = SparsePauliOp.from_list([("IIZ", 0.5), ("IXI", 2.0), ("YXZ", -4.0)])
    async with qawait.connect(qoro(local_service)) as client:
        job = await client.submit(bare(), observables=[operator, "ZII", "X"])
        result = await job
    assert result.kind == "expectation"
    values = {"IIZ": -1, "IXI": 1, "YXZ": 1, "ZII": 0, "IIX": 0}
    assert result[0].values == pytest.approx(values, abs=1e-9)
    value, error = result[0].expectation(operator)
    assert (value, error) == (pytest.approx(-0.5 + 2.0 - 4.0), None)
    with pytest.raises(qawait.NotMeasured, match="YII was not submitted"):
        result[0].expectation("YII")


async def test_each_circuit_has_the_observables_of_its_group(
    local_service: LocalService,
) -> None:
    flipped = QuantumCircuit(2, 2)
    flipped.x(1)
    flipped.measure([0, 1], [0, 1])
    asked = Observables.of(
        ["IIZ", ["IXI", "Y"], "ZI"], circuit_map=[(1, 2), (2, 3), (0, 1)]
    )
    async with qawait.connect(qoro(local_service)) as client:
        job = await client.submit([flipped, bare(), bare()], observables=asked)
        result = await job
    assert [r.values for r in result] == [
        {"ZI": -1},
        {"IIZ": -1},
        pytest.approx({"IXI": 1, "IIY": 0}, abs=1e-9),
    ]


async def test_a_template_has_values_at_each_of_its_points(
    local_service: LocalService,
) -> None:
    async with qawait.connect(qoro(local_service)) as client:
        job = await client.submit(template(), points=POINTS, observables=["IZ", "ZI"])
        result = await job
    assert {r.label: r.values for r in result} == {
        "low": pytest.approx({"IZ": -1, "ZI": 1}),
        "high": pytest.approx({"IZ": 1, "ZI": -1}),
        "both": pytest.approx({"IZ": -1, "ZI": -1}),
    }
    _, upload = await sent_bodies(local_service, job.id)
    assert "circuit_template" in upload


async def test_a_batch_of_many_observables_comes_back_in_pages(
    local_service: LocalService,
) -> None:
    programs = {f"p{n}": program(*["x q[0];"] * n) for n in range(230)}
    async with qawait.connect(qoro(local_service)) as client:
        result = await (await client.submit(programs, observables="Z"))
    assert [r.label for r in result] == list(programs)
    assert [r.expectation("IIZ")[0] for r in result] == [1, -1] * 115


# --- configurations -------------------------------------------------------------------


async def test_a_maestro_config_is_honoured_and_read_back(
    local_service: LocalService,
) -> None:
    """A seed repeats the counts; bond dimension 1 breaks an entangled pair."""
    service = qoro(local_service)
    many = QuantumCircuit(6)
    many.h(range(6))
    pair = QuantumCircuit(2)
    pair.h(0)
    pair.cx(0, 1)
    seeded = Options(maestro_config={"seed": 7, "simulator_type": 0})
    narrow = Options(maestro_config={"max_bond_dimension": 1, "simulation_type": 1})
    async with qawait.connect(service) as client:
        jobs = [
            await client.submit(many, measure_all=True, options=seeded)
            for _ in range(2)
        ]
        one, other = [(await job)[0].counts() for job in jobs]
        broken = await client.submit(pair, measure_all=True, options=narrow)
        assert len((await broken)[0].counts()) == 1
        configs = await service.get_configs(jobs[0])
        plain = await client.submit(pair, measure_all=True)
        assert await service.get_configs(plain) == Configs()
        assert await service.get_execution_config(jobs[0]) is None
    assert one == other
    assert configs == Configs(maestro_config={"seed": 7, "simulator_type": 0})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"noise_model": [], "seed": 1}, "noise_model: .*without noise"),
        ({"noise_seed": 1}, "noise_seed: "),
        ({"max_bond_dimension": 0}, "max_bond_dimension must be an integer from 1"),
        ({"seed": "7"}, "seed must be an integer"),
        ({"singular_value_threshold": -1}, "singular_value_threshold must be 0"),
        ({"simulator_type": 99}, "Unknown99"),
    ],
)
async def test_what_a_maestro_config_cannot_have_fails_the_job_by_name(
    local_service: LocalService, config: dict[str, Any], sentence: str
) -> None:
    options = Options(maestro_config=config)
    async with qawait.connect(qoro(local_service)) as client:
        job = await client.submit(bare(), measure_all=True, options=options)
        with pytest.raises(JobFailed, match=sentence):
            await job


async def test_a_submissions_maestro_config_stands_in_place_of_the_services_default(
    local_service: LocalService,
) -> None:
    mps = ExecutionConfig(simulation_method=SimulationMethod.MatrixProductState)
    service = QoroService(
        f"{local_service.url}/api", token=local_service.token, execution_config=mps
    )
    options = Options(maestro_config={"seed": 3})
    async with qawait.connect(service) as client:
        job = await client.submit(bare(), measure_all=True, options=options)
        await job
        assert (await service.get_configs(job)).maestro_config == {"seed": 3}
        with pytest.raises(ConfigurationError, match="cannot go together"):
            await client.submit(
                bare(), measure_all=True, options=options, execution_config=mps
            )


async def test_each_era_reads_the_configuration_it_knows(
    local_service: LocalService,
) -> None:
    """Null where there is none for clients from 0.15 on, 404 for those before."""
    newer = {"User-Agent": "divi/0.15.1 (python=3.11.7)"}
    opening = {"tag": "t", "job_type": "EXECUTE", "simulator_cluster": "qoro_maestro"}

    async def opened(**further: Any) -> str:
        async with session.post("/api/job/init/", json=opening | further) as response:
            assert response.status == 201, await response.text()
            return (await response.json())["job_id"]

    async with local_service.session() as session:
        path = f"/api/job/{await opened()}/execution_config/"
        async with session.get(path) as response:
            assert response.status == 404
        async with session.get(path, headers=newer) as response:
            assert (await response.json())["device_config"] is None
        configured = await opened(maestro_config={"seed": 7})
        path = f"/api/job/{configured}/execution_config/"
        assert await get(session, path) == {
            "job_id": configured,
            "maestro_config": {"seed": 7},
            "device_config": None,
        }
        async with session.post(path, json={"bond_dimension": 3}) as response:
            assert response.status == 409


# --- the account, QUBOs ---------------------------------------------------------------


async def test_the_account_is_read_in_exact_decimals(
    local_service: LocalService,
) -> None:
    service = qoro(local_service)
    async with qawait.connect(service):
        credit = await service.credits()
        lines = [line async for line in service.transactions()]
        assert await service.vendor_blueprints() == {}
    assert str(credit.balance) == "500.00"
    assert [(str(line.amount), line.transaction_type) for line in lines] == [
        ("500.00", "PURCHASE")
    ]
    with pytest.raises(ConfigurationError, match="not open"):
        await service.credits()


async def test_qubos_are_refused_in_words_before_anything_is_opened(
    local_service: LocalService,
) -> None:
    service = qoro(local_service)
    async with qawait.connect(service):
        with pytest.raises(ServiceUnavailable, match="does not characterise QUBOs"):
            await service.submit_qubo({"a": 1}, ["01"])
        with pytest.raises(ConfigurationError, match="no form in JSON"):
            await service.submit_qubo({"a": object()}, ["01"])
        with pytest.raises((ServiceUnavailable, NotFound)):
            await service.validation_result("06b32c55-4065-49b3-b677-8ef92b98bdec")


# --- what the service refuses ---------------------------------------------------------


@pytest.mark.parametrize(
    ("job_type", "upload", "sentence"),
    [
        ("EXPECTATION", {"shots": 5}, "needs observables"),
        ("EXECUTE", {"observables": "ZII"}, "jobs of type EXPECTATION"),
    ],
)
async def test_observables_and_the_type_of_the_job_go_together(
    local_service: LocalService, job_type: str, upload: dict[str, Any], sentence: str
) -> None:
    opening = {"job_type": job_type, "simulator_cluster": "qoro_maestro"}
    body = {"circuits": {"a": packed(program())}, "finalized": "true", **upload}
    async with local_service.session() as session:
        async with session.post("/api/job/init/", json=opening) as response:
            job_id = (await response.json())["job_id"]
        path = f"/api/job/{job_id}/add_circuits/"
        async with session.post(path, json=body) as response:
            assert response.status == 400
            assert sentence in (await response.json())["error"]


async def test_a_job_has_a_limit_of_values(local_service: LocalService) -> None:
    """Every observable counts for every circuit, which a short request can make many."""
    programs = {f"p{n}": packed(program()) for n in range(1001)}
    observables = "|".join(["Z;X"] * 500)
    body = {"circuits": programs, "finalized": "true", "observables": observables}
    opening = {"job_type": "EXPECTATION", "simulator_cluster": "qoro_maestro"}
    async with local_service.session() as session:
        async with session.post("/api/job/init/", json=opening) as response:
            job_id = (await response.json())["job_id"]
        path = f"/api/job/{job_id}/add_circuits/"
        async with session.post(path, json=body) as response:
            assert response.status == 400
            assert "1001000 expectation values" in (await response.json())["error"]


async def test_clients_of_0_8_find_the_simulator_under_the_name_of_a_system(
    local_service: LocalService,
) -> None:
    """They know no clusters, call counting SIMULATE and send plain observables."""
    opening = {"job_type": "SIMULATE", "qpu_system_name": "qoro_maestro", "tag": None}
    body = {
        "circuits": {"a": packed(program("x q[0];", "measure q -> c;"))},
        "mode": "append",
        "finalized": "true",
        "shots": 3,
    }
    async with local_service.session() as session:
        async with session.post("/api/job/init/", json=opening) as response:
            assert response.status == 201
            job_id = (await response.json())["job_id"]
        path = f"/api/job/{job_id}"
        async with session.post(f"{path}/add_circuits/", json=body) as response:
            assert response.status == 200
        assert (await ended(session, f"{path}/status/"))["status"] == "COMPLETED"


async def test_null_draws_expectation_values_too(null_service: LocalService) -> None:
    async with qawait.connect(qoro(null_service)) as client:
        result = await (await client.submit(bare(), observables=["IIZ", "IXI"]))
    assert list(result[0].values) == ["IIZ", "IXI"]
    assert all(-1 <= value <= 1 for value in result[0].values.values())
