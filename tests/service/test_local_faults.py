"""The faults that the local service plays, as a client meets them and the ledger tells."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from qawait.cli.serve import serve
from qawait.histograms import decode_histogram
from tests.service.running import (
    DEADLINE,
    FLIPPED,
    LocalService,
    circuit,
    ended,
    get,
    measure,
    packed,
    program,
    prx,
    run_request,
    running,
    served_by,
    submit,
    submit_programs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBMIT = "/api/v1/jobs/square20/circuit"
BODY = run_request(FLIPPED)


async def ledger(session: aiohttp.ClientSession) -> dict[str, Any]:
    return await get(session, "/_ledger")


async def grown(session: aiohttp.ClientSession, submissions: int) -> dict[str, Any]:
    """The ledger once it has so many submissions."""
    with anyio.fail_after(DEADLINE):
        while True:
            kept = await ledger(session)
            if len(kept["submissions"]) >= submissions:
                return kept
            await anyio.sleep(0.01)


# --- what can become of a submission --------------------------------------------------


LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
BROKEN_OFF = (aiohttp.ClientPayloadError,)
NO_HTTP = (aiohttp.ClientResponseError,)

SUBMISSIONS: dict[str, tuple[Any, bool]] = {
    "close_early": (LOST, False),
    "reset_early": (LOST, False),
    "reset_body": (LOST, False),
    "close": (LOST, False),
    "reset": (LOST, False),
    "reset:acted": (LOST, True),
    "hang:50ms": (LOST, False),
    "hang:50ms:acted": (LOST, True),
    "malformed": (NO_HTTP, False),
    "html": (200, False),
    "html:acted": (200, True),
    "429_date:3s": (429, False),
    "429_nonsense": (429, False),
    "429": (429, False),
    "429:2s": (429, False),
    "slow:50ms": (201, True),
    "slow:50ms:acted": (201, True),
    "drop_reply": (LOST, True),
    "late:50ms": (LOST, True),
    "reset_reply": ((*LOST, *BROKEN_OFF), True),
    "truncated": (BROKEN_OFF, True),
    "truncated_silently": (201, True),
    "bad_chunk": ((*NO_HTTP, *BROKEN_OFF), True),
    "bad_gzip": (BROKEN_OFF, True),
    "dribble:1ms": (201, True),
    "no_id": (201, True),
    "wrong_id": (201, True),
    "hostile_id": (201, True),
    "303": (303, False),
    "307": (307, False),
    "401": (401, False),
    "403": (403, False),
    "408": (408, False),
    "413": (413, False),
    "425": (425, False),
    "500": (500, False),
    "500:acted": (500, True),
    "502": (502, False),
    "503:4s": (503, False),
    "503_foreign:acted": (503, True),
    "522": (522, False),
}
"""What is seen of a submission that meets each, and whether it counts all the same."""


class Seen:
    """One submission: what its client saw, and what the ledger says of it."""

    status: int | None = None
    error: aiohttp.ClientError | None = None
    headers: dict[str, str]
    text = ""
    fault: dict[str, Any]
    request: dict[str, Any]
    accepted = 0


def each_numbered(faults: list[str], where: str) -> str:
    """A script in which the n-th request meets the n-th fault."""
    return ",".join(
        re.sub(r"^\w+", rf"\g<0>:#{n}", fault) + f"@{where}"
        for n, fault in enumerate(faults, 1)
    )


async def _submitted(service: LocalService) -> dict[str, Seen]:
    seen: dict[str, Seen] = {}
    async with service.session() as session:
        before = 0
        for fault, (_, acted) in SUBMISSIONS.items():
            one = seen[fault] = Seen()
            try:
                async with session.post(
                    SUBMIT, json=BODY, allow_redirects=False
                ) as response:
                    one.status, one.headers = response.status, dict(response.headers)
                    one.text = await response.text()
            except aiohttp.ClientError as error:
                one.error = error
            kept = await grown(session, before + acted)
            one.fault, one.request = kept["faults"][-1], kept["requests"][-1]
            one.accepted = len(kept["submissions"]) - before
            before += one.accepted
    return seen


@pytest.fixture(scope="module")
def submitted() -> Iterator[dict[str, Seen]]:
    script = each_numbered(list(SUBMISSIONS), "submit")
    with (
        running("--null", "--faults", script) as service,
        start_blocking_portal() as portal,
    ):
        yield portal.call(_submitted, service)


@pytest.mark.parametrize("fault", SUBMISSIONS)
def test_a_submission_meets_its_fault_and_the_ledger_tells_the_truth(
    submitted: dict[str, Seen], fault: str
) -> None:
    seen, (expected, acted) = submitted[fault], SUBMISSIONS[fault]
    if isinstance(expected, int):
        assert seen.status == expected
    else:
        assert isinstance(seen.error, expected)
    assert seen.accepted == acted
    assert seen.fault["fault"] == fault.split(":")[0]
    assert seen.fault["acted"] is acted
    assert seen.fault["number"] == list(SUBMISSIONS).index(fault) + 1
    assert (seen.fault["kind"], seen.fault["dialect"]) == ("submit", "iqm-server")


def test_the_ledger_has_no_status_for_what_was_not_answered(
    submitted: dict[str, Seen],
) -> None:
    assert submitted["close"].request["status"] is None
    assert submitted["truncated"].request["status"] is None
    assert submitted["503:4s"].request["status"] == 503


def test_the_service_refuses_in_its_own_words_and_a_gateway_in_html(
    submitted: dict[str, Seen],
) -> None:
    assert json.loads(submitted["503:4s"].text)["error_code"] == "service_unavailable"
    for fault in ("502", "522", "503_foreign:acted", "html"):
        assert "<html>" in submitted[fault].text


def test_a_refusal_says_when_to_come_back(submitted: dict[str, Seen]) -> None:
    from qawait._refusals import retry_after

    def said(fault: str) -> float | None:
        headers = submitted[fault].headers.items()
        return retry_after({name.lower(): value for name, value in headers})

    assert said("429:2s") == 2
    assert said("503:4s") == 4
    assert said("429_date:3s") == 3
    assert "GMT" in submitted["429_date:3s"].headers["Retry-After"]
    assert submitted["429_nonsense"].headers["Retry-After"] == "soon"
    assert said("429_nonsense") is None
    assert "Retry-After" not in submitted["429"].headers


def test_an_answer_says_another_id_or_half_of_it(submitted: dict[str, Seen]) -> None:
    assert "id" not in json.loads(submitted["no_id"].text)
    assert json.loads(submitted["hostile_id"].text)["id"] == "../../admin"
    with pytest.raises(json.JSONDecodeError):
        json.loads(submitted["truncated_silently"].text)
    assert json.loads(submitted["dribble:1ms"].text)["status"] == "waiting"
    assert "Location" in submitted["307"].headers


async def test_what_is_acted_on_later_arrives_after_the_client_has_given_up() -> None:
    with running("--null", "--faults", "late:1s@submit") as service:
        async with service.session() as session:
            with pytest.raises(aiohttp.ClientError):
                await submit(session, BODY)
            assert (await ledger(session))["submissions"] == []
            assert len((await grown(session, 1))["submissions"]) == 1


async def test_a_repeated_request_is_accepted_twice() -> None:
    with running("--null", "--faults", "twice:#2@submit") as service:
        async with service.session() as session:
            ids = [await submit(session, BODY) for _ in range(2)]
            accepted = [s["job_id"] for s in (await ledger(session))["submissions"]]
            assert len(accepted) == 3
            assert accepted[:2] == ids


async def test_no_answer_ends_when_its_client_gives_up() -> None:
    with running("--null", "--faults", "hang@submit") as service:
        async with service.session() as session:
            with pytest.raises(TimeoutError):
                async with session.post(
                    SUBMIT, json=BODY, timeout=aiohttp.ClientTimeout(total=0.2)
                ):
                    pass
            with anyio.fail_after(DEADLINE):
                while True:
                    if requests := (await ledger(session))["requests"]:
                        break
                    await anyio.sleep(0.01)
            assert [request["status"] for request in requests] == [None]


async def test_a_bomb_unpacks_to_a_gibibyte() -> None:
    import zlib

    with running("--null", "--faults", "bomb@poll") as service:
        async with service.session() as session:
            job_id = await submit(session, BODY)
            async with session.get(
                f"/api/v1/jobs/{job_id}", auto_decompress=False
            ) as response:
                assert response.headers["Content-Encoding"] == "gzip"
                packed_body = await response.read()
    assert len(packed_body) < 4 * 2**20
    unpacker, size, rest = zlib.decompressobj(31), 0, packed_body
    while rest:
        size += len(unpacker.decompress(rest, 2**24))
        rest = unpacker.unconsumed_tail
    assert size == 2**30


# --- what can become of questions -----------------------------------------------------


async def test_a_job_is_unknown_for_a_while_after_it_was_accepted() -> None:
    with running("--null", "--faults", "not_yet:300ms@poll") as service:
        async with service.session() as session:
            job_id = await submit(session, BODY)
            refused = 0
            with anyio.fail_after(DEADLINE):
                while True:
                    async with session.get(f"/api/v1/jobs/{job_id}") as response:
                        if response.status == 200:
                            break
                        assert response.status == 404
                        refused += 1
            assert refused
            kept = await ledger(session)
            assert len(kept["faults"]) == refused
            assert {fault["job_id"] for fault in kept["faults"]} == {job_id}


async def test_a_status_goes_backward_comes_late_and_says_what_nobody_knows() -> None:
    script = "backward:#3@poll,unknown_word:#4@poll,other_end:#5@poll,stale:#6-7@poll"
    with running("--null", "--faults", script) as service:
        async with service.session() as session:
            job_id = await submit(session, BODY)
            saw = [
                (await get(session, f"/api/v1/jobs/{job_id}"))["status"]
                for _ in range(5)
            ]
            assert saw == [
                "completed",
                "completed",
                "waiting",
                "reticulating",
                "failed",
            ]
            other = await submit(session, BODY)
            path = f"/api/v1/jobs/{other}"
            assert (await get(session, path))["status"] == "completed"
            assert (await ledger(session))["faults"][-1]["fault"] == "other_end", (
                "nothing was known of this job to be said again"
            )
            assert (await get(session, path))["id"] == other
            assert (await ledger(session))["faults"][-1]["fault"] == "stale"


@pytest.mark.parametrize(
    ("path", "not_there"),
    [
        ("/api/v1/jobs/{}/artifacts/measurements", 404),
        ("/cocos/jobs/{}", 404),
        ("/station/jobs/{}/measurements", 404),
    ],
)
async def test_results_are_not_those_that_were_asked_for(
    path: str, not_there: int
) -> None:
    names = ["lost_result", "one_less", "one_more", "other_labels", "fewer_shots"]
    with running(
        "--null", "--seed", "1", "--faults", each_numbered(names, "results")
    ) as (service):
        async with service.session() as session:
            other = circuit("other", prx("QB1"), measure("k", "QB2", "QB1"))
            job_id = await submit(session, run_request(FLIPPED, other, shots=4))
            async with session.get(path.format(job_id)) as response:
                assert response.status == not_there
            seen = [await get(session, path.format(job_id)) for _ in range(5)]
    batches = [one["measurements"] if "cocos" in path else one for one in seen]
    less, more, renamed, fewer, true = batches
    assert [list(keyed) for keyed in true] == [["m"], ["k"]]
    assert less == true[:1]
    assert more == [*true, true[0]]
    assert [list(keyed) for keyed in renamed] == [["m_other"], ["k_other"]]
    assert fewer == [{"m": true[0]["m"][:3]}, {"k": true[1]["k"][:3]}]


async def test_histograms_lose_a_shot_and_jobs_are_lost() -> None:
    script = "lost_result:#1@results,fewer_shots:#2@results,forget:#3@results"
    with running("--null", "--faults", script) as service:
        async with service.session() as session:
            job_id = await submit_programs(session, {"a": program()}, shots=9)
            path = f"/api/job/{job_id}/resultsV2/"
            async with session.get(path) as response:
                assert response.status == 400
            [row] = (await get(session, path))["results"]
            counted = row["results"]
            left = decode_histogram(
                counted["encoding"], counted["n_bits"], counted["payload"]
            )
            assert left.counts.sum() == 8
            for asked in (path, f"/api/job/{job_id}/status/"):
                async with session.get(asked) as response:
                    assert response.status == 404


# --- the same again -------------------------------------------------------------------


async def _conversation(service: LocalService) -> list[dict[str, Any]]:
    async with service.session() as session:
        for n in range(30):
            path = "/api/v1/jobs/square20/circuit" if n % 3 else "/cocos/jobs"
            async with session.post(path, json=BODY) as response:
                await response.read()
        kept = await ledger(session)
    told = [{k: v for k, v in f.items() if k != "at"} for f in kept["faults"]]
    accepted = len(kept["submissions"])
    assert accepted + sum(not fault["acted"] for fault in told) == 30
    return [*told, kept["script"]]


async def test_the_same_seed_gives_the_same_ledger() -> None:
    script = "503:0.3@submit/iqm-server,500:0.4:acted@submit"
    saw = []
    for seed in ("7", "7", "8"):
        with running("--null", "--faults", script, "--seed", seed) as service:
            saw.append(await _conversation(service))
    assert saw[0] == saw[1]
    assert saw[0] != saw[2]
    assert saw[0][-1]["seed"] == 7


async def test_a_service_without_a_seed_tells_the_one_it_drew() -> None:
    with running("--null", "--faults", "503:0.5@submit") as service:
        first = await _conversation(service)
    script, seed = first[-1]["faults"], first[-1]["seed"]
    with running("--null", "--faults", script, "--seed", str(seed)) as service:
        assert await _conversation(service) == first


_SERVE = """
from qawait.local.faults import Fault
from qawait.local.options import ServeOptions
from qawait.local.server import serve
faults = (Fault(name="503", last=1, kinds=frozenset({"submit"})),)
serve(ServeOptions(null=True, private_store=True, follow_stdin=True, faults=faults))
"""


@pytest.fixture
def scripted_in_python() -> Iterator[LocalService]:
    with served_by(_SERVE) as service:
        yield service


async def test_a_script_can_be_given_from_python(
    scripted_in_python: LocalService,
) -> None:
    async with scripted_in_python.session() as session:
        async with session.post(SUBMIT, json=BODY) as response:
            assert response.status == 503
        await submit(session, BODY)


def test_a_script_that_cannot_be_is_refused_before_anything_starts() -> None:
    refused = CliRunner().invoke(serve, ["--faults", "explode:0.1"])
    assert refused.exit_code == 2
    assert "there is no fault 'explode'" in refused.output
    refused = CliRunner().invoke(serve, ["--broken", "P7"])
    assert refused.exit_code == 2
    assert "there is no promise 'P7'" in refused.output


# --- two phases, and promises that are broken -----------------------------------------


async def opened(session: aiohttp.ClientSession) -> str:
    opening = {"job_type": "EXECUTE", "simulator_cluster": "qoro_maestro"}
    async with session.post("/api/job/init/", json=opening) as response:
        assert response.status == 201
        return (await response.json())["job_id"]


async def upload(
    session: aiohttp.ClientSession, job_id: str, label: str, *, final: bool
) -> int:
    body = {
        "circuits": {label: packed(program())},
        "mode": "append",
        "finalized": "true" if final else "false",
        "shots": 5,
    }
    path = f"/api/job/{job_id}/add_circuits/"
    async with session.post(path, json=body) as response:
        return response.status


async def cancel(session: aiohttp.ClientSession, job_id: str) -> int:
    async with session.post(f"/api/job/{job_id}/cancel/") as response:
        return response.status


async def labels(session: aiohttp.ClientSession, job_id: str) -> list[str]:
    await ended(session, f"/api/job/{job_id}/status/")
    page = await get(session, f"/api/job/{job_id}/resultsV2/")
    return [row["label"] for row in page["results"]]


async def test_an_upload_is_the_last_one_or_it_is_not() -> None:
    with running("--null", "--faults", "500:#1@append,502:#1@finish") as service:
        async with service.session() as session:
            job_id = await opened(session)
            said = [
                await upload(session, job_id, "a", final=False),
                await upload(session, job_id, "a", final=False),
                await upload(session, job_id, "b", final=True),
                await upload(session, job_id, "b", final=True),
            ]
            assert said == [500, 200, 502, 200]
            assert await labels(session, job_id) == ["a", "b"]


async def test_promises_are_kept_unless_they_are_broken() -> None:
    with running("--null", "--service-time", "0.2s") as service:
        async with service.session() as session:
            unfinished, cancelled = await opened(session), await opened(session)
            assert await upload(session, unfinished, "a", final=False) == 200
            assert await cancel(session, cancelled) == 200
            assert await upload(session, cancelled, "a", final=True) == 409
            finished = await opened(session)
            assert await upload(session, finished, "a", final=True) == 200
            assert await upload(session, finished, "a", final=True) == 409
            assert await labels(session, finished) == ["a"]
            status = await get(session, f"/api/job/{unfinished}/status/")
            assert status["status"] == "PENDING"
            kept = await ledger(session)
            assert [s["job_id"] for s in kept["submissions"]] == [finished]
            assert "faults" not in kept


async def test_without_p1_an_unfinished_job_runs_after_a_while() -> None:
    with running("--null", "--broken", "P1") as service:
        async with service.session() as session:
            job_id = await opened(session)
            assert await upload(session, job_id, "a", final=False) == 200
            assert (await ledger(session))["submissions"] == []
            assert (await grown(session, 1))["submissions"][0]["job_id"] == job_id
            assert await labels(session, job_id) == ["a"]
            assert (await ledger(session))["script"]["broken"] == ["P1"]
            finished = await opened(session)
            assert await upload(session, finished, "a", final=False) == 200
            assert await upload(session, finished, "b", final=True) == 200
            assert await labels(session, finished) == ["a", "b"]


async def test_without_p2_a_cancelled_job_comes_back() -> None:
    with running("--null", "--broken", "P2") as service:
        async with service.session() as session:
            job_id = await opened(session)
            assert await cancel(session, job_id) == 200
            assert await upload(session, job_id, "a", final=True) == 200
            assert await labels(session, job_id) == ["a"]
            assert await upload(session, job_id, "b", final=True) == 409, "P3 holds"


@pytest.mark.parametrize("pace", ["0s", "30s"])
async def test_without_p3_a_finished_job_runs_everything_again(pace: str) -> None:
    """Whether the job has ended or is on a machine when its circuits come again."""
    arguments = [] if pace == "0s" else ["--service-time", pace]
    with running("--null", "--broken", "P3", *arguments) as service:
        async with service.session() as session:
            job_id = await opened(session)
            assert await upload(session, job_id, "a", final=True) == 200
            assert await upload(session, job_id, "a", final=True) == 200
            kept = (await ledger(session))["submissions"]
            assert [s["job_id"] for s in kept] == [job_id, job_id]
            assert [s["circuits"] for s in kept] == [1, 2]
            if pace == "0s":
                assert await labels(session, job_id) == ["a", "a"]
            assert await cancel(session, job_id) == (409 if pace == "0s" else 200)
            assert await upload(session, job_id, "a", final=True) == (
                200 if pace == "0s" else 409
            )


async def test_without_p4_a_job_seems_to_wait_and_runs_on_when_cancelled() -> None:
    with running("--null", "--service-time", "0.5s", "--broken", "P4") as service:
        async with service.session() as session:
            job_id = await submit_programs(session, {"a": program()})
            path = f"/api/job/{job_id}/status/"
            assert (await get(session, path))["status"] == "PENDING"
            async with session.post(f"/api/job/{job_id}/cancel/") as response:
                assert (await response.json())["circuits_cancelled"] == 1
            assert (await get(session, path))["status"] == "CANCELLED"
            with anyio.fail_after(DEADLINE):
                while True:
                    async with session.get(f"/api/job/{job_id}/resultsV2/") as response:
                        if response.status == 200:
                            break
                    await anyio.sleep(0.02)
