"""One night of EQNet's as observations: from its replay events where they are kept, else from its reports.

In: a folder, the date, the settings. Out: `DefragObserved` and `ForgetfulnessHealth`, None for whatever nothing tells.
A report of a night that broke off has only some blocks; a later report of the same night fills what an earlier one
lacks. In parity the counts are the origin's own, by its own formulas; the affect of its moment log, which it does not
keep, is left out. There are no nights before to compare with: a guard is judged by `min_rate` alone.
"""

import datetime as dt
from pathlib import Path
from typing import Final, NamedTuple

from actors.nightly_observer.anchors import Anchors
from actors.nightly_observer.collectors.eqnet import parity as origin
from actors.nightly_observer.collectors.eqnet.finding import Counts, Finder, guards_of, tallied
from actors.nightly_observer.collectors.eqnet.reading import Gathered, gather
from actors.nightly_observer.collectors.eqnet.shapes import Item, Json, number, part
from actors.nightly_observer.day import InputManifest, Problem
from schemas.dream_seeds import (
    DECIMALS,
    Band,
    DefragObserved,
    EvidenceCounts,
    Finding,
    ForgetfulnessHealth,
    GuardCounts,
    Reason,
    Status,
)
from schemas.night_settings import DefragSettings, RuntimeSettings

MAIN_REPORT: Final = "nightly.json"
NO_HEALTH: Final = ForgetfulnessHealth(
    status="missing",
    mode="observe",
    dreams=None,
    delta_abs_max=None,
    delta_abs_mean=None,
    delta_abs_max_free=None,
    delta_abs_mean_free=None,
    delta_abs_max_guarded=None,
    delta_nonzero_count=None,
    delta_sign_balance=None,
    drift_limit=None,
    evidence_nonzero_counts=EvidenceCounts(recall=None, affect=None, interference=None),
    guard_counts=GuardCounts(floors_applied=None, consent_overrides=None, monument_locks=None),
    guard_overactive=None,
    guards=(),
    reasons=(),
    findings=(),
)


class EqnetNight(NamedTuple):
    """What a folder of EQNet's says of one night."""

    observed: DefragObserved
    health: ForgetfulnessHealth
    inputs: InputManifest
    problems: tuple[Problem, ...]


def read_eqnet(root: Path, date: str, settings: RuntimeSettings, anchors: Anchors, parity: bool) -> EqnetNight:
    """The night of `date`, YYYY-MM-DD, below `root`; `parity`: the origin's own numbers."""
    found = gather(root, date)
    night = Night(found, settings.defrag, anchors, is_parity=parity)
    return EqnetNight(night.observed(), night.health(), found.manifest, found.problems)


class Night:
    """What is known of one night."""

    def __init__(self, found: Gathered, settings: DefragSettings, anchors: Anchors, *, is_parity: bool) -> None:
        self._found = found
        self._settings = settings
        self._finder = Finder(settings, anchors)
        self._is_parity = is_parity
        reports = [document for document in found.documents if document.shape == "nightly"]
        self._reports = sorted(reports, key=lambda each: (each.path.endswith(MAIN_REPORT), each.path), reverse=True)
        snapshot = self._block("config_snapshot")
        nightly = part(part(snapshot, "nightly"), "forgetfulness_metrics")
        self._observe_rules = origin.observe_rules(part(snapshot, "defrag"))
        self._forgetting_rules = origin.forgetting_rules(part(snapshot, "forgetting"), nightly)
        self._seen = origin.observe(found.events, self._observe_rules) if found.events else None
        self._counts = self._counted()

    def observed(self) -> DefragObserved:
        """What the look at the memory found."""
        found, findings, counts = self._found, self._findings(), self._counts
        is_disabled = self._block("defrag").get("status") == "disabled"
        status: Status = "observed" if counts or findings else "disabled" if is_disabled else "missing"
        return DefragObserved(
            status=status,
            mode="observe",
            dreams=len(found.traces) or None,
            pool_rows=len(found.events) or None,
            duplicate_cluster_count=counts.duplicates if counts else None,
            conflict_cluster_count=self._conflict_count(),
            reference_candidate_count=counts.references if counts else None,
            references_saturated=bool(counts and counts.is_saturated),
            rollup_candidate_count=counts.rollup if counts else None,
            exact_pairs=None,
            near_pairs=None,
            lineage_pairs=None,
            unconfirmed_pairs=None,
            clustered_dreams=None,
            feedback_records=None,
            repeated_records=None,
            retrievals=None,
            inserted=None,
            evicted=None,
            top_similarities=self._top(),
            clusters_by_band=self._bands(),
            findings=tuple(findings),
        )

    def health(self) -> ForgetfulnessHealth:
        """How forgetting went: from its log, in parity from the events, else from the report."""
        items = self._found.items or (self._recomputed() if self._is_parity else [])
        told = part(self._block("forgetting"), "forgetfulness_health")
        base = self._of_items(items) if items else self._of_report(told)
        tallies = guards_of(self._found, _guarded(base.guard_counts), len(items) or self._events_told())
        findings = tuple(self._finder.of_guards(tallies))
        is_over = any(finding.fires for finding in findings) if findings else None
        reasons: tuple[Reason, ...] = ("guard_overactive",) if is_over else ()
        status: Status = "observed" if base.status == "observed" or tallies else base.status
        change = {"guard_overactive": is_over, "guards": tallied(tallies), "findings": findings, "reasons": reasons}
        return base.model_copy(update={**change, "status": status})

    def _findings(self) -> list[Finding]:
        found = self._found
        findings = self._finder.of_counts(self._counts) if self._counts else []
        findings += self._finder.of_equal_rows(found.traces)
        findings += self._finder.of_equal_vectors([row.vector for row in found.qualia])
        findings += self._finder.of_verdicts(found.traces)
        meters = [each for each in found.documents if each.shape == "thermo" or "memory_thermo" in each.value]
        for document in meters:
            findings += self._finder.of_energy(document)
        return findings

    def _counted(self) -> Counts | None:
        """Of the events, or of the first report that has them."""
        if (seen := self._seen) is not None:
            duplicates = tuple(sorted(seen.duplicate_ids))
            conflicts = tuple(sorted(seen.conflict_ids - seen.duplicate_ids))
            references = seen.reference_candidate_count if self._is_parity else seen.reference_true_count
            return Counts(
                duplicates=len(duplicates),
                conflicts=len(conflicts),
                references=references,
                is_saturated=seen.is_saturated if self._is_parity else seen.is_lower_bound,
                rollup=seen.rollup_candidate_count,
                rollup_budget=self._observe_rules.rollup_budget,
                low_level=seen.low_level_count,
                n=len(self._found.events),
                duplicate_ids=duplicates,
                conflict_ids=conflicts,
            )
        told = part(self._block("defrag"), "observe")
        if not told:
            return None
        duplicates_told, conflicts_told = (
            _count(told, "duplicate_cluster_count"),
            _count(told, "conflict_cluster_count"),
        )
        references, rollup = _count(told, "reference_candidate_count"), _count(told, "rollup_candidate_count")
        ids = tuple(str(row["id"]) for row in _rows(told, "top_pairs") if "id" in row)
        return Counts(
            duplicates=duplicates_told,
            conflicts=max(0, conflicts_told - duplicates_told),
            references=references,
            is_saturated=references >= self._observe_rules.max_pairs,
            rollup=rollup,
            rollup_budget=self._observe_rules.rollup_budget,
            low_level=self._observe_rules.rollup_budget + rollup if rollup else None,
            n=self._events_told(),
            duplicate_ids=ids if duplicates_told else (),
            conflict_ids=ids if conflicts_told > duplicates_told else (),
            source=next(each.sha256 for each in self._reports if part(part(each.value, "defrag"), "observe")),
        )

    def _conflict_count(self) -> int | None:
        """In parity with the duplicates among them, as the origin counts."""
        if self._counts is None or not self._is_parity:
            return self._counts.conflicts if self._counts else None
        if self._seen is not None:
            return len(self._seen.conflict_ids)
        return _count(part(self._block("defrag"), "observe"), "conflict_cluster_count")

    def _top(self) -> tuple[float, ...]:
        told = _rows(part(self._block("defrag"), "observe"), "top_pairs")
        values = [each for _, each in self._seen.top] if self._seen else [number(row.get("similarity")) for row in told]
        kept = [round(value, DECIMALS) for value in values if value is not None]
        return tuple(kept[: self._settings.top_pairs])

    def _bands(self) -> tuple[Band, ...]:
        if self._seen is not None:
            return tuple(Band(low=low, count=count) for low, count in self._seen.clusters_by_band)
        told = part(part(self._block("defrag"), "observe"), "clusters_by_band")
        lows = {name: number(name.removeprefix(">=").split("-")[0]) for name in map(str, told)}
        rows = [(low, _count(told, name)) for name, low in lows.items() if low is not None]
        return tuple(Band(low=low, count=count) for low, count in sorted(rows))

    def _recomputed(self) -> list[Item]:
        """What the origin would change at the end of the night."""
        end = dt.datetime.fromisoformat(f"{self._found.date}T00:00:00+00:00") + dt.timedelta(days=1)
        events, monuments = self._found.events, self._found.monument_episodes
        return origin.forget(events, self._forgetting_rules, end.timestamp(), monuments)

    def _of_items(self, items: list[Item]) -> ForgetfulnessHealth:
        told = origin.health(items, self._forgetting_rules)
        free = [abs(each.delta) for each in items if not (each.consent or each.lock or each.floor)]
        held = [abs(each.delta) for each in items if each.consent or each.lock or each.floor]
        up, down = sum(each.delta > 0.0 for each in items), sum(each.delta < 0.0 for each in items)
        signed = (up - down) / (up + down) if up + down else None
        return NO_HEALTH.model_copy(
            update={
                "status": "observed",
                "dreams": len(items),
                "delta_abs_max": _rounded(told.delta_abs_max),
                "delta_abs_mean": _rounded(told.delta_abs_mean),
                "delta_abs_max_free": _rounded(max(free, default=None)),
                "delta_abs_mean_free": _rounded(sum(free) / len(free) if free else None),
                "delta_abs_max_guarded": _rounded(max(held, default=None)),
                "delta_nonzero_count": told.delta_nonzero_count,
                "delta_sign_balance": _rounded(told.delta_sign_balance if self._is_parity else signed),
                "evidence_nonzero_counts": EvidenceCounts(
                    recall=told.recall, affect=told.affect, interference=told.interference
                ),
                "guard_counts": GuardCounts(
                    floors_applied=told.floors_applied,
                    consent_overrides=told.consent_overrides,
                    monument_locks=told.monument_locks,
                ),
            }
        )

    def _of_report(self, told: Json) -> ForgetfulnessHealth:
        """Free and guarded changes cannot be told apart in a report; a balance of a night without change is none."""
        if not told:
            is_disabled = self._block("forgetting").get("status") == "disabled"
            return NO_HEALTH.model_copy(update={"status": "disabled" if is_disabled else "missing"})
        factors, guards = part(told, "evidence_nonzero_counts"), part(told, "guard_counts")
        moved = _count(told, "delta_nonzero_count")
        return NO_HEALTH.model_copy(
            update={
                "status": "observed",
                "dreams": self._events_told() or None,
                "delta_abs_max": number(told.get("delta_abs_max")),
                "delta_abs_mean": number(told.get("delta_abs_mean")),
                "delta_nonzero_count": moved,
                "delta_sign_balance": self._balance_told(told) if moved or self._is_parity else None,
                "evidence_nonzero_counts": EvidenceCounts(
                    recall=_count(factors, "recall"),
                    affect=_count(factors, "affect"),
                    interference=_count(factors, "interference"),
                ),
                "guard_counts": GuardCounts(
                    floors_applied=_count(guards, "floors_applied"),
                    consent_overrides=_count(guards, "consent_overrides"),
                    monument_locks=_count(guards, "monument_locks"),
                ),
            }
        )

    def _balance_told(self, told: Json) -> float | None:
        """Signed; a ratio r is the signed balance 2 r - 1."""
        balance = number(told.get("delta_sign_balance"))
        if balance is None or self._is_parity or told.get("delta_sign_balance_mode") == "signed":
            return balance
        return 2.0 * balance - 1.0

    def _events_told(self) -> int:
        """Events that the report of forgetting is about."""
        return _count(part(self._block("forgetting"), "delta_stats"), "count")

    def _block(self, name: str) -> Json:
        """The object `name` of the first report that has it."""
        return next((part(each.value, name) for each in self._reports if part(each.value, name)), {})


def _guarded(counts: GuardCounts) -> int:
    return sum(each or 0 for each in (counts.floors_applied, counts.consent_overrides, counts.monument_locks))


def _count(row: Json, name: str) -> int:
    """A count, 0 for what is none."""
    return max(0, int(number(row.get(name)) or 0))


def _rows(row: Json, name: str) -> list[Json]:
    rows = row.get(name)
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
