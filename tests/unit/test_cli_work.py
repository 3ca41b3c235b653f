"""What `qawait run` makes of each submission's fate; the service is a few lines."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from qawait._job import Job
from qawait._transport import Usage
from qawait.circuits import Source
from qawait.cli.outcomes import Outcome, of_result
from qawait.cli.progress import Progress
from qawait.cli.saving import Folder
from qawait.cli.work import Work
from qawait.errors import (
    ConnectFailed,
    Error,
    JobFailed,
    SubmissionRejected,
    SubmissionUncertain,
)
from qawait.model import CircuitRecord, Manifest, State, Status, Target
from qawait.results import Layout, Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence


async def _nothing(_: str) -> None: ...


def result_of(label: str, job_id: str = "j") -> Result:
    """Five shots of three bits, of which only bit 0 is set."""
    shots = np.array([[1, 0, 0]] * 5, np.uint8)
    layout = Layout.of_keys({"m": 3})
    record = CircuitRecord(label=label, shots=5, layout=layout)
    manifest = Manifest(circuits=(record,), target="t", simulated=True)
    return Result.of_shots([{"m": shots}], manifest, job_id=job_id)


class FakePlace:
    """A service whose answer to each circuit is given beforehand, by its label."""

    service = "not local"
    journal: Path | None = None
    name = "iqm:https://i.test"
    option = "--service iqm:https://i.test"
    target = Target(name="t", qubits=3, simulated=True)

    def __init__(self, fates: Mapping[str, Error | None]) -> None:
        self.fates = fates
        self.sent: list[str] = []
        self.usage = Usage()
        self.all_sent = asyncio.Event()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[FakePlace]:
        yield self

    async def compile(self, sources: Sequence[Source], seed: int) -> list[Source]:
        assert seed == 7
        return list(sources)

    async def submit(self, circuits: Sequence[Source], shots: int) -> Job:
        assert shots == 5
        (circuit,) = circuits
        self.sent.append(circuit.label)
        fate = self.fates[circuit.label]
        if isinstance(fate, Error) and not isinstance(fate, JobFailed):
            raise fate
        manifest = Manifest(circuits=(CircuitRecord(label=circuit.label),), target="t")
        job_id = f"job-{circuit.label}"
        job = Job(job_id, submission_id="s", manifest=manifest, cancel=_nothing)
        state = State.FAILED if fate else State.READY
        job.observe(Status(raw=state.value, state=state))
        job.settle(fate or result_of(circuit.label, job_id))
        return job


def work_on(place: Any) -> Work:
    sources = [
        Source(label=label, circuit=None, origin=f"{label}.qasm")
        for label in place.fates
    ]
    return Work(place, sources, None)


async def outcomes(place: FakePlace) -> list[Outcome]:
    work = work_on(place)
    await work.all(shots=5, batch=1, seed=7)
    return work.outcomes


async def test_each_circuit_has_its_own_fate() -> None:
    uncertain = SubmissionUncertain("may run", evidence="no answer", submission_id="s")
    place = FakePlace(
        {
            "good": None,
            "dear": SubmissionRejected("the submission was refused: too dear"),
            "lost": uncertain,
            "bad": JobFailed("out of memory", job_id="job-bad"),
        }
    )
    good, dear, lost, bad = await outcomes(place)
    assert (good.state, good.job_id, good.ready) == ("ready", "job-good", True)
    assert (dear.state, dear.reason) == (
        "rejected",
        "the submission was refused: too dear",
    )
    assert (lost.state, lost.reason) == ("uncertain", "may run (no answer)")
    assert (bad.state, bad.job_id, bad.reason) == ("failed", "job-bad", "out of memory")
    assert [outcome.file for outcome in (good, bad)] == ["good.qasm", "bad.qasm"]


async def test_what_stops_one_submission_stops_the_rest() -> None:
    fates = {"a": None, "b": ConnectFailed("no connection"), "c": None, "d": None}
    place = FakePlace(fates)
    found = await outcomes(place)
    assert place.sent == ["a", "b"]
    assert [o.state for o in found] == ["ready", "not sent", "not sent", "not sent"]
    assert found[3].reason == "no connection"


async def test_if_nothing_was_accepted_the_service_is_at_fault() -> None:
    place = FakePlace({"a": ConnectFailed("no connection"), "b": None})
    with pytest.raises(ConnectFailed):
        await outcomes(place)


async def test_an_interrupted_submission_may_have_arrived() -> None:
    class Slow(FakePlace):
        async def submit(self, circuits: Sequence[Source], shots: int) -> Job:
            if circuits[0].label == "quick":
                job = await super().submit(circuits, shots)
                job.changes = ()
                return job
            self.all_sent.set()
            await asyncio.Event().wait()
            raise AssertionError

    place = Slow({"quick": None, "slow": None})
    work = work_on(place)
    running = asyncio.create_task(work.all(shots=5, batch=1, seed=7))
    await place.all_sent.wait()
    running.cancel()
    await asyncio.wait([running])
    assert work.interrupted() == (
        "interrupted; 1 job goes on: qawait results job-quick --service "
        "iqm:https://i.test; 1 submission under way may have arrived"
    )
    assert work.to_go_on() is None


async def test_an_interrupted_run_with_a_journal_says_how_to_go_on_from_it() -> None:
    place = FakePlace({"done": None})
    place.journal = Path("/j/a night.qawait")
    work = work_on(place)
    await work.all(shots=5, batch=1, seed=7)
    assert work.to_go_on() is None
    work._sending = 1
    assert work.to_go_on() == (
        "the journal has them all; to go on: qawait resume '/j/a night.qawait'"
    )


def test_a_file_is_replaced_and_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("precious")
    folder = Folder(tmp_path / "out", force=True)
    link = folder.path / "a.json"
    link.symlink_to(elsewhere)
    folder.save(of_result(result_of("a"), 0), "a")
    assert elsewhere.read_text() == "precious"
    assert not link.is_symlink()
    assert sorted(p.name for p in folder.path.iterdir()) == ["a.json", "a.npy"]
    assert np.load(folder.path / "a.npy").tolist() == [[1, 0, 0]] * 5


def test_a_broken_link_counts_as_a_file_that_is_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path, force=False)
    (tmp_path / "a.json").symlink_to(tmp_path / "gone")
    with pytest.raises(Error, match=r"a\.json exists"):
        folder.check(["b", "a"])


def test_the_bar_fills_from_the_left_with_what_is_furthest() -> None:
    progress = Progress(4)
    job = Job(
        "j",
        submission_id="s",
        manifest=Manifest(circuits=(CircuitRecord(label=""),) * 3),
        cancel=_nothing,
    )
    job.observe(Status(raw="ready", state=State.READY))
    progress.follow(job)
    bar, counts = progress.__rich__().plain.splitlines()
    assert bar.startswith("  " + "\N{FULL BLOCK}" * 45 + "\N{LIGHT SHADE}" * 15 + " ")
    assert counts == "  1 to send   3 ready   "


def test_a_circuit_without_a_result_is_not_called_a_quantum_computers():
    """Nobody knows what would have run it, so `simulated` is null and not false."""
    assert Outcome(label="c", state="missing").to_json()["simulated"] is None
