"""Whatever a service says about a job, in whatever order: an end is an end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_poller import FakeService, following, job

from qawait.errors import Error
from qawait.iqm.dialects import SERVER, V1
from qawait.iqm.states import WORDS as IQM_WORDS
from qawait.model import Answer, State, Status
from qawait.qoro.dialect import DIALECT as QORO
from qawait.qoro.dialect import WORDS as QORO_WORDS
from qawait.testing import run_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qawait.model import Dialect

SERVER_WORDS = [
    "waiting",
    "processing",
    "completed",
    "failed",
    "cancelled",
    "deleted",
]
WORDS = {
    SERVER.name: SERVER_WORDS,
    V1.name: list(IQM_WORDS),
    QORO.name: list(QORO_WORDS),
}
DIALECTS = {dialect.name: dialect for dialect in (SERVER, V1, QORO)}
TERMINAL = {State.READY, State.FAILED, State.ABORTED}


def read(dialect: Dialect, word: str) -> Status:
    body = {"id": "j-1", "status": word}
    return dialect.read_status(Answer(200, {}, json.dumps(body).encode()))


def said_in_turn(dialect: Dialect, words: Sequence[str]) -> tuple[FakeService, Any]:
    """A service that says one word after the other, and then the last one again."""
    left = list(words)

    def say(job_id: str, now: float) -> Status:
        return read(dialect, left.pop(0) if len(left) > 1 else left[0])

    return FakeService(say), left


@st.composite
def anomalies(draw: st.DrawFn) -> tuple[str, list[str]]:
    name = draw(st.sampled_from(sorted(WORDS)))
    known = st.sampled_from(WORDS[name])
    unknown = st.text(max_size=12) | st.sampled_from(["RÉADY", "ready ", "0", "None"])
    words = draw(st.lists(known | unknown, min_size=1, max_size=12))
    # what was said comes again, and in another order
    again = draw(st.lists(st.sampled_from(words), max_size=6))
    return name, words + again


@settings(max_examples=60)
@given(anomalies())
def test_a_wait_ends_if_and_only_if_an_end_was_said(drawn: tuple[str, list[str]]):
    name, words = drawn
    dialect = DIALECTS[name]
    ends = [n for n, word in enumerate(words) if read(dialect, word).end is not None]

    async def main() -> None:
        source, left = said_in_turn(dialect, words)
        followed = job()
        async with following(source, followed) as poller:
            if not ends:
                with anyio.fail_after(6 * 3600):
                    while len(left) > 1:  # noqa: ASYNC110 (virtual time)
                        await anyio.sleep(10)
                await anyio.sleep(60)
                assert not followed.done()
                assert followed.state not in TERMINAL
                return
            outcome: Any = None
            with anyio.fail_after(6 * 3600):
                try:
                    outcome = await followed
                except Error as error:
                    outcome = error
            end = read(dialect, words[ends[0]])
            assert len(source.asked) == ends[0] + 1, "nothing is asked after an end"
            before = (followed.state, followed.changes, followed.raw)
            # answers that were under way, or a service that has changed its mind
            for word in words:
                assert not followed.observe(read(dialect, word))
            assert (followed.state, followed.changes, followed.raw) == before
            assert isinstance(outcome, Error) == (end.end.name != "READY")
            assert len(poller) == 0
            states = [change.state for change in followed.changes]
            assert states == sorted(states, key=list(State).index)

    run_virtual(main)


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_word_of_another_release_is_no_end(name: str):
    for word in ("READY?", "completed_", "", "\x1b[2J", "ready\n", "9" * 5000):
        status = read(DIALECTS[name], word)
        assert (status.state, status.end) == (None, None), word
        assert cast("str", status.raw) == word
