"""What is learned of one queue of a service: pure, time is an argument.

Some explanations of the queue are kept side by side: so many servers that take the
oldest job, with so regular a service time; or no order at all. Each forecasts every
answer, and the one that forecast best lately is believed. An explanation is a hazard:
the chance per second that a job ends, summed up over its time on a server as
(age / scale) ** shape. Shape 1 has no memory, a large shape is regular, a small one has
a heavy tail.
"""

from __future__ import annotations

import math
from bisect import insort
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from random import Random

    from qawait._queue_line import Place

__all__ = ["RECENT", "SERVERS", "SHAPES", "Explanation", "QueueModel"]

SERVERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
"""The numbers of jobs running at once that are considered."""
SHAPES = (0.35, 0.6, 1.0, 2.0, 5.0, 12.0)
"""How regular service times are considered to be: CV 4.9, 1.8, 1, 0.5, 0.23, 0.1."""
_USUAL = (-3.0, -2.0, 0.0, 0.0, 0.0, 0.0)
"""How usual each shape is, as a logarithm."""
_REGULAR_AT_FIRST = (0.0, 0.0, 0.0, -1.0, -2.5, -4.0)
"""Regular service times are believed in only with evidence: asking for news when it is
sure to have come, one is never early enough to see that it could come earlier."""
_MANY_SERVERS_AT_FIRST = 0.6
"""Many servers are believed in at first, for asking too far ahead shows the mistake
after a few questions; asking too little shows nothing (`bench_polling`, 8 servers)."""
_FEW_SERVERS_IN_THE_END = -0.3
_NO_ORDER = -8.0
_DOUBT = 0.01
"""The least chance an explanation gives to what then happens."""
_FADE = 0.995
"""What an answer leaves of the evidence before it, so that a queue may change."""
_USUAL_CHANCE = 0.3
"""Questions with a smaller chance of news make the evidence fade less."""
_EVERY_ANSWER = 300
"""So many answers are shown to the explanations; afterwards one of `_ONE_IN`."""
_ONE_IN = 8
_HOPELESS = 12.0
"""Explanations with so much less evidence than the best are rarely shown an answer."""
_CERTAIN = 0.99
"""From this disorder on, answers from deep in the queue are ordinary."""
_LEAD = 1.5
"""The evidence by which another explanation must be better to be believed."""
_GROWTH = 1.5
_ENOUGH_PLACES = 3
"""So far jobs must have moved up until it is known how fast they do."""
_MANY_ENDS = 50
_ENDS_KEPT = 4096
RECENT = 256
"""How many ends tell how fast the queue moves."""
_LARGEST_POWER = 600.0
_ENDLESS = math.exp(_LARGEST_POWER)


class Explanation(Struct):
    """One way to explain the queue: how many servers, and how long a job takes."""

    servers: int | None
    """How many jobs run at once, oldest first; None: all, from their submission."""
    shape: float
    usual: float
    """The evidence for it without any answer, to which it fades."""
    evidence: float
    """Logarithm of its likelihood: how well it forecast lately, and how usual it is."""
    log_scale: float = 0.0

    def hazard(self, age: float) -> float:
        """Hazard summed up to an age in seconds on a server."""
        if age <= 0:
            return 0.0
        power = self.shape * (math.log(age) - self.log_scale)
        return math.exp(power) if power < _LARGEST_POWER else _ENDLESS

    def age_at(self, hazard: float) -> float:
        """The age at which the hazard sums up to this."""
        if hazard <= 0:
            return 0.0
        power = self.log_scale + math.log(hazard) / self.shape
        return math.exp(min(power, _LARGEST_POWER))

    def mean(self) -> float:
        """Mean service time in seconds."""
        return math.exp(self.log_scale) * math.gamma(1 + 1 / self.shape)


class QueueModel:
    """The explanations of one queue, and which of them are believed."""

    def __init__(
        self, random: Random, small_age: float = 0.5, *, asked_often: bool = False
    ) -> None:
        """Begin without knowledge.

        Args:
            random: Draws what is learned from.
            small_age: The age in seconds below which a job's age says nothing.
            asked_often: Whether most questions are asked too early to bring news. They
                say little, and must not wipe out the evidence of those that do.
        """
        self._asked_often = asked_often
        self._fade = _FADE
        self._random = random
        self._small_age = max(small_age, 0.001)
        self._ordered = [
            [
                Explanation(
                    servers,
                    shape,
                    usual + _FEW_SERVERS_IN_THE_END * math.log(servers),
                    usual + at_first + _MANY_SERVERS_AT_FIRST * math.log(servers),
                )
                for shape, usual, at_first in zip(
                    SHAPES, _USUAL, _REGULAR_AT_FIRST, strict=True
                )
            ]
            for servers in SERVERS
        ]
        self._unordered = [Explanation(None, k, _NO_ORDER, _NO_ORDER) for k in SHAPES]
        self._groups = [*self._ordered, self._unordered]
        self._best = [group[0] for group in self._groups]
        self.believed = self._ordered[0][SHAPES.index(1.0)]
        """The best explanation with an order."""
        self.believed_unordered = self._unordered[SHAPES.index(1.0)]
        """The best in which every job runs from its submission."""
        self.age_power = 0.5
        """Where nothing but the age counts: the hazard while it grows by a factor e."""
        self.ages_only = True
        """Whether that is better than `believed_unordered`."""
        self._age_evidence = _NO_ORDER
        self.disorder = 0.0
        """The weight of the explanations without an order, 0 to 1."""
        self.correction = 1.0
        """Factor on the hazard that makes it fit the share of ends in the answers."""
        self.position_time = 0.0
        """Seconds in which a job moves up by one, where the service tells positions."""
        self._places_moved = self._moved_in = 0.0
        self.learned = False
        """Whether any end is known; before, scales mean nothing."""
        self.ends: list[float] = []
        """When servers became free, as estimated; ascending, the oldest forgotten."""
        self.recent: list[float] = []
        """The last ends of all, whether they freed a server or not; ascending."""
        self._passed = 0
        """Jobs that left the queue and have no end in `ends`."""
        self._before = -math.inf
        """The last end that was forgotten."""
        self._answers = self._ends_seen = 0
        self._exposure = 0.0
        """Seconds for which jobs were seen in progress before any end was known."""

    @property
    def settled(self) -> bool:
        """Whether enough is known to take the order for granted."""
        return self._ends_seen >= _MANY_ENDS and self.disorder < 0.01

    # --- forecasts -------------------------------------------------------------------

    def ends_before_start(self, place: Place, servers: int) -> int:
        """How many more jobs must end before this one can start; 0 or less: none."""
        return place.index - servers - self._passed - len(self.ends) + 1

    def turn_of(
        self, place: Place, explanation: Explanation, head_alive: float
    ) -> float:
        """When a job's turn came or will come, from the order and nothing else.

        Args:
            place: The job.
            explanation: Its servers take the oldest job whenever one is free.
            head_alive: When the oldest job was last known not to have ended.
        """
        servers = explanation.servers
        if servers is None:
            return place.submitted
        needed = self.ends_before_start(place, servers)
        if needed > 0:
            latest = max(self.ends[-1], head_alive) if self.ends else head_alive
            start = latest + needed * explanation.mean() / servers
        elif -needed < len(self.ends):
            start = self.ends[needed - 1]
        else:
            start = self._before
        return max(start, place.submitted)

    def start_of(
        self, place: Place, explanation: Explanation, head_alive: float
    ) -> float:
        """The same, with what the service said of this job."""
        if place.started is not None:
            return place.started
        start = self.turn_of(place, explanation, head_alive)
        if place.ahead:
            start = max(start, place.waiting_at + place.ahead * self.position_time)
        return min(start, place.running_at)

    def chance(self, place: Place, now: float, head_alive: float) -> float:
        """How likely a job has ended since it was alive, as believed."""
        believed = self.believed
        start = self.start_of(place, believed, head_alive)
        past = believed.hazard((place.alive - start) / place.size)
        grown = believed.hazard((now - start) / place.size) - past
        return -math.expm1(-grown * self.correction)

    def time_of(self, place: Place, hazard: float, start: float) -> float:
        """When the hazard of a job has grown by this since it was alive, as believed.

        Never at once: a twentieth of its age on a server passes at least, or a scale
        learned too small would ask about the same job again and again.
        """
        believed = self.believed
        past = believed.hazard((place.alive - start) / place.size)
        age = believed.age_at(past + hazard / self.correction)
        return max(start + place.size * age, place.alive + 0.03 * (place.alive - start))

    def time_without_order(self, place: Place, hazard: float) -> float:
        """The same where the order says nothing: only from the age of the job.

        Ages grow by no more than the factor 1.5 from question to question.
        """
        age = place.alive - place.submitted
        growth = math.exp(min(hazard / self.age_power, 5.0))
        latest = _GROWTH * (age + self._small_age) - self._small_age
        if self.ages_only:
            next_age = growth * (age + self._small_age) - self._small_age
        else:
            law = self.believed_unordered
            past = law.hazard(age / place.size)
            next_age = law.age_at(past + hazard) * place.size
            next_age = max(next_age, 1.03 * age)
        return place.submitted + min(next_age, latest)

    def end_of(self, place: Place, now: float, head_alive: float) -> float:
        """When a job that is found ended at `now` did so: the median, as believed."""
        believed = self.believed
        start = self.start_of(place, believed, head_alive)
        if start >= now:
            return (place.alive + now) / 2
        past = believed.hazard((place.alive - start) / place.size)
        grown = believed.hazard((now - start) / place.size) - past
        age = believed.age_at(past - math.log1p(0.5 * math.expm1(-grown)))
        return min(max(start + place.size * age, place.alive), now)

    # --- learning --------------------------------------------------------------------

    def learn(
        self,
        place: Place,
        now: float,
        head_alive: float,
        *,
        ended: bool,
        running: bool | None = None,
    ) -> None:
        """Show an answer to the explanations; `place` is as it was before the answer.

        Args:
            place: The job that was asked about.
            now: The time of the answer.
            head_alive: When the oldest job was last known not to have ended.
            ended: Whether the job has ended.
            running: Whether it is on a server; None if the service does not say.
        """
        self._answers += 1
        self._ends_seen += ended
        if not self.learned:
            self._exposure += now - place.alive
            if ended:
                self._take_first_end(place, now)
            return
        surprise = 0.0
        if place.in_front:
            chance = self.chance(place, now, head_alive)
            surprise = ended - chance
            if self._asked_often:
                self._fade = _FADE ** min(chance / _USUAL_CHANCE, 1.0)
            correction = self.correction * math.exp(0.02 * surprise)
            self.correction = min(max(correction, 0.2), 5.0)
        settled = self._answers > _EVERY_ANSWER
        # answers from deep in the queue and surprising ones are few, and tell most
        ordinary = abs(surprise) < 0.9 and (place.in_front or self.disorder > _CERTAIN)
        if settled and ordinary and self._random.random() * _ONE_IN > 1:
            return
        best = max(self.believed.evidence, self._evidence_against_order())
        hopeless = best - _HOPELESS
        for number, group in enumerate(self._groups):
            if (
                settled
                and self._best[number].evidence < hopeless
                and self._random.random() > 0.1
            ):
                continue
            # the shapes of a group differ in their means, on which only the starts of
            # waiting jobs depend: a middle shape stands for all of them
            middle = group[len(group) // 2]
            start = self.start_of(place, middle, head_alive)
            word = 0.0
            if middle.servers is not None and (running or place.started is not None):
                turn = self.turn_of(place, middle, head_alive)
                known = now if place.started is None else place.started
                off = turn - known if place.started is None else abs(turn - known)
                word = -min(max(off, 0.0) / middle.mean(), 2.0)
            self._show(group, place, now, start, ended=ended, word=word)
            self._best[number] = max(group, key=_evidence)
        self._show_age(place, now, ended=ended)
        self._believe()

    def _take_first_end(self, place: Place, now: float) -> None:
        """Let the first end set the scale of every explanation."""
        time = max((place.alive + now) / 2 - place.submitted, 1e-3) / place.size
        looked_at = max(self._exposure / (time * place.size), 1.0)
        doublings = math.log1p(time * place.size / self._small_age)
        self.age_power = min(1 / (looked_at * doublings), 0.5)
        for group in self._groups:
            servers = group[0].servers
            if servers is None:
                # so many jobs were looked at for all that time, and one had ended
                for explanation in group:
                    off = math.log(looked_at) / explanation.shape
                    explanation.log_scale = math.log(time) + off
                continue
            share = servers / max(place.index + 1, servers)
            for explanation in group:
                explanation.log_scale = math.log(time * share)
        if not place.in_front:
            self._age_evidence -= math.log(_DOUBT)
        self.learned = True
        self._best = [max(group, key=_evidence) for group in self._groups]
        self._believe()

    def _show(
        self,
        group: list[Explanation],
        place: Place,
        now: float,
        start: float,
        *,
        ended: bool,
        word: float,
    ) -> None:
        known = (place.alive - start) / place.size
        age = (now - start) / place.size
        log_known = math.log(known) if known > 0 else -math.inf
        log_age = math.log(age) if age > 0 else -math.inf
        rate = max(1 / (self._ends_seen + 1), 0.01)
        for e in group:
            power = e.shape * (log_known - e.log_scale)
            past = math.exp(power) if power < _LARGEST_POWER else _ENDLESS
            power = e.shape * (log_age - e.log_scale)
            total = math.exp(power) if power < _LARGEST_POWER else _ENDLESS
            alive = math.exp(past - total)
            chance = _DOUBT + (1 - 2 * _DOUBT) * (1 - alive)
            said = math.log(chance if ended else 1 - chance) + word
            e.evidence = e.usual + self._fade * (e.evidence - e.usual) + said
            # as much hazard shall have passed as jobs have ended; those that go on tell
            # as much as those that ended, between the last answer and this one
            grown = total - past
            if not ended:
                e.log_scale += rate * min(grown, 3.0) / e.shape
            elif total > 6e-6:
                passed = -1.0
                if 1e-9 < grown < 50:
                    passed = -grown / math.expm1(grown)
                e.log_scale += rate * passed / e.shape
            elif age > 0:
                # next to impossible with this scale: a smaller step would take for ever
                e.log_scale += 0.2 * (log_age - e.log_scale)

    def _show_age(self, place: Place, now: float, *, ended: bool) -> None:
        known = place.alive - place.submitted + self._small_age
        grown = self.age_power * math.log(
            (now - place.submitted + self._small_age) / known
        )
        chance = _DOUBT + (1 - 2 * _DOUBT) * -math.expm1(-grown)
        said = math.log(chance if ended else 1 - chance)
        evidence = self._fade * (self._age_evidence - _NO_ORDER)
        self._age_evidence = _NO_ORDER + evidence + said
        passed = grown
        if ended:
            passed = 1 - grown / math.expm1(grown) if grown > 1e-9 else 0.0
        # as much hazard shall have passed as jobs have ended
        power = self.age_power * math.exp(0.05 * (ended - passed))
        self.age_power = min(max(power, 0.005), 20.0)

    def _believe(self) -> None:
        *ordered, self.believed_unordered = self._best
        best = max(ordered, key=_evidence)
        if best.evidence > self.believed.evidence + _LEAD:
            self.believed = best
            if not 0.5 < self.correction < 2:
                self.correction = 1.0
        self.ages_only = self._age_evidence >= self.believed_unordered.evidence
        against = self._evidence_against_order() - best.evidence
        self.disorder = 1 / (1 + math.exp(min(max(-against, -50.0), 50.0)))

    def _evidence_against_order(self) -> float:
        return max(self._age_evidence, self.believed_unordered.evidence)

    def moved_up(self, places: int, seconds: float) -> None:
        """Note how far a waiting job moved up between two answers."""
        self._places_moved = 0.98 * self._places_moved + places
        self._moved_in = 0.98 * self._moved_in + seconds
        if self._places_moved >= _ENOUGH_PLACES:
            self.position_time = self._moved_in / self._places_moved

    # --- who has left ----------------------------------------------------------------

    def ended(self, at: float) -> None:
        """Note that a job ended."""
        insort(self.recent, at)
        if len(self.recent) > 2 * RECENT:
            del self.recent[:RECENT]

    def freed(self, at: float) -> None:
        """Note that a server became free: a job at the front ended or was left."""
        insort(self.ends, at)

    def skipped(self) -> None:
        """Note that a job left the queue and had no part in its order."""
        self._passed += 1

    def forget(self, oldest: int) -> None:
        """Forget ends after which no job in progress started.

        Args:
            oldest: Index of the oldest job in progress.
        """
        unneeded = oldest - SERVERS[-1] - self._passed - _ENDS_KEPT // 8
        surplus = max(unneeded, len(self.ends) - 2 * _ENDS_KEPT)
        surplus = min(surplus, len(self.ends))
        if surplus >= _ENDS_KEPT // 8:
            self._before = self.ends[surplus - 1]
            del self.ends[:surplus]
            self._passed += surplus


def _evidence(explanation: Explanation) -> float:
    return explanation.evidence
