"""Calibration, quality and the set that a job is pinned to, on the real local service."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

import qawait
from qawait import IQMService, QoroService, errors
from qawait.iqm import Circuit, Instruction, Options
from tests.service.running import LocalService, get

NOBODYS = "b546eb76-7d20-45bf-82e2-45ba77a38ecc"
PATHS = {
    "v1": "/cocos",
    "v2-24": "",
    "v2": "",
    "station-30": "/station",
    "station": "/station",
    "server": "",
}
FLIP = Circuit(
    "flip",
    (
        Instruction("prx", ("QB3",), {"angle": 3.141592653589793, "phase": 0.0}),
        Instruction("measure", ("QB3", "QB1"), {"key": "m"}),
    ),
)


@pytest.fixture(params=PATHS)
def service(request: pytest.FixtureRequest, local_service: LocalService) -> IQMService:
    return IQMService(
        local_service.url + PATHS[request.param],
        token=local_service.token,
        dialect=request.param,
        environment={},
    )


async def test_every_dialect_tells_the_same_of_the_same_chip(service: IQMService):
    async with qawait.connect(service) as client:
        chip = await client.static_architecture()
        architecture = await client.architecture()
        calibration = await client.calibration_set()
        metrics = await client.quality_metrics()
        assert architecture is not None
        assert chip is not None
        assert len(chip.qubits) == 20
        assert calibration.id == architecture.calibration_set_id
        assert metrics.calibration_set_id == calibration.id
        assert metrics.id not in (None, calibration.id)
        assert metrics.created_at is not None
        assert metrics.created_at.tzinfo is UTC
        t1, t2, echo = metrics.t1("QB7"), metrics.t2("QB7"), metrics.t2_echo("QB7")
        assert t1 is not None
        assert t2 is not None
        assert echo is not None
        assert 1e-5 < t2 < echo < 2 * t1 < 2e-4
        name = "characterization.model.QB7.t1_time"
        assert calibration.observations[name].number == t1
        assert calibration.observations[name].unit == "s"
        cz = metrics.fidelity("cz", "QB1", "QB6")
        assert cz == metrics.fidelity("cz", "QB6", "QB1")
        assert cz is not None
        assert 0.98 < cz < 1
        assert cz != metrics.fidelity("cz", "QB1", "QB2")
        assert metrics.fidelity("cz", "QB1", "QB20") is None
        up, down = metrics.readout_errors("QB2") or (0, 0)
        assert metrics.fidelity("measure", "QB2") == pytest.approx(1 - (up + down) / 2)


async def test_a_set_is_the_same_by_its_id_and_costs_no_second_question(
    service: IQMService,
):
    async with qawait.connect(service) as client:
        current = await client.calibration_set()
        by_id = await client.calibration_set(current.id)
        assert by_id == current
        assert await client.quality_metrics(current.id) == (
            await client.quality_metrics()
        )
        asked = client.usage.requests
        for _ in range(3):
            await client.calibration_set()
            await client.calibration_set(current.id)
            await client.quality_metrics(current.id)
        assert client.usage.requests == asked
        with pytest.raises(errors.NotFound):
            await client.calibration_set(NOBODYS)
        with pytest.raises(errors.NotFound):
            await client.quality_metrics(NOBODYS)
        with pytest.raises(errors.ConfigurationError, match="cannot be the id"):
            await client.calibration_set("../jobs")


async def test_qoro_publishes_none(local_service: LocalService):
    service = QoroService(local_service.url + "/api", token=local_service.token)
    async with qawait.connect(service) as client:
        assert await client.static_architecture() is None
        for ask in (client.calibration_set, client.quality_metrics):
            with pytest.raises(errors.ConfigurationError, match="dialect qoro"):
                await ask()


async def submitted(local: LocalService, job_id: str) -> dict[str, Any]:
    """The body of a submission as it arrived."""
    async with local.session() as session:
        entries = (await get(session, "/_ledger?bodies=1"))["submissions"]
    [body] = [entry["body"] for entry in entries if entry["job_id"] == job_id]
    return json.loads(body)


@pytest.mark.parametrize("compiled", [True, False])
async def test_native_circuits_run_on_the_set_they_were_held_against(
    compiled: bool, service: IQMService, local_service: LocalService
):
    async with qawait.connect(service) as client:
        architecture = await client.architecture()
        assert architecture is not None
        used = architecture.calibration_set_id
        job = await client.submit(FLIP, shots=20, compile=compiled)
        assert job.manifest.calibration_set_id == used
        result = await job
        assert result.calibration_set_id == used
        assert result[0].keys["m"].tolist() == [[1, 0]] * 20
        assert (await submitted(local_service, job.id))["calibration_set_id"] == used
        stated = Options(calibration_set_id=used)
        job = await client.submit(FLIP, shots=1, compile=compiled, options=stated)
        assert (await job).calibration_set_id == used


async def test_native_circuits_are_checked_before_they_are_sent(service: IQMService):
    far = Instruction("cz", ("QB1", "QB20"))
    circuit = Circuit("far", (far, *FLIP.instructions))
    async with qawait.connect(service) as client:
        await client.architecture()
        asked = client.usage.requests
        for compiled in (True, False):
            with pytest.raises(errors.CircuitError, match=r"far: .*QB1, QB20"):
                await client.submit(circuit, shots=1, compile=compiled)
        assert client.usage.requests == asked


async def test_a_set_that_is_not_there_is_told_before_anything_is_sent(
    service: IQMService,
):
    options = Options(calibration_set_id=NOBODYS)
    async with qawait.connect(service) as client:
        for compiled in (True, False):
            with pytest.raises(errors.NotFound):
                await client.submit(FLIP, shots=1, compile=compiled, options=options)
