"""Every way a submission can go, tried out on the rules that the client really uses.

Two small worlds, one for a submission in one request and one for two phases, in which
answers get lost, requests arrive late and the program is killed at any instant. All the
states that can be reached are looked at. The rules are imported, not written again; each
rule that is known to be unsafe is put in their place and must be found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import pytest

from qawait import errors
from qawait._delivery import (
    MOST_JOBS,
    Next,
    Phase,
    after_asking,
    after_cancelling,
    delivery_of,
    next_step,
)
from qawait.journal.records import Standing, after
from qawait.journal.store import AFTER_A_CRASH
from qawait.model import Delivery, End, State, Status

FAILED, ACCEPTED, UNKNOWN = "failed", "accepted", "unknown"

RESET = errors.TransportError("reset", sent=True)
REFUSED = errors.ResponseError(400, "no")


# --- one request ----------------------------------------------------------------------

NOTHING, ACTS, LATE = "nothing", "acts", "acts later"
OUTCOMES: list[tuple[errors.Error, tuple[str, ...]]] = [
    (errors.ConnectFailed("refused"), (NOTHING,)),
    (errors.RateLimited(429, "slow"), (NOTHING,)),
    (errors.ServiceUnavailable(503, "busy"), (NOTHING,)),
    (REFUSED, (NOTHING,)),
    (errors.AuthenticationError(401, "who?"), (NOTHING,)),
    (errors.RedirectRefused(303, "there"), (NOTHING, ACTS)),
    (errors.ResponseError(408, "slow"), (NOTHING, LATE)),
    (errors.ServiceUnavailable(500, "oops"), (NOTHING, ACTS)),
    (errors.ServiceUnavailable(502, "gate"), (NOTHING, ACTS, LATE)),
    (errors.ServiceUnavailable(503, "gate", recognised=False), (NOTHING, ACTS, LATE)),
    (RESET, (NOTHING, ACTS, LATE)),
    (errors.RequestTimeout("late"), (NOTHING, ACTS, LATE)),
    (errors.UnexpectedContent("html"), (NOTHING, ACTS)),
    (errors.ResponseTruncated("half"), (NOTHING, ACTS)),
]
"""What an attempt may meet, and what the service may have made of it."""


class Once(NamedTuple):
    """One submission in one request, and the service it goes to."""

    at: str = "ready"
    """`ready`, `sending`, `answered`, the place of an error in OUTCOMES, or `done`."""
    standing: Standing = Standing.NEW
    """What the journal holds."""
    sends: int = 3
    """Attempts that are left."""
    crashes: int = 2
    """How often the program may still be killed."""
    accepted: int = 0
    """Submissions that the service has taken."""
    on_the_way: int = 0
    """Requests that will arrive later."""
    verdict: str | None = None


class Rules(NamedTuple):
    """What the client goes by; the defaults are its own."""

    next_step: Callable[[errors.Error], Next] = lambda error: next_step(
        Phase.WHOLE, error
    )
    after: Callable[[Standing, Delivery], Standing] = after
    intends: bool = True
    """Whether the journal says SENDING before a byte leaves."""
    resumed: Callable[[Standing], Standing] = lambda standing: (
        AFTER_A_CRASH if standing is Standing.SENDING else standing
    )
    resubmits: bool = False
    """Whether its user has unknown submissions sent again."""


def ended(world: Once) -> Once:
    verdict = {Standing.ACCEPTED: ACCEPTED, Standing.UNKNOWN: UNKNOWN}.get(
        world.standing, FAILED
    )
    return world._replace(at="done", verdict=verdict)


def once(world: Once, rules: Rules) -> Iterator[Once]:
    """Everything that may happen next."""
    if world.on_the_way:
        yield world._replace(
            accepted=world.accepted + 1, on_the_way=world.on_the_way - 1
        )
    if world.at == "done":
        return
    if world.crashes:
        yield from resumed(world._replace(crashes=world.crashes - 1), rules)
    if world.at == "ready":
        # what is unknown stays so, also while it is sent again
        fresh = world.standing is not Standing.UNKNOWN
        standing = Standing.SENDING if rules.intends and fresh else world.standing
        yield world._replace(at="sending", standing=standing, sends=world.sends - 1)
    elif world.at == "sending":
        yield world._replace(at="answered", accepted=world.accepted + 1)
        for place, (_, effects) in enumerate(OUTCOMES):
            failed = world._replace(at=str(place))
            for effect in effects:
                yield failed._replace(
                    accepted=world.accepted + (effect is ACTS),
                    on_the_way=world.on_the_way + (effect is LATE),
                )
    elif world.at == "answered":
        standing = rules.after(world.standing, Delivery.ACCEPTED)
        yield ended(world._replace(standing=standing))
    else:
        error = OUTCOMES[int(world.at)][0]
        if rules.next_step(error) is Next.AGAIN and world.sends:
            yield world._replace(at="ready")
        else:
            standing = rules.after(world.standing, delivery_of(error))
            yield ended(world._replace(standing=standing))


def resumed(world: Once, rules: Rules) -> Iterator[Once]:
    """The program was killed and runs again with its journal."""
    world = world._replace(standing=rules.resumed(world.standing))
    again = world.standing is Standing.NEW or (
        rules.resubmits and world.standing is Standing.UNKNOWN
    )
    yield world._replace(at="ready") if again and world.sends else ended(world)


def wrong_once(rules: Rules) -> tuple[set[str], int]:
    """What can go wrong by these rules, and how many states there are."""
    start = Once()
    seen, waiting, wrong = {start}, [start], set[str]()
    while waiting:
        world = waiting.pop()
        if world.accepted > 1:
            wrong.add("runs twice")
        if world.verdict == FAILED and world.accepted:
            wrong.add("failed but runs")
        if world.verdict == ACCEPTED and not world.accepted:
            wrong.add("lost")
        for following in once(world, rules):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return wrong, len(seen)


def test_a_submission_in_one_request_runs_once_or_is_named_unknown():
    wrong, states = wrong_once(Rules())
    assert wrong == set()
    assert states > 150


def always_again(error: errors.Error) -> Next:
    unknown = delivery_of(error) is Delivery.UNKNOWN
    return Next.AGAIN if unknown else next_step(Phase.WHOLE, error)


def forgetful(standing: Standing, delivery: Delivery) -> Standing:
    return after(Standing.SENDING, delivery)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(next_step=always_again, intends=False), "runs twice"),
        (Rules(intends=False), "runs twice"),
        (Rules(next_step=always_again), "runs twice"),
        (Rules(next_step=always_again), "failed but runs"),
        (
            Rules(
                resumed=lambda standing: (
                    Standing.NEW if standing is Standing.SENDING else standing
                )
            ),
            "runs twice",
        ),
        (Rules(after=forgetful, resubmits=True), "failed but runs"),
    ],
    ids=[
        "no intent, unknown sent again",
        "no intent",
        "unknown sent again",
        "unknown sent again, then refused",
        "what was being sent is new after a crash",
        "a later refusal clears what is unknown",
    ],
)
def test_an_unsafe_rule_for_one_request_is_found_out(rules: Rules, expected: str):
    wrong, _ = wrong_once(rules)
    assert expected in wrong


def test_what_its_user_has_sent_again_may_run_twice_but_never_fails_and_runs():
    wrong, _ = wrong_once(Rules(resubmits=True))
    assert wrong == {"runs twice"}


# --- two phases -----------------------------------------------------------------------

CIRCUITS = 2
"""One in the upload before the last, one in the last."""


class Remote(NamedTuple):
    """A job at the service."""

    circuits: int = 0
    finished: bool = False
    started: int = 0
    """Circuits that have run, or begun to."""
    over: bool = False
    cancelled: bool = False
    denied: bool = False
    """Whether it was said to be cancelled, and was not (P4)."""


class Twice(NamedTuple):
    """One submission in two phases, and the service it goes to."""

    at: str = "open"
    """`open`, `part`, `finish`, `ask`, `cancel`, `settle` or `done`."""
    jobs: tuple[Remote, ...] = ()
    """The last one is the one in hand."""
    on_the_way: tuple[tuple[int, str], ...] = ()
    """Uploads that will arrive later: for which job, and which."""
    mishaps: int = 2
    """How many answers may still get lost, in whichever way."""
    cancelled: int | None = None
    """What the service said of the cancellation."""
    uploading: bool = False
    """Whether the journal says SENDING."""
    verdict: str | None = None


class TwoPhaseRules(NamedTuple):
    """What the client goes by, and which promises the service keeps."""

    part: Callable[[int], Next] = lambda jobs: next_step(Phase.PART, RESET, jobs=jobs)
    finish: Callable[[], Next] = lambda: next_step(Phase.FINISH, RESET)
    asking: Callable[[Status, bool], Next] = lambda status, patient: after_asking(
        status, patient=patient, may_cancel=True
    )
    cancelling: Callable[[Status, int | None, bool, int], Next] = (
        lambda status, cancelled, patient, jobs: after_cancelling(
            status, cancelled, CIRCUITS, patient=patient, jobs=jobs
        )
    )
    broken: str = ""


@cache
def as_told(job: Remote, broken: str) -> Status:
    state, end = State.PENDING_COMPILATION, None
    if job.cancelled or job.denied:
        state, end = State.ABORTED, End.ABORTED
    elif job.over:
        state, end = State.READY, End.READY
    elif job.started and broken != "P4":
        state = State.PENDING_EXECUTION
    return Status(raw="", state=state, end=end)


def received(world: Twice, place: int, upload: str, broken: str) -> Twice:
    """An upload arrives at the service, which may refuse it."""
    job = world.jobs[place]
    if job.cancelled:
        if broken != "P2":
            return world
        job = job._replace(cancelled=False)
    elif job.finished and broken != "P3":
        return world
    job = job._replace(
        circuits=job.circuits + 1, finished=job.finished or upload == "finish"
    )
    return with_job(world, place, job)


def with_job(world: Twice, place: int, job: Remote) -> Twice:
    jobs = (*world.jobs[:place], job, *world.jobs[place + 1 :])
    return world._replace(jobs=jobs)


def twice(world: Twice, rules: TwoPhaseRules) -> Iterator[Twice]:
    """Everything that may happen next."""
    yield from by_itself(world, rules)
    if world.at == "done":
        return
    # killed: what was being sent is unknown, and nothing else was sent
    yield world._replace(at="done", verdict=UNKNOWN if world.uploading else FAILED)
    place = len(world.jobs) - 1
    match world.at:
        case "open":
            if place + 1 < MOST_JOBS:
                yield world._replace(at="part", jobs=(*world.jobs, Remote()))
            yield world._replace(at="done", verdict=FAILED)
        case "part" | "finish":
            world = world._replace(uploading=True)
            arrived = received(world, place, world.at, rules.broken)
            yield (
                arrived._replace(at="finish")
                if world.at == "part"
                else arrived._replace(at="done", verdict=ACCEPTED)
            )
            # refused
            yield world._replace(at="done", verdict=FAILED)
            if world.mishaps:
                fewer = world.mishaps - 1
                late = (*world.on_the_way, (place, world.at))
                for lost in (world, arrived, world._replace(on_the_way=late)):
                    yield lost_upload(lost._replace(mishaps=fewer), rules)
        case "ask":
            told = as_told(world.jobs[place], rules.broken)
            for patient in (True, False):
                step = rules.asking(told, patient)
                # a job may start between the answer and the cancellation
                cancels = step is Next.CANCEL
                yield (world._replace(at="cancel") if cancels else settled(world, step))
        case "cancel":
            yield from cancelled(world, place, rules)
        case _:
            told = as_told(world.jobs[place], rules.broken)
            for patient in (True, False):
                step = rules.cancelling(told, world.cancelled, patient, place + 1)
                yield settled(world, step)


def by_itself(world: Twice, rules: TwoPhaseRules) -> Iterator[Twice]:
    """What the service does by and by."""
    for number, (place, upload) in enumerate(world.on_the_way):
        rest = world.on_the_way[:number] + world.on_the_way[number + 1 :]
        yield received(world._replace(on_the_way=rest), place, upload, rules.broken)
    for place, job in enumerate(world.jobs):
        runs = (job.finished or rules.broken == "P1") and not job.cancelled
        if runs and job.started < job.circuits:
            yield with_job(world, place, job._replace(started=job.started + 1))
        elif runs and job.circuits and not job.over:
            yield with_job(world, place, job._replace(over=True))


def lost_upload(world: Twice, rules: TwoPhaseRules) -> Twice:
    step = rules.part(len(world.jobs)) if world.at == "part" else rules.finish()
    match step:
        case Next.AGAIN:
            return world
        case Next.ADOPT:
            if world.at == "part":
                return world._replace(at="finish")
            return world._replace(at="done", verdict=ACCEPTED)
        case Next.ASK:
            return world._replace(at="ask")
        case _:
            return settled(world, step)


def cancelled(world: Twice, place: int, rules: TwoPhaseRules) -> Iterator[Twice]:
    """The job is cancelled, and the answer comes or gets lost."""
    job, after_it = world.jobs[place], world._replace(at="settle", cancelled=None)
    if rules.broken == "P4":
        denied = with_job(after_it, place, job._replace(denied=True))
        yield denied._replace(cancelled=CIRCUITS)
        return
    if job.over:
        yield after_it
        return
    done = with_job(after_it, place, job._replace(cancelled=True))
    yield done._replace(cancelled=job.circuits - job.started)
    if world.mishaps:
        yield done._replace(mishaps=world.mishaps - 1)
        yield after_it._replace(mishaps=world.mishaps - 1)


def settled(world: Twice, step: Next) -> Twice:
    match step:
        case Next.ASK:
            return world
        case Next.ANOTHER_JOB:
            return world._replace(at="open", uploading=False)
        case Next.ADOPT:
            return world._replace(at="done", verdict=ACCEPTED)
        case Next.END:
            return world._replace(at="done", verdict=FAILED)
        case _:
            return world._replace(at="done", verdict=UNKNOWN)


def wrong_twice(rules: TwoPhaseRules) -> tuple[set[str], int]:
    start = Twice()
    seen, waiting, wrong = {start}, [start], set[str]()
    while waiting:
        world = waiting.pop()
        wrong.update(faults_of(world))
        for following in twice(world, rules):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return wrong, len(seen)


def faults_of(world: Twice) -> Iterator[str]:
    ran = [job for job in world.jobs if job.started]
    if len(ran) > 1 or any(job.started > CIRCUITS for job in ran):
        yield "runs twice"
    if world.verdict == FAILED and ran:
        yield "failed but runs"
    if world.verdict == ACCEPTED:
        mine = len(world.jobs) - 1
        job = world.jobs[mine]
        coming = [upload for place, upload in world.on_the_way if place == mine]
        if not (job.finished or "finish" in coming):
            yield "lost"
        if job.finished and job.circuits < CIRCUITS:
            yield "lost"


def test_a_submission_in_two_phases_runs_once_or_is_named_unknown():
    wrong, states = wrong_twice(TwoPhaseRules())
    assert wrong == set()
    assert states > 400


def none_cancelled_is_clean(
    status: Status, cancelled: int | None, patient: bool, jobs: int
) -> Next:
    # the last upload may never have come, and only the one before it was cancelled
    known = CIRCUITS if cancelled == CIRCUITS - 1 else cancelled
    return after_cancelling(status, known, CIRCUITS, patient=patient, jobs=jobs)


def any_answer_is_clean(
    status: Status, cancelled: int | None, patient: bool, jobs: int
) -> Next:
    known = None if cancelled is None else CIRCUITS
    return after_cancelling(status, known, CIRCUITS, patient=patient, jobs=jobs)


def pending_is_not_there(status: Status, patient: bool) -> Next:
    step = after_asking(status, patient=patient, may_cancel=True)
    return Next.ANOTHER_JOB if step is Next.CANCEL else step


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (TwoPhaseRules(part=lambda jobs: Next.AGAIN), "runs twice"),
        (TwoPhaseRules(part=lambda jobs: Next.ADOPT), "lost"),
        (TwoPhaseRules(finish=lambda: Next.ADOPT), "lost"),
        (TwoPhaseRules(finish=lambda: Next.END), "failed but runs"),
        (TwoPhaseRules(finish=lambda: Next.ANOTHER_JOB), "runs twice"),
        (TwoPhaseRules(asking=pending_is_not_there), "runs twice"),
        (TwoPhaseRules(cancelling=any_answer_is_clean), "runs twice"),
        (TwoPhaseRules(cancelling=none_cancelled_is_clean), "runs twice"),
        (TwoPhaseRules(asking=lambda status, patient: Next.ADOPT), "lost"),
    ],
    ids=[
        "an upload sent again",
        "an upload taken as arrived",
        "a finish taken as arrived",
        "a lost finish is a failure",
        "a lost finish is another job",
        "pending means not finished",
        "any answer to a cancellation is clean",
        "what is missing from the cancelled never came",
        "whatever it says, it runs",
    ],
)
def test_an_unsafe_rule_for_two_phases_is_found_out(
    rules: TwoPhaseRules, expected: str
):
    wrong, _ = wrong_twice(rules)
    assert expected in wrong


@pytest.mark.parametrize(
    ("promise", "needed"), [("P1", True), ("P2", False), ("P3", False), ("P4", True)]
)
def test_the_rules_for_two_phases_stand_on_two_promises_of_the_service(
    promise: str, needed: bool
):
    """P2 and P3 are not needed: nothing follows an upload that may still come."""
    wrong, _ = wrong_twice(TwoPhaseRules(broken=promise))
    assert ("runs twice" in wrong) is needed
