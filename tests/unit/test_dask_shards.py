"""What decides in a sharded sweep: which shard, whose, and how much of the account."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import msgspec
import numpy as np
import pytest

import qawait
import qawait.dask
from qawait import errors
from qawait._limiter import Grant, Report
from qawait._quota import Quota
from qawait._rate_headers import Told
from qawait._sweep.assembly import source_of
from qawait._sweep.axes import axes_of
from qawait._sweep.point import Point
from qawait._sweep.settling import Progress
from qawait.dask.lease import HELD, Lease, SchedulerQuota
from qawait.dask.outcomes import outcomes_of
from qawait.dask.places import Directory
from qawait.dask.referee import LAPSES, Answer, Claim, Referee, ShardHolders
from qawait.dask.shard import LeasedJournal
from qawait.dask.splitting import shard_of, shared_budget, split
from qawait.errors import ConfigurationError, JournalLocked
from qawait.journal.file import FileJournal
from qawait.journal.records import Identity, Intent
from qawait.model import Delivery
from qawait.results import Result

# --- points -----------------------------------------------------------------------------


def test_the_shard_of_a_point_is_the_same_in_every_process_and_version():
    assert [shard_of(key, 7) for key in ("0", "1", "gamma=0.5", "ä")] == [4, 2, 4, 1]


async def test_every_point_of_a_grid_is_in_one_shard_under_its_own_key():
    grid = {"a": [0.1, 0.2, 0.3], "b": [5.0, -1e-300]}
    parts = await split(source_of("circuit.qasm", grid).items, 4)
    found = {
        int(index): pair
        for part in parts
        for index, pair in zip(part.indexes, part.pairs(), strict=True)
    }
    assert [found[n] for n in range(6)] == list(axes_of(grid))
    for number, part in enumerate(parts):
        assert {shard_of(key, 4) for key, _ in part.pairs()} <= {number}


async def test_a_point_keeps_its_shard_when_the_grid_grows():
    small, large = {"a": [1.0, 3.0]}, {"a": [0.0, 1.0, 2.0, 3.0]}
    where: list[dict[str, int]] = []
    for grid in (small, large):
        parts = await split(source_of("circuit.qasm", grid).items, 5)
        where.append({k: n for n, p in enumerate(parts) for k, _ in p.pairs()})
    assert where[0].items() <= where[1].items()


async def test_circuits_without_keys_are_called_by_their_number():
    parts = await split(source_of(["x.qasm", "y.qasm", "z.qasm"], None).items, 2)
    pairs = {pair for part in parts for pair in part.pairs()}
    assert pairs == {("0", "x.qasm"), ("1", "y.qasm"), ("2", "z.qasm")}


def test_the_budgets_of_all_shards_are_together_the_whole_one():
    budget = qawait.Budget(jobs=3, shots=1000, seconds=10.0)
    sizes = [5, 1, 4, 1]
    shares = [
        shared_budget(budget, sum(sizes[:n]), size, sum(sizes))
        for n, size in enumerate(sizes)
    ]
    assert sum(share.jobs for share in shares) == 3
    assert sum(share.shots for share in shares) == 1000
    assert sum(share.seconds for share in shares) == pytest.approx(10.0)
    assert [share.shots for share in shares] == [454, 91, 364, 91]


# --- the directory ----------------------------------------------------------------------


def test_a_directory_keeps_its_number_of_shards(tmp_path: Path):
    place = Directory(tmp_path / "night")
    assert place.begin(None, 6) == 6
    assert place.begin(None, 9) == 6
    assert place.begin(6, 9) == 6
    with pytest.raises(ConfigurationError, match="has 6 shards and not 9"):
        place.begin(9, 9)
    assert place.plan.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in place.root.iterdir()] == ["shards.json"]


def test_what_is_no_sharded_sweep_is_left_alone(tmp_path: Path):
    (tmp_path / "file").write_text("a letter")
    with pytest.raises(ConfigurationError, match="is a file"):
        Directory(tmp_path / "file").begin(None, 2)
    plan = Directory(tmp_path / "newer")
    plan.root.mkdir()
    plan.plan.write_text('{"version": 2, "shards": 4}')
    with pytest.raises(errors.JournalCorrupt, match="newer version"):
        plan.begin(None, 2)
    with pytest.raises(errors.JournalError, match="no sharded sweep"):
        qawait.dask.read_shards(tmp_path / "nowhere")


# --- who has a shard --------------------------------------------------------------------


class Cluster:
    """What a scheduler knows: to which worker it gave the only task."""

    def __init__(self) -> None:
        self.worker: str | None = "tcp://a"
        self.now = 100.0
        self.holders = ShardHolders(lambda key: self.worker, lambda: self.now)

    def say(
        self, worker: str, act: Any = "ask", *, machine: str = "", attempt: str = ""
    ) -> Answer:
        claim = Claim(
            act=act,
            place="s/1",
            attempt=attempt or worker,
            machine=machine or worker,
            worker=worker,
            key="k",
            run="r",
        )
        return self.holders.answer(claim)


def test_a_shard_is_its_workers_until_another_machine_has_waited_long_enough():
    cluster = Cluster()
    assert cluster.say("tcp://a", "take").verdict == "yours"
    cluster.now += 1.0
    assert cluster.say("tcp://a") == Answer("yours")
    cluster.worker = "tcp://b"
    assert cluster.say("tcp://b").verdict == "wait"
    assert cluster.say("tcp://b", "take").verdict == "wait"
    # the old owner still has to write and close, and every word counts
    cluster.now += LAPSES - 1
    assert cluster.say("tcp://a") == Answer("yours", assigned=False)
    cluster.now += LAPSES - 0.1
    assert cluster.say("tcp://b", "take").verdict == "wait"
    cluster.now += 0.2
    assert cluster.say("tcp://b", "take").verdict == "yours"
    assert cluster.say("tcp://a").verdict == "over"
    # well before, the old owner has stopped writing
    assert HELD < LAPSES / 2


def test_on_one_machine_the_file_lock_decides():
    cluster = Cluster()
    cluster.say("tcp://a", "take", machine="m")
    cluster.worker = "tcp://b"
    assert cluster.say("tcp://b", machine="m").verdict == "yours"
    # asking takes nothing
    assert cluster.say("tcp://a", machine="m").verdict == "yours"


def test_a_shard_that_was_given_back_is_free_at_once():
    cluster = Cluster()
    cluster.say("tcp://a", "take")
    cluster.worker = "tcp://b"
    cluster.say("tcp://c", "release")
    assert cluster.say("tcp://b").verdict == "wait"
    cluster.say("tcp://a", "release")
    assert cluster.say("tcp://b").verdict == "yours"


def test_who_was_not_given_the_task_gets_nothing():
    cluster = Cluster()
    assert cluster.say("tcp://b", "take").verdict == "over"
    cluster.worker = None
    assert cluster.say("tcp://a", "take").verdict == "over"


def test_a_sweep_that_was_stopped_tells_its_shards_and_no_other():
    cluster = Cluster()
    cluster.holders.stop("another")
    assert not cluster.say("tcp://a", "take").stop
    cluster.holders.stop("r")
    assert cluster.say("tcp://a").stop


class Line:
    """A line to a scheduler that answers as it is told to."""

    def __init__(self) -> None:
        self.worker = SimpleNamespace(address="tcp://a")
        self.verdict: Any = "yours"
        self.silent = False
        self.takes = 0.0
        self.now = 0.0

    async def ask(self, operation: str, said: object) -> bytes:
        assert operation == "qawait_shard"
        self.now += self.takes
        if self.silent:
            raise TimeoutError
        return msgspec.msgpack.encode(Answer(self.verdict))


async def lease_of(line: Line) -> Lease:
    lease = Lease(line, Path("s/1"), "k", "r", "m", lambda: line.now)  # type: ignore[arg-type]
    await lease.ask("take")
    return lease


async def test_an_owner_writes_no_longer_than_it_hears_of_the_scheduler():
    """Counted from when it asked: the answer may have been long under way."""
    line = Line()
    line.takes = 2.0
    lease = await lease_of(line)
    assert lease.holds
    line.now = HELD - 0.1
    lease.check()
    line.now = HELD + 0.1
    with pytest.raises(JournalLocked, match="another worker may have the shard"):
        lease.check()
    # nobody has taken it meanwhile
    await lease.ask()
    lease.check()
    line.now, line.verdict = 100.0, "over"
    await lease.ask()
    assert not lease.holds


async def test_who_only_asks_does_not_hold():
    line = Line()
    lease = Lease(line, Path("s/1"), "k", "r", "m", lambda: line.now)  # type: ignore[arg-type]
    await lease.ask()
    assert not lease.holds


async def test_nothing_is_written_for_a_shard_that_may_be_anothers(tmp_path: Path):
    """And what is being sent is looked at again once it is on the disk."""
    identity = Identity(endpoint="e", target="t", dialect="d", account="a")
    journal = await FileJournal.open(tmp_path / "j", identity)
    line = Line()
    lease = await lease_of(line)
    leased: Any = LeasedJournal(journal, lease)
    await leased.intend(intent("first"))
    sound = journal.sending

    async def slow(submission_id: str) -> None:
        await sound(submission_id)
        line.now += HELD

    journal.sending = slow  # type: ignore[method-assign]
    with pytest.raises(JournalLocked):
        await leased.sending("first")
    journal.sending = sound  # type: ignore[method-assign]
    for write in (
        lambda: leased.intend(intent("second")),
        lambda: leased.sending("first"),
        lambda: leased.outcome("first", Delivery.ACCEPTED, "id"),
        lambda: leased.retry([]),
    ):
        with pytest.raises(JournalLocked):
            await write()
    leased.changed("first", (), "")
    await leased.close()
    # it was left as it was: open, and with what may have been sent
    with pytest.raises(JournalLocked):
        await FileJournal.open(tmp_path / "j", identity)
    await journal.close()
    reading = await anyio.to_thread.run_sync(qawait.read, tmp_path / "j")
    [job] = reading.jobs
    assert (job.submission_id, job.standing) == ("first", "unknown")


def intent(name: str) -> Intent:
    return Intent(submission_id=name, target="t", circuits=1, shots=7)


# --- the account ------------------------------------------------------------------------


QUOTA = Quota(units=100, window=3600.0)


class Worker:
    """A worker's way to a referee, without the network between."""

    def __init__(self, referee: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.handlers = referee
        self.loop = loop
        self.calls = 0

    def wait_for(self, operation: str, said: object) -> bytes:
        self.calls += 1
        handler = self.handlers[operation](said=msgspec.msgpack.encode(said))
        return asyncio.run_coroutine_threadsafe(handler, self.loop).result(10)


async def test_workers_of_all_machines_spend_from_one_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Who comes gets a share, and no account has more than the limit."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    referee, scheduler = Referee(), SimpleNamespace(handlers={}, tasks={})
    await referee.start(scheduler)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    granted: Counter[str] = Counter()
    for _ in range(30):
        for name, offset in (("one", 0.0), ("two", 5000.0)):
            line = Worker(scheduler.handlers, loop)
            quota = SchedulerQuota(line, QUOTA, lambda: "account")  # type: ignore[arg-type]
            told = Told(limit=100, window=3600.0, remaining=100)
            report = Report(
                member=name,
                holding=granted[name],
                head=1.0,
                more=3.0,
                told=told,
                told_at=offset,
                answered=[],
            )
            grant = await anyio.to_thread.run_sync(quota.exchange, report, offset)
            assert isinstance(grant, Grant)
            granted[name] += grant.units
    await referee.close()
    assert 30 <= sum(granted.values()) <= 51
    assert min(granted.values()) >= 0.4 * max(granted.values())
    # programs of the scheduler's machine share it as well
    assert [path.name for path in (tmp_path / "qawait" / "quota").iterdir()] == [
        "account"
    ]


# --- outcomes ---------------------------------------------------------------------------


def test_outcomes_travel_as_one_block_beside_the_pickle():
    rows = np.random.default_rng(3).integers(0, 2, (4000, 5), np.uint8)
    result = Result.of_shots([{"m": rows}, {"m": rows[::-1]}], None, job_id="j")
    points = [
        Point(key="b", index=1, params={"x": 2.0}, job_id="j", result=result[1]),
        Point(key="c", index=2, params={}, error=errors.JobFailed("no", job_id="i")),
        Point(key="a", index=0, params={"x": 1.0}, recorded=True, result=result[0]),
    ]
    sent = outcomes_of(points, np.array([70, 80, 90]), Progress(ready=2), None)
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(sent, protocol=5, buffer_callback=buffers.append)
    assert len(text) < 1500
    came = pickle.loads(text, buffers=[bytes(b) for b in buffers])  # noqa: S301
    first, second, third = came.unpacked()
    assert (first.key, first.index, first.params) == ("b", 80, {"x": 2.0})
    assert np.array_equal(first.result.keys["m"], rows[::-1])
    assert np.array_equal(third.result.keys["m"], rows)
    assert (third.index, third.recorded, first.recorded) == (70, True, False)
    assert (str(second.error), second.result) == (str(points[1].error), None)
    assert not any(point.retry() for point in (first, second, third))
    empty = outcomes_of([], np.array([], np.int64), Progress(), None)
    assert list(pickle.loads(pickle.dumps(empty)).unpacked()) == []  # noqa: S301


# --- what is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"ordered": True}, "takes no ordered"),
        ({"journal": "x"}, "takes no journal"),
        ({"on_exit": "drain"}, "takes no on_exit"),
        ({"budget": qawait.Budget(credits=Decimal(3))}, "credits cannot be divided"),
        ({"connect": {"journal": "x"}}, "directory= says where"),
        ({"shot": 3}, "no setting 'shot'"),
    ],
)
def test_what_cannot_be_sharded_is_refused_with_its_reason(
    about: dict[str, Any], says: str, tmp_path: Path
):
    with pytest.raises(ConfigurationError, match=says):
        qawait.dask.sweep(None, "iqm:", "x", directory=tmp_path / "s", **about)  # type: ignore[arg-type]


def test_a_token_is_not_sent_to_workers_unasked(tmp_path: Path):
    service: Any = qawait.IQMService("https://example.com", token="secret")
    with pytest.raises(ConfigurationError, match="its token must not"):
        qawait.dask.sweep(None, service, "x", directory=tmp_path / "s")  # type: ignore[arg-type]
