"""The local service as a star: qubits around a resonator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import qawait
from qawait import errors, iqm
from qawait.iqm import Circuit
from qawait.iqm.circuit import Instruction
from qawait.local.targets import SQUARE20
from tests.service.running import (
    LocalService,
    circuit,
    cz,
    ended,
    get,
    measure,
    prx,
    run_request,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import aiohttp

QUBITS = [f"QB{n}" for n in range(1, 7)]
R = "COMPR1"
ARMS = [[qubit, R] for qubit in QUBITS]


@pytest.fixture(scope="module")
def star() -> Iterator[LocalService]:
    with running("--target", "star", "--workers", "1") as service:
        yield service


def move(qubit: str) -> dict[str, Any]:
    return {"name": "move", "locus": [qubit, R], "args": {}}


def sandwich(control: str, target: str, angle: float) -> list[dict[str, Any]]:
    """The control is turned; then CNOT to the target, and both are read."""
    return [
        prx(control, angle),
        prx(target, math.pi / 2, math.pi / 2),
        move(control),
        cz(target, R),
        move(control),
        prx(target, -math.pi / 2, math.pi / 2),
        measure("m", target, control, "QB6"),
    ]


async def outcome(session: aiohttp.ClientSession, body: dict[str, Any]) -> Any:
    path = "/api/v1/jobs/star/circuit"
    async with session.post(path, json=body) as response:
        assert response.status == 201, await response.text()
        job_id = (await response.json())["id"]
    job = await ended(session, f"/api/v1/jobs/{job_id}")
    if job["status"] == "failed":
        return job["errors"][0]["message"]
    return await get(session, f"/api/v1/jobs/{job_id}/artifacts/measurements")


async def test_there_is_one_quantum_computer_and_it_is_the_star(
    star: LocalService,
) -> None:
    async with star.session() as session:
        found = await get(session, "/api/v1/quantum-computers")
        assert [qc["alias"] for qc in found["quantum_computers"]] == ["star"]
        async with session.get("/api/v1/quantum-computers/square20/health") as response:
            assert response.status == 404
            assert (await response.json())["message"].endswith("there is star")


async def test_its_architecture_is_the_same_in_every_dialect(
    star: LocalService,
) -> None:
    async with star.session() as session:
        dynamic = await get(
            session,
            "/api/v1/calibration-sets/star/default/dynamic-quantum-architecture",
        )
        gates = {
            name: [list(found["loci"]) for found in gate["implementations"].values()]
            for name, gate in dynamic["gates"].items()
        }
        singles = [[[qubit] for qubit in QUBITS]]
        assert gates == {
            "prx": singles,
            "cc_prx": singles,
            "cz": [ARMS],
            "measure": singles,
            "move": [ARMS],
        }
        assert dynamic["qubits"] == QUBITS
        assert dynamic["computational_resonators"] == [R]
        old = await get(session, "/cocos/api/v1/calibration/default/gates")
        assert old == dynamic
        static = await get(session, "/cocos/api/v1/quantum-architecture")
        assert static["computational_resonators"] == [R]
        assert static["connectivity"] == ARMS
        oldest = await get(session, "/cocos/quantum-architecture")
        oldest = oldest["quantum_architecture"]
        assert oldest["qubits"] == [*QUBITS, R]
        assert oldest["operations"]["move"] == ARMS


async def test_moves_around_cz_entangle_two_arms(star: LocalService) -> None:
    body = run_request(
        circuit("on", *sandwich("QB5", "QB2", math.pi)),
        circuit("off", *sandwich("QB5", "QB2", 0.0)),
        shots=3,
    )
    async with star.session() as session:
        assert await outcome(session, body) == [
            {"m": [[1, 1, 0]] * 3},
            {"m": [[0, 0, 0]] * 3},
        ]


async def test_feedback_runs_in_the_turns_of_old_clients(star: LocalService) -> None:
    """Both branches: the qubit that was excited turns its target, the other does not."""

    def turned(target: str, source: str) -> dict[str, Any]:
        args = {
            "angle_t": 0.5,
            "phase_t": 0.0,
            "feedback_qubit": source,
            "feedback_key": "f",
        }
        return {"name": "cc_prx", "qubits": [target], "args": args}

    first = {"key": "first", "feedback_key": "f"}
    body = run_request(
        {
            "name": "fed",
            "instructions": [
                {
                    "name": "prx",
                    "qubits": ["QB3"],
                    "args": {"angle_t": 0.5, "phase_t": 0},
                },
                {"name": "measure", "qubits": ["QB3", "QB1"], "args": first},
                {"name": "reset", "qubits": ["QB3"], "args": {}},
                turned("QB4", "QB3"),
                turned("QB5", "QB1"),
                {
                    "name": "measure",
                    "qubits": ["QB4", "QB5", "QB3"],
                    "args": {"key": "m"},
                },
            ],
        },
        shots=2,
    )
    async with star.session() as session:
        async with session.post("/cocos/jobs", json=body) as response:
            assert response.status == 201, await response.text()
            job_id = (await response.json())["id"]
        await ended(session, f"/api/v1/jobs/{job_id}")
        found = await get(session, f"/cocos/jobs/{job_id}")
    assert found["measurements"] == [{"first": [[1, 0]] * 2, "m": [[1, 0, 0]] * 2}]


async def test_heralding_keeps_every_shot_for_all_begin_in_the_ground_state(
    star: LocalService,
) -> None:
    body = run_request(circuit("c", prx("QB2"), measure("m", "QB2", "QB1")), shots=9)
    async with star.session() as session:
        found = await outcome(session, body | {"heralding_mode": "zeros"})
    assert found == [{"m": [[1, 0]] * 9}]


async def test_what_may_happen_in_a_sandwich_is_what_the_request_says(
    star: LocalService,
) -> None:
    body = run_request(
        circuit("c", prx("QB2"), move("QB2"), prx("QB2"), measure("m", "QB1")), shots=1
    )
    async with star.session() as session:
        assert "instruction 2 (prx on QB2): the state of QB2 is in COMPR1" in (
            await outcome(session, body)
        )
        allowed = await outcome(session, body | {"move_gate_validation": "allow_prx"})
        assert allowed == [{"m": [[0]]}]
        refused = body | {"move_validation_mode": "none"}
        path = "/api/v1/jobs/star/circuit"
        async with session.post(path, json=refused) as response:
            assert response.status == 400
            assert "full frame tracking" in (await response.json())["message"]


async def test_our_client_sends_native_moves_and_maps_them(star: LocalService) -> None:
    native = Circuit(
        "native",
        (
            Instruction("prx", ("a",), {"angle": math.pi, "phase": 0}),
            Instruction("move", ("a", "bus")),
            Instruction("move", ("a", "bus")),
            Instruction("measure", ("b", "a"), {"key": "m"}),
        ),
    )
    options = iqm.Options(qubit_mapping={"a": "QB6", "b": "QB1", "bus": R})
    service = qawait.IQMService(star.url, token=star.token)
    async with qawait.connect(service) as client:
        assert client.target.name == "star"
        job = await client.submit(native, shots=5, options=options)
        assert (await job)[0].keys["m"].tolist() == [[0, 1]] * 5
        with pytest.raises(
            errors.CircuitError, match=r"instruction 0 .prx on a.: it is not"
        ):
            await client.submit(
                native,
                options=iqm.Options(qubit_mapping={"a": R, "b": "QB1", "bus": "QB6"}),
            )


async def test_what_would_need_moves_to_compile_is_refused_in_words(
    star: LocalService,
) -> None:
    bell = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
    service = qawait.IQMService(star.url, token=star.token)
    async with qawait.connect(service) as client:
        with pytest.raises(errors.CircuitError, match="resonator"):
            await client.submit(bell)


async def test_a_job_keeps_its_chip_when_the_service_becomes_another(
    tmp_path: Path,
) -> None:
    store = str(tmp_path / "jobs.sqlite")
    body = run_request(circuit("c", measure("m", "QB20")), shots=1)
    with running("--null", store=store) as service:
        async with service.session() as session:
            path = "/api/v1/jobs/square20/circuit"
            async with session.post(path, json=body) as response:
                job_id = (await response.json())["id"]
    with running("--null", "--target", "star", store=store) as service:
        async with service.session() as session:
            server = await get(session, f"/api/v1/jobs/{job_id}")
            v1 = await get(session, f"/cocos/jobs/{job_id}")
            station = await get(session, f"/station/jobs/{job_id}/calibration_set_id")
    used = SQUARE20.calibration_set_id
    assert server["compilation"]["calibration_set_id"] == used
    assert v1["metadata"]["calibration_set_id"] == used
    assert station == used
