"""Rows, plans, candidates, baselines and caps as text.

In: what the commands computed. Out: lines for a terminal. A figure that is not there is a dash, and its reason is said
below the table.
"""

from collections.abc import Iterable, Sequence

from actors.regime_runner.baselines import Baseline
from supervisor.regimes.capped import CapsReport
from supervisor.regimes.offers import OfferedDomain, PlannedDomain
from supervisor.regimes.summary import CandidateSummary, EvaluationSummary, best_first
from supervisor.rendering import duration_text
from supervisor.tables import draw_table, size_text


def draw_offers(domains: Sequence[OfferedDomain], has_genes: bool) -> list[str]:
    """The rows of every domain; with `has_genes` what a genome may set."""
    rows = [("domain", "regime", "program", "loop", "gain", "unit", "seconds", "here")]
    for domain in domains:
        for row in domain.rows:
            here = "yes" if row.is_available else "no"
            seconds = f"{row.seconds:g}"
            rows.append((row.domain, row.regime, row.program, row.loop, row.gain_metric, row.unit, seconds, here))
    lines = draw_table(rows, left=(0, 1, 2, 3, 4, 5))
    absent = [row for domain in domains for row in domain.rows if not row.is_available]
    lines += (
        ["", *(_absence(f"{row.domain} {row.regime}", row.reason, row.packages) for row in absent)] if absent else []
    )
    for domain in domains if has_genes else ():
        genes = [("gene", "default", "values", "what")]
        genes += [(gene.name, str(gene.default), _grid(gene.grid), gene.what) for gene in domain.genes]
        lines += ["", *draw_table(genes, left=(0, 1, 2, 3))]
    return lines


def draw_plans(plans: Sequence[PlannedDomain], budget_s: float, budget_bytes: int) -> list[str]:
    """What each evaluation takes, and whether that is within the budget."""
    rows = [("domain", "regime", "trials", "time", "written")]
    for plan in plans:
        rows += [(plan.domain, row.regime, *_cost(row.trials, row.seconds, row.bytes)) for row in plan.regimes]
        rows.append((plan.domain, "all", *_cost(plan.trials, plan.seconds, plan.bytes)))
    lines = draw_table(rows, left=(0, 1))
    if len(plans) > 1:
        total = _cost(sum(p.trials for p in plans), sum(p.seconds for p in plans), sum(p.bytes for p in plans))
        lines += ["", f"all {len(plans)} domains: {total[0]} trials, {total[1]}, {total[2]}"]
    lines += [f"{p.domain}: {p.candidates} candidates at most, profile {p.profile}" for p in plans if len(plans) == 1]
    reasons = [(plan.domain, row) for plan in plans for row in plan.regimes if row.reason]
    lines += [f"{domain} {row.regime}: unavailable, {row.reason}" for domain, row in reasons]
    lines += [
        f"{plan.domain}: over the budget: {text}"
        for plan in plans
        for text in over_budget(plan, budget_s, budget_bytes)
    ]
    return lines


def over_budget(plan: PlannedDomain, budget_s: float, budget_bytes: int) -> list[str]:
    """In what a plan is over the budget."""
    found = []
    if plan.seconds > budget_s:
        found.append(f"{duration_text(plan.seconds)} of {duration_text(budget_s)}")
    if plan.bytes > budget_bytes:
        found.append(f"{size_text(plan.bytes)} of {size_text(budget_bytes)}")
    return found


def draw_evaluation(found: EvaluationSummary) -> list[str]:
    """Every candidate, best first; then the regimes of the best."""
    lines = [f"{found.domain}, run {found.run_id or '-'}, profile {found.profile}"]
    if found.candidates:
        lines += ["", *draw_candidates(found.candidates)]
        first = best_first(found.candidates)[0]
        lines += ["", *_regimes(first), "", f"{first.cand_id}: {first.improves_reason}", f"pack: {first.path}"]
    told = {f"{row.regime}: {row.reason}" for one in found.candidates for row in one.regimes}
    lines += [f"not done: {refusal}" for refusal in found.refusals if refusal not in told]
    lines += [f"damaged: {fault}" for fault in found.faults]
    return lines


def draw_candidates(candidates: Sequence[CandidateSummary]) -> list[str]:
    """A table, best first."""
    rows = [("candidate", "status", "safe", "score", "gain", "detectable", "verdict", "improves", "genome")]
    for found in best_first(candidates):
        verdict = f"{found.verdict}, confirmed" if found.is_confirmed else found.verdict
        rows.append(
            (
                found.cand_id,
                found.status,
                _claim(found.safe),
                "-inf" if found.safe is False else _number(found.score_v2, 4),
                _share(found.change),
                "-" if found.minimum_detectable is None else f"{found.minimum_detectable:.1%}",
                verdict,
                _claim(found.improves_over_baseline),
                " ".join(f"{name}={value}" for name, value in found.genome.items()),
            )
        )
    return draw_table(rows, left=(0, 1, 2, 6, 7, 8))


def draw_baselines(baselines: Iterable[Baseline], host: str, code_hash: str) -> list[str]:
    """The newest version of each; of which host and code."""
    rows = [("domain", "regime", "version", "n", "perf", "unit", "p95 ms", "watts", "profile", "host", "code", "taken")]
    rows += [
        (
            found.domain,
            found.regime,
            str(found.version),
            str(found.n),
            _number(found.kpis.perf, 1),
            found.units.get("perf", ""),
            _number(found.kpis.p95_ms, 3),
            _number(found.kpis.watts, 1),
            found.profile,
            "this" if found.host == host else "another",
            "this" if found.code_hash == code_hash else "another",
            found.timestamp,
        )
        for found in baselines
    ]
    return draw_table(rows, left=(0, 1, 5, 8, 9, 10, 11)) if len(rows) > 1 else ["no baseline yet"]


def draw_caps(report: CapsReport) -> list[str]:
    """Every cap and what checks it; then why the others are unchecked."""
    rows = [("domain", "metric", "limit", "unit", "read from")]
    rows += [(row.domain, row.metric, f"{row.limit:g}", row.unit, row.source or "unchecked") for row in report.caps]
    where = f"injected sensors under {report.sensor_root}" if report.sensor_root else "the sensors of this machine"
    lines = [f"{report.file}; {where}", "", *draw_table(rows, left=(0, 1, 3, 4))]
    reasons = dict.fromkeys(f"{row.metric}: {row.reason}" for row in (*report.caps, *report.recorded) if row.reason)
    tail = f"{report.unchecked} of {len(report.caps)} caps are unchecked here: a trial under one is never called safe"
    return [*lines, "", *reasons, tail] if report.unchecked or reasons else lines


def _regimes(found: CandidateSummary) -> list[str]:
    rows = [(f"{found.cand_id}", "trials", "failed", "retried", "noisy", "perf", "unit", "p95 ms", "watts", "baseline")]
    rows += [
        (
            row.regime,
            str(row.trials),
            str(row.failures),
            str(row.retries),
            str(row.noisy),
            _number(row.perf, 1),
            row.perf_unit,
            _number(row.p95_ms, 3),
            _number(row.watts, 1),
            row.baseline_id or "-",
        )
        for row in found.regimes
    ]
    reasons = [
        _absence(f"{found.cand_id} {row.regime}", row.reason, row.packages, row.status)
        for row in found.regimes
        if row.reason is not None
    ]
    return [*draw_table(rows, left=(0, 6, 9)), *reasons]


def _absence(what: str, reason: str | None, packages: Sequence[str], status: str = "unavailable") -> str:
    install = f"; install {', '.join(packages)}" if packages else ""
    return f"{what}: {status}, {reason}{install}"


def _cost(trials: int, seconds: float, size_bytes: int) -> tuple[str, str, str]:
    return str(trials), duration_text(seconds), size_text(size_bytes)


def _grid(grid: Sequence[object]) -> str:
    shown = [str(value) for value in grid]
    return ", ".join(shown) if len(shown) <= 8 else f"{shown[0]}, {shown[1]}, ... {shown[-1]}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"


def _claim(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[value]
