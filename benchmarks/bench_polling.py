"""How many questions does a job cost, and how late is the news? In virtual time.

Simulated queues (`tests.simulated_queue`), the schedule itself and no network. The
service only says whether a job has ended: the poorest it can say. The rivals ask about
each job at ages of its own, each over all its parameters; at its best known one they
stand in the table. Seeds differ from round to round and are the same for all.
"""

from __future__ import annotations

import math
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulated_queue import (
    History,
    Outcome,
    Rival,
    Scenario,
    follow,
    follow_as,
    questions_at,
    rivals,
    run_queue,
)

import qawait
from benchmarks import harness
from qawait._pace import Pace
from qawait._queue_schedule import QueueSchedule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

QUESTION = "How many questions does a job cost, and how late is the news?"
IQM_UNITS = 2000
"""Units per 10 s that IQM allows, of which a read costs 10."""
OURS = "qawait"
USUAL = {
    "fixed 1 s": Rival("fixed", 1.0),
    "exponential backoff": Rival("backoff", 1.6),
    "age-proportional": Rival("age-proportional", 1.25),
}
RIVALS = [
    harness.Rival(name, lambda: Path(sys.executable), "in this process")
    for name in (OURS, *USUAL)
]
FIRST_SEED = 100
"""The settings of the schedule were chosen with smaller seeds."""
MANY = (1.2, 1.5, 2.0, 2.45, 3.0, 4.0, 6.0, 10.0, 20.0)
"""Questions per job for our curve."""


class Case(NamedTuple):
    """A scenario and what is demanded there."""

    scenario: Scenario
    demand: str
    """"fifo", "limit" (only its share counts), "unordered" or "" for nothing."""


def fifo(jobs: int) -> list[Case]:
    cases = []
    for service_time in (0.2, 2.0, 60.0):
        for cv in (0.1, 0.5, 1.0):
            for servers in (1, 2, 4, 8):
                # each job takes a read for its end and one for its result
                binds = 2 * servers / service_time >= IQM_UNITS / 100
                scenario = Scenario(
                    name=f"{jobs:,} fifo {service_time:g} s cv {cv:g} c {servers}",
                    jobs=jobs,
                    servers=servers,
                    service_time=service_time,
                    cv=cv,
                    units_per_window=IQM_UNITS,
                )
                cases.append(Case(scenario, "limit" if binds else "fifo"))
    return cases


def others(jobs: int) -> list[Case]:
    outage = (300.0, 900.0)
    unordered: list[dict[str, Any]] = [
        {"name": "random order c 1", "random_order": True, "cv": 1.0},
        {"name": "random order c 4", "random_order": True, "cv": 0.5, "servers": 4},
        {"name": "heavy tail c 1", "heavy_tail": True},
        {"name": "heavy tail c 4", "heavy_tail": True, "servers": 4},
        {
            "name": "heavy tail, random order c 4",
            "heavy_tail": True,
            "random_order": True,
            "servers": 4,
        },
        {"name": "all run at once", "servers": jobs, "service_time": 600.0},
        {
            "name": "all run at once, heavy tail",
            "servers": jobs,
            "service_time": 600.0,
            "heavy_tail": True,
        },
    ]
    rest: list[dict[str, Any]] = [
        {"name": "20 end together", "together": 20, "cv": 0.5},
        {"name": "5 waves c 2", "waves": 5, "servers": 2},
        {"name": "outage of 10 min c 1", "outage": outage},
        {"name": "outage of 10 min c 4", "outage": outage, "servers": 4, "cv": 1.0},
        {"name": "outage, random order", "outage": outage, "random_order": True},
        {"name": "1 stranger per 2 jobs c 1", "strangers": 0.5},
        {"name": "1 stranger per job c 4", "strangers": 1.0, "servers": 4},
        {"name": "3 strangers per job c 1", "strangers": 3.0, "cv": 0.1},
        {
            "name": "3 strangers per job c 1, positions told",
            "strangers": 3.0,
            "cv": 0.1,
            "tells_position": True,
        },
        {
            "name": "fifo 2 s cv 1 c 4, running told",
            "servers": 4,
            "cv": 1.0,
            "tells_running": True,
        },
        {
            "name": "fifo 2 s cv 1 c 4, times told",
            "servers": 4,
            "cv": 1.0,
            "tells_times": True,
        },
        {
            "name": "fifo 2 s cv 1 c 4, all told",
            "servers": 4,
            "cv": 1.0,
            "tells_running": True,
            "tells_position": True,
            "tells_times": True,
        },
    ]
    return [
        Case(Scenario(**{**how, "name": f"{jobs:,} {how['name']}", "jobs": jobs}), d)
        for d, group in (("unordered", unordered), ("", rest))
        for how in group
    ]


def best_possible(scenario: Scenario, questions: float) -> float:
    """The least mean delay at so many questions, for memoryless service times."""
    q = questions
    return scenario.service_time * (-q * math.log(1 - 1 / q) - 1)


def longest_delay(scenario: Scenario) -> float:
    """What is demanded of the mean delay in a first-in-first-out queue, in seconds.

    0.28 service times is the least that is possible at 2.5 questions, without memory.
    """
    share = scenario.service_time / scenario.servers
    return max(share, 1.3 * 0.28 * scenario.service_time)


def ask(scenario: Scenario, history: History, seed: int, **wishes: Any) -> Outcome:
    return follow(QueueSchedule(Random(seed), Pace(**wishes)), scenario, history)


def history_of(scenario: Scenario, seed: int) -> History:
    return run_queue(scenario, Random(f"{scenario.name} {seed}"))


def play(case: Case, seed: int, rival: str) -> Outcome:
    history = history_of(case.scenario, seed)
    if rival == OURS:
        return ask(case.scenario, history, seed)
    return follow_as(USUAL[rival], case.scenario, history, Random(seed))


def age_proportional(scenario: Scenario, seed: int) -> list[Outcome]:
    history = history_of(scenario, seed)
    random = Random(seed)
    return [
        follow_as(rival, scenario, history, random)
        for rival in rivals()["age-proportional"]
    ]


def verdict(case: Case, ours: Sequence[Outcome]) -> str:
    """Whether the medians over the rounds meet what is demanded."""
    questions = statistics.median(o.questions_per_job for o in ours)
    delay = statistics.median(o.delay for o in ours)
    match case.demand:
        case "fifo":
            bound = longest_delay(case.scenario)
            met = questions <= 2.5 and delay <= bound
            return f"{'met' if met else 'NOT MET'} (2.5, {bound:.3g} s)"
        case "limit":
            share = statistics.median(o.limit_used for o in ours)
            return f"{'met' if share >= 0.9 else 'NOT MET'} ({share:.0%} of the limit)"
        case "unordered":
            ratio = statistics.median(
                o.questions_per_job
                / questions_at(age_proportional(case.scenario, seed), o.delay)
                for seed, o in enumerate(ours, FIRST_SEED)
            )
            met = "met" if ratio <= 1.2 else "NOT MET"
            return f"{met} ({ratio:.2f} of age-proportional's questions)"
        case _:
            return ""


def figures(cases: Sequence[Case]) -> list[harness.Figure]:
    found = []
    for case in cases:
        name = case.scenario.name
        found += [
            harness.Figure(f"{name}: questions per job", _reader(name, "questions")),
            harness.Figure(f"{name}: mean delay in s", _reader(name, "delay")),
        ]
    return found


def _reader(name: str, what: str) -> Any:
    return lambda run: run.report[name][what]


def measure(
    cases: Sequence[Case], options: argparse.Namespace
) -> tuple[list[harness.Run], dict[str, list[Outcome]]]:
    """Let every rival play every case; also our outcomes by the name of the case."""
    runs: list[harness.Run] = []
    ours: dict[str, list[Outcome]] = {case.scenario.name: [] for case in cases}
    for turn, rival in enumerate(harness.turns(RIVALS, options)):
        seed = FIRST_SEED + turn // len(options.rival or RIVALS)
        report: dict[str, Any] = {
            "versions": {
                "qawait": qawait.__version__,
                "python": platform.python_version(),
            }
        }
        began = time.process_time()
        for case in cases:
            outcome = play(case, seed, rival.name)
            report[case.scenario.name] = {
                "questions": outcome.questions_per_job,
                "delay": outcome.delay,
            }
            if rival.name == OURS:
                ours[case.scenario.name].append(outcome)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        used = time.process_time() - began
        runs.append(harness.Run(rival.name, report, used, peak))
    return runs, ours


def print_table(
    cases: Sequence[Case],
    runs: Sequence[harness.Run],
    ours: dict[str, list[Outcome]],
) -> None:
    names = list(dict.fromkeys(run.rival for run in runs))
    print(QUESTION, "(medians; questions per job / mean delay in s)")
    width = max(len(case.scenario.name) for case in cases)
    print(f"\n{'':{width}}" + "".join(f"  {name:>19}" for name in names))
    for case in cases:
        name = case.scenario.name
        line = f"{name:{width}}"
        for rival in names:
            mine = [run.report[name] for run in runs if run.rival == rival]
            questions = statistics.median(one["questions"] for one in mine)
            delay = statistics.median(one["delay"] for one in mine)
            line += f"  {questions:>8.4g} / {delay:>8.4g}"
        print(f"{line}  {verdict(case, ours[name]) if ours[name] else ''}".rstrip())


def plot(file: str, jobs: int) -> None:
    """Draw every strategy's curve, questions against delay, for four queues."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    shown = [
        Scenario(name="first in, first out, 1 server, cv 0.1", jobs=jobs, cv=0.1),
        Scenario(
            name="first in, first out, 8 servers, cv 1", jobs=jobs, cv=1.0, servers=8
        ),
        Scenario(name="random order, 1 server", jobs=jobs, cv=1.0, random_order=True),
        Scenario(name="heavy tail, 4 servers", jobs=jobs, heavy_tail=True, servers=4),
    ]
    figure, all_axes = pyplot.subplots(2, 2, figsize=(11, 8), sharex=True)
    for axes, scenario in zip(all_axes.flat, shown, strict=True):
        history = history_of(scenario, 0)
        curves = {
            name: [follow_as(r, scenario, history, Random(0)) for r in over]
            for name, over in rivals().items()
        }
        curves["qawait, questions_per_job"] = [
            ask(scenario, history, 0, questions_per_job=q) for q in MANY
        ]
        curves["qawait, max_staleness"] = [
            ask(scenario, history, 0, max_staleness=s) for s in (2.0, 1.0, 0.5, 0.2)
        ]
        for name, curve in curves.items():
            axes.plot(
                [o.questions_per_job for o in curve],
                [o.delay for o in curve],
                marker="o" if "qawait" in name else ".",
                linestyle="-" if "qawait" in name else "--",
                label=name,
            )
        if not (scenario.random_order or scenario.heavy_tail):
            at = [1.1 * 1.1**n for n in range(40)]
            axes.plot(
                at,
                [best_possible(scenario, q) for q in at],
                color="grey",
                linewidth=0.8,
                label="best possible without memory",
            )
        axes.set(xscale="log", yscale="log", title=scenario.name)
        axes.set(xlabel="questions per job", ylabel="mean delay of news in s")
        axes.grid(alpha=0.3)
    all_axes[0][0].legend(fontsize=8)
    figure.suptitle(f"{jobs:,} jobs submitted at once, mean service time 2 s")
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def main() -> None:
    options = harness.parse_options(
        QUESTION,
        RIVALS,
        plot={"metavar": "FILE", "help": "draw questions against delay, and no more"},
        jobs={"type": int, "action": "append", "help": "2000 and 10000 otherwise"},
    )
    if options.plot:
        plot(options.plot, 100 if options.smallest else 2000)
        return
    sizes = [60] if options.smallest else options.jobs or [2000, 10_000]
    for jobs in sizes:
        cases = fifo(jobs) + others(jobs)
        runs, ours = measure(cases, options)
        if options.json:
            size, name = {"jobs": jobs}, f"polling_{jobs}"
            harness.report(name, QUESTION, size, runs, figures(cases), options)
        else:
            print_table(cases, runs, ours)


if __name__ == "__main__":
    main()
