from __future__ import annotations

from itertools import product

import msgspec
import pytest

from qawait import errors
from qawait.journal.records import (
    EndedBy,
    Standing,
    after,
    point_identity,
    standing_of,
)
from qawait.model import Delivery
from qawait.qoro.options import Options

N, R, A, U = (
    Delivery.NOT_DELIVERED,
    Delivery.REJECTED,
    Delivery.ACCEPTED,
    Delivery.UNKNOWN,
)


@pytest.mark.parametrize(
    ("deliveries", "standing"),
    [
        ([N], "new"),
        ([N, N, R], "rejected"),
        ([N, A], "accepted"),
        ([U], "unknown"),
        ([U, R], "unknown"),
        ([U, N], "unknown"),
        ([U, N, R, U], "unknown"),
        ([U, A], "accepted"),
        ([A, R], "rejected"),
        ([R, A], "accepted"),
    ],
)
def test_what_was_unknown_once_stays_so_until_there_is_an_id(
    deliveries: list[Delivery], standing: str
):
    """A4 against A4s of the model: without this, what ran can end as refused."""
    reached = Standing.SENDING
    for delivery in deliveries:
        reached = after(reached, delivery)
    assert reached == standing


def test_an_end_absorbs_every_later_answer():
    for end, delivery in product(("terminal", "superseded", "missing"), Delivery):
        assert after(Standing(end), delivery) == end


def test_a_point_is_its_source_and_not_what_came_of_it():
    base = point_identity(b"h q[0];", {"a": 1.5, "b": 2.0}, 100, Options())
    same = point_identity(b"h q[0];", {"b": 2.0, "a": 1.5}, 100, Options())
    assert base == same
    others = [
        point_identity(b"x q[0];", {"a": 1.5, "b": 2.0}, 100, Options()),
        point_identity(b"h q[0];", {"a": 2.0, "b": 1.5}, 100, Options()),
        point_identity(b"h q[0];", {"a": 1.5, "b": 2.0}, 101, Options()),
        point_identity(b"h q[0];", {"a": 1.5, "b": 2.0}, None, Options()),
        point_identity(
            b"h q[0];", {"a": 1.5, "b": 2.0}, 100, Options(use_packing=True)
        ),
    ]
    assert len({base, *others}) == 6


def test_a_point_has_the_same_identity_in_every_process():
    """Journals live longer than versions; this one is written down."""
    found = point_identity(b"h q[0];", {"b": 2.0, "a": 1.5}, 100, {"x": 1})
    assert (
        found.hex()
        == "5d33328a6806bf44f23d1aa81f0a0400864b858a8e7fbabec757e99902ed6fe4"
    )
    assert point_identity(b"h q[0];", {"a": 1.5, "b": 2}, 100, {"x": 1}) == found


def test_an_option_that_a_later_version_adds_does_not_change_old_points():
    class Older(msgspec.Struct):
        packing: bool = False

    class Newer(msgspec.Struct):
        packing: bool = False
        cooling: bool = True

    old = [point_identity(b"h", {}, 1, Older(packing)) for packing in (False, True)]
    new = [point_identity(b"h", {}, 1, Newer(packing)) for packing in (False, True)]
    assert old == new
    assert len({*new, point_identity(b"h", {}, 1, Newer(cooling=False))}) == 3


@pytest.mark.parametrize(
    "error",
    [
        errors.JobFailed("too wide", job_id="j", raw="failed"),
        errors.JobCancelled("by hand", job_id="j", raw="aborted"),
        errors.JobTimedOut("late", job_id="j", raw="TIMED_OUT"),
        errors.InsufficientCredits("none left", job_id="j", raw="x", resume="pay"),
        errors.ResultGone("deleted", job_id="j", raw="404"),
        errors.JobMissing("never heard of it", job_id="j"),
    ],
)
def test_an_error_that_ended_a_job_comes_back_as_it_was(error: errors.JobError):
    again = EndedBy.of(error).error("j")
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


@pytest.mark.parametrize("kind", ["Unheard", "os", "SubmissionUncertain", "Error"])
def test_an_error_of_another_version_is_an_error_of_a_job(kind: str):
    again = EndedBy(kind=kind, message="hm").error("j")
    assert type(again) is errors.JobError
    assert str(again) == "job j: hm"


def test_only_a_jobs_own_end_is_one():
    """After the others it is followed again."""
    assert standing_of(errors.JobFailed("x")) is Standing.TERMINAL
    assert standing_of(errors.JobMissing("x")) is Standing.MISSING
    for error in (
        errors.ClientClosed("x"),
        errors.AuthenticationError(401, "x"),
        errors.ResultMismatch("x"),
        errors.TransportError("x"),
    ):
        assert standing_of(error) is None
