"""The report of a home as one static page: no script, nothing from outside, readable offline and in print.

In: what is kept, the caps and sensors. Out: HTML text. For each domain: the candidates of its last evaluation, the best
one's trials against the baseline, its changes with their intervals, the evolution curve; then what is capped, and which
sensor can check it. Every text that comes from a file is escaped.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from schemas.candidate_pack import CandidatePack
from schemas.regimes import Domain, Metric
from supervisor.regimes.capped import CapsReport
from supervisor.regimes.kept import Kept
from supervisor.regimes.plots import Curve, changes_plot, evolution_plot, trials_plot
from supervisor.regimes.summary import CandidateSummary, best_first, finite, summarise

SHOWN_METRICS: Final[tuple[Metric, ...]] = ("perf", "p95_ms", "watts")
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d5dbe3; --page: #ffffff; --card: #f6f8fa;
  --candidate: #1f6feb; --baseline: #8a6d00; --good: #1a7f37; --bad: #c0362c; --open: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #30363d; --page: #0d1117;
  --card: #161b22; --candidate: #58a6ff; --baseline: #d4a72c; --good: #3fb950; --bad: #f85149; --open: #8b949e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 66rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) } h3 { margin-top: 1.6rem }
table { border-collapse: collapse; width: 100%; font-size: 13px; display: block; overflow-x: auto }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } code { font-size: 12px }
.soft { color: var(--soft) } .badge { border-radius: 1rem; padding: .05rem .6rem;
  color: var(--page); white-space: nowrap }
.good { background: var(--good) } .bad { background: var(--bad) } .open { background: var(--open) }
svg { max-width: 100%; height: auto; background: var(--card); border-radius: .4rem; margin: .3rem .3rem .3rem 0 }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif } svg .soft { fill: var(--soft) }
@media print { body { max-width: none } h2 { break-before: page } }
"""


def draw_report(kept: Kept, caps: CapsReport, made_at: str) -> str:
    """The whole page."""
    domains = "".join(_domain(kept, domain) for domain in kept.domains)
    nothing = "" if kept.domains else "<p>No evaluation yet: <code>supervisor regimes evaluate cpu --quick</code>.</p>"
    faults = "".join(f"<li>{escape(fault)}</li>" for fault in kept.faults)
    damaged = f"<h2>Cannot be read</h2><ul>{faults}</ul>" if faults else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Regimes</title><style>{STYLE}</style></head><body>\n"
        f'<h1>Regimes</h1><p class="soft">Made {escape(made_at)}. A verdict is given only where paired trials show it; '
        "what was not measured is a dash.</p>\n"
        f"{_overview(kept)}{nothing}{domains}{_caps(caps)}{damaged}</body></html>\n"
    )


def _overview(kept: Kept) -> str:
    if not kept.domains:
        return ""
    rows = []
    for domain in kept.domains:
        best = best_first([summarise(pack) for pack in kept.latest(domain)])[0]
        rows.append((f'<a href="#{domain}">{domain}</a>', *_figures(best)))
    return _table(("domain", "best", "status", "safe", "score", "gain", "verdict"), rows)


def _domain(kept: Kept, domain: Domain) -> str:
    packs = kept.latest(domain)
    found = best_first([summarise(pack) for pack in packs])
    best = next(pack for pack in packs if pack.cand_id == found[0].cand_id)
    rows = [(*_figures(one), f"<code>{escape(_genome(one))}</code>", escape(one.improves_reason)) for one in found]
    headings = ("candidate", "status", "safe", "score", "gain", "verdict", "genome", "why")
    return (
        f'\n<h2 id="{domain}">{domain}</h2>{_conditions(best)}{_table(headings, rows)}'
        f"<h3>{escape(best.cand_id)} against the baseline</h3>{_plots(best)}{_regimes(found[0])}{_curve(kept, domain)}"
    )


def _conditions(pack: CandidatePack) -> str:
    told = pack.artifacts
    parts = [f"run {pack.run_id}", f"{told.created_at_utc}", f"profile {told.profile}", f"host {told.host}"]
    parts += [f"{name} {value}" for name, value in told.host_facts.items() if name in ("cpu", "kernel")]
    parts += ["virtual machine"] if told.virtualised else []
    parts += ["injected sensors"] if told.injected else []
    return f'<p class="soft">{escape(", ".join(parts))}</p>'


def _plots(pack: CandidatePack) -> str:
    plots = [trials_plot(pack, metric) for metric in SHOWN_METRICS]
    decisive = pack.artifacts.confirmation.judgement if pack.artifacts.confirmation else pack.artifacts.judgement
    plots.append(changes_plot(decisive))
    missing = "".join(f"<li>{escape(text)}</li>" for text in decisive.not_compared)
    silent = f'<details class="soft"><summary>not compared</summary><ul>{missing}</ul></details>' if missing else ""
    return "".join(plot for plot in plots if plot) + silent


def _regimes(found: CandidateSummary) -> str:
    headings = ("regime", "trials", "failed", "retried", "noisy", "perf", "p95 ms", "watts", "baseline", "remarks")
    rows = [
        (
            row.regime,
            str(row.trials),
            str(row.failures),
            str(row.retries),
            str(row.noisy),
            f"{_number(row.perf)} {escape(row.perf_unit)}",
            _number(row.p95_ms),
            _number(row.watts),
            escape(row.baseline_id or "-"),
            escape("; ".join(part for part in (row.reason, _install(row.packages)) if part)),
        )
        for row in found.regimes
    ]
    return _table(headings, rows)


def _curve(kept: Kept, domain: Domain) -> str:
    names = {"best_fitness": "best", "avg_fitness": "mean", "random_best_fitness": "best of random search"}
    curves = [Curve(text, tuple(_points(kept.lines.get(domain, []), name))) for name, text in names.items()]
    plot = evolution_plot([curve for curve in curves if curve.points])
    return f"<h3>Evolution</h3>{plot}" if plot else ""


def _points(lines: Sequence[Mapping[str, object]], name: str) -> Iterator[tuple[float, float]]:
    """(generation, value) of every line that has both."""
    for line in lines:
        generation, value = line.get("generation"), line.get(name)
        if isinstance(generation, int | float) and isinstance(value, int | float) and finite(float(value)) is not None:
            yield float(generation), float(value)


def _caps(caps: CapsReport) -> str:
    where = f"injected: {caps.sensor_root}" if caps.sensor_root else "this machine"
    rows = [
        (
            row.domain,
            row.metric,
            f"{row.limit:g} {escape(row.unit)}",
            escape(row.source or "unchecked"),
            escape(row.reason or ""),
        )
        for row in caps.caps
    ]
    sensors = [(row.domain, row.metric, escape(row.source or "-"), escape(row.reason or "")) for row in caps.recorded]
    return (
        f"\n<h2>Sensors and caps</h2><p class='soft'>Sensors of {escape(where)}; "
        f"{caps.unchecked} of {len(caps.caps)} caps are unchecked here.</p>"
        f"{_table(('domain', 'sensor', 'read from', 'why not'), sensors)}<h3>Caps</h3>"
        f"{_table(('domain', 'metric', 'limit', 'read from', 'why not'), rows)}"
    )


def _figures(found: CandidateSummary) -> tuple[str, ...]:
    kinds = {"improved": "good", "not improved": "bad", "inconclusive": "open"}
    text = f"{found.verdict}, confirmed" if found.is_confirmed else found.verdict
    gain = "-" if found.change is None else f"{found.change:+.1%}"
    if found.minimum_detectable is not None:
        gain += f' <span class="soft">(detectable {found.minimum_detectable:.1%})</span>'
    return (
        escape(found.cand_id),
        found.status,
        {True: "yes", False: '<span class="badge bad">no</span>', None: "unchecked"}[found.safe],
        "-inf" if found.safe is False else _number(found.score_v2),
        gain,
        f'<span class="badge {kinds[found.verdict]}">{text}</span>',
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _genome(found: CandidateSummary) -> str:
    return " ".join(f"{name}={value}" for name, value in found.genome.items())


def _install(packages: Sequence[str]) -> str:
    return f"install {', '.join(packages)}" if packages else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
