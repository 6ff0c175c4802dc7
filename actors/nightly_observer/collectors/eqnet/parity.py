"""The origin's own numbers by the origin's own formulas, with what is odd about them (dossier of seed 004: EQNet).

In: replay events, and the blocks `defrag` and `forgetting` of its configuration. Out: what its night reports. Odd and
kept: every duplicate is a conflict as well; episodes are counted and called clusters; events without an episode are
one; pairs stop at `max_pairs`; a weight of 0 is read as 1; a night that changed nothing has the sign balance 0, and in
`ratio` mode so has one that only lost; a consent override counts as drift. No file is read or written.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from actors.nightly_observer.collectors.eqnet.shapes import Item, Json, ReplayEvent, number, part

SECONDS_PER_DAY: Final = 86_400.0


@dataclass(frozen=True)
class ObserveRules:
    """`defrag.observe` of the origin's configuration; the defaults are its own."""

    duplicate_from: float | None = 0.82
    conflict_from: float | None = 0.4
    cooccur_min: int = 2
    max_pairs: int = 1000
    rollup_budget: int = 64
    top_k: int = 5
    bands: tuple[float, ...] = (0.5, 0.7, 0.85, 0.95)


@dataclass(frozen=True)
class ForgettingRules:
    """`forgetting` of the origin's configuration; the defaults are its own."""

    recall_k: float = 0.25
    recall_window_days: float | None = 7.0
    recall_weight: float = 0.1
    affect_weight: float = 0.2
    interference_weight: float = 0.2
    interference_k: float = 1.0
    reconsolidation_rate: float = 0.3
    base_delta: float = 0.0
    max_delta: float = 0.08
    min_weight: float = 0.05
    max_weight: float = 1.0
    monument_lock: bool = True
    monument_floor: float | None = 0.06
    consent_floor: float = 0.02
    consent_tags: tuple[str, ...] = ()
    epsilon: float = 0.0
    sign_mode: str = "ratio"


@dataclass(frozen=True)
class Observed:
    """The block `defrag.observe`."""

    duplicate_ids: frozenset[str]
    conflict_ids: frozenset[str]
    reference_candidate_count: int
    reference_true_count: int
    """Without the limit of the origin."""
    is_lower_bound: bool
    """Whether there may be more than the true count says."""
    rollup_candidate_count: int
    low_level_count: int
    """Events whose kind contains l1 or l2."""
    top: tuple[tuple[str, float], ...]
    clusters_by_band: tuple[tuple[float, int], ...]

    @property
    def is_saturated(self) -> bool:
        """Whether pairs were left uncounted."""
        return self.reference_true_count > self.reference_candidate_count


@dataclass(frozen=True)
class Health:
    """The block `forgetting.forgetfulness_health`."""

    delta_abs_max: float
    delta_abs_mean: float
    delta_nonzero_count: int
    delta_sign_balance: float
    recall: int
    affect: int
    interference: int
    floors_applied: int
    consent_overrides: int
    monument_locks: int


def observe_rules(defrag: Json) -> ObserveRules:
    """The rules in `defrag`, the origin's defaults where it says nothing."""
    observe, plain = part(defrag, "observe"), ObserveRules()
    duplicate = number(observe.get("duplicate_similarity_threshold", defrag.get("cluster_similarity_threshold")))
    conflict = number(observe.get("conflict_interference_threshold", defrag.get("conflict_isolation_strength")))
    budget = number(observe.get("rollup_trigger_budget", defrag.get("rollup_trigger_budget")))
    bands = observe.get("similarity_bands")
    lows = tuple(sorted(low for each in bands if (low := number(each)) is not None)) if isinstance(bands, list) else ()
    return ObserveRules(
        duplicate_from=plain.duplicate_from if duplicate is None else duplicate,
        conflict_from=plain.conflict_from if conflict is None else conflict,
        cooccur_min=_whole(observe.get("cooccur_min"), plain.cooccur_min),
        max_pairs=_whole(observe.get("max_pairs"), plain.max_pairs),
        rollup_budget=plain.rollup_budget if budget is None else int(budget),
        top_k=_whole(observe.get("top_k"), plain.top_k),
        bands=lows or plain.bands,
    )


def forgetting_rules(forgetting: Json, metrics: Json) -> ForgettingRules:
    """The rules in `forgetting` and `nightly.forgetfulness_metrics`, the origin's defaults where they say nothing."""
    plain = ForgettingRules()
    names = {"max_delta": "max_delta_w", "min_weight": "min_w", "max_weight": "max_w"}
    names |= {"monument_floor": "monument_connection_floor"}
    given: dict[str, float] = {}
    for name, default in vars(plain).items():
        value = number(forgetting.get(names.get(name, name)))
        if value is not None and isinstance(default, float):
            given[name] = value
    tags = forgetting.get("consent_override_tags")
    return ForgettingRules(
        **{**vars(plain), **given}
        | {
            "consent_tags": tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
            "monument_lock": bool(forgetting.get("monument_w_lock", True)),
            "epsilon": number(metrics.get("epsilon")) or 0.0,
            "sign_mode": "signed" if metrics.get("sign_balance_mode") == "signed" else "ratio",
        }
    )


def observe(events: Sequence[ReplayEvent], rules: ObserveRules) -> Observed:
    """What the origin's look at `events` counts."""
    duplicates: set[str] = set()
    conflicts: set[str] = set()
    rows = []
    for event in events:
        is_masked = event.action == "mask"
        if event.similarity is not None:
            rows.append((event.episode_id, event.similarity))
            if rules.duplicate_from is not None and event.similarity >= rules.duplicate_from and not is_masked:
                duplicates.add(event.episode_id)
            if rules.conflict_from is not None and event.similarity >= rules.conflict_from:
                conflicts.add(event.episode_id)
        if is_masked:
            conflicts.add(event.episode_id)
    pairs, is_bound = _pairs(events, rules)
    low_level = sum("l1" in event.memory_kind or "l2" in event.memory_kind for event in events)
    return Observed(
        duplicate_ids=frozenset(duplicates),
        conflict_ids=frozenset(conflicts),
        reference_candidate_count=min(pairs, rules.max_pairs),
        reference_true_count=pairs,
        is_lower_bound=is_bound,
        rollup_candidate_count=max(0, low_level - rules.rollup_budget),
        low_level_count=low_level,
        top=tuple(sorted(rows, key=lambda row: -row[1])[: rules.top_k]),
        clusters_by_band=_banded([similarity for _, similarity in rows], rules.bands),
    )


def forget(events: Sequence[ReplayEvent], rules: ForgettingRules, now_s: float, monuments: set[str]) -> list[Item]:
    """The change that the origin makes to each of `events`, as it would log it."""
    recalls = Counter(trace for event in events for trace in event.recalls)
    return [_forgotten(event, rules, recalls, now_s, monuments) for event in events]


def health(items: Sequence[Item], rules: ForgettingRules) -> Health:
    """What the origin says of a night of `items`."""
    deltas = [each.delta for each in items]
    up, down = sum(delta > rules.epsilon for delta in deltas), sum(delta < -rules.epsilon for delta in deltas)
    balance = 0.0
    if up + down:
        balance = (up - down) / (up + down) if rules.sign_mode == "signed" else up / (up + down)
    return Health(
        delta_abs_max=max(map(abs, deltas), default=0.0),
        delta_abs_mean=sum(map(abs, deltas)) / len(deltas) if deltas else 0.0,
        delta_nonzero_count=sum(abs(delta) > rules.epsilon for delta in deltas),
        delta_sign_balance=balance,
        recall=sum(each.recall > rules.epsilon for each in items),
        affect=sum(each.affect > rules.epsilon for each in items),
        interference=sum(each.interference > rules.epsilon for each in items),
        floors_applied=sum(each.floor for each in items),
        consent_overrides=sum(each.consent for each in items),
        monument_locks=sum(each.lock for each in items),
    )


def _forgotten(
    event: ReplayEvent, rules: ForgettingRules, recalls: Mapping[str, int], now_s: float, monuments: set[str]
) -> Item:
    before = event.weight or 1.0
    after, factors = before, (0.0, 0.0, 0.0)
    has_consent = any(tag in rules.consent_tags for tag in event.tags)
    is_locked = rules.monument_lock and event.memory_kind == "monument" and not has_consent
    if has_consent:
        after = min(before, rules.consent_floor)
    elif not is_locked:
        factors = _factors(event, rules, recalls, now_s)
        delta = rules.base_delta + rules.recall_weight * factors[0]
        delta -= rules.affect_weight * factors[1] * rules.reconsolidation_rate
        delta -= rules.interference_weight * factors[2]
        if rules.max_delta > 0.0:
            delta = min(rules.max_delta, max(-rules.max_delta, delta))
        after = min(rules.max_weight, max(rules.min_weight, before + delta))
    is_linked = bool(event.episode_id) and event.episode_id in monuments
    is_lifted = rules.monument_floor is not None and is_linked and after < rules.monument_floor
    if is_lifted and rules.monument_floor is not None:
        after = rules.monument_floor
    return Item(event.trace_id, after - before, *factors, consent=has_consent, lock=is_locked, floor=is_lifted)


def _factors(
    event: ReplayEvent, rules: ForgettingRules, recalls: Mapping[str, int], now_s: float
) -> tuple[float, float, float]:
    """Recall, affect and interference of one event."""
    recall = min(1.0, rules.recall_k * recalls.get(event.trace_id, 0))
    stamp = now_s if event.timestamp_s is None else event.timestamp_s
    if rules.recall_window_days is not None and (now_s - stamp) / SECONDS_PER_DAY > rules.recall_window_days:
        recall = 0.0
    affect = min(1.0, abs(event.emotion or 0.0))
    return recall, affect, min(1.0, rules.interference_k * (event.similarity or 0.0))


def _pairs(events: Sequence[ReplayEvent], rules: ObserveRules) -> tuple[int, bool]:
    """Unordered pairs of episodes that share a tag which enough of them carry; whether there may be more."""
    if rules.cooccur_min <= 1 or rules.max_pairs <= 0:
        return 0, False
    rank = {episode: at for at, episode in enumerate(sorted({event.episode_id for event in events}))}
    carriers: dict[str, set[int]] = defaultdict(set)
    for event in events:
        for tag in event.tags:
            carriers[tag].add(rank[event.episode_id])
    crowds = sorted((sorted(ids) for ids in carriers.values() if len(ids) >= rules.cooccur_min), key=len, reverse=True)
    codes, left = [np.empty(0, dtype=np.int64)], _PAIRS_IN_MEMORY
    for crowd in crowds:
        pairs = len(crowd) * (len(crowd) - 1) // 2
        if pairs > left:
            largest = len(crowds[0]) * (len(crowds[0]) - 1) // 2
            return max(largest, _different(codes)), True
        left -= pairs
        first, second = np.triu_indices(len(crowd), 1)
        ids = np.array(crowd, dtype=np.int64)
        codes.append(ids[first] * len(rank) + ids[second])
    return _different(codes), False


def _different(codes: Sequence[npt.NDArray[np.int64]]) -> int:
    """How many different numbers there are; sorted, which is faster here than a hash of each."""
    every = np.sort(np.concatenate(codes))
    return int((every[1:] != every[:-1]).sum()) + bool(len(every))


def _banded(similarities: Sequence[float], bands: tuple[float, ...]) -> tuple[tuple[float, int], ...]:
    """Similarities in each half-open band, by its lower end; the last one has no upper end."""
    if len(bands) < 2:
        return ()
    counts = [(low, sum(low <= each < high for each in similarities)) for low, high in pairwise(bands)]
    return (*counts, (bands[-1], sum(each >= bands[-1] for each in similarities)))


def _whole(value: object, default: int) -> int:
    found = number(value)
    return default if found is None else int(found)


_PAIRS_IN_MEMORY: Final = 20_000_000
"""Beyond so many no more are looked at, and the count is a lower bound."""
