"""How a seed came about: formula, numbers, threshold. What it means is said nowhere.

In: the kind of a seed, or one of a night by its rank or anchor. Out: the rule that is applied, in symbols, where each
symbol is from, and for a seed of a night its numbers. Refused: a seed that is not there.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.base import Record
from schemas.dream_artifact import SeedLine
from schemas.dream_seeds import SEED_TYPES
from supervisor.errors import UsageError
from supervisor.nightly.reading import NightView, key_of
from supervisor.tables import draw_table

LEAST_ANCHOR: Final = 6
"""Characters by which an anchor may be named."""


class Rule(NamedTuple):
    """A formula."""

    text: str
    inputs: str


RULES: Final[Mapping[str, Rule]] = {
    "duplicate.ratio": Rule("sum(size - 1) / N", "size: dreams of a cluster; N: dreams of the night"),
    "duplicate.exact_pairs": Rule("pairs with equal tensor_sha256", "pairs of a dream of the night and an older one"),
    "conflict.bin_mix": Rule(
        "M = 2 min(U+, U-) / (U+ + U-), against max(min_mix, median_b M + mads x 1.4826 x MAD_b M)",
        "U+, U-: sums of the utilities of a chroma bin beyond tau on either side; tau: 0.25 x 1.4826 x their MAD",
    ),
    "conflict.pool_mix": Rule("median over bins of M", "M: as in conflict.bin_mix; bins: those with enough records"),
    "conflict.both_signs": Rule(
        "dreams with a record above tau and one below -tau", "records of the night without repeats"
    ),
    "conflict.bin_flip": Rule(
        "min(|average now|, |average before|) / tau where their signs differ",
        "averages of a bin, in the night and before",
    ),
    "bridge.edge_share": Rule(
        "w, with k >= min_neighbours, w / W >= min_share, and pairs x P(X >= events), X ~ B(m, q), at most 0.05",
        "w: weight of a dream's links into another bin, k: dreams they reach; W: of all links between the two bins; "
        "events: of its m events, those with that bin, which q of all events have; pairs: dreams and bins with a link",
    ),
    "budget_pressure.fill": Rule("max(dreams / most dreams, bytes / most bytes)", "the pool after the night"),
    "budget_pressure.nights_to_full": Rule(
        "(most dreams - dreams) / (inserted - evicted)",
        "the pool after the night; inserted, evicted: that night",
    ),
    "budget_pressure.churn": Rule("evicted / inserted", "dreams of the night"),
    "budget_pressure.compaction_age": Rule(
        "age of the last compaction / median time between compactions", "compactions so far"
    ),
    "guard_overuse.bias_clamp_nights": Rule(
        "nights running with k / n >= max_clamped", "k: components of the bias held at their cap, of n"
    ),
    "guard_overuse": Rule(
        "L, the low end of the 95 % Wilson interval of k / n, against max(min_rate, median + mads x 1.4826 x MAD)",
        "k: times that the guard acted, of n; median, MAD: of its rates in the nights before",
    ),
    "eqnet.duplicate_count": Rule("episodes with similarity >= threshold and no mask", "replay events or a report"),
    "eqnet.conflict_count": Rule("episodes in conflict that are no duplicates", "replay events or a report"),
    "eqnet.references": Rule("whether any pair of episodes shares a tag", "replay events or a report"),
    "eqnet.rollup_fill": Rule("events / budget, against (budget + 1) / budget", "events whose kind contains l1 or l2"),
    "eqnet.equal_rows": Rule(
        "sum(size - 1) / n", "size: turns that are equal but for id and time; n: turns of the day"
    ),
    "eqnet.equal_qualia": Rule("sum(size - 1) / n", "size: equal vectors; n: vectors of the day"),
    "eqnet.verdict_mix": Rule(
        "2 min(accepted, rejected) / (accepted + rejected)", "different turns of a scenario; at least 8, 3 of each"
    ),
    "eqnet.throttle": Rule("whether the budget was throttled", "memory_thermo"),
    "eqnet.energy_fill": Rule("used / limit", "the energy budget in memory_thermo"),
    "eqnet.channel_level": Rule("level / capacity, while more was spent than recovered", "a channel in memory_thermo"),
    "eqnet": Rule("L, the low end of the 95 % Wilson interval of k / n", "k: times that the guard acted, of n"),
}
"""By formula, or by the part before its last dot where all of a family are alike."""


class Explained(Record):
    """A rule, and a seed that it gave."""

    seed_type: str
    formula: str
    rule: str
    inputs: str
    date: str | None
    """Of the night; None for a rule alone."""
    tone: str | None
    value: float | None
    op: str | None
    threshold: float | None
    n: int | None
    numbers: dict[str, float]
    """What else the value was made of, where the night keeps it."""
    anchors: tuple[str, ...]


def explain(named: str, night: NightView | None) -> tuple[Explained, ...]:
    """The seeds that `named` is the type, the rank from 1 on or the anchor of; the rules of a type without a night."""
    if night is None:
        if named not in SEED_TYPES:
            raise UsageError(f"{named!r} is no seed type, and there is no night to look in; they are: {_types()}")
        return tuple(_of_rule(formula, named) for formula in RULES if formula.partition(".")[0] == named)
    found = [seed for at, seed in enumerate(night.block.seeds, 1) if _is_named(named, at, seed)]
    if found:
        return tuple(_of_seed(seed, night) for seed in found)
    if named in SEED_TYPES:
        return explain(named, None)
    count = len(night.block.seeds)
    raise UsageError(
        f"the night of {night.date} has no seed {named!r}; name a type ({_types()}), an anchor or 1 to {count}"
    )


def draw_explained(found: tuple[Explained, ...]) -> list[str]:
    """As text."""
    lines: list[str] = []
    for each in found:
        rows = [("formula", each.rule), ("inputs", each.inputs)]
        if each.value is not None:
            rows.append(("value", f"{each.value:g} {each.op} {each.threshold:g}, n = {each.n}, tone {each.tone}"))
            rows += [(name, f"{number:g}") for name, number in each.numbers.items()]
            rows += [] if each.numbers else [("numbers", "a night keeps those of the strongest of each type alone")]
            rows += [("anchor", anchor) for anchor in each.anchors]
        lines += [f"{each.seed_type}  {each.formula}", *(f"  {row}" for row in draw_table(rows, left={0, 1}))]
    return lines


def _is_named(named: str, rank: int, seed: SeedLine) -> bool:
    has_anchor = len(named) >= LEAST_ANCHOR and any(anchor.startswith(named) for anchor in seed.anchors)
    return named in (seed.type, str(rank)) or has_anchor


def _of_seed(seed: SeedLine, night: NightView) -> Explained:
    rule, closest = rule_of(seed.formula), night.closest.get(seed.type)
    key = key_of(seed.type, seed.formula, seed.value)
    return Explained(
        seed_type=seed.type,
        formula=seed.formula,
        rule=rule.text,
        inputs=rule.inputs,
        date=night.date,
        tone=seed.tone,
        value=seed.value,
        op=seed.op,
        threshold=seed.threshold,
        n=seed.n,
        numbers=dict(closest.numbers) if closest and closest.key == key else {},
        anchors=seed.anchors,
    )


def _of_rule(formula: str, seed_type: str) -> Explained:
    rule = RULES[formula]
    return Explained(
        seed_type=seed_type,
        formula=formula,
        rule=rule.text,
        inputs=rule.inputs,
        date=None,
        tone=None,
        value=None,
        op=None,
        threshold=None,
        n=None,
        numbers={},
        anchors=(),
    )


def rule_of(formula: str) -> Rule:
    """The rule behind `formula`."""
    known = RULES.get(formula) or RULES.get(formula.partition(".")[0])
    return known or Rule(formula, "as the night that used it defines it")


def _types() -> str:
    return ", ".join(SEED_TYPES)
