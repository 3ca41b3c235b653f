"""Until when all jobs of the front were known to run, against a look at each of them."""

from __future__ import annotations

import math
from random import Random

from qawait._queue_front import Front
from qawait._queue_line import Line

SEED = 3


def test_the_least_that_is_known_is_that_of_a_look_at_each():
    """Jobs come, go, come back and are known to run for longer, in any order."""
    random = Random(SEED)
    front, line = Front(), Line()
    assert front.alive() == -math.inf
    inside, outside = [], [line.append(n, 0.0, 1.0) for n in range(200)]
    for now in range(20_000):
        choice = random.random()
        if choice < 0.3 and outside:
            place = outside.pop(random.randrange(len(outside)))
            place.blocked_until = random.uniform(0, now)
            front.add(place)
            inside.append(place)
        elif choice < 0.55 and inside:
            place = inside.pop(random.randrange(len(inside)))
            front.remove(place)
            outside.append(place)
        elif inside:
            random.choice(inside).alive = float(now)
        known = min((max(p.alive, p.blocked_until) for p in inside), default=-math.inf)
        assert front.alive() == known, f"seed {SEED}, step {now}"
        assert len(front) == len(inside)
        assert set(map(id, front)) == set(map(id, inside))


def test_a_front_that_nobody_asks_needs_no_more_memory():
    front, line = Front(), Line()
    for n in range(10_000):
        place = line.append(n, 0.0, 1.0)
        front.add(place)
        front.remove(place)
    assert len(front._least_known) < 200
