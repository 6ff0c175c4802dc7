"""Findings of a night of EQNet's: its counts in the words of ours, each with its value, threshold and support.

In: what was gathered, what was observed, the thresholds. Out: findings. Its classes are made disjoint: what is a
duplicate is no conflict. A share that nothing tells makes the tone neutral; ids that are masked give anchors by their
position in the file, and the evidence says so. Rates rest on the lower end of the 95 % Wilson interval.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.collectors.eqnet.reading import Document, Gathered
from actors.nightly_observer.collectors.eqnet.shapes import Json, TraceRow, number, part
from actors.nightly_observer.spread import wilson_low
from schemas.dream_seeds import MAX_ANCHORS, Evidence, Finding, GuardTally, Number, SeedType, evidence
from schemas.night_settings import DefragSettings

MASKED: Final = "***"


class Tally(NamedTuple):
    """A guard acted k times of n."""

    guard: str
    k: int
    n: int


@dataclass(frozen=True)
class Counts:
    """The counts of a look at the replay memory, from its events or from a report."""

    duplicates: int
    conflicts: int
    """Those that are no duplicates."""
    references: int
    is_saturated: bool
    rollup: int
    rollup_budget: int
    low_level: int | None
    """Events of the kinds that a roll-up is for; None where a report does not tell."""
    n: int
    """Events, or 0 where only the report is there."""
    duplicate_ids: tuple[str, ...] = ()
    conflict_ids: tuple[str, ...] = ()
    source: str = ""
    """Digest of the report."""


class Finder:
    """Makes findings with anchors."""

    def __init__(self, settings: DefragSettings, anchors: Anchors) -> None:
        self._settings = settings
        self._anchors = anchors

    def of_counts(self, counts: Counts) -> list[Finding]:
        """What a look at the replay memory found."""
        found = []
        of_ids: tuple[tuple[SeedType, int, tuple[str, ...]], ...] = (
            ("duplicate", counts.duplicates, counts.duplicate_ids),
            ("conflict", counts.conflicts, counts.conflict_ids),
        )
        for seed_type, value, ids in of_ids:
            anchors, is_positional = self._anchored("episode", ids, counts.source or seed_type)
            shown = evidence(f"eqnet.{seed_type}_count", value, ">=", 1.0, counts.n, anchors_positional=is_positional)
            found.append(_finding(seed_type, value >= 1, shown, anchors))
        any_pair = int(counts.references > 0)
        shown = evidence(
            "eqnet.references",
            any_pair,
            ">=",
            1.0,
            counts.n,
            reference_candidate_count=counts.references,
            saturated=counts.is_saturated,
        )
        found.append(_finding("bridge", bool(any_pair), shown, self._subject("bridge", "references")))
        if counts.low_level is not None:
            budget = max(1, counts.rollup_budget)
            fill, least = counts.low_level / budget, (counts.rollup_budget + 1) / budget
            shown = evidence("eqnet.rollup_fill", fill, ">=", least, counts.n, rollup_candidate_count=counts.rollup)
            found.append(_finding("budget_pressure", counts.rollup > 0, shown, self._subject("budget", "rollup")))
        return found

    def of_equal_rows(self, traces: Sequence[TraceRow]) -> list[Finding]:
        """Turns that are equal but for their time."""
        ids: dict[bytes, list[str]] = defaultdict(list)
        for row in traces:
            ids[row.likeness].append(row.turn_id)
        counts = [len(turns) for turns in ids.values()]
        repeated = [turn for turns in ids.values() if len(turns) > 1 for turn in turns]
        return self._repeated("eqnet.equal_rows", counts, "turn", repeated)

    def of_equal_vectors(self, vectors: Sequence[tuple[float, ...]]) -> list[Finding]:
        """Qualia vectors that are equal."""
        counts = Counter(vectors)
        ids = [repr(vector) for vector, count in counts.items() if count > 1]
        return self._repeated("eqnet.equal_qualia", list(counts.values()), "qualia", ids)

    def of_verdicts(self, traces: Sequence[TraceRow]) -> list[Finding]:
        """Scenarios in which some turns were accepted and some rejected, repeats left out."""
        distinct = {row.likeness: row for row in reversed(traces) if row.accepted is not None}
        sides: dict[str, Counter[bool]] = defaultdict(Counter)
        for row in distinct.values():
            sides[row.scenario_id][bool(row.accepted)] += 1
        repeated = sum(row.accepted is not None for row in traces) - len(distinct)
        return [self._mixed(scenario, side, repeated) for scenario, side in sorted(sides.items())]

    def of_energy(self, document: Document) -> list[Finding]:
        """What the meter of a metabolism says: throttle, energy, channels."""
        block = part(document.value, "memory_thermo") or document.value
        found = []
        subject = self._subject("budget", "energy")
        throttle = block.get("budget_throttle_applied")
        if isinstance(throttle, bool):
            shown = evidence("eqnet.throttle", int(throttle), ">=", 1.0, 1)
            found.append(_finding("budget_pressure", throttle, shown, self._subject("budget", "throttle")))
        used, limit = number(block.get("energy_budget_used")), number(block.get("energy_budget_limit"))
        most = self._settings.budget_pressure.max_fill
        if used is not None and limit is not None and limit > 0.0:
            shown = evidence("eqnet.energy_fill", used / limit, ">=", most, 1, used=used, limit=limit)
            found.append(_finding("budget_pressure", used / limit >= most, shown, subject))
        for name, channel in sorted(part(block, "resource_budget").items()):
            found += self._channel(str(name), channel if isinstance(channel, dict) else {}, 1.0 - most)
        return found

    def of_guards(self, tallies: Iterable[Tally]) -> list[Finding]:
        """Guards that acted more often than `min_rate`."""
        settings = self._settings.guard_overuse
        found = []
        for tally in tallies:
            if tally.n:
                low = wilson_low(min(tally.k, tally.n), tally.n)
                numbers: dict[str, Number] = {"k": tally.k, "rate": tally.k / tally.n, "wilson_low": low}
                shown = evidence(f"eqnet.{tally.guard}", low, ">=", settings.min_rate, tally.n, **numbers)
                fires = tally.n >= settings.min_opportunities and low >= settings.min_rate
                found.append(_finding("guard_overuse", fires, shown, self._subject("guard", tally.guard)))
        return found

    def _channel(self, name: str, channel: Json, least: float) -> list[Finding]:
        capacity, level = number(channel.get("capacity")), number(channel.get("level"))
        spent, recovered = number(channel.get("spent")), number(channel.get("recovered"))
        if capacity is None or level is None or capacity <= 0.0 or spent is None or recovered is None:
            return []
        shown = evidence("eqnet.channel_level", level / capacity, "<=", least, 1, spent=spent, recovered=recovered)
        fires = level / capacity <= shown.threshold and spent > recovered
        return [_finding("budget_pressure", fires, shown, self._subject("channel", name))]

    def _mixed(self, scenario: str, side: Counter[bool], repeated: int) -> Finding:
        settings, n = self._settings.conflict, side.total()
        less = min(side[True], side[False])
        mix = 2.0 * less / n
        shown = evidence(
            "eqnet.verdict_mix",
            mix,
            ">=",
            settings.min_mix,
            n,
            accepted=side[True],
            rejected=side[False],
            repeated=repeated,
        )
        fires = n >= settings.min_counted and less >= settings.min_each and mix >= settings.min_mix
        return _finding("conflict", fires, shown, self._subject("scenario", scenario))

    def _repeated(self, formula: str, counts: Sequence[int], domain: str, ids: Sequence[str]) -> list[Finding]:
        """`counts`: how often each different thing is there."""
        n = sum(counts)
        if not n:
            return []
        sizes = [count for count in counts if count > 1]
        ratio, least = (n - len(counts)) / n, self._settings.duplicate.min_ratio
        shown = evidence(formula, ratio, ">=", least, n, cluster_count=len(sizes), largest=max(sizes, default=1))
        anchors, _ = self._anchored(domain, sorted(ids), formula)
        return [_finding("duplicate", bool(sizes) and ratio >= least, shown, anchors)]

    def _anchored(self, domain: str, ids: Sequence[str], source: str) -> tuple[tuple[str, ...], bool]:
        """Anchors of `ids`, those of masked ones by position in `source`; of `source` itself where none is known."""
        if not ids:
            return self._subject(domain, source), False
        named = [
            ("eqnet_position", f"{source}|{at}") if each == MASKED else (f"eqnet_{domain}", each)
            for at, each in enumerate(ids)
        ]
        made = [self._anchors.of(of, name) for of, name in named]
        return tuple(dict.fromkeys(made))[:MAX_ANCHORS], MASKED in ids

    def _subject(self, domain: str, name: str) -> tuple[str, ...]:
        return (self._anchors.of(f"eqnet_{domain}", name),)


def tallied(tallies: Iterable[Tally]) -> tuple[GuardTally, ...]:
    """The tallies as a report has them; there are no nights before to compare with."""
    return tuple(
        GuardTally(
            guard=each.guard,
            k=each.k,
            n=each.n,
            rate=round(each.k / each.n, 6) if each.n else None,
            wilson_low=round(wilson_low(min(each.k, each.n), each.n), 6) if each.n else None,
            baseline=None,
        )
        for each in tallies
    )


def guards_of(found: Gathered, guarded: int, events: int) -> list[Tally]:
    """The guards of a night: of forgetting, of offers, of actions; turns where they are kept, else audits."""
    tallies = [Tally("guard_counts", guarded, events)] if events else []
    throttled = [row for row in found.traces if row.accepted is not None]
    gated = [row for row in found.traces if row.gate_action is not None]
    if throttled:
        tallies.append(Tally("offer_throttle", sum(row.is_throttled for row in throttled), len(throttled)))
    if gated:
        tallies.append(Tally("human_confirm", sum(row.gate_action == "HUMAN_CONFIRM" for row in gated), len(gated)))
    return tallies if found.traces else tallies + _of_audits(found.documents)


def _of_audits(documents: Sequence[Document]) -> list[Tally]:
    """From the audit of the day, or where there is none from those of its scenarios together."""
    daily = [document.value for document in documents if document.shape == "audit"][:1]
    audits = daily or [document.value["nightly_audit"] for document in documents if document.shape == "weekly_audit"]
    offered = throttled = confirmed = gated = 0
    for audit in audits:
        offered += int(number(part(audit, "prospection").get("total")) or 0)
        throttled += _total(part(part(audit, "policy"), "offer_throttle_counts").values())
        actions = part(part(audit, "ru_v0_summary"), "gate_action_counts")
        gated += _total(actions.values())
        confirmed += int(number(actions.get("HUMAN_CONFIRM")) or 0)
    found = [Tally("offer_throttle", throttled, offered)] if offered else []
    return found + ([Tally("human_confirm", confirmed, gated)] if gated else [])


def _total(values: Iterable[object]) -> int:
    return int(sum(number(value) or 0.0 for value in values))


def _finding(seed_type: SeedType, fires: bool, shown: Evidence, anchors: tuple[str, ...]) -> Finding:
    return Finding(seed_type=seed_type, fires=fires, evidence=shown, anchors=anchors, bins=())
