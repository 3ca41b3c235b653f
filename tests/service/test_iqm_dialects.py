"""The client in every dialect of IQM, and how it finds out which one to speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import qawait
from qawait import IQMService, State, errors
from qawait.iqm import DIALECTS, Circuit, Instruction, Options
from qawait.model import Call
from tests.fault_server import Request, answering, reply
from tests.iqm_samples import READY, SampleService
from tests.service.running import (
    LocalService,
    circuit,
    cz,
    measure,
    run_request,
    submit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FAST = qawait.Pace(first=0.02, questions_per_job=8, max_staleness=0.2)
PATHS = {"v1": "/cocos", "station": "/station", "station-30": "/station"}
FLIP = Circuit(
    "flip",
    (
        Instruction("prx", ("QB3",), {"angle": 3.141592653589793, "phase": 0.25}),
        Instruction("measure", ("QB3", "QB2", "QB8"), {"key": "m"}),
    ),
)


@pytest.fixture(params=list(DIALECTS))
def service(request: pytest.FixtureRequest, local_service: LocalService) -> IQMService:
    return IQMService(
        local_service.url + PATHS.get(request.param, ""),
        token=local_service.token,
        dialect=request.param,
    )


async def test_an_adopted_job_has_the_services_times_of_every_state(
    service: IQMService,
):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(FLIP, shots=4, compile=False)
        await job
    async with qawait.connect(service, pace=FAST) as client:
        adopted = client.job(job.id)
        result = await adopted
    assert result[0].label == "flip"
    assert result[0].requested_shots == 4
    assert result[0].qubits == {"m": ("QB3", "QB2", "QB8")}
    assert result.measurements[0]["m"].tolist() == [[1, 0, 0]] * 4
    assert result.calibration_set_id is not None
    assert [c.state for c in adopted.changes] == [
        State.PENDING_COMPILATION,
        State.PENDING_EXECUTION,
        State.READY,
    ]
    times = [change.at for change in adopted.changes]
    assert None not in times
    assert times == sorted(times)  # type: ignore[type-var]


async def test_a_job_that_the_service_cannot_run_tells_why_and_when(
    service: IQMService, local_service: LocalService
):
    """The client would refuse such a circuit itself, so it is sent by hand."""
    bad = circuit("bad", cz("QB1", "QB20"), measure("m", "QB1"))
    async with local_service.session() as session:
        job_id = await submit(session, run_request(bad))
    async with qawait.connect(service, pace=FAST) as client:
        job = client.job(job_id)
        with pytest.raises(errors.JobFailed, match="QB20") as caught:
            await job
        assert caught.value.raw == "failed"
        assert (await client.status(job.id)).message == caught.value.message
        changes = [change async for change in job.transitions()]
        assert [c.state for c in changes] == [State.PENDING_COMPILATION, State.FAILED]
        assert changes[-1].at is not None


async def test_a_mapping_and_options_reach_the_machine(service: IQMService):
    options = Options(
        qubit_mapping={"QB3": "QB12", "QB2": "QB1", "QB8": "QB20"},
        heralding_mode="zeros",
        max_circuit_duration_over_t2=0.0,
        active_reset_cycles=1,
        dd_mode="enabled",
    )
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(FLIP, shots=5, compile=False, options=options)
        assert (await job)[0].counts() == {"001": 5}


async def test_a_cancelled_job_is_cancelled_and_one_that_ended_stays(
    service: IQMService,
):
    async with qawait.connect(service, pace=FAST) as client:
        job = await client.submit(FLIP, shots=4, compile=False)
        await job
        await job.cancel()
        assert job.state is State.READY
        assert (await client.status(job.id)).end is qawait.model.End.READY


# --- which dialect a service speaks ---------------------------------------------------


@pytest.mark.parametrize(
    ("path", "dialect"), [("", "server"), ("/cocos", "v1"), ("/station/", "station")]
)
async def test_the_local_service_is_spoken_to_in_the_dialect_of_its_address(
    local_service: LocalService, path: str, dialect: str
):
    service = IQMService(local_service.url + path, token=local_service.token)
    async with qawait.connect(service) as client:
        assert client._wire.dialect.name == dialect
        assert client.usage.requests <= 3


def sampled(
    name: str, asked: list[str], root: str = "/"
) -> Callable[[Request, int], bytes]:
    """Answers of the samples below a root, and 404 for all else."""
    samples = SampleService(name)

    def answer(request: Request, number: int) -> bytes:
        path = request.path.removeprefix(root)
        asked.append(path)
        if f"{request.method} {path}" not in samples.answers:
            return reply(404, '{"detail":"Not Found"}')
        call = Call(kind="read", method=request.method, path=path)
        return reply(200, samples.answer(call).body)

    return answer


@pytest.mark.parametrize(
    ("name", "root", "requests"),
    [
        ("server", "/", 2),
        ("v2", "/", 3),
        ("v2-24", "/", 3),
        ("v1", "/cocos/", 1),
        ("station", "/a/station/", 3),
        ("station-30", "/a/station/", 3),
    ],
)
async def test_a_dialect_is_found_with_few_requests(
    name: str, root: str, requests: int
):
    asked: list[str] = []
    async with answering(sampled(name, asked, root)) as server:
        async with qawait.connect(IQMService(server.url + root, token="t")) as client:
            assert client._wire.dialect.name == name
            assert len(asked) == requests, asked
            result = await client.job(READY)
            assert result[0].label == "bell"
        asked.clear()
        stated = IQMService(server.url + root, token="t", dialect=name)
        async with qawait.connect(stated) as client:
            assert client._wire.dialect.name == name
            assert len(asked) <= 2, asked


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_not_taken_for_an_older_service(status: int):
    async with answering(lambda r, n: reply(status, '{"message":"no"}')) as server:
        with pytest.raises((errors.AuthenticationError, errors.PermissionDenied)):
            async with qawait.connect(IQMService(server.url, token="t")):
                pass
        assert {request.path for request in server.requests} == {
            "/api/v1/quantum-computers"
        }


def test_a_dialect_that_does_not_exist_is_refused_with_those_there_are():
    with pytest.raises(errors.ConfigurationError, match=r"v3.*v2-24.*station-30"):
        IQMService("https://example.org", dialect="v3")


async def test_a_service_that_knows_nothing_tells_how_to_state_the_dialect():
    async with answering(lambda r, n: reply(404, "{}")) as server:
        with pytest.raises(errors.ConfigurationError, match="dialect=") as caught:
            async with qawait.connect(IQMService(server.url + "/station", token="t")):
                pass
        assert "station-30" in str(caught.value)
