"""The gate that requests pass, on a clock that jumps, before a service with a limit."""

from __future__ import annotations

import asyncio
from random import Random

import anyio
import pytest
from tests.limited_service import CANCEL, READ, RESULT, SUBMIT, LimitedService, gates

from qawait._limiter import HOLD, Account, Grant
from qawait._quota import IQM, POLITE, Quota
from qawait._shared_quota import Busy, OwnQuota
from qawait._turnstile import Turnstile
from qawait.local.rate_limit import RateLimit
from qawait.model import Call
from qawait.testing import VirtualTimeLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


# --- at the limit --------------------------------------------------------------------


async def test_ten_thousand_jobs_at_iqms_limit_are_never_refused():
    """All of them want an answer all the time, through three clients of one account."""
    service, clients = LimitedService(latency=0.4), gates(3)
    async with anyio.create_task_group() as group:
        for n in range(10_000):
            call = (READ, READ, READ, RESULT, SUBMIT, CANCEL)[n % 6]
            group.start_soon(service.keep_asking, clients[n % 3], call)
        await anyio.sleep(200)
        group.cancel_scope.cancel()
    assert service.refused == []
    assert service.share_used(200) >= 0.9


async def test_a_flood_of_submissions_does_not_hold_up_questions():
    service, (client,) = LimitedService(), gates()
    waits: list[float] = []
    async with anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(service.keep_asking, client, SUBMIT)
        await anyio.sleep(30)
        for _ in range(40):
            begun = anyio.current_time()
            await service.ask(client, READ)
            waits.append(anyio.current_time() - begun)
        group.cancel_scope.cancel()
    assert max(waits) < 2.0
    assert service.refused == []


async def test_a_flood_of_questions_does_not_hold_up_submissions():
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(30)
        begun = anyio.current_time()
        for _ in range(5):
            await service.ask(client, SUBMIT)
        assert anyio.current_time() - begun < 5 * 1.5
        group.cancel_scope.cancel()
    assert service.refused == []


async def test_kinds_that_flood_share_by_weight():
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for call in (SUBMIT, READ, RESULT, CANCEL):
            for _ in range(100):
                group.start_soon(service.keep_asking, client, call)
        await anyio.sleep(120)
        group.cancel_scope.cancel()
    spent = service.units(since=20)
    for kind, share in (("submit", 1 / 3), ("read", 1 / 3), ("result", 1 / 6)):
        assert spent[kind] / spent.total() == pytest.approx(share, abs=0.03), spent


async def test_the_flood_of_one_client_does_not_hold_up_another():
    service, (flood, modest) = LimitedService(), gates(2)
    waits: list[float] = []
    async with anyio.create_task_group() as group:
        for _ in range(1000):
            group.start_soon(service.keep_asking, flood, SUBMIT)
        await anyio.sleep(30)
        for n in range(40):
            begun = anyio.current_time()
            await service.ask(modest, SUBMIT if n % 8 == 7 else READ)
            waits.append(anyio.current_time() - begun)
        group.cancel_scope.cancel()
    assert max(waits) < 3.0
    assert service.refused == []


async def test_a_few_requests_need_not_wait():
    service, (client,) = LimitedService(latency=0), gates()
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(service.ask, client, SUBMIT)
    assert anyio.current_time() < 1.0


async def test_requests_of_a_kind_go_in_the_order_in_which_they_came():
    (client,) = gates()
    went: list[int] = []

    async def go(number: int) -> None:
        async with client.turn(READ):
            went.append(number)

    async with anyio.create_task_group() as group:
        for number in range(500):
            group.start_soon(go, number)
    assert went == sorted(went)
    assert anyio.current_time() > 15


async def test_nobody_passes_one_who_waits():
    """Also with units at hand, which are too few for the one who waits."""
    (client,) = gates()
    for _ in range(20):
        async with client.turn(READ):
            pass
    went: list[str] = []

    async def go(call: Call) -> None:
        async with client.turn(call):
            went.append(call.method)

    async with anyio.create_task_group() as group:
        client._free = 50.0
        client._ask_at = anyio.current_time() + 0.1
        group.start_soon(go, SUBMIT)
        await anyio.sleep(0.01)
        group.start_soon(go, READ)
    assert went == ["POST", "GET"]


async def test_large_bodies_cost_more():
    body = b"x" * (25 * 2**20)
    large = Call(kind="submit", method="POST", path="jobs", body=body)
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(service.ask, client, large)
    assert service.refused == []
    assert anyio.current_time() > 25, "nine thousand units"


# --- what is not paid for by others --------------------------------------------------


async def test_waiting_may_be_cancelled_at_any_moment_and_no_units_are_lost():
    random = Random(23)
    account = Account.of(IQM)
    client = Turnstile(IQM, lambda: OwnQuota(account))

    async def impatient(patience: float, call: Call) -> None:
        with anyio.move_on_after(patience):
            async with client.turn(call):
                await anyio.sleep(random.random())

    async with anyio.create_task_group() as group:
        for _ in range(3000):
            call = random.choice((READ, SUBMIT, CANCEL))
            group.start_soon(impatient, random.expovariate(1), call)
            await anyio.sleep(random.expovariate(60))
    assert len(client._lanes) == 0
    assert client._lanes.units == 0
    assert client._flying == 0
    assert client._leader is None
    with anyio.fail_after(1):
        await anyio.sleep(0.9)
    await anyio.sleep(30)
    with anyio.fail_after(1):
        async with client.turn(SUBMIT):
            pass
    assert account._counted(account.now) <= 100


async def test_a_turn_that_comes_together_with_a_cancellation_is_given_back():
    class LockedOnce(OwnQuota):
        locked = True

        def exchange(self, report, now):  # type: ignore[no-untyped-def]
            if self.locked:
                self.locked = False
                raise Busy
            return super().exchange(report, now)

    account = Account.of(IQM)
    client = Turnstile(IQM, lambda: LockedOnce(account))
    went: list[str] = []

    async def first() -> None:
        async with client.turn(READ):
            assert client._lanes.head() is None, "both have their turns now"
            tasks[1].cancel()

    async def second() -> None:
        async with client.turn(READ):
            went.append("second")

    tasks = [asyncio.create_task(first()), asyncio.create_task(second())]
    await asyncio.wait(tasks)
    await tasks[0]
    assert tasks[1].cancelled()
    assert went == []
    await client.close()
    assert account._counted(account.now) == 10


async def test_who_waits_behind_one_that_gives_up_is_served():
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for _ in range(9):
            group.start_soon(service.ask, client, SUBMIT)
        await anyio.sleep(1)
        with anyio.move_on_after(0.1):
            await service.ask(client, SUBMIT)
        with anyio.fail_after(12):
            await service.ask(client, SUBMIT)


async def test_a_client_that_closes_gives_back_what_it_has():
    account = Account.of(IQM)
    one = Turnstile(IQM, lambda: OwnQuota(account))
    for _ in range(20):
        async with one.turn(READ):
            pass
    assert account._counted(account.now) > 200, "it holds more for the next ones"
    await one.close()
    assert account._counted(account.now) == 200
    assert account.members == {}


async def test_a_locked_account_is_tried_again():
    class Locked(OwnQuota):
        tries = 0

        def exchange(self, report, now):  # type: ignore[no-untyped-def]
            self.tries += 1
            if self.tries % 3:
                raise Busy
            return super().exchange(report, now)

    store = Locked(Account.of(IQM))
    client = Turnstile(IQM, lambda: store)
    service = LimitedService()
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(60)
        group.cancel_scope.cancel()
    assert service.refused == []
    assert service.share_used(60) >= 0.85


async def test_a_wait_that_rounds_to_nothing_comes_to_an_end():
    """A block ends at a moment that two sums of floats do not agree on."""

    class Late(OwnQuota):
        def exchange(self, report, now):  # type: ignore[no-untyped-def]
            # less than can be added to so late a time
            left = end - now + 1e-13
            return Grant(wait=left) if left > 0 else super().exchange(report, now)

    store = Late(Account.of(IQM))
    client, service = Turnstile(IQM, lambda: store), LimitedService()
    await anyio.sleep(8574.993617641117)
    end = anyio.current_time() + 7.0
    await service.ask(client, SUBMIT)
    assert end <= anyio.current_time() < end + 1


# --- refusals ------------------------------------------------------------------------


async def test_after_a_block_exactly_one_request_goes_first(
    caplog: pytest.LogCaptureFixture,
):
    """Of two clients with many requests, one sends one; the rest wait for its answer."""
    service, clients = LimitedService(latency=0.1), gates(2)
    service.limiter.spend(2000, 0.0)
    with pytest.raises(Exception):  # noqa: B017, PT011 - a stranger exhausts the account
        service.limiter.spend(10, 0.5)
    times: list[float] = []

    async def persist(client: Turnstile, call: Call) -> None:
        while not await service.ask(client, call):
            times.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for n in range(40):
            group.start_soon(persist, clients[n % 2], READ if n % 3 else SUBMIT)
            if n == 0:
                await anyio.sleep(2)
    assert len(service.refused) == 1, "the very first, which could not know"
    answers = sorted(when for when, _, _ in service.answered)
    assert answers[0] >= 30.5
    assert answers[1] - answers[0] < 1.0
    told = [r for r in caplog.records if "refuses more requests" in r.getMessage()]
    assert 1 <= len(told) <= 2, "once for each client"


@pytest.mark.parametrize(("asked", "least"), [(7.0, 7.0), (None, 30.0)])
async def test_a_refusal_holds_everybody_for_as_long_as_it_says(
    asked: float | None, least: float
):
    clients = gates(2)
    async with clients[0].turn(READ) as turn:
        turn.heard({})
        turn.refused(asked)
    begun = anyio.current_time()
    assert clients[0].earliest() == pytest.approx(begun, abs=0.1)
    async with anyio.create_task_group() as group:
        for client in clients:
            group.start_soon(client.enter, "read", 10)
        await anyio.sleep(least - 1)
        assert clients[1].earliest() == pytest.approx(begun + least, abs=0.1)
    assert begun + least <= anyio.current_time() < begun + least + 31


async def test_a_wait_beyond_the_longest_is_not_obeyed():
    (client,) = gates()
    async with client.turn(READ) as turn:
        turn.refused(7200.0)
    begun = anyio.current_time()
    async with client.turn(READ):
        assert anyio.current_time() - begun < 1


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next():
    clients = gates(2)
    async with clients[0].turn(READ) as turn:
        turn.refused(5.0)
    async with anyio.create_task_group() as group:

        async def slow() -> None:
            async with clients[0].turn(READ):
                await anyio.sleep(1000)

        probing = anyio.CancelScope()

        async def run() -> None:
            with probing:
                await slow()

        group.start_soon(run)
        await anyio.sleep(6)
        with anyio.move_on_after(2) as waiting:
            await clients[1].enter("read", 10)
        assert waiting.cancelled_caught, "one goes first"
        probing.cancel()
        with anyio.fail_after(2):
            await clients[1].enter("read", 10)


async def test_units_at_hand_are_not_used_when_they_are_old():
    """Meanwhile another client may have learned that nobody may send anything."""
    one, other = gates(2)
    for _ in range(20):
        async with one.turn(READ):
            pass
    assert one.earliest() == anyio.current_time(), "it has some at hand"
    await anyio.sleep(HOLD)
    async with other.turn(READ) as turn:
        turn.refused(30.0)
    begun = anyio.current_time()
    async with one.turn(READ):
        assert anyio.current_time() - begun >= 30.0


async def test_a_refusal_that_comes_while_the_account_is_asked_counts():
    class Meanwhile(OwnQuota):
        refused = False

        def exchange(self, report, now):  # type: ignore[no-untyped-def]
            grant = super().exchange(report, now)
            if not self.refused:
                self.refused = True
                client.refused(30.0)
            return grant

    store = Meanwhile(Account.of(IQM))
    client = Turnstile(IQM, lambda: store)
    async with client.turn(READ):
        assert anyio.current_time() >= 30.0


# --- services that say something, or nothing -----------------------------------------


async def test_a_service_that_says_nothing_is_asked_politely():
    service = LimitedService(RateLimit(units=10**9), tells=False)
    (client,) = gates(quota=POLITE)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(100)
        group.cancel_scope.cancel()
    assert 0.9 * 2000 < len(service.answered) <= 2000


async def test_a_limit_that_is_told_is_learned_before_it_hurts():
    """The first answer comes before the flood, as with every client that connects."""
    limit = RateLimit(units=60, window=30.0, read=1)
    service = LimitedService(limit, policy="60;w=30")
    (client,) = gates(quota=POLITE)
    await service.ask(client, READ)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(300)
        group.cancel_scope.cancel()
    assert service.refused == []
    assert service.share_used(300) >= 0.9


async def test_a_service_without_a_limit_is_not_slowed_down():
    service = LimitedService(RateLimit(units=10**9), tells=False, latency=0)
    (client,) = gates(enforced=False)
    async with anyio.create_task_group() as group:
        for _ in range(5000):
            group.start_soon(service.ask, client, SUBMIT)
    assert anyio.current_time() < 0.1
    assert client.earliest("submit") <= anyio.current_time()


async def test_a_service_without_a_limit_takes_no_memory():
    (client,) = gates(enforced=False)
    for _ in range(5000):
        async with client.turn(READ):
            await anyio.sleep(0.05)
    assert len(client._answered) <= 250


async def test_an_unlimited_service_that_tells_a_limit_has_one_from_then_on():
    service, clients = LimitedService(), gates(2, enforced=False)
    for client in clients:
        await service.ask(client, READ)
    async with anyio.create_task_group() as group:
        for n in range(200):
            group.start_soon(service.keep_asking, clients[n % 2], READ)
        await anyio.sleep(100)
        group.cancel_scope.cancel()
    assert service.refused == []
    assert service.share_used(100) >= 0.9


async def test_what_was_sent_before_a_limit_was_told_counts():
    account = Account.of(IQM)
    client = Turnstile(IQM, lambda: OwnQuota(account), enforced=False)
    told = {"ratelimit-limit": "2000", "ratelimit-remaining": "300"}
    for n in range(17):
        async with client.turn(SUBMIT) as turn:
            await anyio.sleep(0.25)
            turn.heard(told if n == 16 else {})
    await client.close()
    assert account._counted(account.now) == 1700
    assert account.strangers == 0
    await anyio.sleep(8.0)
    client.enforced = True
    async with client.turn(READ):
        pass
    assert account._counted(account.now) < 1300, "the first of them are forgotten"


async def test_an_unlimited_service_that_refuses_is_left_alone_for_as_long_as_it_says():
    (client,) = gates(enforced=False)
    async with client.turn(READ) as turn:
        turn.refused(3.0)
    begun = anyio.current_time()
    for _ in range(100):
        async with client.turn(READ) as turn:
            turn.heard({})
    assert begun + 3.0 <= anyio.current_time() < begun + 3.5


async def test_what_colleagues_spend_elsewhere_is_left_to_them():
    """The answers' own count shows it: nothing of ours is refused because of theirs."""
    service, (client,) = LimitedService(latency=0.1), gates()
    theirs, random = 0, Random(3)

    async def colleague() -> None:
        nonlocal theirs
        while True:
            service.limiter.spend(10, anyio.current_time())
            theirs += 10
            await anyio.sleep(random.uniform(0.05, 0.15))

    async with anyio.create_task_group() as group:
        group.start_soon(colleague)
        await anyio.sleep(10)
        for _ in range(100):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(200)
        group.cancel_scope.cancel()
    assert service.refused == []
    assert service.share_used(210) + theirs / (200 * 210) >= 0.80


# --- when --------------------------------------------------------------------------


async def test_the_time_of_the_next_turn_is_foretold():
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(service.keep_asking, client, READ)
        await anyio.sleep(30)
        errors: list[float] = []
        for _ in range(20):
            foretold = client.earliest("read")
            async with client.turn(READ):
                errors.append(anyio.current_time() - foretold)
        group.cancel_scope.cancel()
    assert max(map(abs, errors)) < 3.0
    assert sum(errors) / 20 < 2.0


async def test_other_kinds_that_wait_put_nobody_off():
    """Kinds take turns: a question that waited for submissions to be done, never came."""
    service, (client,) = LimitedService(), gates()
    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(service.keep_asking, client, SUBMIT)
        await anyio.sleep(30)
        assert client.earliest("submit") > anyio.current_time() + 1
        assert client.earliest("read") == anyio.current_time()
        group.cancel_scope.cancel()


async def test_one_that_has_units_at_hand_may_go_now():
    client = Turnstile(IQM, lambda: OwnQuota(Account.of(IQM)))
    for _ in range(5):
        async with client.turn(READ):
            pass
    assert client.earliest("read") == anyio.current_time()


async def test_what_costs_nothing_is_served_too():
    free = Quota(units=10, window=1.0, read=0)
    (client,) = gates(quota=free)
    with anyio.fail_after(5):
        for _ in range(12):
            async with client.turn(READ):
                pass
    async with client.turn(READ) as turn:
        turn.refused(5.0)
    begun = anyio.current_time()
    async with client.turn(READ):
        assert anyio.current_time() - begun >= 5.0
