"""The account of a rate limit: what may be spent, by whom, and when."""

from __future__ import annotations

import heapq
import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.limited_service import CANCEL, READ, RESULT, SUBMIT

from qawait._lanes import Lanes
from qawait._limiter import Account, Grant, Report
from qawait._quota import IQM, Quota, kind_of
from qawait._rate_headers import Told
from qawait.local.rate_limit import RATE_LIMITS, RateLimit, RateLimiter, cost

SMALL = Quota(units=100, window=10.0)
"""For counting by hand: 99.5 units may be spent, half of them at once."""


def asked(
    account: Account,
    now: float,
    head: float = 1,
    *,
    member: str = "a",
    holding: float = 0,
    answered: list[tuple[float, float]] | None = None,
    **more: object,
) -> Grant:
    report = Report(
        member=member,
        head=head,
        holding=holding,
        answered=answered or [],
        **more,  # type: ignore[arg-type]
    )
    return account.report(report, now, mono=now)


# --- prices --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        (READ, "GET", "/api/v1/jobs/1"),
        (RESULT, "GET", "/api/v1/jobs/1/artifacts/measurements"),
        (SUBMIT, "POST", "/api/v1/jobs/star/circuit"),
        (CANCEL, "POST", "/api/v1/jobs/1/cancel"),
    ],
    ids=["read", "result", "submit", "cancel"],
)
@pytest.mark.parametrize("body_bytes", [0, 10 * 2**20 - 1, 10 * 2**20, 25 * 2**20])
def test_we_reckon_with_the_prices_that_the_service_takes(
    call: object, method: str, path: str, body_bytes: int
):
    kind = kind_of(call)  # type: ignore[arg-type]
    length = body_bytes if kind == "submit" else 0
    theirs = cost(RATE_LIMITS["iqm"], method, path, length)
    assert IQM.price(kind, length) == theirs


# --- the limit -----------------------------------------------------------------------


def share_used(
    members: int, latency: float, units: tuple[int, ...], end: float
) -> float:
    """What members that always want more use of the limit, until one is refused."""
    random, server = Random(5), RateLimiter(RateLimit())
    account, spent = Account.of(IQM), 0
    order = itertools.count()
    flying = [0.0] * members
    answered: list[list[tuple[float, float]]] = [[] for _ in range(members)]
    heads = [random.choice(units) for _ in range(members)]
    events: list[tuple[float, int, str, int, float]] = []

    def at(when: float, what: str, member: int, units: float = 0.0) -> None:
        heapq.heappush(events, (when, next(order), what, member, units))

    for member in range(members):
        at(random.random(), "ask", member)
    while events[0][0] < end:
        now, _, what, member, some = heapq.heappop(events)
        if what == "ask":
            done, answered[member] = answered[member], []
            grant = asked(
                account,
                now,
                heads[member],
                member=str(member),
                holding=flying[member],
                answered=done,
                more=10_000 * 10.0,
            )
            left = grant.units
            while heads[member] <= left:
                left -= heads[member]
                flying[member] += heads[member]
                at(now + random.random() * latency, "count", member, heads[member])
                heads[member] = random.choice(units)
            at(now + grant.wait, "ask", member)
        elif what == "count":
            server.spend(int(some), now)
            spent += int(some)
            at(now + random.random() * latency, "answer", member, some)
        else:
            flying[member] -= some
            answered[member].append((now, some))
    return spent / (200.0 * end)


@pytest.mark.parametrize(
    ("members", "latency", "units", "seconds"),
    [
        (1, 0.05, (10,), 3600.0),
        (4, 0.3, (10,), 900.0),
        (2, 0.15, (10, 10, 10, 100), 3600.0),
    ],
    ids=str,
)
def test_an_hour_at_the_limit_is_never_refused_and_uses_it_up(
    members: int, latency: float, units: tuple[int, ...], seconds: float
):
    """Ten thousand jobs want to be asked about all the time; the server is the judge."""
    assert 0.9 <= share_used(members, latency, units, seconds) <= 1.0


def test_a_request_counts_until_a_window_after_its_answer():
    """It may have been counted by the service just before the answer left."""
    account = Account.of(SMALL)
    assert asked(account, 0.0, 49).units == 49
    asked(account, 5.0, 0, answered=[(5.0, 49)])
    assert asked(account, 10.1, 51).units == 0, "back one window after it was sent"
    asked(account, 14.9, 0)
    assert asked(account, 14.9, 51).units == 0
    asked(account, 15.2, 0)
    assert asked(account, 15.2, 49).units == 49
    assert asked(account, 15.2, 49, member="b").units == 0


def test_what_is_under_way_counts_however_long_it_takes():
    account = Account.of(SMALL)
    granted = sum(asked(account, 0.0, 20, member=m).units for m in "ab")
    assert granted == 40
    for now in range(1, 60):
        asked(account, float(now), 0, member="a", holding=20)
        asked(account, float(now), 0, member="b", holding=20)
    assert asked(account, 60.0, 60, member="c").units == 0
    assert asked(account, 60.0, 49, member="c").units == 49


def test_what_was_not_used_comes_back_at_once():
    account = Account.of(SMALL)
    assert asked(account, 0.0, 10, more=39).units == pytest.approx(14.975)
    asked(account, 0.1, 0)
    assert asked(account, 0.2, 49).units >= 49


def test_a_client_that_died_leaves_nothing_behind():
    account = Account.of(SMALL)
    assert asked(account, 0.0, 49, member="dead").units == 49
    assert asked(account, 11.0, 51, member="b").units == 0
    assert asked(account, 12.2, 0, member="b").units == 0
    assert asked(account, 12.3, 49, member="b").units == 49
    assert "dead" not in account.members


def test_after_a_burst_the_rest_is_spread_over_the_window():
    """What is left is not spent in one go, with nothing after it for ten seconds."""
    account = Account.of(SMALL)
    now, times = 0.0, []
    answered: list[tuple[float, float]] = []
    while now < 40:
        grant = asked(account, now, 1, answered=answered)
        answered = [(now, grant.units)] if grant.units else []
        times += [now] * int(grant.units)
        now += grant.wait
    burst = [t for t in times if t < 0.05 * 50]
    assert 49 <= len(burst) <= 65
    later = [t for t in times if t >= 2.5]
    gaps = [b - a for a, b in itertools.pairwise(later)]
    assert max(gaps) < 1.0
    assert len([t for t in times if 20 <= t < 40]) >= 0.9 * 200


def test_a_request_dearer_than_the_limit_goes_alone():
    account = Account.of(SMALL)
    asked(account, 0.0, 1, answered=[])
    assert asked(account, 0.1, 300, member="b", holding=0).units == 0, "no burst"
    now = 0.1
    while not (grant := asked(account, now, 300, member="b")).units:
        now += grant.wait
    assert grant.units == 300
    assert 5.0 < now < 13.0
    assert asked(account, now, 1, member="c").units == 0


# --- who is served -------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0.03, 0.2])
def test_clients_that_ask_again_when_they_are_told_share_equally(lag: float):
    """Also where one of them has ten times as much to ask, and is quicker."""
    account = Account.of(IQM)
    had = {"flood": 0.0, "modest": 0.0}
    due = {"flood": 0.0, "modest": 0.0}
    late = {"flood": 0.0, "modest": lag}
    answered: dict[str, list[tuple[float, float]]] = {"flood": [], "modest": []}
    while (now := min(due.values())) < 60:
        name = min(due, key=due.__getitem__)
        more = 900 if name == "flood" else 90
        grant = asked(account, now, 10, member=name, more=more, answered=answered[name])
        answered[name] = [(now, grant.units)] if grant.units else []
        if now > 10:
            had[name] += grant.units
        due[name] = now + grant.wait + late[name]
    assert had["flood"] < 1.1 * had["modest"], had
    assert had["modest"] < 1.1 * had["flood"], had


def test_who_gives_back_what_it_did_not_use_keeps_its_place():
    account = Account.of(IQM)
    assert asked(account, 0.0, 10, member="modest", more=90).units == 100
    asked(account, 0.0, 0, member="modest", holding=10)
    assert asked(account, 0.0, 50, member="greedy").units == 50
    assert asked(account, 0.0, 935, member="other").units == 935
    assert asked(account, 0.1, 30, member="modest", holding=10).units == 0
    assert asked(account, 0.1, 30, member="greedy", holding=50).units == 0
    assert asked(account, 0.4, 30, member="greedy", holding=50).units == 0
    assert asked(account, 0.4, 30, member="modest", holding=10).units == 30


def test_a_dear_request_is_not_overtaken_for_ever_by_cheap_ones():
    account = Account.of(IQM)
    now, waited = 0.0, None
    answered: list[tuple[float, float]] = []
    while waited is None and now < 60:
        grant = asked(account, now, 10, member="cheap", more=900, answered=answered)
        answered = [(now, grant.units)] if grant.units else []
        if now > 20 and asked(account, now, 300, member="dear").units:
            waited = now - 20
        now += 0.05
    assert waited is not None
    assert waited < 5.0, "three seconds of all that comes back, shared by two"


def test_a_wish_of_a_client_that_died_is_forgotten():
    account = Account.of(SMALL)
    assert asked(account, 0.0, 20, member="a").units == 20
    assert asked(account, 0.0, 5, member="dead").units == 5
    assert asked(account, 0.0, 6, member="z").units == 6
    assert asked(account, 0.0, 60, member="dead", holding=5).units == 0
    assert asked(account, 0.1, 15, member="z", holding=6).units == 0, (
        "kept for who came before"
    )
    assert asked(account, 0.7, 15, member="z", holding=6).units == 15


def test_kinds_share_by_weight_in_units():
    class One:
        def __init__(self, cost: float) -> None:
            self.cost = cost

    lanes: Lanes[One] = Lanes({"submit": 2.0, "read": 2.0, "result": 1.0, "cancel": 1})
    for _ in range(40):
        lanes.join("submit", One(100))
    for _ in range(400):
        lanes.join("read", One(10))
        lanes.join("result", One(10))
    assert lanes.units == 40 * 100 + 800 * 10
    assert lanes.units_of("read") == 400 * 10
    served = {100: 0.0, 10: 0.0}
    while served[100] < 2000:
        one = lanes.serve()
        served[int(one.cost)] += one.cost
    assert served[10] == pytest.approx(3000, abs=200)


def test_a_lane_saves_nothing_up_while_it_is_empty():
    class One:
        cost = 10.0

    lanes: Lanes[One] = Lanes()
    for _ in range(1000):
        lanes.join("read", One())
        lanes.serve()
    late = [One() for _ in range(10)]
    for one in late:
        lanes.join("cancel", one)
    reads = [One() for _ in range(10)]
    for one in reads:
        lanes.join("read", one)
    first = [lanes.serve() for _ in range(6)]
    assert sum(one in late for one in first) in (2, 3)
    assert [one for one in first if one in reads] == reads[: 6 - 2][: len(first) - 2]


def test_who_leaves_a_lane_is_not_served():
    class One:
        cost = 10.0

    lanes: Lanes[One] = Lanes()
    a, b = One(), One()
    lanes.join("read", a)
    lanes.join("read", b)
    lanes.leave("read", a)
    assert (lanes.head(), len(lanes), lanes.units) == (b, 1, 10.0)
    assert lanes.serve() is b
    assert lanes.head() is None
    with pytest.raises(IndexError):
        lanes.serve()


# --- refusals ------------------------------------------------------------------------


def test_after_a_refusal_nothing_goes_and_then_exactly_one():
    account = Account.of(IQM)
    asked(account, 0.0, 10)
    asked(account, 1.0, 0, refused_until=31.0)
    for now in (1.0, 20.0, 30.9):
        grant = asked(account, now, 10, member="b")
        assert grant.units == 0
        assert grant.blocked == pytest.approx(31.0 - now)
    assert asked(account, 31.0, 10, member="b", more=500) == Grant(
        units=10, probing=True, wait=0.25, pace=account.pace
    )
    assert asked(account, 31.1, 10, member="a").units == 0
    asked(account, 31.2, 0, member="b", answered=[(31.2, 10)], probed=True)
    assert asked(account, 31.5, 10, member="a").units == 10


def test_a_refused_probe_begins_the_block_anew():
    account = Account.of(IQM)
    asked(account, 0.0, 0, refused_until=30.0)
    assert asked(account, 30.0, 10).probing
    asked(account, 30.1, 0, refused_until=40.0, probed=False)
    assert asked(account, 39.9, 10, member="b").units == 0
    assert asked(account, 40.0, 10, member="b").probing


def test_a_probe_that_got_no_answer_is_left_to_the_next():
    account = Account.of(IQM)
    asked(account, 0.0, 0, refused_until=30.0)
    assert asked(account, 30.0, 10).probing
    assert asked(account, 30.1, 10, member="b").units == 0
    asked(account, 30.2, 0, probed=False)
    assert asked(account, 30.3, 10, member="b").probing


def test_a_probe_whose_client_died_is_left_to_the_next():
    account = Account.of(IQM)
    asked(account, 0.0, 0, refused_until=30.0)
    assert asked(account, 30.0, 10, member="dead").probing
    assert asked(account, 59.0, 10, member="b").units == 0
    assert asked(account, 61.0, 10, member="b").probing


def test_a_service_that_refuses_is_asked_less_and_then_more_again():
    account = Account.of(SMALL)
    asked(account, 0.0, 0, refused_until=1.0)
    assert account.scale == 0.75
    asked(account, 0.5, 0, refused_until=1.5)
    assert account.scale == pytest.approx(0.7525), "one block lowers it once"
    asked(account, 60.0, 0)
    assert account.scale == 1.0


@given(st.floats(0, 1e12))
def test_no_wait_is_longer_than_an_hour(seconds: float):
    account = Account.of(IQM)
    asked(account, 5.0, 0, refused_until=5.0 + seconds)
    assert account.blocked_until - account.now <= 3600.0
    assert account.is_sound()


# --- what the service tells ----------------------------------------------------------


def test_the_limit_that_is_told_is_kept_from_then_on():
    account = Account.of(Quota(units=200, window=10.0))
    asked(account, 0.0, 0, told=Told(limit=60, window=30.0))
    assert (account.units, account.window) == (60, 30.0)
    assert asked(account, 60.0, 31).units == 0
    assert asked(account, 60.0, 29).units == 29


def test_a_window_is_at_least_as_long_as_it_has_left():
    account = Account.of(Quota(units=200, window=10.0))
    asked(account, 0.0, 0, told=Told(limit=200, reset=47.0))
    asked(account, 1.0, 0, told=Told(limit=200, reset=46.0))
    assert account.window == 47.0


def test_what_strangers_spend_is_left_to_them():
    account = Account.of(IQM)
    asked(account, 0.0, 10)
    told = Told(limit=2000, remaining=490)
    asked(account, 0.2, 0, answered=[(0.2, 10)], told=told, told_at=0.1)
    assert account.strangers == pytest.approx(1700)
    assert asked(account, 0.3, 250).units == 250
    assert asked(account, 0.3, 100, member="b").units == 0


def test_our_own_requests_are_never_taken_for_those_of_strangers():
    """Also where they have just come back by our reckoning, and not yet by theirs."""
    account = Account.of(IQM)
    asked(account, 0.0, 500)
    asked(account, 0.1, 0, answered=[(0.1, 500)])
    asked(account, 10.0, 10)
    told = Told(limit=2000, remaining=1490)
    asked(account, 10.5, 0, answered=[(10.5, 10)], told=told, told_at=10.0)
    assert account.strangers == 0


def test_an_old_answer_says_nothing_about_strangers():
    account = Account.of(IQM)
    asked(account, 0.0, 10)
    told = Told(limit=2000, remaining=0)
    asked(account, 5.0, 0, answered=[(5.0, 10)], told=told, told_at=0.1)
    assert account.strangers == 0


# --- clocks --------------------------------------------------------------------------

YEAR = 365.25 * 86_400


def at_wall(
    account: Account, mono: float, wall: float, head: float, member: str = "b"
) -> float:
    report = Report(member=member, head=head)
    return account.report(report, mono, mono=mono, wall=wall).units


@pytest.mark.parametrize("jump", [-10 * YEAR, -3600.0, 3600.0, 10 * YEAR])
def test_a_jump_of_the_time_of_day_frees_nothing_and_locks_nothing(jump: float):
    account = Account.of(SMALL)
    assert at_wall(account, 100.0, 1e9, 49, "a") == 49
    now = 101.0
    while not at_wall(account, now, 1e9 + now - 100 + jump, 51):
        now += 0.25
    assert 100 + 10 + 1 < now < 100 + 10 + 4


def test_after_the_machine_started_anew_the_time_of_day_counts():
    account = Account.of(SMALL)
    assert at_wall(account, 50_000.0, 1e9, 49, "a") == 49
    assert at_wall(account, 20.0, 1e9 + 5, 51) == 0
    assert at_wall(account, 3.0, 1e9 + 60, 49) == 49


@given(
    st.lists(
        st.tuples(
            st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0, 500), st.booleans()
        ),
        max_size=30,
    )
)
def test_no_clock_makes_an_account_unsound(
    steps: list[tuple[float, float, float, bool]],
):
    account = Account.of(IQM)
    for mono, wall, head, refused in steps:
        report = Report(
            member="a", head=head, refused_until=mono + 30 if refused else None
        )
        grant = account.report(report, mono, mono=mono, wall=wall)
        assert grant.units >= 0
        assert 0 <= grant.blocked <= 3600
        assert account.is_sound()


def test_no_more_than_the_limit_is_out_at_once():
    """Whatever the members do, what is held and what counts stays below the limit."""
    random = Random(11)
    account = Account.of(IQM)
    holding = dict.fromkeys("abcde", 0.0)
    now = 0.0
    for _ in range(20_000):
        now += random.expovariate(30)
        name = random.choice("abcde")
        done = random.random() * holding[name]
        grant = asked(
            account,
            now,
            random.choice((10, 100, 250)),
            member=name,
            holding=holding[name] - done,
            answered=[(now, done)] if done else [],
            more=random.random() * 200,
        )
        holding[name] += grant.units - done
        assert account._counted(account.now) <= 1990.001, "seed 11"


def test_an_unlimited_account_only_waits_out_refusals():
    account = Account(units=None, window=10.0)
    assert asked(account, 0.0, 10).units == float("inf")
    asked(account, 0.5, 0, refused_until=4.5)
    assert asked(account, 1.0, 10).units == 0
    assert asked(account, 4.5, 10) == Grant(
        units=10, probing=True, wait=0.25, pace=account.pace
    )
    asked(account, 4.6, 0, probed=True)
    assert asked(account, 4.6, 10).units == float("inf")
