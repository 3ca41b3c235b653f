"""Views of jobs and sweeps in a real kernel, across cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebook.kernels import (
    LAUNCH,
    UVLOOP,
    Kernel,
    id_of,
    is_update,
    kernel,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    "h q[0]; cx q[0], q[1]; c = measure q;"
)
A_JOB = """
import asyncio, gc
from qawait._job import Job
from qawait.errors import ClientClosed
from qawait.model import CircuitRecord, Manifest, State, Status

async def cancel(job_id): pass

def a_job(name):
    records = (CircuitRecord(label="a", shots=7),)
    manifest = Manifest(circuits=records, target="garnet")
    return Job(name, submission_id="s", manifest=manifest, cancel=cancel)

def views():
    return [task for task in asyncio.all_tasks() if task.get_name() == "qawait view"]

waiting = Status(raw="waiting", state=State.PENDING_EXECUTION, queue_position=3)
closed = ClientClosed("the client was closed", job_id="j")
loop = asyncio.get_running_loop()
"""


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    with kernel() as one:
        one.run(A_JOB)
        yield one


@pytest.mark.timeout(150)
@pytest.mark.parametrize("launch", [LAUNCH, UVLOOP], ids=["asyncio", "uvloop"])
def test_a_job_is_submitted_in_one_cell_seen_to_end_and_awaited_in_another(launch: str):
    with kernel(launch) as notebook:
        notebook.run(
            "import asyncio, qawait\nfrom qawait.testing import service\n"
            "slow = service(service_time=1.0)\nthere = await slow.__aenter__()\n"
            "client = await qawait.open(there.iqm)"
        )
        [shown] = notebook.run(f"job = await client.submit({BELL!r}, shots=70)\njob")
        assert shown["msg_type"] == "display_data"
        # no cell runs, and the view goes on
        notebook.seen(lambda m: is_update(m, id_of(shown)) and ": ready" in text_of(m))
        [counts] = notebook.run("sum((await job)[0].counts().values())")
        assert text_of(counts) == "70"
        [sweep] = notebook.run(
            f"sweep = await client.start_sweep([{BELL!r}] * 6, shots=10, batch=3)\nsweep"
        )
        assert text_of(sweep).startswith("Sweep on square20, simulated: running")
        notebook.seen(
            lambda m: is_update(m, id_of(sweep)) and "6 points wait" in text_of(m)
        )
        [points] = notebook.run("len([point async for point in sweep])")
        assert text_of(points) == "6"
        notebook.seen(lambda m: is_update(m, id_of(sweep)) and "complete" in text_of(m))
        [loop] = notebook.run("type(asyncio.get_running_loop()).__module__")
        assert ("uvloop" in text_of(loop)) == (launch == UVLOOP)
        [closed] = notebook.run("await client.close()\nclient")
        assert text_of(closed).startswith("Client: closed")


def test_a_view_is_renewed_while_no_cell_runs(started: Kernel):
    [shown] = started.run(
        "job = a_job('ended')\nloop.call_later(0.1, job.observe, waiting)\njob"
    )
    assert "pending compilation" in text_of(shown).splitlines()[0]
    renewed = started.seen(lambda m: is_update(m, id_of(shown)))
    assert "3 jobs ahead" in text_of(renewed)
    assert "pending execution" in renewed["content"]["data"]["text/html"]
    started.run("job.settle(closed)")


def test_a_view_is_written_only_when_something_has_changed(started: Kernel):
    [shown] = started.run("job = a_job('same')\njob")
    # two looks, told by the kernel and not by our clock
    started.run("from qawait._live import PAUSE\nawait asyncio.sleep(2.5 * PAUSE)")
    assert started.updates(id_of(shown)) == []
    started.run("job.settle(closed)")
    assert len(started.updates(id_of(shown))) == 1


def test_a_view_ends_with_its_job_and_leaves_no_task(started: Kernel):
    started.run("await asyncio.gather(*views())")
    [shown] = started.run("job = a_job('left')\njob")
    [alive] = started.run("len(views())")
    started.run("[view] = views()\njob.settle(closed)\nawait view\ndel view")
    [left] = started.run("from qawait import _live\nlen(views()), len(_live._views)")
    assert (text_of(alive), text_of(left)) == ("1", "(0, 0)")
    assert "client closed" in started.updates(id_of(shown))[-1]


def test_what_is_shown_twice_is_one_view(started: Kernel):
    first, second = started.run("job = a_job('twice')\ndisplay(job)\njob")
    [views] = started.run("len(views())")
    started.run("job.settle(closed)")
    assert id_of(first) == id_of(second)
    assert text_of(views) == "1"


def test_the_end_is_written_as_a_part_of_the_cell_in_which_it_came(started: Kernel):
    """Who runs notebooks without a front end hears only what belongs to a cell."""
    [shown] = started.run("job = a_job('certain')\njob")
    started.run("job.settle(closed)")
    *_, last = (m for m in started.heard if is_update(m, id_of(shown)))
    [asked] = [
        m for m in started.heard if m["content"].get("code") == "job.settle(closed)"
    ][-1:]
    assert last["parent_header"]["msg_id"] == asked["parent_header"]["msg_id"]


def test_what_changed_between_cells_is_written_again_in_the_next(started: Kernel):
    [shown] = started.run(
        "job = a_job('between')\nloop.call_later(0.1, job.observe, waiting)\njob"
    )
    before = started.seen(lambda m: is_update(m, id_of(shown)))
    started.run("'the next cell'")
    again = started.heard[started.heard.index(before) + 1 :]
    [told] = [m for m in again if is_update(m, id_of(shown))]
    [cell] = [m for m in again if m["msg_type"] == "execute_input"]
    assert told["parent_header"]["msg_id"] == cell["parent_header"]["msg_id"]
    assert told["content"]["data"] == before["content"]["data"]
    started.run("job.settle(closed)")


SAID = """
import logging
said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
log = logging.getLogger("qawait")
log.addHandler(handler)
log.propagate = False
"""


def test_a_view_that_fails_says_so_and_leaves_the_job_alone(started: Kernel):
    started.run(SAID + "await asyncio.gather(*views())")
    [shown] = started.run("job = a_job('spoilt')\njob")
    [told] = started.run(
        "[view] = views()\njob.manifest = None\nawait asyncio.wait([view])\nprint(said)"
    )
    assert told["content"]["text"].count("is not renewed any more") == 1
    [result] = started.run(
        "job.settle(closed)\ntry:\n    await job\nexcept ClientClosed as e:\n    print(e)"
    )
    assert result["content"]["text"] == "the client was closed\n"
    assert started.updates(id_of(shown)) == []
    [left] = started.run("log.removeHandler(handler)\nlen(views()), len(said)")
    assert text_of(left) == "(0, 1)"


def test_what_has_ended_is_an_ordinary_output(started: Kernel):
    [shown] = started.run("job = a_job('over')\njob.settle(closed)\njob")
    assert shown["msg_type"] == "execute_result"
    assert "text/html" in shown["content"]["data"]


def test_a_forgotten_await_says_so(started: Kernel):
    started.run("import qawait, warnings\nwarnings.simplefilter('ignore')")
    [opened] = started.run("client = qawait.open()\nclient")
    assert "not awaited" in text_of(opened)
    assert (
        "<code>await qawait.open(...)</code>" in opened["content"]["data"]["text/html"]
    )
    [result] = started.run("a_job('forgotten').result()")
    assert "write `await job.result(...)`" in text_of(result)
    [said] = started.run(
        "try:\n    client.submit\nexcept AttributeError as e:\n    print(e)"
    )
    assert "no 'submit': write `await qawait.open(...)`" in said["content"]["text"]
