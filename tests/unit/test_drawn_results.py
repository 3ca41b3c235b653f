"""Results that are drawn and not simulated: random, of the right shape, repeatable."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import uuid4

import anyio
import pytest
from tests.service.running import circuit, measure, run_request

from qawait.local.engine import Engine
from qawait.local.jobs import Job, Moment, Stage, now
from qawait.local.ledger import Ledger
from qawait.local.options import ServeOptions
from qawait.local.work import KINDS, Work

SHOTS = 999
"""Odd, so that no key ends with a whole byte of drawn bits."""
QUBITS = ("QB3", "QB1", "QB2")
BODY = json.dumps(
    run_request(
        circuit("a", measure("m", *QUBITS), measure("k", "QB1")),
        circuit("b", measure("m", *QUBITS)),
        shots=SHOTS,
    )
).encode()


def drawn(name: str, seed: int = 5) -> Any:
    text = KINDS["iqm"].fabricate(Work((BODY,), seed=seed), name)
    assert text is not None
    return json.loads(text)


def test_every_shot_of_every_key_is_drawn() -> None:
    first, second = drawn("measurements")
    assert (list(first), list(second)) == (["m", "k"], ["m"])
    for rows, width in ((first["m"], 3), (first["k"], 1), (second["m"], 3)):
        assert len(rows) == SHOTS
        assert {len(row) for row in rows} == {width}
        for column in zip(*rows, strict=True):
            # Further from the half than this is no coin in a million million draws.
            assert set(column) == {0, 1}
            assert abs(sum(column) - SHOTS / 2) < 120
    assert first["m"] != second["m"]
    assert [row[0] for row in first["m"]] != [row[1] for row in first["m"]]


def test_a_seed_draws_the_same_again_and_another_one_something_else() -> None:
    assert drawn("measurements") == drawn("measurements")
    assert drawn("measurements") != drawn("measurements", seed=6)


def test_the_last_bits_are_drawn_like_the_others() -> None:
    """They stand in a byte that is not full."""
    last = {drawn("measurements", seed)[0]["k"][-1][0] for seed in range(20)}
    assert last == {0, 1}


def test_counts_are_those_of_the_drawn_measurements() -> None:
    """The first key first, each in the order of its locus."""
    for rows, counted in zip(
        drawn("measurements"), drawn("measurement_counts"), strict=True
    ):
        shots = zip(*rows.values(), strict=True)
        texts = ["".join(str(bit) for key in shot for bit in key) for shot in shots]
        assert counted == {"measurement_keys": list(rows), "counts": Counter(texts)}
        assert list(counted["counts"]) == sorted(counted["counts"])


class OneBody:
    """A store with one request in it."""

    async def parts(self, job_id: str) -> tuple[bytes, ...]:
        return (BODY,)


@pytest.mark.parametrize(("shots", "apart"), [(10_000, False), (10_001, True)])
async def test_many_shots_are_drawn_beside_the_event_loop(
    shots: int, apart: bool
) -> None:
    """Other tasks go on meanwhile, and only then: a few take less than a thread."""
    job = Job(
        id=str(uuid4()),
        kind="iqm",
        dialect="iqm-v1",
        target="square20",
        circuits=2,
        shots=shots,
        timeline=[Moment(Stage.READY, now())],
        drawn=True,
        seed=5,
    )
    engine = Engine(OneBody(), Ledger(), ServeOptions(null=True))  # type: ignore[arg-type]
    others = 0

    async def go_on() -> None:
        nonlocal others
        while True:
            others += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(go_on)
        found = await engine.result(job, "measurements")
        assert (others > 0) is apart
        group.cancel_scope.cancel()
    assert json.loads(found or b"") == drawn("measurements")
