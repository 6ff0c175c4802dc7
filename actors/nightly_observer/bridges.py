"""Dreams that hold two chroma bins together (seed 004: bridge), and pairs that are often retrieved together.

In: a `Day`, its bins, the thresholds. Out: findings for the heaviest bridges, and the reference candidates. What links
dreams are events: an answer links all that it holds by 1, a birth child and parent by 2, a factoid those that share it
by 1. For a dream i of bin a and another bin c: w is the weight of its links into c, k the number of dreams that they
reach, share = w / the weight of all links between a and c. A bridge has w, k and share at least as large as their
limits. One answer can do all that by chance, and a dream that is in almost every answer does it with every bin. So i
has to be with c in two events or more, and in more of its events than chance allows: were c in each of them as likely
as in any event of the day, at most `MOST_BY_CHANCE` dreams of the day would be with a bin so often. How likely a bin is
is counted with one event more for each bin, of that bin alone, so that a day of few events proves little. The `top` by
w x share are kept.

Bounded: an answer, or a factoid, links the first `LINKED` of its dreams; after `MOST_LINKS` links no more are made, and
the result says that it is saturated.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.bins import bins_of
from actors.nightly_observer.day import Day
from actors.nightly_observer.spread import binomial_tail
from schemas.dream_seeds import MAX_ANCHORS, Finding, evidence
from schemas.night_settings import BridgeSettings

LINKED: Final = 64
MOST_LINKS: Final = 2_000_000
LINEAGE_WEIGHT: Final = 2
LEAST_EVENTS: Final = 2
MOST_BY_CHANCE: Final = 0.05
"""Bridges of a day that chance may be expected to make."""

Pair = tuple[int, int]
"""Two dreams by row, or two bins, the lower first."""


class Event(NamedTuple):
    """Something that linked some dreams."""

    rows: tuple[int, ...]
    """In ascending order, each once."""
    weight: int
    is_answer: bool


@dataclass
class Events:
    """What linked dreams in a day."""

    found: list[Event] = field(default_factory=list)
    answers: int = 0
    is_saturated: bool = False
    links: int = 0

    def add(self, rows: list[int], weight: int = 1, *, is_answer: bool = False) -> None:
        """Link all of `rows` with each other."""
        some = tuple(sorted(set(rows[:LINKED])))
        self.links += len(some) * (len(some) - 1) // 2
        if len(rows) > LINKED or self.links > MOST_LINKS:
            self.is_saturated = True
        if len(some) > 1 and self.links <= MOST_LINKS:
            self.found.append(Event(some, weight, is_answer))


class Bridges(NamedTuple):
    """What links the dreams of a day."""

    findings: tuple[Finding, ...]
    reference_candidates: int
    is_saturated: bool
    answers: int


@dataclass(frozen=True)
class _Bridge:
    row: int
    from_bin: int
    to_bin: int
    weight: int
    neighbours: tuple[int, ...]
    """The heaviest first."""
    cross: int
    events: int
    """Between the bins, that it is part of."""
    cross_events: int
    own_events: int
    """Of the dream."""
    likely: float
    """The probability of the other bin in an event."""
    pairs: int
    """Dreams and other bins that something links."""

    @property
    def share(self) -> float:
        return self.weight / self.cross

    @property
    def chance(self) -> float:
        """How many dreams of the day are expected to be with a bin so often by chance."""
        return self.pairs * binomial_tail(self.events, self.own_events, self.likely)

    @property
    def rank(self) -> tuple[float, int]:
        return -self.weight * self.share, self.row


def find_bridges(day: Day, settings: BridgeSettings, bins: int, reference_weight: float, anchors: Anchors) -> Bridges:
    """The bridges of the day, and how many pairs were together in more than `reference_weight` answers."""
    events = events_of(day)
    rows = np.array(sorted({row for event in events.found for row in event.rows}), dtype=np.int64)
    candidates = sorted(_candidates(events, bins_of(day.pool.colours, rows, bins), bins), key=lambda each: each.rank)
    held = [each for each in candidates if _is_bridge(each, settings)][: settings.top]
    shown = held or candidates[:1]
    together = Counter(pair for event in events.found if event.is_answer for pair in combinations(event.rows, 2))
    return Bridges(
        tuple(_finding(each, settings, day, anchors) for each in shown),
        sum(count > reference_weight for count in together.values()),
        events.is_saturated,
        events.answers,
    )


def events_of(day: Day) -> Events:
    """What linked dreams in the day."""
    events = Events()
    for answer in np.flatnonzero((day.answers.ts_ns >= day.from_ns) & (day.answers.ts_ns < day.to_ns)).tolist():
        events.answers += 1
        events.add(day.answers.of(answer).tolist(), is_answer=True)
    for child, parent in day.pool.parents.tolist():
        events.add([child, parent], LINEAGE_WEIGHT)
    factoids = day.pool.factoids[np.lexsort((day.pool.factoids[:, 0], day.pool.factoids[:, 1]))]
    for sharing in np.split(factoids[:, 0], np.flatnonzero(np.diff(factoids[:, 1])) + 1):
        events.add(sharing.tolist())
    return events


def _is_bridge(each: _Bridge, settings: BridgeSettings) -> bool:
    is_wide = len(each.neighbours) >= settings.min_neighbours
    is_heavy = each.weight >= settings.min_weight and each.share >= settings.min_share
    return is_heavy and is_wide and each.events >= LEAST_EVENTS and each.chance <= MOST_BY_CHANCE


def _candidates(events: Events, of_row: dict[int, int], count: int) -> list[_Bridge]:
    """Every dream with every other bin, of `count`, that something links it with."""
    cross: Counter[Pair] = Counter()
    cross_events: Counter[Pair] = Counter()
    part: Counter[tuple[int, int]] = Counter()
    of_bin, of_dream = _often(events, of_row)
    reach: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for event in events.found:
        bins = {of_row[row] for row in event.rows}
        cross_events.update(combinations(sorted(bins), 2))
        part.update((row, other) for row in event.rows for other in bins if other != of_row[row])
        for low, high in combinations(event.rows, 2):
            first, second = of_row[low], of_row[high]
            if first != second:
                cross[_pair(first, second)] += event.weight
                reach[low, second][high] += event.weight
                reach[high, first][low] += event.weight
    found = []
    for (row, other), weights in reach.items():
        bins_pair = _pair(of_row[row], other)
        neighbours = tuple(each for _, each in sorted((-weight, each) for each, weight in weights.items()))
        likely = (of_bin[other] + 1) / (len(events.found) + count + 1)
        counts = (part[row, other], cross_events[bins_pair], of_dream[row], likely, len(reach))
        found.append(_Bridge(row, of_row[row], other, weights.total(), neighbours, cross[bins_pair], *counts))
    return found


def _often(events: Events, of_row: dict[int, int]) -> tuple[Counter[int], Counter[int]]:
    """In how many events each bin is, and each dream."""
    of_bin: Counter[int] = Counter()
    of_dream: Counter[int] = Counter()
    for event in events.found:
        of_bin.update({of_row[row] for row in event.rows})
        of_dream.update(event.rows)
    return of_bin, of_dream


def _pair(first: int, second: int) -> Pair:
    return (first, second) if first < second else (second, first)


def _finding(each: _Bridge, settings: BridgeSettings, day: Day, anchors: Anchors) -> Finding:
    shown = evidence(
        "bridge.edge_share",
        each.weight,
        ">=",
        settings.min_weight,
        each.cross_events,
        events=each.events,
        chance=each.chance,
        w=each.weight,
        k=len(each.neighbours),
        share=each.share,
        cross_total=each.cross,
        bin_a=each.from_bin,
        bin_b=each.to_bin,
        min_neighbours=settings.min_neighbours,
        min_share=settings.min_share,
    )
    dreams = (each.row, *each.neighbours)[:MAX_ANCHORS]
    return Finding(
        seed_type="bridge",
        fires=_is_bridge(each, settings),
        evidence=shown,
        anchors=tuple(anchors.of("dream", day.pool.ids[row]) for row in dreams),
        bins=(each.from_bin, each.to_bin),
    )
